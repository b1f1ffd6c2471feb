package model

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// fingerprinted is how many bytes of a trace make its fingerprint.
const fingerprinted = 4096

// Read decodes the Go execution trace in r and reports it to sink. It reads
// every format that golang.org/x/exp/trace reads, which it takes uncompressed.
//
// If the trace is truncated or damaged, or r fails in the midst of it, Read
// reports all that comes before, ends the trace there, and returns the summary
// with a *[Damage] as the error. For other errors the summary is nil: a
// *[FormatError] if r is not a trace that can be read, before any call of sink;
// the error of the sink; or that of ctx.
func Read(ctx context.Context, r io.Reader, sink Sink) (*Summary, error) {
	return read(ctx, r, sink, newSource)
}

func read(ctx context.Context, r io.Reader, sink Sink, newSource func(*bufio.Reader, *framing, Trace) (source, error)) (*Summary, error) {
	in := &framing{r: r}
	br := bufio.NewReaderSize(in, 64<<10)
	trace, err := sniff(br)
	if err != nil {
		return nil, err
	}
	head, _ := br.Peek(fingerprinted)
	sum := sha256.Sum256(head)
	copy(trace.Fingerprint[:], sum[:])
	src, err := newSource(br, in, trace)
	if err != nil {
		return nil, err
	}

	b := newBuilder(sink, trace)
	err = src.each(ctx, func(c *chunk) error {
		if err := errors.Join(ctx.Err(), sink.Err()); err != nil {
			return &stopped{err}
		}
		b.take(c)
		return nil
	})
	if stop := (*stopped)(nil); errors.As(err, &stop) {
		return nil, stop.err
	}
	if err == nil && in.incomplete() {
		err = io.ErrUnexpectedEOF // of which the decoder takes no notice
	}
	if err != nil {
		if ctx.Err() == nil {
			io.Copy(io.Discard, br) // what follows tells how much is lost
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		damage := in.damage(b.summary.Generations, err)
		b.summary.Generations = damage.Generations
		return finish(b, sink, damage)
	}
	return finish(b, sink, nil)
}

// source yields the events of a trace, as decoder does.
type source interface {
	each(ctx context.Context, yield func(*chunk) error) error
}

// newSource decodes the trace in r, which comes through in.
func newSource(r *bufio.Reader, in *framing, trace Trace) (source, error) {
	if !trace.v1 {
		return newGenerations(r, in), nil
	}
	dec, err := newDecoder(r, true)
	switch {
	case err == nil:
		return dec, nil
	case in.err != nil:
		return nil, fmt.Errorf("reading the trace: %w", in.err)
	}
	return nil, &FormatError{Reason: fmt.Sprintf("damaged or truncated %s trace: %v (traces of Go 1.21 and earlier can only be read whole: make it again)", trace.Format, err)}
}

// finish ends the trace for the sink, which may fail to write the last of it.
func finish(b *builder, sink Sink, damage *Damage) (*Summary, error) {
	summary := b.finish(damage)
	if err := sink.Err(); err != nil {
		return nil, err
	}
	if damage != nil {
		return summary, damage
	}
	return summary, nil
}

// stopped is the error with which Read ends the reading itself.
type stopped struct{ err error }

func (s *stopped) Error() string { return s.err.Error() }
