package model

import (
	"context"
	"io"

	"github.com/trace2x/trace2x/internal/decode"
)

// inSequence yields the events of a trace in order, in chunks, from one decoder.
// That is apart from what consumes them, and at work in a goroutine of its own,
// some chunks ahead.
type inSequence struct{ *decode.Reader }

// fewChunks is the number of chunks that may wait to be consumed.
const fewChunks = 4

// each calls yield with every chunk up to the end of the trace, until yield
// returns an error, or until ctx ends; it returns the error. The chunk is only
// valid during the call.
//
// The decoder has ended when each returns, but if ctx ended: then it may be
// waiting for its reader still.
func (d inSequence) each(ctx context.Context, yield func(*decode.Chunk) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	full, free := make(chan *decode.Chunk, fewChunks), make(chan *decode.Chunk, fewChunks+2)
	for range cap(free) {
		free <- decode.NewChunk()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			var c *decode.Chunk
			select {
			case c = <-free:
			case <-ctx.Done():
				return
			}
			d.Fill(c)
			select {
			case full <- c:
			case <-ctx.Done():
				return
			}
			if c.Err != nil {
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
			if c.Err != nil {
				<-done
				if c.Err == io.EOF {
					return nil
				}
				return c.Err
			}
			free <- c
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
