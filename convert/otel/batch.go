package otel

import "github.com/trace2x/trace2x/internal/wire"

// limits bound what a request holds and how many there are.
type limits struct {
	bytes    int // of a request, encoded, before compression; a larger span goes alone
	spans    int // of a request
	waiting  int // requests that wait for an upload
	inFlight int // uploads at the same time; 1 keeps the order
}

// backendLimits suit backends in the network.
//
//   - 1 MiB: a gRPC server takes 4 MiB, Jaeger 20 MiB over HTTP, and some
//     proxies 1 MiB. Larger requests do not make sending faster.
//   - 2,000 spans: a request that is refused or partly taken should not be a
//     large part of the trace, and Jaeger takes spans one by one from a request.
//   - 2 in flight: one is encoded and compressed while the backend works on the
//     other.
//   - 4 waiting: enough to bridge a pause of the backend, or a burst of spans
//     when many tasks end at once. With the two in flight and the one being
//     filled that is 7 MiB.
var backendLimits = limits{bytes: 1 << 20, spans: 2000, waiting: 4, inFlight: 2}

// limited is a [Client] that has limits of its own.
type limited interface{ limits() limits }

func limitsOf(c Client) limits {
	if c, ok := c.(limited); ok {
		return c.limits()
	}
	return backendLimits
}

// batch is the spans of a request, in the order in which they were added.
type batch struct {
	spans []byte // fields of ScopeSpans
	ends  []int  // of each, in spans
}

// halves splits a batch of at least two spans by their number. The halves share
// its memory.
func (b batch) halves() (first, second batch) {
	mid := len(b.ends) / 2
	cut := b.ends[mid-1]
	first = batch{spans: b.spans[:cut], ends: b.ends[:mid]}
	second.spans = b.spans[cut:]
	for _, end := range b.ends[mid:] {
		second.ends = append(second.ends, end-cut)
	}
	return first, second
}

// batcher collects spans into batches. Where it cuts depends on the spans
// alone, so that the same spans make the same file.
type batcher struct {
	maxBytes, maxSpans int
	open               batch
	free               chan batch // memory of batches that are done with
}

func newBatcher(l limits, e *envelope) batcher {
	return batcher{maxBytes: l.bytes - e.size(), maxSpans: l.spans, free: make(chan batch, l.waiting+l.inFlight)}
}

// add copies an encoded span into the open batch. If the span does not fit, add
// returns that batch, and the span begins the next one.
func (b *batcher) add(span []byte) (full batch) {
	size := wire.SizeBytes(fScopeSpansSpan, len(span))
	if n := len(b.open.ends); n == b.maxSpans || n > 0 && len(b.open.spans)+size > b.maxBytes {
		full = b.take()
	}
	b.open.spans = wire.AppendBytes(b.open.spans, fScopeSpansSpan, span)
	b.open.ends = append(b.open.ends, len(b.open.spans))
	return full
}

// take returns the open batch, which may be empty, and begins another.
func (b *batcher) take() batch {
	open := b.open
	select {
	case b.open = <-b.free:
	default:
		b.open = batch{}
	}
	return open
}

// reuse takes back the memory of a batch that was sent, for a later batch. It may be
// called concurrently with the other methods.
func (b *batcher) reuse(done batch) {
	select {
	case b.free <- batch{done.spans[:0], done.ends[:0]}:
	default:
	}
}
