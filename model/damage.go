package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/trace2x/trace2x/internal/decode"
)

// Damage says where a trace is truncated or damaged. It is the error of a
// [Read] that reported everything before that place.
type Damage struct {
	// Generations is the number of generations before the damage. They are
	// complete; of the one with the damage, none or some events were read.
	Generations int
	// Offset is the byte, counted from 0 in the uncompressed trace, at which
	// the damage is, or, if that cannot be told, at which the generation with
	// the damage begins.
	Offset int64
	// Size is the number of bytes of input, as far as it was read.
	Size int64
	// Lost is the number of bytes, up to Size, in the generation with the damage.
	Lost int64
	// Truncated means that the input ends too early.
	Truncated bool
	// Err is what the decoder says.
	Err error
}

func (d *Damage) Error() string {
	if d.Truncated {
		return fmt.Sprintf("truncated at byte %d, in generation %d, of which %d bytes are lost: %v", d.Offset, d.Generations+1, d.Lost, d.Err)
	}
	return fmt.Sprintf("damaged at or after byte %d, in generation %d, of which up to %d bytes are lost, as is all that follows: %v", d.Offset, d.Generations+1, d.Lost, d.Err)
}

func (d *Damage) Unwrap() error { return d.Err }

// framing passes a trace through and follows its outermost structure, so that
// an error of the decoder can be given a place. Since Go 1.22 a trace is a
// header and then batches, each
//
//	EvEventBatch (1) | generation, M, time, size (uvarints) | size bytes
//
// or the same with EvExperimentalBatch and one more byte in front, and since Go
// 1.26 the single byte EvEndOfGeneration behind those of each generation
// (internal/trace/tracev2/events.go, internal/trace/batch.go).
type framing struct {
	r   io.Reader
	err error // of r, if other than io.EOF
	eof bool

	size  int64 // bytes passed
	skip  int64 // bytes until the next batch
	batch int64 // offset of the batch that is being passed
	head  []byte
	bad   bool // the structure is broken at batch
	v2    bool
	ends  bool // generations end with EvEndOfGeneration
	ended bool // no batch has been passed since the last EvEndOfGeneration

	generation uint64
	starts     []int64 // offsets of the generations
}

func (f *framing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	f.pass(p[:n])
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.eof = true
	case err != nil:
		f.err = err
	}
	return n, err
}

func (f *framing) pass(p []byte) {
	if f.size < headerSize {
		n := min(len(p), int(headerSize-f.size))
		f.head = append(f.head, p[:n]...)
		f.size += int64(n)
		p = p[n:]
		if f.size == headerSize {
			f.v2, f.ends = string(f.head[5:7]) >= "22", string(f.head[5:7]) >= "26"
			f.head, f.batch = f.head[:0], headerSize
		}
	}
	if !f.v2 || f.bad {
		f.size += int64(len(p))
		return
	}
	for len(p) > 0 {
		if f.skip > 0 {
			n := min(int64(len(p)), f.skip)
			f.skip -= n
			f.size += n
			p = p[n:]
			continue
		}
		if len(f.head) == 0 {
			f.batch = f.size
		}
		f.head = append(f.head, p[0])
		f.size++
		p = p[1:]
		if done := f.header(); done {
			f.head = f.head[:0]
		}
		if f.bad {
			f.size += int64(len(p))
			return
		}
	}
}

// header takes the bytes of a batch's header that have been passed; it reports
// whether the header is complete.
func (f *framing) header() bool {
	b := f.head
	switch b[0] {
	case decode.EvEndOfGeneration:
		f.ended = true
		return true
	case decode.EvEventBatch:
		b = b[1:]
	case decode.EvExperimentalBatch:
		if b = b[1:]; len(b) > 0 {
			b = b[1:]
		}
	default:
		return f.broken()
	}
	var fields [4]uint64
	for i := range fields {
		v, n := binary.Uvarint(b)
		if n < 0 || len(f.head) > decode.MaxBatchHeader {
			return f.broken()
		}
		if n == 0 {
			return false
		}
		fields[i], b = v, b[n:]
	}
	if len(f.starts) == 0 || fields[0] != f.generation {
		f.generation = fields[0]
		f.starts = append(f.starts, f.batch)
	}
	if fields[3] > decode.MaxBatchSize {
		return f.broken()
	}
	f.ended = false
	f.skip = int64(fields[3])
	return true
}

// broken gives up following the structure, from the batch on that is being
// passed. It counts as the next generation's if the last one had ended.
func (f *framing) broken() (done bool) {
	f.bad = true
	if len(f.starts) == 0 || f.ended {
		f.starts = append(f.starts, f.batch)
	}
	return true
}

// incomplete reports whether the input, which has been passed, ends within a
// generation. Before Go 1.26 that is not known if it ends between two batches.
func (f *framing) incomplete() bool {
	return f.skip > 0 || len(f.head) > 0 || f.v2 && len(f.starts) == 0 || f.ends && !f.ended
}

// damage gives an error of the decoder, after this many whole generations, its
// place.
func (f *framing) damage(generations int, err error) *Damage {
	if f.err != nil {
		err = f.err
	}
	if n := len(f.starts); !f.ends && n > 0 && generations >= n {
		// Before Go 1.26, the decoder takes what there is of the last generation
		// for all of it.
		generations = n - 1
	}
	d := &Damage{Generations: generations, Size: f.size, Err: brief(err)}
	start := f.size
	switch {
	case generations < len(f.starts):
		start = f.starts[generations]
	case f.bad || len(f.head) > 0:
		start = f.batch
	case !f.v2:
		start = min(headerSize, f.size)
	}
	end := f.size
	if generations+1 < len(f.starts) {
		end = f.starts[generations+1]
	}
	d.Offset, d.Lost = start, end-start
	switch {
	case f.bad && end == f.size:
		d.Offset = f.batch
	case (f.eof || f.err != nil) && end == f.size && (f.incomplete() || errors.Is(err, io.ErrUnexpectedEOF)):
		d.Truncated, d.Offset = true, f.size
	}
	return d
}

// brief leaves out the state of the decoder, which x/exp/trace prints behind
// some errors, in lines of no fixed order.
func brief(err error) error {
	first, _, more := strings.Cut(err.Error(), "\n")
	if !more {
		return err
	}
	return errors.New(strings.TrimSuffix(strings.TrimSuffix(first, ":"), ": frontier"))
}
