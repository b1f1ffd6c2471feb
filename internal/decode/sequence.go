package decode

import (
	"context"
	"fmt"
	"io"
)

// fewChunks is the number of chunks that may wait to be consumed.
const fewChunks = 4

// sequence yields the events of a trace in order, in chunks, from one decoder. That
// is apart from what consumes them, and at work in a goroutine of its own, some
// chunks ahead.
//
// The decoder has ended when sequence returns, except if ctx ended: then it may be
// waiting for its reader still.
func (in *Input) sequence(parent context.Context, yield func(*Chunk, error) bool) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	opened := make(chan error, 1)
	full, free := make(chan *Chunk, fewChunks), make(chan *Chunk, fewChunks+2)
	for range cap(free) {
		free <- NewChunk()
	}
	go func() {
		defer close(full)
		d, err := newExpReader(in.r)
		if opened <- err; err != nil {
			return
		}
		for ended := false; !ended; {
			select {
			case c := <-free:
				d.fill(c)
				if in.Whole {
					// The first Sync is 1 ns before the trace begins.
					for i := range c.Events {
						c.Events[i].Time++
					}
				}
				ended = c.err != nil
				select {
				case full <- c:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	select {
	case err := <-opened:
		if err != nil {
			yield(nil, in.unreadable(err))
			return
		}
	case <-parent.Done():
		yield(nil, parent.Err())
		return
	}
	var order timeOrder
	for syncs := 0; ; {
		select {
		case c := <-full:
			if err := order.check(c, false); err != nil {
				c.err = err
			} else if n := len(c.Events); n > 0 {
				order.last = c.Events[n-1].Time
			}
			if c.First {
				syncs++ // one more than there are generations
				in.whole = syncs - 1
			}
			if !yield(c, nil) {
				cancel()
				for range full {
				}
				return
			}
			if c.err != nil {
				if c.err != io.EOF {
					d := &Damage{Offset: headerSize, Err: brief(c.err)}
					if in.Whole { // and has been read whole
						d.Lost = in.err.n - headerSize
					}
					yield(nil, d)
				}
				return
			}
			free <- c
		case <-parent.Done():
			yield(nil, parent.Err())
			return
		}
	}
}

// unreadable says why a trace cannot be decoded at all.
func (in *Input) unreadable(err error) error {
	if in.err.err != nil {
		return fmt.Errorf("reading the trace: %w", in.err.err)
	}
	return formatErrorf("damaged or truncated %s trace: %v (traces of Go 1.21 and earlier can only be read whole: make it again)", in.Format, brief(err))
}
