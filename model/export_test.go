package model

import (
	"bufio"
	"context"
	"io"

	"github.com/trace2x/trace2x/internal/decode"
)

// ReadInSequence is Read with one decoder for the whole trace.
func ReadInSequence(ctx context.Context, r io.Reader, sink Sink) (*Summary, error) {
	return read(ctx, r, sink, nil, func(r *bufio.Reader, in *framing, trace Trace, w *windowed) (source, error) {
		dec, err := decode.NewReader(r, trace.v1)
		if err != nil {
			return nil, err
		}
		return inSequence{dec}, nil
	})
}

// SetChunkSize changes the number of events in a chunk; restore undoes it.
func SetChunkSize(n int) (restore func()) {
	old := decode.ChunkSize
	decode.ChunkSize = n
	return func() { decode.ChunkSize = old }
}

// ReadAtOnce is Read with as many decoders, for generations of as many bytes
// together, with as many chunks ahead.
func ReadAtOnce(ctx context.Context, r io.Reader, sink Sink, workers int, budget int64, ahead int) (*Summary, error) {
	return read(ctx, r, sink, nil, func(r *bufio.Reader, in *framing, trace Trace, w *windowed) (source, error) {
		if trace.v1 {
			return newSource(r, in, trace, w)
		}
		gs := newGenerations(r, in, w)
		gs.workers, gs.budget, gs.ahead = workers, budget, ahead
		return gs, nil
	})
}
