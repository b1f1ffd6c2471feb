package decode

import "io"

// Borders finds where generations of a trace end, in bytes as they arrive: a
// recording that ends there is whole. It looks only at the headers of batches.
type Borders struct {
	// Pos is how many bytes there were, Last where the last generation that is
	// complete ends; 0 if none does.
	Pos, Last int64
	// None says that nothing more can be told: the trace is of Go 1.21 or earlier,
	// and has no generations, or is none, or is damaged.
	None bool

	header bool   // of the trace has been seen
	head   []byte // of a batch, as far as it has arrived
	skip   int    // bytes of the batch that are still to come
	gen    uint64 // of the last batch; 0 for none
}

// Begun reports whether the header of the trace has been seen.
func (b *Borders) Begun() bool { return b.header }

// Pending returns how many of the last bytes may belong to a generation that
// follows.
func (b *Borders) Pending() int {
	if b.None {
		return 0
	}
	return len(b.head)
}

// Add takes the bytes that come next.
func (b *Borders) Add(p []byte) {
	for len(p) > 0 && !b.None {
		n := 1
		if b.skip > 0 {
			n = min(b.skip, len(p))
			b.skip -= n
		} else {
			b.head = append(b.head, p[0])
		}
		p = p[n:]
		b.Pos += int64(n)
		if len(b.head) > 0 {
			b.parse()
		}
	}
	b.Pos += int64(len(p))
}

// parse takes the head if it is complete.
func (b *Borders) parse() {
	if !b.header {
		if len(b.head) == headerSize {
			minor, _ := parseHeader(b.head)
			v, _ := versionOf(minor)
			b.header, b.None, b.head = true, v.era != generations, b.head[:0]
		}
		return
	}
	batch, _, size, err := parseBatch(b.head)
	switch {
	case err == io.ErrUnexpectedEOF:
		return
	case err != nil:
		b.None = true
		return
	case batch.typ == evEndOfGeneration:
		b.Last = b.Pos
	case batch.gen != b.gen:
		if start := b.Pos - int64(len(b.head)); b.gen != 0 {
			b.Last = max(b.Last, start)
		}
		b.gen = batch.gen
	}
	b.skip, b.head = size, b.head[:0]
}
