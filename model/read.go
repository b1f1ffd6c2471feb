package model

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	exptrace "golang.org/x/exp/trace"
)

// Read decodes the Go execution trace in r and reports it to sink. It reads
// every format that golang.org/x/exp/trace reads, which it takes uncompressed.
//
// If the trace is truncated or damaged, or r fails in the midst of it, Read
// reports all that comes before, ends the trace there, and returns the summary
// with a *[Damage] as the error. For other errors the summary is nil: a
// *[FormatError] if r is not a trace that can be read, before any call of sink;
// the error of the sink; or that of ctx.
func Read(ctx context.Context, r io.Reader, sink Sink) (*Summary, error) {
	in := &framing{r: r}
	br := bufio.NewReaderSize(in, 64<<10)
	trace, err := sniff(br)
	if err != nil {
		return nil, err
	}
	dec, err := newDecoder(br)
	if err != nil {
		if in.err != nil {
			return nil, fmt.Errorf("reading the trace: %w", in.err)
		}
		if trace.v1 {
			err = fmt.Errorf("%w (traces of Go 1.21 and earlier can only be read whole: make it again)", err)
		}
		return nil, &FormatError{Reason: fmt.Sprintf("damaged or truncated %s trace: %v", trace.Format, err)}
	}

	b := newBuilder(sink, trace)
	var ev exptrace.Event
	for n := 0; ; n++ {
		if n%4096 == 0 {
			if err := errors.Join(ctx.Err(), sink.Err()); err != nil {
				return nil, err
			}
		}
		err := dec.next(&ev)
		if err == io.EOF {
			break
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			damage := in.damage(b.summary.Generations, err)
			return b.finish(damage), damage
		}
		b.event(&ev)
	}
	summary := b.finish(nil)
	return summary, sink.Err()
}

// decoder yields the events of a trace in order. It is apart from what
// consumes them so that generations can be decoded in parallel in its place.
type decoder struct{ r *exptrace.Reader }

func newDecoder(r io.Reader) (d *decoder, err error) {
	defer recovered(&err)
	tr, err := exptrace.NewReader(r)
	if err != nil {
		return nil, err
	}
	return &decoder{r: tr}, nil
}

// next reads the next event into ev, which is valid until the next call. It
// returns io.EOF at the end of the trace.
func (d *decoder) next(ev *exptrace.Event) (err error) {
	defer recovered(&err)
	*ev, err = d.r.ReadEvent()
	return err
}

// recovered makes an error of a panic of the decoder: it meets bytes that
// nobody has checked.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the decoder panicked: %v", p)
	}
}
