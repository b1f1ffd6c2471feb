package model

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/trace2x/trace2x/internal/decode"
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
	return read(ctx, r, sink, nil, newSource)
}

// ReadWindow is Read for a part of the trace: as if it had begun and ended with
// the window. What is there when it begins has Before set, and Start is then;
// what is there when it ends has Open set. Generations before the window are not
// decoded, since Go 1.22, so that of goroutines that began to wait in those, the
// reason is found out from the stack, as it is for those from before a trace, and
// how they were created is not known.
//
// A window without anything in it is a *[WindowError].
func ReadWindow(ctx context.Context, r io.Reader, sink Sink, w Window) (*Summary, error) {
	if w.From.IsZero() && w.To.IsZero() {
		return Read(ctx, r, sink)
	}
	return read(ctx, r, sink, &windowed{Window: w}, newSource)
}

// ReadSplit is ReadWindow for windows of this length that follow each other, from
// the beginning of w to its end, in one pass. It calls next for the sink of each,
// with the summary of the window before, nil for the first. It returns the
// summary of the last one.
//
// Of goroutines that do nothing, a trace tells at the end of its generations, of
// about a second: shorter windows may lack them, but for the last in a generation.
func ReadSplit(ctx context.Context, r io.Reader, w Window, every time.Duration, next func(last *Summary) (Sink, error)) (*Summary, error) {
	sink, err := next(nil)
	if err != nil {
		return nil, err
	}
	return read(ctx, r, sink, &windowed{Window: w, every: Time(every), next: next}, newSource)
}

type makeSource func(*bufio.Reader, *framing, Trace, *windowed) (source, error)

func read(ctx context.Context, r io.Reader, sink Sink, w *windowed, newSource makeSource) (*Summary, error) {
	in := &framing{r: r}
	br := bufio.NewReaderSize(in, 64<<10)
	trace, err := sniff(br)
	if err != nil {
		return nil, err
	}
	head, _ := br.Peek(fingerprinted)
	sum := sha256.Sum256(head)
	copy(trace.Fingerprint[:], sum[:])
	src, err := newSource(br, in, trace, w)
	if err != nil {
		return nil, err
	}

	b := newBuilder(sink, trace)
	b.window = w
	err = src.each(ctx, func(c *decode.Chunk) error {
		if err := errors.Join(ctx.Err(), b.sink.Err()); err != nil {
			return &stopped{err}
		}
		b.take(c)
		if b.done {
			return errDone
		}
		return nil
	})
	if w != nil && (b.done || !b.opened) && ctx.Err() == nil {
		if err := w.check(b); err != nil {
			return nil, err
		}
		b.now = w.to
		return finish(b, nil)
	}
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
		generations := max(b.borders-1, 0)
		if w != nil {
			generations += w.skipped
		}
		damage := in.damage(generations, err)
		if w == nil {
			b.summary.Generations = damage.Generations
		}
		return finish(b, damage)
	}
	return finish(b, nil)
}

// source yields the events of a trace, as inSequence does.
type source interface {
	each(ctx context.Context, yield func(*decode.Chunk) error) error
}

// newSource decodes the trace in r, which comes through in.
func newSource(r *bufio.Reader, in *framing, trace Trace, w *windowed) (source, error) {
	if !trace.v1 {
		header, _ := r.Peek(headerSize)
		if _, err := decode.NewReader(bytes.NewReader(header), false); err != nil {
			return nil, &FormatError{Reason: fmt.Sprintf("a %s trace: %v", trace.Format, err)}
		}
		return newGenerations(r, in, w), nil
	}
	dec, err := decode.NewReader(r, true)
	switch {
	case err == nil:
		return inSequence{dec}, nil
	case in.err != nil:
		return nil, fmt.Errorf("reading the trace: %w", in.err)
	}
	return nil, &FormatError{Reason: fmt.Sprintf("damaged or truncated %s trace: %v (traces of Go 1.21 and earlier can only be read whole: make it again)", trace.Format, err)}
}

// finish ends the trace for the sink, which may fail to write the last of it.
func finish(b *builder, damage *Damage) (*Summary, error) {
	summary := b.finish(damage)
	if err := b.sink.Err(); err != nil {
		return nil, err
	}
	if damage != nil {
		return summary, damage
	}
	return summary, nil
}

// errDone ends the reading at the end of the window.
var errDone = errors.New("the window ends")

// stopped is the error with which Read ends the reading itself.
type stopped struct{ err error }

func (s *stopped) Error() string { return s.err.Error() }
