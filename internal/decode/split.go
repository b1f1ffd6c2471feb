package decode

import (
	"bytes"
	"errors"
	"io"
)

// splitter cuts the bytes of a trace behind its header into generations. It
// follows the sizes in the headers of batches, and where these are damaged, it
// looks for the next batch.
type splitter struct {
	r       peeker
	err     *errorKeeper // of what r reads
	version version
	hops    *hopReader // r, if only headers are read

	offset int64 // in the trace, of the next byte of r
	slab   []byte
	slabs  [][]byte    // of the generation
	free   chan []byte // slabs to be used again; nil for none
	held   *batch      // was read already: it begins the next generation
	number int         // of generations that were returned
	gen    uint64      // the runtime's number of the last one
	done   bool
}

// peeker is what a splitter reads from: a *bufio.Reader or a *hopReader.
type peeker interface {
	io.Reader
	Peek(n int) ([]byte, error)
	Buffered() int
	Discard(n int) (int, error)
}

// part is a generation as it is in the trace.
type part struct {
	number  int   // of generations before it
	offset  int64 // of its first byte
	size    int64
	gen     uint64 // the runtime's number
	batches []batch
	slabs   [][]byte // the memory of the batches
	// damage is what is wrong with the framing, nil for nothing.
	damage *Damage
}

// usable reports whether what there is of the generation may be all of it: before
// Go 1.26, damage behind its last batch may be the next generation's.
func (p *part) usable(v version) bool {
	return p.damage == nil || !v.endMarks && len(p.batches) > 0
}

// extent returns when the generation lies in the trace, without its End. ok is false if that is damaged, or the
// framing is.
func (p *part) extent() (e Extent, ok bool) {
	e, ok = extent(p.batches)
	return e, ok && p.damage == nil
}

// begin puts the beginning of the trace into a chunk, for a first generation of which nothing
// can be decoded. All times that people see count from there.
func (p *part) begin(c *Chunk) {
	e, ok := p.extent()
	if !ok {
		return
	}
	c.First = true
	c.Events = append(c.Events[:0], Event{Kind: Sync, Time: e.Start, G: none, Thread: none, Proc: none})
	c.detail(&c.Events[0]).Clock = e.Clock
}

func (p *part) add(b *batch) {
	if len(p.batches) == 0 {
		p.gen = b.gen
	}
	p.batches = append(p.batches, *b)
}

// next returns the next generation, nil at the end of the trace.
func (s *splitter) next() *part {
	if s.done {
		return nil
	}
	p := &part{number: s.number, offset: s.offset}
	if s.number++; s.gen > 0 {
		p.gen = s.gen + 1 // as the runtime counts
	}
	if s.held != nil {
		p.offset -= int64(s.held.size)
		p.add(s.held)
		s.held = nil
	}
	for {
		at := s.offset
		b, err := s.batch()
		switch {
		case err == io.EOF && len(p.batches) == 0 && p.damage == nil && p.number > 0:
			return nil
		case err == io.EOF && len(p.batches) > 0 && !s.version.endMarks, err == io.EOF && p.damage != nil:
			return s.end(p, s.offset)
		case err == io.EOF, err == io.ErrUnexpectedEOF:
			return s.truncated(p)
		case err != nil:
			if p.damage == nil {
				p.damage = &Damage{Offset: at, Err: err}
				if n := len(p.batches); n > 0 {
					raw := s.rawOf(&p.batches[n-1], at)
					if i := traceIn(raw); i >= 0 {
						p.damage.Offset, p.damage.Err = at-int64(len(raw)-i), errAnotherTrace
						return s.rest(p)
					}
				}
			}
			if s.done = !s.resync(p); s.done {
				return s.end(p, s.offset)
			}
			continue
		case b.typ == evEndOfGeneration:
			p.batches = append(p.batches, *b)
			return s.end(p, s.offset)
		case b.gen != p.gen && (len(p.batches) > 0 || p.damage != nil):
			s.held = b
			return s.end(p, at)
		}
		if p.damage == nil {
			p.add(b)
		}
	}
}

// end completes a generation, behind which the next one begins.
func (s *splitter) end(p *part, next int64) *part {
	p.size = next - p.offset
	s.gen = p.gen
	p.slabs, s.slabs, s.slab = s.slabs, nil, nil
	if b := s.held; b != nil && b.raw != nil { // which is in the memory of this one
		header := len(b.raw) - len(b.data)
		raw := s.bytes(len(b.raw))
		copy(raw, b.raw)
		b.raw, b.data = raw, raw[header:]
	}
	if p.damage != nil {
		p.damage.Generations, p.damage.Lost = p.number, p.size
	}
	return p
}

// truncated ends the last generation, which is not complete.
func (s *splitter) truncated(p *part) *part {
	if p = s.rest(p); p.damage == nil {
		p.damage = &Damage{Truncated: true, Offset: s.offset, Err: io.ErrUnexpectedEOF}
		if s.err.err != nil {
			p.damage.Err = s.err.err
		}
	}
	return s.end(p, s.offset)
}

