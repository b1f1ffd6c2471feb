package model

import (
	"context"
	"io"
	"runtime"
	"sync"

	"github.com/trace2x/trace2x/internal/decode"
)

// generations yields the events of a trace of Go 1.22 or later as inSequence does,
// but decodes several generations at a time. A generation can be decoded on its
// own, behind the header of the trace. The events are those of the sequence but
// for some statuses, which then come out of nowhere (the builder does not care),
// the times at the borders, which are put in order here, and the Sync at the end
// of each, which is dropped.
type generations struct {
	r       io.Reader // the trace, through in
	in      *framing
	window  *windowed // nil for the whole trace
	workers int       // generations that are decoded at a time
	budget  int64     // bytes of them, unless one alone is larger
	ahead   int       // chunks that may wait
}

// generation is one that was cut out of the trace.
type generation struct {
	blocks [][]byte
	size   int64
	chunks chan *decode.Chunk // closed behind the last one
	turn   chan struct{}      // closed when its chunks are the next
	back   chan *decode.Chunk // those of it that have been consumed
}

const (
	blockSize = 256 << 10
	// decodedAtOnce limits how much of a trace is in memory; a busy program makes
	// generations of 20 MB.
	decodedAtOnce = 64 << 20
	// chunksAhead is the number of chunks that may wait until the generations
	// before theirs have been consumed: about 14 MB.
	chunksAhead = 30
)

func newGenerations(r io.Reader, in *framing, w *windowed) *generations {
	return &generations{r: r, in: in, window: w, workers: runtime.GOMAXPROCS(0), budget: decodedAtOnce, ahead: chunksAhead}
}

// each is as that of inSequence.
func (gs *generations) each(parent context.Context, yield func(*decode.Chunk) error) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	cut := &cutter{
		generations: gs,
		out:         make(chan *generation, gs.workers),
		consumed:    make(chan *generation, gs.workers+1),
		free:        make(chan *decode.Chunk, gs.ahead),
		unmade:      make(chan struct{}, gs.ahead),
	}
	for range gs.ahead {
		cut.unmade <- struct{}{}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(cut.out)
		cut.run(ctx)
	}()
	err := cut.consume(ctx, yield)
	if err == nil {
		err = parent.Err()
	}
	cancel()
	select {
	case <-done:
		cut.decoding.Wait()
	case <-parent.Done():
		// The reader may be stuck.
	}
	return err
}

// cutter cuts generations out of a trace and has them decoded.
type cutter struct {
	*generations
	out      chan *generation // those that are being decoded, in order
	consumed chan *generation // those that need no memory any more
	free     chan *decode.Chunk
	unmade   chan struct{} // chunks that may be made
	decoding sync.WaitGroup

	held     *generation // may lie before the window
	blind    bool        // when generations begin is not known any more
	running  int         // generations that are decoded, or wait to be consumed
	inMemory int64       // bytes of them
}

// run reads the trace to its end. What is wrong with it is told by the decoders
// of its parts, and by the framing.
func (c *cutter) run(ctx context.Context) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(c.r, header); err != nil {
		return
	}
	g := newGeneration()
	borders := 1 // that have been cut at; the first generation begins at once
	for end := int64(headerSize); ctx.Err() == nil; {
		block := make([]byte, blockSize)
		n, err := io.ReadFull(c.r, block)
		block, end = block[:n], end+int64(n)
		for ; borders < len(c.in.starts) && c.in.starts[borders] < end; borders++ {
			next := newGeneration()
			if tail := end - c.in.starts[borders]; tail <= int64(len(block)) {
				rest := int64(len(block)) - tail
				g.add(block[:rest:rest])
				block = block[rest:]
			} else {
				// The header of its first batch began in an earlier block.
				next.add(g.takeBack(int(tail) - len(block)))
			}
			if !c.ended(ctx, header, g) {
				return
			}
			g = next
		}
		// Behind a batch that is none, nothing can be read.
		if !c.in.bad || len(g.blocks) == 0 || c.in.batch >= end-int64(n) {
			g.add(block)
		}
		if err != nil {
			if c.ended(ctx, header, g) && c.held != nil {
				c.start(ctx, header, c.held)
			}
			return
		}
	}
}

