package model

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"time"
)

// times finds out when a generation begins, in ns on the trace clock, and the
// clock snapshot that it has. It reads the batches' headers, and the batch about
// the clock.
func (g *generation) times() (start Time, clock *ClockSnapshot, ok bool) {
	r := bufio.NewReader(io.MultiReader(readers(g.blocks)...))
	var first uint64
	var c clockBatch
	for {
		typ, err := r.ReadByte()
		if err != nil || typ == evEndOfGeneration {
			break
		}
		if typ == evExperimentalBatch {
			r.Discard(1)
		}
		var fields [4]uint64 // generation, M, time, size
		for i := range fields {
			if fields[i], err = binary.ReadUvarint(r); err != nil {
				return 0, nil, false
			}
		}
		ticks, size := fields[2], fields[3]
		if first == 0 || ticks < first {
			first = ticks
		}
		if size > maxBatchSize {
			return 0, nil, false
		}
		if head, _ := r.Peek(1); typ != evEventBatch || len(head) == 0 || head[0] != evFrequency && head[0] != evSync {
			if _, err := r.Discard(int(size)); err != nil {
				return 0, nil, false
			}
			continue
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(r, data); err != nil {
			return 0, nil, false
		}
		c.parse(data, ticks)
	}
	if c.frequency == 0 {
		return 0, nil, false
	}
	return c.time(first), c.snapshot(), true
}

// clockBatch is what a generation tells about its clock, which counts ticks
// (internal/trace/generation.go, setSyncBatch).
type clockBatch struct {
	frequency              uint64 // ticks for each second
	ticks, mono, sec, nsec uint64 // a snapshot; sec is 0 for none
}

// parse reads the data of a batch that begins at this tick.
func (c *clockBatch) parse(data []byte, ticks uint64) {
	number := func() uint64 {
		n, k := binary.Uvarint(data)
		data = data[max(k, 0):]
		return n
	}
	for len(data) > 0 {
		typ := data[0]
		data = data[1:]
		switch typ {
		case evSync:
		case evFrequency:
			c.frequency = number()
		case evClockSnapshot:
			c.ticks, c.mono, c.sec, c.nsec = ticks+number(), number(), number(), number()
		default:
			return
		}
	}
}

func (c *clockBatch) time(ticks uint64) Time {
	return Time(float64(ticks) * (1 / (float64(c.frequency) / 1e9)))
}

func (c *clockBatch) snapshot() *ClockSnapshot {
	if c.sec == 0 {
		return nil
	}
	return &ClockSnapshot{Trace: c.time(c.ticks), Mono: c.mono, Wall: time.Unix(int64(c.sec), int64(c.nsec))}
}

func readers(blocks [][]byte) (rs []io.Reader) {
	for _, b := range blocks {
		rs = append(rs, bytes.NewReader(b))
	}
	return rs
}
