package decode

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"sync"
	"time"
)

const (
	// decodedAtOnce limits how much of a trace is in memory; a busy program makes
	// generations of 20 MB.
	decodedAtOnce = 64 << 20
	// chunksAhead is the number of chunks that may wait until the generations
	// before theirs have been consumed: about 6 MB.
	chunksAhead = 12
)

// Extent says when a generation lies in a trace.
type Extent struct {
	// Start is when it begins, and End when the next one does, in ns on the trace
	// clock; End is [math.MaxInt64] for the last one. Its events may be later than End:
	// the runtime begins the next one while all threads are still at work for this one.
	Start, End int64
	// Last is when its last batch begins. No event is later: the runtime writes the
	// stacks when no thread adds events any more (runtime/trace.go, traceAdvance).
	Last  int64
	Clock *Clock // that it has; nil for none
	// First says that the trace begins with it: nothing before it was decoded.
	First bool
}

// Verdict is what is wanted of a generation. The zero Verdict has it decoded.
type Verdict struct {
	// Skip leaves it out.
	Skip bool
	// Last ends the trace behind it. What of it is later than Until, in ns on the trace
	// clock, need not be decoded, except for the first status of each goroutine and P:
	// the times of those are later than Until and mean nothing else.
	Last  bool
	Until int64
}

// Chunks yields the events of the trace in order, in chunks. A chunk may be used
// until the next one is asked for. It yields a *[Damage] where a part of the trace
// cannot be read, and goes on behind it. Other errors are last: a *[FormatError]
// before any chunk, for a damaged trace of Go 1.21 or earlier; or the error of ctx.
//
// want says for each generation, in order, whether it is wanted; nil takes all. It
// is not asked for generations that are damaged, or come before one that is, which
// are decoded as far as they can be, nor before Go 1.22. It is called from another goroutine.
//
// When the iteration has ended, nothing is at work any more, except if ctx ended:
// then a goroutine may still wait for the reader.
func (in *Input) Chunks(ctx context.Context, want func(Extent) Verdict) iter.Seq2[*Chunk, error] {
	return func(yield func(*Chunk, error) bool) {
		if in.Whole || in.InSequence {
			in.sequence(ctx, yield)
			return
		}
		in.parallel(ctx, want, yield)
	}
}

// parallel yields what sequence does, but decodes several generations at a time.
// The events are the same, with three exceptions: some statuses come from
// undetermined states, the times at the borders are put in order here, and the Sync
// at the end of each generation is dropped.
func (in *Input) parallel(parent context.Context, want func(Extent) Verdict, yield func(*Chunk, error) bool) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	p := &pipeline{
		Input:    in,
		want:     want,
		out:      make(chan *decoding, in.Workers),
		consumed: make(chan *decoding, in.Workers+1),
		free:     make(chan *Chunk, in.Ahead),
		unmade:   make(chan struct{}, in.Ahead),
		slabs:    make(chan []byte, decodedAtOnce/slabSize),
	}
	for range in.Ahead {
		p.unmade <- struct{}{}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(p.out)
		p.read(ctx)
	}()
	more := p.consume(ctx, yield)
	cancel()
	select {
	case <-done:
		p.decoding.Wait()
		in.whole += p.skipped
	case <-parent.Done():
		// The reader may be stuck.
	}
	if more && parent.Err() != nil {
		yield(nil, parent.Err())
	}
}

// pipeline reads generations, has them decoded, and hands out what is decoded.
type pipeline struct {
	*Input
	want     func(Extent) Verdict
	header   []byte
	out      chan *decoding // those that are being decoded, in order
	consumed chan *decoding // those that need no memory any more
	free     chan *Chunk
	unmade   chan struct{} // chunks that may be made
	slabs    chan []byte   // the memory of generations that are decoded
	decoding sync.WaitGroup

	skipped  int   // generations
	running  int   // those that are decoded, or wait to be consumed
	inMemory int64 // bytes of them
}

// decoding is a generation that is being decoded.
type decoding struct {
	*part
	until  int64
	chunks chan *Chunk   // closed behind the last one
	turn   chan struct{} // closed when its chunks are the next
	back   chan *Chunk   // its chunks that have been consumed
}