// ended takes the next generation. It is false if no more are wanted.
func (c *cutter) ended(ctx context.Context, header []byte, g *generation) bool {
	w := c.window
	if w == nil || c.blind {
		return c.start(ctx, header, g)
	}
	begins, clock, ok := decode.Begins(g.blocks)
	if !ok {
		// It is damaged: from here on, the decoder tells.
		held := c.held
		c.blind, c.held = true, nil
		return (held == nil || c.start(ctx, header, held)) && c.start(ctx, header, g)
	}
	start := Time(begins)
	w.resolve(start, snapshot(clock, 0))
	held := c.held
	c.held = g
	switch {
	case held == nil:
		return true
	case start+lead <= w.begin:
		w.skipped++
		return true
	case start > w.end:
		// The held one is the last. It is the end of the trace for the decoder.
		c.held = nil
		c.start(ctx, header, held)
		return false
	}
	return c.start(ctx, header, held)
}

// start has a generation decoded, and returns when there is memory for another one
// like it.
func (c *cutter) start(ctx context.Context, header []byte, g *generation) bool {
	c.running++
	c.inMemory += g.size
	c.decoding.Add(1)
	go c.decode(ctx, header, g)
	select {
	case c.out <- g:
	case <-ctx.Done():
		return false
	}
	for c.running > 0 && (c.running >= c.workers || c.inMemory+g.size > c.budget) {
		select {
		case old := <-c.consumed:
			c.running--
			c.inMemory -= old.size
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// decode decodes a generation.
func (c *cutter) decode(ctx context.Context, header []byte, g *generation) {
	defer c.decoding.Done()
	defer close(g.chunks)
	d := decode.NewGeneration(header, g.blocks)
	for {
		k := c.chunkFor(ctx, g)
		if k == nil {
			return
		}
		d.Fill(k)
		last := k.Err != nil
		select {
		case g.chunks <- k: // which is the consumer's from here on
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
func (c *cutter) chunkFor(ctx context.Context, g *generation) *decode.Chunk {
	select {
	case k := <-c.free:
		return k
	default:
	}
	turn := g.turn
	for {
		select {
		case k := <-g.back:
			return k
		case k := <-c.free:
			return k
		case <-c.unmade:
			return decode.NewChunk()
		case <-turn:
			if len(g.chunks) == 0 {
				return decode.NewChunk()
			}
			turn = nil // those that wait are consumed, and come back
		case <-ctx.Done():
			return nil
		}
	}
}

// consume yields what is decoded, in order.
func (c *cutter) consume(ctx context.Context, yield func(*decode.Chunk) error) error {
	var end *decode.Chunk // of the last generation; of the trace, if none follows
	var order timeOrder
	for {
		var g *generation
		select {
		case g = <-c.out:
		case <-ctx.Done():
			return ctx.Err()
		}
		if g == nil {
			if end == nil {
				return nil
			}
			order.put(end)
			return yield(end)
		}
		close(g.turn)
		for open := true; open; {
			var k *decode.Chunk
			select {
			case k, open = <-g.chunks:
			case <-ctx.Done():
				return ctx.Err()
			}
			if !open {
				break
			}
			if k.Err == io.EOF {
				end = k // a Sync, and nothing else
				continue
			}
			order.put(k)
			if err := yield(k); err != nil {
				return err
			}
			if k.Err != nil {
				return k.Err
			}
			select {
			case g.back <- k:
			default:
				c.release(k)
			}
		}
		for len(g.back) > 0 {
			c.release(<-g.back)
		}
		select {
		case c.consumed <- g:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// release gives a chunk to any generation, or lets another one be made.
func (c *cutter) release(k *decode.Chunk) {
	select {
	case c.free <- k:
	default: // there are more than were meant to be
	}
}

// timeOrder has time go on at the borders of generations as x/exp/trace does
// within them: an event that is not later than the one before comes 1 ns after
// it.
type timeOrder struct{ last int64 }

func (o *timeOrder) put(c *decode.Chunk) {
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

func newGeneration() *generation {
	return &generation{chunks: make(chan *decode.Chunk, chunksAhead), turn: make(chan struct{}), back: make(chan *decode.Chunk, chunksAhead)}
}

func (g *generation) add(block []byte) {
	if len(block) > 0 {
		g.blocks = append(g.blocks, block)
		g.size += int64(len(block))
	}
}

// takeBack takes the last n bytes out again.
func (g *generation) takeBack(n int) []byte {
	tail := make([]byte, n)
	for n > 0 && len(g.blocks) > 0 {
		last := &g.blocks[len(g.blocks)-1]
		k := min(n, len(*last))
		copy(tail[n-k:n], (*last)[len(*last)-k:])
		*last = (*last)[:len(*last)-k]
		if n -= k; len(*last) == 0 {
			g.blocks = g.blocks[:len(g.blocks)-1]
		}
	}
	g.size -= int64(len(tail) - n)
	return tail[n:]
}
