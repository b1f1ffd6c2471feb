// Command damage writes a copy of an execution trace of Go 1.22 or later that
// is cut in the middle of the last generation, or has wrong bytes in the third
// one. With -half it cuts any file in the middle, also one of an older version of Go.
package main

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("damage: ")
	from := flag.String("from", "", "the `trace` to copy")
	half := flag.Bool("half", false, "cut in the middle of the file")
	truncate := flag.Bool("truncate", false, "cut in the middle of a batch of the last generation")
	corrupt := flag.Bool("corrupt", false, "change bytes inside a batch of the third generation")
	flag.Parse()
	if flag.NArg() != 1 || *from == "" {
		log.Fatal("usage: damage -from trace -half|-truncate|-corrupt output-file")
	}
	data, err := os.ReadFile(*from)
	if err != nil {
		log.Fatal(err)
	}
	switch {
	case *half:
		data = data[:len(data)/2]
	case *truncate:
		data, err = cut(data)
	case *corrupt:
		err = flip(data)
	default:
		err = errors.New("one of -half, -truncate and -corrupt is needed")
	}
	if err == nil {
		err = os.WriteFile(flag.Arg(0), data, 0o666)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// The bytes that say what follows. Batches and the end of a generation are at the
// top level; the others are the first byte of the data of a batch.
const (
	evEventBatch      = 1
	evStacks          = 2
	evStrings         = 4
	evCPUSamples      = 6
	evFrequency       = 8
	evExperimental    = 49
	evSync            = 50
	evEndOfGeneration = 52
)

const headerSize = 16 // "go 1.26 trace\x00\x00\x00"

// A batch is a part of a trace: all of it belongs to one generation and thread.
type batch struct {
	gen        uint64
	start, end int // of the data, in the file
	events     bool
}

// cut cuts the trace in the middle of the largest batch of events of the last
// generation.
func cut(data []byte) ([]byte, error) {
	batches, err := parse(data)
	if err != nil {
		return nil, err
	}
	last := batches[len(batches)-1].gen
	b, err := largest(batches, last)
	if err != nil {
		return nil, err
	}
	at := (b.start + b.end) / 2
	log.Printf("cut at byte %d of %d, in generation %d", at, len(data), last)
	return data[:at], nil
}

// flip changes bytes in the middle of the largest batch of events of the third
// generation.
func flip(data []byte) error {
	batches, err := parse(data)
	if err != nil {
		return err
	}
	third := batches[0].gen + 2
	b, err := largest(batches, third)
	if err != nil {
		return err
	}
	const n = 8
	at := (b.start+b.end)/2 - n/2
	for i := range n {
		data[at+i] ^= 0xff
	}
	log.Printf("changed bytes %d to %d of %d, in generation %d", at, at+n-1, len(data), third)
	return nil
}

// largest returns the largest batch of events of a generation.
func largest(batches []batch, gen uint64) (batch, error) {
	var found batch
	for _, b := range batches {
		if b.gen == gen && b.events && b.end-b.start > found.end-found.start {
			found = b
		}
	}
	if found.gen == 0 {
		return batch{}, fmt.Errorf("generation %d has no batch of events", gen)
	}
	return found, nil
}

// parse returns the batches of a trace.
func parse(data []byte) ([]batch, error) {
	if len(data) < headerSize {
		return nil, errors.New("not a trace")
	}
	var batches []batch
	for pos := headerSize; pos < len(data); {
		kind := data[pos]
		pos++
		switch kind {
		case evEndOfGeneration:
			continue
		case evExperimental:
			pos++ // which experiment
		case evEventBatch:
		default:
			return nil, fmt.Errorf("byte %d: %d is no batch", pos-1, kind)
		}
		var fields [4]uint64 // generation, thread, time, size
		for i := range fields {
			v, n := binary.Uvarint(data[pos:])
			if n <= 0 {
				return nil, fmt.Errorf("byte %d: not a number", pos)
			}
			fields[i] = v
			pos += n
		}
		size := int(fields[3])
		if size > len(data)-pos {
			return nil, fmt.Errorf("byte %d: the batch is longer than the trace", pos)
		}
		b := batch{gen: fields[0], start: pos, end: pos + size, events: kind == evEventBatch && size > 0}
		if b.events {
			switch data[pos] {
			case evStacks, evStrings, evCPUSamples, evFrequency, evSync:
				b.events = false
			}
		}
		batches = append(batches, b)
		pos = b.end
	}
	if len(batches) == 0 {
		return nil, errors.New("the trace is empty")
	}
	return batches, nil
}
