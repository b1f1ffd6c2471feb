package decode

import (
	"bytes"
	"io"
)

// batch is a part of a generation: events of one thread in order, or a part of
// its tables.
type batch struct {
	typ    byte // EvEventBatch or EvExperimentalBatch
	gen    uint64
	m      int64
	ticks  uint64
	data   []byte
	ending bool // it is the end of the generation instead
}

func (b *batch) begins(typ byte) bool {
	return b.typ == EvEventBatch && len(b.data) > 0 && b.data[0] == typ
}

// batches are those of a generation, whose bytes are in blocks. The data of a
// batch is in its block, or a copy, if it is in two of them.
type batches struct {
	blocks [][]byte
	at     int // in the first of them
	bad    bool
}

// next returns the next batch; ok is false at the end, or if there is none where
// one should be.
func (r *batches) next() (b batch, ok bool) {
	for len(r.blocks) > 0 && r.at == len(r.blocks[0]) {
		r.blocks, r.at = r.blocks[1:], 0
	}
	if len(r.blocks) == 0 {
		return batch{}, false
	}
	block := r.blocks[0][r.at:]
	head := block
	if len(head) < MaxBatchHeader && len(r.blocks) > 1 {
		head = r.peek(MaxBatchHeader)
	}
	left := bytesLeft{b: head}
	switch b.typ = left.byte(); b.typ {
	case EvEndOfGeneration:
		b.ending = true
	case EvEventBatch:
	case EvExperimentalBatch:
		left.byte()
	default:
		r.bad = true
		return batch{}, false
	}
	var size uint64
	if !b.ending {
		b.gen, b.m, b.ticks, size = left.uvarint(), int64(left.uvarint()), left.uvarint(), left.uvarint()
	}
	if left.bad || size > MaxBatchSize {
		r.bad = true
		return batch{}, false
	}
	from := len(head) - len(left.b)
	if end := from + int(size); end <= len(block) {
		b.data = block[from:end:end]
		r.at += end
		return b, true
	}
	all := r.peek(from + int(size))
	if len(all) < from+int(size) {
		r.bad = true
		return batch{}, false
	}
	b.data = all[from:]
	for n := len(all); n > 0; {
		k := min(n, len(r.blocks[0])-r.at)
		r.at += k
		if n -= k; r.at == len(r.blocks[0]) {
			r.blocks, r.at = r.blocks[1:], 0
		}
	}
	return b, true
}

// peek copies the next n bytes, or all that there are.
func (r *batches) peek(n int) []byte {
	p := make([]byte, 0, n)
	at := r.at
	for _, block := range r.blocks {
		if len(p) == n {
			break
		}
		p = append(p, block[at:at+min(n-len(p), len(block)-at)]...)
		at = 0
	}
	return p
}

// Begins finds out when a generation begins, in ns on the trace clock, and the
// clock snapshot that it has, nil for none. It reads the headers of batches, and
// the one about the clock; ok is false if they are damaged.
func Begins(blocks [][]byte) (start int64, clock *Clock, ok bool) {
	var first uint64
	var c ticking
	r := batches{blocks: blocks}
	for {
		b, ok := r.next()
		if !ok || b.ending {
			break
		}
		if first == 0 || b.ticks < first {
			first = b.ticks
		}
		if (b.begins(evFrequency) || b.begins(evSync)) && !c.parse(b) {
			return 0, nil, false
		}
	}
	if r.bad || c.frequency == 0 {
		return 0, nil, false
	}
	return c.time(first), c.snapshot(), true
}

func readers(header []byte, blocks [][]byte) io.Reader {
	rs := []io.Reader{bytes.NewReader(header)}
	for _, b := range blocks {
		rs = append(rs, bytes.NewReader(b))
	}
	return io.MultiReader(rs...)
}
