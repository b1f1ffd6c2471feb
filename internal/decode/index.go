package decode

import (
	"bufio"
	"io"
	"sync"
)

// Index says where the generations of a trace lie that can be read anywhere, and when
// they begin, so that an [Input] reads only those that are wanted. It reads the
// headers of batches, from one to the next, as far as it is asked, and keeps some
// bytes for each generation. Several goroutines may use it.
type Index struct {
	r    io.ReaderAt
	size int64

	mu    sync.Mutex
	hops  *splitter
	found []generationAt
	ended bool
}

// generationAt is a generation in an index.
type generationAt struct {
	offset int64
	after  uint64 // the runtime's number of the one before it
	extent Extent // without the end
	ok     bool   // as in upcoming
}

// NewIndex recognizes the trace in the first size bytes of r. It reads no more than its
// beginning. The error is as for [Open].
func NewIndex(r io.ReaderAt, size int64) (*Index, error) {
	in, err := Open(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	keeper := &errorKeeper{}
	hops := &hopReader{r: r, at: headerSize, size: size, err: keeper}
	return &Index{
		r: r, size: size,
		hops:  &splitter{r: hops, hops: hops, err: keeper, version: in.version, offset: headerSize},
		ended: in.Whole,
	}, nil
}

// Open returns the trace, to be read from its beginning: by [Input.Chunks] with a
// function that says which generations are wanted, only those and the headers of the
// batches before them. The events and the damage are those that Open of the bytes has.
func (x *Index) Open() (*Input, error) {
	in, err := Open(io.NewSectionReader(x.r, 0, x.size))
	if err == nil {
		in.index = x
	}
	return in, err
}

// at returns a generation by its number, from 0; ok is false behind the last one.
func (x *Index) at(i int) (g generationAt, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i >= len(x.found) && !x.ended {
		g := generationAt{after: x.hops.gen}
		p := x.hops.next()
		if x.ended = p == nil; !x.ended {
			g.offset = p.offset
			g.extent, g.ok = p.extent()
			g.extent.First = p.number == 0
			x.found = append(x.found, g)
		}
	}
	if i >= len(x.found) {
		return g, false
	}
	return x.found[i], true
}

// inOrder returns a function that returns the next generation, nil at the end of the
// trace, and reads it only when it is loaded.
func (x *Index) inOrder() func() *upcoming {
	var s *splitter
	number := 0
	return func() *upcoming {
		g, ok := x.at(number)
		if !ok {
			return nil
		}
		i := number
		number++
		return &upcoming{g.extent, g.ok, func() *part {
			if s == nil || s.begin() != g.offset {
				keeper := &errorKeeper{r: io.NewSectionReader(x.r, g.offset, x.size-g.offset)}
				s = &splitter{
					r: bufio.NewReaderSize(keeper, bufferSize), err: keeper, version: x.hops.version,
					offset: g.offset, number: i, gen: g.after,
				}
			}
			return s.next()
		}}
	}
}

// hopReader reads bytes at their offsets, and those that are discarded not at all.
type hopReader struct {
	r        io.ReaderAt
	at, size int64
	buf      []byte // the bytes from at on that have been read
	block    []byte
	err      *errorKeeper
}

// hopSize is how many bytes are read at a time: the header of a batch, and the whole
// of some small ones.
const hopSize = 512

// Peek returns the next n bytes, or fewer and an error.
func (h *hopReader) Peek(n int) ([]byte, error) {
	if len(h.buf) < n {
		if size := max(n, hopSize); cap(h.block) < size {
			h.block = make([]byte, size)
		}
		h.buf = h.block[:min(int64(max(n, hopSize)), h.size-h.at)]
		k, err := h.r.ReadAt(h.buf, h.at)
		if err != nil && err != io.EOF {
			h.err.err = err
		}
		h.buf = h.buf[:k]
	}
	if n > len(h.buf) {
		return h.buf, io.EOF
	}
	return h.buf[:n], nil
}

// Buffered returns how many bytes can be peeked at without reading.
func (h *hopReader) Buffered() int { return len(h.buf) }

// Discard skips n bytes, or fewer at the end, with an error.
func (h *hopReader) Discard(n int) (int, error) {
	k := int(min(int64(n), h.size-h.at))
	h.at += int64(k)
	h.buf = h.buf[min(k, len(h.buf)):]
	if k < n {
		return k, io.EOF
	}
	return k, nil
}

func (h *hopReader) Read(p []byte) (int, error) {
	head, err := h.Peek(min(len(p), bufferSize))
	if len(head) == 0 {
		return 0, err
	}
	return h.Discard(copy(p, head))
}

// bytes returns some of the bytes at an offset, those that can be read.
func (h *hopReader) bytes(at int64, n int) []byte {
	p := make([]byte, n)
	k, err := h.r.ReadAt(p, at)
	if err != nil && err != io.EOF {
		h.err.err = err
	}
	return p[:k]
}
