package otel

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/trace2x/trace2x/model"
)

// scopeName is the instrumentation scope of the spans.
const scopeName = "github.com/trace2x/trace2x/convert/otel"

// schemaURL is the version of the semantic conventions whose attribute names
// the spans use.
const schemaURL = "https://opentelemetry.io/schemas/1.37.0"

// Report says what Convert did.
type Report struct {
	// Trace is what was read.
	Trace *model.Summary
	Stats
	// Result says what became of the spans; it is zero if none were sent.
	Result Result
	// NoClock means that the trace does not tell the time of day: it began at
	// Options.WallStart, or at Unix time 0.
	NoClock bool
}

// Total returns the number of spans; 0 if the reading ended early.
func (r *Report) Total() (n int) {
	for _, k := range r.Spans {
		n += k
	}
	return n
}

// Convert reads a Go execution trace from r, sends its spans with client, and closes
// client. With a nil client it only counts the spans. Reading, mapping and sending
// overlap; a slow backend slows the reading.
//
// The report is nil if nothing could be read. The error is then an error of
// [model.Read]. Otherwise the error joins a *[model.Damage], if a part of the trace
// could not be read, and a *[RejectedError], if spans were rejected. If ctx ended, the
// report says what had been sent.
func Convert(ctx context.Context, r io.Reader, client Client, opts Options) (*Report, error) {
	c := NewConverter(ctx, client, opts)
	return c.Close(model.ReadWindow(ctx, r, c, opts.Window))
}

// Converter is the [model.Sink] behind [Convert], for those who read a trace into more
// than one sink. After the reading it must be closed.
type Converter struct {
	model.Sink
	tree *tree
	up   *uploader // nil if spans are only counted
}

// NewConverter returns a sink that sends the spans of one trace with client. With a nil
// client it only counts them. The end of ctx ends the sending.
func NewConverter(ctx context.Context, client Client, opts Options) *Converter {
	c := &Converter{}
	if client == nil {
		c.tree = newTree(opts, nil, func() error { return nil })
	} else {
		c.up = newUploader(ctx, client, newEnvelope(opts.Resource, opts.Version))
		c.tree = newTree(opts, c.up.add, c.up.Err)
	}
	c.Sink = c.tree.sink()
	return c
}

// Drain waits until what has been handed to the client was sent, so that another signal
// may be written to the same file, always at the same place.
func (c *Converter) Drain() {
	if c.up != nil {
		c.tree.wait()
		c.up.drain()
	}
}

// Close sends what is left, and closes the client. sum and err are what the reading
// returned. Close returns what [Convert] does.
func (c *Converter) Close(sum *model.Summary, err error) (*Report, error) {
	t := c.tree
	if c.up == nil {
		return report(t, sum, Result{}), err
	}
	t.wait() // the reading may have failed
	result, sendErr := c.up.close()
	if sum == nil && t.trace.Format != "" && sendErr != nil {
		// Sending was given up or interrupted, which ends the reading.
		if sum, err = t.summary, nil; sum == nil {
			sum = &model.Summary{Trace: t.trace, End: t.now}
		}
	}
	if sendErr != nil {
		sendErr = fmt.Errorf("sending spans: %w", sendErr)
	}
	return report(t, sum, result), errors.Join(err, sendErr)
}

func report(t *tree, sum *model.Summary, result Result) *Report {
	if sum == nil {
		return nil
	}
	return &Report{Trace: sum, Stats: t.stats, Result: result, NoClock: !t.clock.Known()}
}
