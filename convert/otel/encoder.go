package otel

import (
	"github.com/trace2x/trace2x/internal/inturn"
	"github.com/trace2x/trace2x/model/times"
)

// encoder encodes spans and hands them to out, in the order in which it gets them, beside
// the goroutine that makes them.
type encoder struct {
	out func(span []byte) // the span is valid until out returns
	// clock and reasons are what the spans refer to. They belong to whoever makes these,
	// and are copied with each batch.
	clock   *WallClock
	reasons *times.Reasons

	open    []sent
	free    chan []sent
	line    inturn.Line
	mapping *mapping // of the goroutine that encodes
}

// sent is a span that does not change any more.
type sent struct {
	*span
	trace traceID
}

const (
	// A batch of this many spans is encoded at a time.
	spansOfBatch = 256
	// encodingBatches is the number of batches. One of them is being filled.
	encodingBatches = 3
)

func newEncoder(out func(span []byte), clock *WallClock, reasons *times.Reasons) *encoder {
	e := &encoder{out: out, clock: clock, reasons: reasons, free: make(chan []sent, encodingBatches), mapping: newMapping()}
	for range encodingBatches {
		e.free <- make([]sent, 0, spansOfBatch)
	}
	e.open = <-e.free
	return e
}

// add takes a span.
func (e *encoder) add(trace traceID, s *span) {
	if e.open = append(e.open, sent{s, trace}); len(e.open) == spansOfBatch {
		e.hand()
	}
}

// hand has the batch encoded.
func (e *encoder) hand() {
	if len(e.open) == 0 {
		return
	}
	batch, clock, reasons := e.open, *e.clock, *e.reasons
	e.line.Go(func() {
		m := e.mapping
		m.clock, m.reasons = clock, &reasons
		for _, s := range batch {
			e.out(m.span(s.trace, s.span))
		}
		clear(batch)
		e.free <- batch[:0]
	})
	e.open = <-e.free
}

// wait returns when out has returned for all spans.
func (e *encoder) wait() {
	e.hand()
	e.line.Wait()
}
