package model

import (
	"context"
	"fmt"
	"io"

	exptrace "golang.org/x/exp/trace"
)

// decoder yields the events of a trace in order, in chunks. It is apart from
// what consumes them, and at work in a goroutine of its own, some chunks ahead.
type decoder struct {
	r  *exptrace.Reader
	x  *compactor
	ev exptrace.Event
	// held says that ev begins the next chunk, since a chunk is of one generation.
	held bool
}

func newDecoder(r io.Reader, v1 bool) (d *decoder, err error) {
	defer func() { recovered(&err, recover()) }()
	tr, err := exptrace.NewReader(r)
	if err != nil {
		return nil, err
	}
	return &decoder{r: tr, x: newCompactor(v1)}, nil
}

// fewChunks is the number of chunks that may wait to be consumed.
const fewChunks = 4

// each calls yield with every chunk up to the end of the trace, until yield
// returns an error, or until ctx ends; it returns the error. The chunk is only
// valid during the call.
//
// The decoder has ended when each returns, but if ctx ended: then it may be
// waiting for its reader still.
func (d *decoder) each(ctx context.Context, yield func(*chunk) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	full, free := make(chan *chunk, fewChunks), make(chan *chunk, fewChunks+2)
	for range cap(free) {
		free <- newChunk()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			var c *chunk
			select {
			case c = <-free:
			case <-ctx.Done():
				return
			}
			d.fill(c)
			select {
			case full <- c:
			case <-ctx.Done():
				return
			}
			if c.err != nil {
				return
			}
		}
	}()
	for {
		select {
		case c := <-full:
			if err := yield(c); err != nil {
				cancel()
				<-done
				return err
			}
			if c.err != nil {
				<-done
				if c.err == io.EOF {
					return nil
				}
				return c.err
			}
			free <- c
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fill decodes the next events.
func (d *decoder) fill(c *chunk) {
	c.reset()
	if d.held {
		d.x.add(c, &d.ev)
		d.held = false
	}
	for len(c.events) < chunkSize && c.err == nil && !d.held {
		d.fillOn(c)
	}
}

// fillOn decodes events until the chunk is full or the decoder, which meets
// bytes that nobody has checked, panics: that is an error like another, but for
// a transition that it does not know.
func (d *decoder) fillOn(c *chunk) {
	whole := len(c.events) // events that are complete
	defer func() {
		p := recover()
		switch {
		case p == nil:
		case d.x.asking:
			d.x.asking = false
			c.events[len(c.events)-1].resource = unknownResource
		default:
			c.events = c.events[:whole]
			recovered(&c.err, p)
		}
	}()
	for len(c.events) < chunkSize {
		if d.ev, c.err = d.r.ReadEvent(); c.err != nil {
			return
		}
		if d.ev.Kind() == exptrace.EventSync && len(c.events) > 0 {
			d.held = true
			return
		}
		whole = len(c.events)
		d.x.add(c, &d.ev)
		whole++
	}
}

func recovered(err *error, p any) {
	if p != nil {
		*err = fmt.Errorf("the decoder panicked: %v", p)
	}
}
