package decode

import (
	"io"

	exptrace "golang.org/x/exp/trace"
)

// Generation decodes one generation of a trace of Go 1.22 or later.
type Generation struct {
	header []byte
	blocks [][]byte

	order    *order // nil if x/exp/trace decodes
	frontier frontier
	started  bool
	given    int // events, of chunks that are filled

	slow *Reader
	err  error // of it
}

// NewGeneration returns a decoder of the generation whose bytes are in blocks,
// one after the other, of a trace with this header, which is 16 bytes. The blocks
// must stay as they are.
func NewGeneration(header []byte, blocks [][]byte) *Generation {
	g := &Generation{header: header, blocks: blocks}
	if !survives(g.index) {
		g.order, g.frontier = nil, nil
	}
	return g
}

// survives is what decoding returns, and false if it panics: a mistake of ours with
// bytes that nobody wrote is odd as well, and no reason to crash.
func survives(decoding func() bool) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return decoding()
}

// index reads the tables, and has a cursor for each thread.
func (g *Generation) index() bool {
	format := formatOf(g.header)
	if format == 0 {
		return false
	}
	var size int64
	for _, b := range g.blocks {
		size += int64(len(b))
	}
	t := newTables(format, size)
	g.order = newOrder(t)

	var gen uint64
	of := make(map[int64]*cursor)
	var cursors []*cursor
	r := batches{blocks: g.blocks}
	ends, ended := format >= 26, false // with a batch that says so
	for {
		b, ok := r.next()
		if !ok {
			break
		}
		if b.ending {
			if !ends || ended {
				return false
			}
			ended = true
			continue
		}
		if gen == 0 {
			gen = b.gen
		}
		switch {
		case ended, gen == 0, b.gen != gen, b.typ == EvExperimentalBatch:
			return false
		case b.begins(EvEndOfGeneration):
			return false // x/exp/trace takes it for the end
		}
		if t.first == 0 || b.ticks < t.first {
			t.first = b.ticks
		}
		if taken, ok := t.take(b); !ok {
			return false
		} else if taken {
			continue
		}
		cur := of[b.m]
		if cur == nil {
			cur = &cursor{thread: g.order.thread(b.m)}
			of[b.m] = cur
			cursors = append(cursors, cur)
		}
		cur.rest = append(cur.rest, b)
	}
	if r.bad || ended != ends || !t.complete() {
		return false
	}
	for _, cur := range cursors {
		more, ok := cur.next(t)
		if !ok {
			return false
		}
		if more {
			g.frontier.add(cur)
		}
	}
	return true
}

// Fill decodes the next events. Chunk.Err is io.EOF behind the Sync that ends the
// generation, which is alone in its chunk.
func (g *Generation) Fill(c *Chunk) {
	c.reset()
	if g.order != nil {
		if survives(func() bool { return g.fill(c) }) {
			g.given += len(c.Events)
			return
		}
		g.order, g.frontier = nil, nil
		c.reset()
	}
	first := false
	if g.slow == nil && g.err == nil {
		if g.slow, g.err = NewReader(readers(g.header, g.blocks), false); g.err == nil && g.given > 0 {
			g.err = g.slow.skip(g.given)
			first = true
		}
	}
	if g.err != nil {
		c.Err = g.err
		return
	}
	g.slow.Fill(c)
	c.First = c.First || first
}

// fill is false if x/exp/trace has to decode what is in the chunk, and the rest.
func (g *Generation) fill(c *Chunk) bool {
	o := g.order
	if !g.started {
		g.started, c.First = true, true
		g.sync(c, o.clock.time(o.first), o.clock.snapshot())
	}
	for len(c.Events)+mostOfOne <= cap(c.Events) {
		if len(o.samples) > 0 && (len(g.frontier) == 0 || o.samples[0].time < g.frontier[0].time) {
			if !g.sample(c, &o.samples[0]) {
				return false
			}
			o.samples = o.samples[1:]
			continue
		}
		if len(g.frontier) == 0 {
			if len(c.Events) == 0 {
				g.sync(c, o.last, nil)
				c.Err = io.EOF
			}
			return true
		}
		switch g.advance(c, 0) {
		case happened:
			continue
		case odd:
			return false
		}
		// Its time is wrong, or what has to come before it is another thread's.
		g.frontier.sort()
		advanced := false
		for i := 1; i < len(g.frontier) && !advanced; i++ {
			switch g.advance(c, i) {
			case happened:
				advanced = true
			case odd:
				return false
			}
		}
		if !advanced {
			return false
		}
	}
	return true
}

// advance tries the next event of a cursor of the frontier.
func (g *Generation) advance(c *Chunk, i int) outcome {
	cur := g.frontier[i].cursor
	if out := g.order.try(c, cur); out != happened {
		return out
	}
	switch more, ok := cur.next(g.order.tables); {
	case !ok:
		return odd
	case more:
		g.frontier.moved(i)
	default:
		g.frontier.remove(i)
	}
	return happened
}

// sync begins or ends the generation.
func (g *Generation) sync(c *Chunk, time int64, clock *Clock) {
	e := g.order.event(c, exptrace.EventSync, &thread{id: none, p: none}, time)
	c.detail(e).Clock = clock
}

func (g *Generation) sample(c *Chunk, s *sample) bool {
	e := g.order.event(c, exptrace.EventStackSample, &thread{id: s.m, p: procID(s.p)}, s.time)
	c.detail(e)
	e.G = s.g
	var ok bool
	e.Stack, ok = g.order.stack(c, s.stack)
	return ok
}