// read reads the trace up to where nothing more is wanted.
func (p *pipeline) read(ctx context.Context) {
	p.header = make([]byte, headerSize)
	if _, err := io.ReadFull(p.r, p.header); err != nil {
		return // Open saw it
	}
	next := p.inOrder()
	if p.index != nil && p.want != nil {
		next = p.index.inOrder()
	}
	// Whether a generation is wanted can be told when the next one begins.
	var held *upcoming
	for ctx.Err() == nil {
		n := next()
		if held != nil {
			var verdict Verdict
			switch {
			case n == nil:
				held.extent.End = math.MaxInt64
				verdict = p.want(held.extent)
			case n.ok:
				held.extent.End = n.extent.Start
				verdict = p.want(held.extent)
			}
			if !verdict.Last {
				verdict.Until = math.MaxInt64
			}
			if verdict.Skip {
				p.skipped++
			} else if !p.start(ctx, held.load(), verdict.Until) {
				return
			}
			if verdict.Last {
				return
			}
			held = nil
		}
		switch {
		case n == nil:
			return
		case p.want != nil && n.ok:
			held = n
		case !p.start(ctx, n.load(), math.MaxInt64):
			return
		}
	}
}

// upcoming is a generation that may be wanted.
type upcoming struct {
	extent Extent // without the end
	ok     bool   // extent is known, and the framing is not damaged
	load   func() *part
}

// inOrder returns a function that reads the next generation, nil at the end of the trace.
func (p *pipeline) inOrder() func() *upcoming {
	s := &splitter{r: p.r, err: p.err, version: p.version, offset: headerSize, free: p.slabs}
	return func() *upcoming {
		next := s.next()
		if next == nil {
			return nil
		}
		u := &upcoming{load: func() *part { return next }}
		u.extent, u.ok = next.extent()
		u.extent.First = next.number == 0
		return u
	}
}

