package model

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/trace2x/trace2x/internal/decode"
)

// FormatError says that the input is not a Go execution trace that can be read,
// what it seems to be, and what to do.
type FormatError = decode.FormatError

// Damage says where a trace is truncated or damaged, and what that costs: one
// generation, mostly. It is in the error of a [Read] that reported everything else.
type Damage = decode.Damage

// ContradictionError says that a trace contradicts itself: it is damaged, or comes
// from a runtime with a mistake. Summary.Inconsistent and Summary.Missing have the
// details.
type ContradictionError struct {
	// Count is how many events or references were left out.
	Count int
}

func (e *ContradictionError) Error() string {
	if e.Count == 1 {
		return "the trace contradicts itself once, and what does is left out; the rest may be wrong, too"
	}
	return fmt.Sprintf("the trace contradicts itself %d times, and what does is left out; the rest may be wrong, too", e.Count)
}

// IsDamage reports whether an error of [Read] is about the trace alone: all that
// could be read was reported.
func IsDamage(err error) bool {
	var damage *Damage
	var contradiction *ContradictionError
	return errors.As(err, &damage) || errors.As(err, &contradiction)
}

// contradictions returns how many events or references contradict the rest.
func (s *Summary) contradictions() int {
	n := s.Missing
	for _, k := range s.Inconsistent {
		n += k
	}
	return n
}

// CheckHeader looks at the first bytes of an input, all of them or 512. It
// returns nil if a Go execution trace begins there, also one that is too new for
// [Read], and else a *[FormatError].
func CheckHeader(head []byte) error { return decode.CheckHeader(head) }

// Read decodes the Go execution trace in r and reports it to sink. It reads
// every format that golang.org/x/exp/trace reads, which it takes uncompressed.
//
// If the trace is truncated or damaged, or r fails in the midst of it, Read
// reports what can be read before that and behind it, with a [Gap] between, and
// returns the summary with an error that wraps each *[Damage]. If the trace
// contradicts itself, the error wraps a *[ContradictionError]: all that does not is
// reported. For other errors the summary is nil: a *[FormatError] if r is not a trace
// that can be read, before any call of sink; the error of the sink; or the error of ctx.
func Read(ctx context.Context, r io.Reader, sink Sink) (*Summary, error) {
	in, err := open(ctx, r)
	if err != nil {
		return nil, err
	}
	return read(ctx, in, sink, nil)
}

// ReadWindow is Read for a part of the trace: as if it had begun and ended with
// the window. What is there when it begins has Before set, and Start is then;
// what is there when it ends has Open set. Since Go 1.22, generations before the window
// are not decoded. If a goroutine began to wait in one of them, its stack tells the
// reason, as for goroutines from before a trace, and nothing tells how it was created.
//
// If r is [Sectioned], what lies before the window is not even read, except for the
// headers of its batches. For many windows of one trace, see [Index].
//
// A window without anything in it is a *[WindowError].
func ReadWindow(ctx context.Context, r io.Reader, sink Sink, w Window) (*Summary, error) {
	if w.From.IsZero() && w.To.IsZero() {
		return Read(ctx, r, sink)
	}
	in, err := openWindow(ctx, r)
	if err != nil {
		return nil, err
	}
	return read(ctx, in, sink, &clip{Window: w})
}

// ReadSplit is ReadWindow for windows of this length that follow each other, from
// the beginning of w to its end, in one pass. It calls next for the sink of each,
// with the summary of the window before, nil for the first. It returns the
// summary of the last one.
//
// A trace names goroutines that do nothing only at the end of a generation, which
// lasts about a second: shorter windows may lack them, except for the last one in a
// generation.
func ReadSplit(ctx context.Context, r io.Reader, w Window, every time.Duration, next func(last *Summary) (Sink, error)) (*Summary, error) {
	in, err := openWindow(ctx, r)
	if err != nil {
		return nil, err
	}
	sink, err := next(nil)
	if err != nil {
		return nil, err
	}
	return read(ctx, in, sink, &clip{Window: w, every: Time(every), next: next})
}

// open opens a trace, unless ctx has ended: then what is in r does not matter.
func open(ctx context.Context, r io.Reader) (*decode.Input, error) {
	in, err := decode.Open(r)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return in, err
}

// read reports the trace to sink; only what is in c, unless c is nil.
func read(ctx context.Context, in *decode.Input, sink Sink, c *clip) (*Summary, error) {
	b := newBuilder(sink, Trace{Format: in.Format, Fingerprint: in.Fingerprint, v1: in.Whole})
	b.stop = func() error { return errors.Join(ctx.Err(), b.sink.Err()) }
	var want func(decode.Extent) decode.Verdict
	if c != nil {
		c.begin(b)
		want = c.want
	}
	var damages []error
	for chunk, err := range in.Chunks(ctx, want) {
		switch d := (*Damage)(nil); {
		case errors.As(err, &d):
			damages = append(damages, d)
			b.lose(d)
			continue
		case err != nil:
			return nil, err
		}
		if err := errors.Join(ctx.Err(), b.sink.Err()); err != nil {
			return nil, err
		}
		if b.take(chunk, c); c != nil && c.done {
			break
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	switch {
	case c == nil:
		b.summary.Generations = in.Generations()
	case c.done, !c.opened:
		if err := c.check(); err != nil {
			return nil, err
		}
		b.now = c.to
		if b.gap != nil { // it is behind the window
			b.gap, damages = nil, damages[:len(damages)-1]
			b.summary.Gaps = b.summary.Gaps[:len(b.summary.Gaps)-1]
		}
	}
	summary := b.finish()
	if err := b.stop(); err != nil && (summary == nil || b.sink.Err() != nil) {
		return nil, err
	}
	if n := summary.contradictions(); n > 0 {
		damages = append(damages, &ContradictionError{n})
	}
	return summary, errors.Join(damages...)
}

// Extent returns when the trace in r begins and ends, and whether it tells the
// time of day: then it stops reading there, and end is not known. A damaged
// trace ends at the damage. Errors are as for [Read].
func Extent(ctx context.Context, r io.Reader) (start, end Time, told bool, err error) {
	in, err := decode.Open(r)
	if err != nil {
		return 0, 0, false, err
	}
	first := true
	var clocks clocks
	for chunk, err := range in.Chunks(ctx, nil) {
		if damage := (*Damage)(nil); errors.As(err, &damage) {
			break
		} else if err != nil {
			return 0, 0, false, err
		}
		for i := range chunk.Events {
			e := &chunk.Events[i]
			if end = Time(e.Time); first {
				start, first = end, false
			}
			if e.Kind == decode.Sync {
				if clock, _ := clocks.snapshot(chunk.Details[e.Detail-1].Clock, end); clock != nil {
					return start, 0, true, nil
				}
			}
		}
	}
	return start, end, false, nil
}
