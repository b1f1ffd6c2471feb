package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// batch is a part of a generation: events of one thread in order, or a part of
// its tables. In the trace it is
//
//	evEventBatch | generation, M, ticks, size (uvarints) | size bytes
//
// or the same with evExperimentalBatch and one more byte in front, and since Go
// 1.26 the single byte evEndOfGeneration behind the batches of each generation
// (internal/trace/tracev2/events.go, internal/trace/batch.go).
type batch struct {
	typ   byte
	gen   uint64
	m     int64
	ticks uint64
	size  int    // of all of it
	data  []byte // nil where only headers are read
	raw   []byte // all bytes of it; data is the end of them
}

func (b *batch) begins(typ byte) bool {
	return b.typ == evEventBatch && len(b.data) > 0 && b.data[0] == typ
}

// parseBatch parses the header of the batch that p begins with. It returns the
// sizes of the header and of the data behind it. The error is io.ErrUnexpectedEOF
// if p ends before the header does; others say what is wrong with the header.
func parseBatch(p []byte) (b batch, header, size int, err error) {
	left := bytesLeft{b: p}
	switch b.typ = left.byte(); {
	case left.bad:
		return b, 0, 0, io.ErrUnexpectedEOF
	case b.typ == evEndOfGeneration:
		return b, 1, 0, nil
	case b.typ == evExperimentalBatch:
		left.byte()
	case b.typ != evEventBatch:
		return b, 0, 0, fmt.Errorf("expected batch event, got event %d", b.typ)
	}
	var length uint64
	for _, field := range []struct {
		what string
		to   *uint64
	}{{"generation", &b.gen}, {"M", (*uint64)(nil)}, {"time", &b.ticks}, {"size", &length}} {
		v, n := binary.Uvarint(left.b)
		switch {
		case n == 0:
			return b, 0, 0, io.ErrUnexpectedEOF
		case n < 0:
			return b, 0, 0, fmt.Errorf("the %s in the header of a batch is no 64-bit number", field.what)
		case field.to == nil:
			b.m = int64(v)
		default:
			*field.to = v
		}
		left.b = left.b[n:]
	}
	if length > maxBatchSize {
		return b, 0, 0, fmt.Errorf("invalid batch size %d, maximum is %d", length, maxBatchSize)
	}
	return b, len(p) - len(left.b), int(length), nil
}

// bytesOf returns a reader of batches, as they are in the trace, behind its header.
func bytesOf(header []byte, batches []batch) io.Reader {
	rs := make([]io.Reader, 0, 1+len(batches))
	rs = append(rs, bytes.NewReader(header))
	for i := range batches {
		rs = append(rs, bytes.NewReader(batches[i].raw))
	}
	return io.MultiReader(rs...)
}