// start has a generation decoded up to a time, and returns when there is memory for
// another one like it. It is false if ctx ended.
func (p *pipeline) start(ctx context.Context, generation *part, until int64) bool {
	d := &decoding{part: generation, until: until, chunks: make(chan *Chunk, p.Ahead), turn: make(chan struct{}), back: make(chan *Chunk, p.Ahead)}
	p.running++
	p.inMemory += d.size
	p.decoding.Add(1)
	go p.decode(ctx, d)
	select {
	case p.out <- d:
	case <-ctx.Done():
		return false
	}
	for p.running > 0 && (p.running >= p.Workers || p.inMemory+d.size > p.Budget) {
		select {
		case old := <-p.consumed:
			p.running--
			p.inMemory -= old.size
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// decode decodes a generation.
func (p *pipeline) decode(ctx context.Context, d *decoding) {
	defer p.decoding.Done()
	defer close(d.chunks)
	defer p.reuse(d.slabs)
	if !d.usable(p.version) {
		return
	}
	g := newGeneration(p.header, p.version, d.batches, d.damage != nil, d.until)
	for {
		c := p.chunkFor(ctx, d)
		if c == nil {
			return
		}
		g.fill(c)
		if d.number == 0 && g.given == 0 && c.err != nil && c.err != io.EOF {
			d.begin(c)
		}
		last := c.err != nil
		select {
		case d.chunks <- c: // which is the consumer's from here on
		case <-ctx.Done():
			return
		}
		if last {
			return
		}
	}
}

// chunkFor returns a chunk when there may be one more, nil if ctx ends. The
// generation whose turn it is goes on whatever the others hold.
func (p *pipeline) chunkFor(ctx context.Context, d *decoding) *Chunk {
	select {
	case c := <-p.free:
		return c
	default:
	}
	turn := d.turn
	for {
		select {
		case c := <-d.back:
			return c
		case c := <-p.free:
			return c
		case <-p.unmade:
			return NewChunk()
		case <-turn:
			if len(d.chunks) == 0 {
				return NewChunk()
			}
			turn = nil // those that wait are consumed, and come back
		case <-ctx.Done():
			return nil
		}
	}
}

// consume yields what is decoded, in order. It is false if no more is wanted.
func (p *pipeline) consume(ctx context.Context, yield func(*Chunk, error) bool) bool {
	var end *Chunk      // of the last generation; of the trace, if none follows
	var damage *Damage  // behind what was yielded last
	var order timeOrder // of all that is yielded
	var cut error       // the time of an event of this generation is impossible
	flush := func() bool {
		if end != nil {
			order.put(end)
			c := end
			if end = nil; !yield(c, nil) {
				return false
			}
		}
		if d := damage; d != nil {
			damage = nil
			return yield(nil, d)
		}
		return true
	}
	for {
		var d *decoding
		select {
		case d = <-p.out:
		case <-ctx.Done():
			return true
		}
		if d == nil {
			return flush()
		}
		close(d.turn)
		wrong := d.damage
		cut = nil
		for open := true; open; {
			var c *Chunk
			select {
			case c, open = <-d.chunks:
			case <-ctx.Done():
				return true
			}
			switch {
			case !open:
			case cut == nil && c.err == io.EOF:
				if end = c; d.damage == nil { // a Sync, and nothing else
					p.whole++
				}
			default:
				if cut == nil {
					cut = order.check(c, damage != nil)
				} else {
					c.Events = c.Events[:0]
				}
				if len(c.Events) > 0 {
					if damage == nil {
						end = nil
					}
					if !flush() {
						return false
					}
					order.put(c)
					if !yield(c, nil) {
						return false
					}
				}
				if err := cmp.Or(cut, c.err); err != nil && wrong == nil {
					wrong = &Damage{Generations: d.number, Offset: d.offset, Lost: d.size, Err: brief(err)}
				}
				select {
				case d.back <- c:
				default:
					p.release(c)
				}
			}
		}
		for len(d.back) > 0 {
			p.release(<-d.back)
		}
		switch {
		case wrong == nil:
		case damage != nil:
			damage.join(wrong)
		default:
			damage = wrong
		}
		select {
		case p.consumed <- d:
		case <-ctx.Done():
			return true
		}
	}
}

// reuse takes the memory of a generation that nothing refers to any more.
func (p *pipeline) reuse(slabs [][]byte) {
	for _, slab := range slabs {
		select {
		case p.slabs <- slab:
		default:
			return
		}
	}
}

// release gives a chunk to any generation, or lets another one be made.
func (p *pipeline) release(c *Chunk) {
	select {
	case p.free <- c:
	default: // there are more than were meant to be
	}
}

// timeOrder has time go on at the borders of generations as golang.org/x/exp/trace
// does within them: an event that is not later than the one before comes 1 ns
// after it.
type timeOrder struct{ last int64 }

// leap is more time than passes between two events of a program that runs: what
// comes later has a damaged time. The sum of 1000 such leaps is still an int64.
const leap = 30 * 24 * int64(time.Hour)

// check looks for a time that cannot be, and leaves out the events from there on. It
// says what is wrong. With anew, the first event may be later than the last one by
// any time: what was between is damaged.
func (o *timeOrder) check(c *Chunk, anew bool) error {
	last := o.last
	if (last == 0 || anew) && len(c.Events) > 0 {
		last = c.Events[0].Time
	}
	if n := len(c.Events); n == 0 || !c.leaps && c.Events[0].Time >= last && c.Events[0].Time-last <= leap {
		return nil // the times within the chunk are in order
	}
	for i := range c.Events {
		t := c.Events[i].Time
		if t-last > leap {
			c.Events = c.Events[:i]
			return fmt.Errorf("an event is %d days later than the one before it: its time is damaged", (t-last)/(24*int64(time.Hour)))
		}
		last = max(last, t)
	}
	return nil
}

func (o *timeOrder) put(c *Chunk) {
	if len(c.Events) == 0 {
		return
	}
	for i := range c.Events {
		if e := &c.Events[i]; e.Time <= o.last {
			e.Time = o.last + 1
			o.last = e.Time
		} else {
			break // within the generation the times are in order
		}
	}
	o.last = c.Events[len(c.Events)-1].Time
}
