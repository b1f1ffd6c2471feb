package input

import (
	"encoding/binary"
	"regexp"

	"github.com/trace2x/trace2x/internal/decode"
)

// borders finds where generations of a trace end, in bytes as they arrive: a
// recording that ends there is whole. Only the headers of the batches are looked at.
// Traces of Go 1.21 and earlier have no generations.
type borders struct {
	pos  int64 // bytes seen
	last int64 // where the last generation that is complete ends; 0 if none does

	header bool   // of the trace has been seen
	none   bool   // it has no generations, or what it has is not understood
	head   []byte // of a batch, as far as it has arrived
	skip   uint64 // bytes of the batch that are still to come
	gen    uint64 // of the last batch
	batch  bool   // there was one
}

var withGenerations = regexp.MustCompile(`^go 1\.(2[2-9]|[3-9][0-9]) trace\x00\x00\x00$`)

const headerSize = 16

// write takes the bytes that come next.
func (b *borders) write(p []byte) {
	for len(p) > 0 && !b.none {
		n := 1
		if b.skip > 0 {
			n = int(min(b.skip, uint64(len(p))))
			b.skip -= uint64(n)
		} else {
			b.head = append(b.head, p[0])
		}
		p = p[n:]
		b.pos += int64(n)
		if len(b.head) > 0 {
			b.parse()
		}
	}
	b.pos += int64(len(p))
}

// parse takes the head if it is complete.
func (b *borders) parse() {
	if !b.header {
		if len(b.head) == headerSize {
			b.header, b.none = true, !withGenerations.Match(b.head)
			b.head = b.head[:0]
		}
		return
	}
	rest := b.head[1:]
	switch b.head[0] {
	case decode.EvEndOfGeneration:
		b.last = b.pos
		b.head = b.head[:0]
		return
	case decode.EvExperimentalBatch:
		if len(rest) == 0 {
			return
		}
		rest = rest[1:]
	case decode.EvEventBatch:
	default:
		b.none = true
		return
	}
	var fields [4]uint64 // generation, M, ticks, size
	for i := range fields {
		n := 0
		if fields[i], n = binary.Uvarint(rest); n == 0 {
			return
		} else if n < 0 {
			b.none = true
			return
		}
		rest = rest[n:]
	}
	if gen := fields[0]; !b.batch || gen != b.gen {
		if start := b.pos - int64(len(b.head)); b.batch && b.last < start {
			b.last = start
		}
		b.gen, b.batch = gen, true
	}
	b.skip = fields[3]
	b.none = b.skip > decode.MaxBatchSize
	b.head = b.head[:0]
}

// pending is how many of the last bytes may belong to a generation that follows.
func (b *borders) pending() int {
	if b.none {
		return 0
	}
	return len(b.head)
}
