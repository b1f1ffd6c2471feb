package model

import (
	"context"
	"io"

	"github.com/trace2x/trace2x/internal/decode"
)

// ReadInSequence is Read with one decoder for the whole trace.
func ReadInSequence(ctx context.Context, r io.Reader, sink Sink) (*Summary, error) {
	in, err := decode.Open(r)
	if err != nil {
		return nil, err
	}
	in.InSequence = true
	return read(ctx, in, sink, nil)
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
	in, err := decode.Open(r)
	if err != nil {
		return nil, err
	}
	in.Workers, in.Budget, in.Ahead = workers, budget, ahead
	return read(ctx, in, sink, nil)
}
