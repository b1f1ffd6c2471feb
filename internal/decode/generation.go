package decode

import (
	"errors"
	"io"
)

// generation decodes one generation of a trace of Go 1.22 or later.
type generation struct {
	header  []byte // of the trace
	version version
	batches []batch

	order    *order // nil if golang.org/x/exp/trace decodes
	frontier frontier
	started  bool
	given    int // events in order, of chunks that are filled
	// until is when what is wanted of the generation ends, in ns on the trace clock;
	// behind says that the events from here on are later.
	until  int64
	behind bool

	slow *expReader
	err  error // of it
}

// newGeneration returns a decoder of the generation with these batches, in a
// trace with this header. If it is cut, the generation may not lack anything.
// What is later than until is only decoded as [generation.statuses] does.
func newGeneration(header []byte, v version, batches []batch, cut bool, until int64) *generation {
	g := &generation{header: header, version: v, batches: batches, until: until}
	if !survives(func() bool { return g.index(cut) }) {
		g.order, g.frontier = nil, nil
	}
	return g
}

// survives returns what decoding does, and false if it panics: a mistake of ours
// with bytes that nobody wrote is odd as well, and no reason to crash.
func survives(decoding func() bool) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return decoding()
}

// extent returns when a generation lies in the trace, without its End. ok is false if
// that is damaged.
func extent(batches []batch) (e Extent, ok bool) {
	var first, last uint64
	var c ticking
	for i := range batches {
		b := &batches[i]
		if b.typ == evEndOfGeneration {
			break
		}
		if first == 0 || b.ticks < first {
			first = b.ticks
		}
		last = max(last, b.ticks)
		if (b.begins(evFrequency) || b.begins(evSync)) && !c.parse(b) {
			return e, false
		}
	}
	if c.frequency == 0 || !c.near(first) || !c.near(last) {
		return e, false
	}
	return Extent{Start: c.time(first), Last: c.time(last), Clock: c.snapshot()}, true
}

// index reads the tables, and has a cursor for each thread.
func (g *generation) index(cut bool) bool {
	var size int64
	for i := range g.batches {
		size += int64(len(g.batches[i].raw))
	}
	t := newTables(g.version, size)
	t.strict = cut
	g.order = newOrder(t)

	of := make(map[int64]*cursor)
	var cursors []*cursor
	ended := false // with a batch that says so
	for i := range g.batches {
		b := &g.batches[i]
		switch {
		case ended:
			return false
		case b.typ == evEndOfGeneration:
			if !g.version.endMarks {
				return false
			}
			ended = true
			continue
		case b.gen == 0, b.gen != g.batches[0].gen, b.typ == evExperimentalBatch:
			return false
		case b.begins(evEndOfGeneration):
			return false // golang.org/x/exp/trace takes it for the end
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
	if ended != g.version.endMarks || !t.complete() {
		return false
	}
	for i := range g.batches {
		if b := &g.batches[i]; b.typ == evEventBatch && !t.clock.near(b.ticks) {
			g.err = errors.New("a batch is weeks away from the rest of its generation: its time is damaged")
			return false
		}
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

// fill decodes the next events. The chunk's error is io.EOF behind the Sync that
// ends the generation, which is alone in its chunk.
func (g *generation) fill(c *Chunk) {
	c.reset()
	if g.order != nil {
		behind := g.behind
		if survives(func() bool { return g.advance(c) }) {
			if !behind {
				g.given += len(c.Events)
			}
			c.Missing, g.order.missing = g.order.missing, 0
			return
		}
		g.order, g.frontier = nil, nil
		c.reset()
	}
	first := false
	if g.slow == nil && g.err == nil {
		if g.slow, g.err = newExpReader(bytesOf(g.header, g.batches)); g.err == nil && g.given > 0 {
			g.err = g.slow.skip(g.given)
			first = true
		}
	}
	if g.err != nil {
		c.err = g.err
		return
	}
	g.slow.fill(c)
	c.First = c.First || first
	if c.err != nil && c.err != io.EOF && g.given == 0 && len(c.Events) == 1 {
		c.Events = c.Events[:0] // a Sync, of nothing
	}
	g.given += len(c.Events)
}

// advance decodes as many events as there is room for. It is false if
// golang.org/x/exp/trace has to decode what is in the chunk, and the rest.
//
// The order of the events of all threads is found in these steps
// (golang.org/x/exp/trace does the same: reader.go, ReadEvent):
//
//  1. The cursors of the threads are in a heap, the frontier, ordered by the time
//     of the event that each has next.
//  2. A CPU sample that is earlier than all of these comes first.
//  3. The cursor at the top tries its event: the order says whether it can have
//     happened already, given the state of goroutines, Ps and the GC.
//  4. If it cannot, the event of another thread has to come before it, though its
//     time is later. The frontier is sorted, and the other cursors try theirs, in
//     the order of time, until one succeeds.
//  5. If none does, the trace contradicts itself.
//  6. The event that happened goes into the chunk. Its time is at least 1 ns later
//     than the time of the event before.
//  7. Its cursor reads its next event, and moves to its place in the heap, or
//     leaves it at the end of the thread's events.
//  8. When no cursor is left, a Sync ends the generation.
func (g *generation) advance(c *Chunk) bool {
	o := g.order
	if g.behind {
		return g.statuses(c)
	}
	if !g.started {
		g.started, c.First = true, true
		g.sync(c, o.clock.time(o.first), o.clock.snapshot())
	}
	for len(c.Events)+mostOfOne <= cap(c.Events) {
		if g.behind = o.last > g.until; g.behind {
			return true
		}
		if len(o.samples) > 0 && (len(g.frontier) == 0 || o.samples[0].time < g.frontier[0].time) {
			if !g.sample(c, &o.samples[0]) {
				return false
			}
			o.samples = o.samples[1:]
			continue
		}
		if len(g.frontier) == 0 {
			return g.end(c)
		}
		switch g.try(c, 0) {
		case happened:
			continue
		case odd:
			return false
		}
		g.frontier.sort()
		advanced := false
		for i := 1; i < len(g.frontier) && !advanced; i++ {
			switch g.try(c, i) {
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

// try tries the next event of a cursor of the frontier.
func (g *generation) try(c *Chunk, i int) outcome {
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

// end ends the generation, in a chunk of its own.
func (g *generation) end(c *Chunk) bool {
	if len(c.Events) == 0 {
		g.sync(c, g.order.last, nil)
		c.err = io.EOF
	}
	return true
}

// sync begins or ends the generation.
func (g *generation) sync(c *Chunk, time int64, clock *Clock) {
	e := g.order.event(c, Sync, &thread{id: none, p: none}, time)
	c.detail(e).Clock = clock
}

func (g *generation) sample(c *Chunk, s *sample) bool {
	e := g.order.event(c, Sample, &thread{id: s.m, p: procID(s.p)}, s.time)
	c.detail(e)
	e.G = s.g
	return g.order.withStack(c, &e.Stack, s.stack) == happened
}