// rest gives up what follows.
func (s *splitter) rest(p *part) *part {
	n, _ := io.Copy(io.Discard, s.r)
	s.offset += n
	s.done = true
	return s.end(p, s.offset)
}

// traceIn returns where the header of a trace is in bytes of a batch, -1 for nowhere:
// there another trace was written behind one that had been cut.
func traceIn(p []byte) int {
	for from := 0; ; from++ {
		i := bytes.Index(p[from:], []byte("go 1."))
		if i < 0 {
			return -1
		}
		if from += i; len(p)-from >= headerSize {
			if _, ok := parseHeader(p[from:]); ok {
				return from
			}
		}
	}
}

// begin returns where the next generation begins, as far as is known.
func (s *splitter) begin() int64 {
	if s.held != nil {
		return s.offset - int64(s.held.size)
	}
	return s.offset
}

// batch reads a batch, or its header only. The error is io.EOF if none follows,
// io.ErrUnexpectedEOF if it is cut, and else says what is wrong with its header, which
// has not been consumed then.
func (s *splitter) batch() (*batch, error) {
	// A recording that goes on may send nothing for a while behind a generation: no
	// more bytes are asked for than the header has.
	var head []byte
	var b batch
	var header, size int
	err := io.ErrUnexpectedEOF
	for n := 1; err == io.ErrUnexpectedEOF; n = max(n+1, s.r.Buffered()) {
		var short error
		head, short = s.r.Peek(min(n, maxBatchHeader))
		if len(head) == 0 {
			if s.err.err != nil {
				return nil, io.ErrUnexpectedEOF
			}
			return nil, io.EOF
		}
		if b, header, size, err = parseBatch(head); short != nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	b.size = header + size
	if s.hops != nil && !s.tellsTime(header) {
		n, err := s.r.Discard(b.size)
		s.offset += int64(n)
		if err != nil {
			return nil, io.ErrUnexpectedEOF
		}
		return &b, nil
	}
	b.raw = s.bytes(b.size)
	n, err := io.ReadFull(s.r, b.raw)
	s.offset += int64(n)
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	b.data = b.raw[header:]
	return &b, nil
}

// tellsTime reports whether the next batch, whose header has this size, says when its
// generation begins: that is read where only headers are.
func (s *splitter) tellsTime(header int) bool {
	head, _ := s.r.Peek(header + 1)
	return len(head) > header && (head[header] == evFrequency || head[header] == evSync)
}

// rawOf returns the bytes of the last batch, which ends at this offset.
func (s *splitter) rawOf(b *batch, end int64) []byte {
	if b.raw != nil || s.hops == nil {
		return b.raw
	}
	return s.hops.bytes(end-int64(b.size), b.size)
}

// slabSize is more than a batch has.
const slabSize = 256 << 10

// bytes returns memory for a batch.
func (s *splitter) bytes(n int) []byte {
	if n > len(s.slab) {
		select {
		case s.slab = <-s.free:
		default:
			s.slab = make([]byte, slabSize)
		}
		s.slabs = append(s.slabs, s.slab)
	}
	p := s.slab[:n:n]
	s.slab = s.slab[n:]
	return p
}

var errAnotherTrace = errors.New("another trace begins here: it was written behind the first one; cut the file at this byte to read both")

// resync looks for the next batch behind a place where there is none, and goes on
// there. It is false if there is none.
func (s *splitter) resync(p *part) bool {
	for first := true; ; first = false {
		window, err := s.r.Peek(bufferSize)
		if _, another := parseHeader(window); first && another {
			p.damage.Err = errAnotherTrace
			n, _ := io.Copy(io.Discard, s.r)
			s.offset += n
			return false
		}
		last := err != nil
		judged := len(window) // behind that, too little is in sight
		if !last {
			judged -= sureOf * (maxBatchHeader + maxBatchSize)
		}
		at := 1 // there is none where the search begins
		for at < judged && !beginsBatches(window[at:], p.gen, last) {
			at++
		}
		n, _ := s.r.Discard(min(at, len(window)))
		s.offset += int64(n)
		if at < judged || last {
			return at < judged
		}
	}
}

// sureOf is how many batches in a row are no accident.
const sureOf = 3

// beginsBatches reports whether batches of generation gen, or of one soon behind
// it, are what p begins with; gen is 0 if it is not known. last says that nothing
// follows p.
func beginsBatches(p []byte, gen uint64, last bool) bool {
	const soon = 1000
	for n := range sureOf {
		switch {
		case len(p) == 0:
			return last && n > 0
		case n > 0 && p[0] == evEndOfGeneration:
			p = p[1:]
			continue
		}
		b, header, size, err := parseBatch(p)
		switch {
		case err == io.ErrUnexpectedEOF:
			return last && n > 0
		case err != nil, size == 0, b.m < -1, b.gen == 0, b.gen < gen, gen > 0 && b.gen > gen+soon:
			return false
		case header+size > len(p):
			return last && n > 0
		}
		gen, p = b.gen, p[header+size:]
	}
	return true
}
