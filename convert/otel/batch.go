package otel

import (
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

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
//     filled that is 7 MiB encoded, and a few times that as Go values.
var backendLimits = limits{bytes: 1 << 20, spans: 2000, waiting: 4, inFlight: 2}

// limited is a [Client] that has limits of its own.
type limited interface{ limits() limits }

func limitsOf(c Client) limits {
	if c, ok := c.(limited); ok {
		return c.limits()
	}
	return backendLimits
}

// envelope is what all spans of an upload share. Requests that are encoded at
// the same time refer to the same resource and scope, which nobody changes.
type envelope struct {
	resource  *resourcepb.Resource
	scope     *commonpb.InstrumentationScope
	schemaURL string
}

func (e *envelope) wrap(spans []*tracepb.Span) []*tracepb.ResourceSpans {
	return []*tracepb.ResourceSpans{{
		Resource:   e.resource,
		SchemaUrl:  e.schemaURL,
		ScopeSpans: []*tracepb.ScopeSpans{{Scope: e.scope, Spans: spans, SchemaUrl: e.schemaURL}},
	}}
}

// size returns the encoded size of a request without spans. The lengths that
// grow with the spans are counted as long as they can be.
func (e *envelope) size() int {
	const lengths = 2 * 4 // of ResourceSpans and ScopeSpans, up to 256 MiB
	return proto.Size(&tracepb.TracesData{ResourceSpans: e.wrap(nil)}) + lengths
}

// batch is the spans of a request, in the order in which they were added.
type batch struct {
	spans []*tracepb.Span
	bytes int // encoded, without the envelope
}

// halves splits a batch of at least two spans by their number. The halves share
// its memory.
func (b batch) halves() (batch, batch) {
	mid := len(b.spans) / 2
	first := batch{spans: b.spans[:mid:mid]}
	for _, s := range first.spans {
		first.bytes += sizeInRequest(s)
	}
	return first, batch{spans: b.spans[mid:], bytes: b.bytes - first.bytes}
}

// batcher collects spans into batches. Where it cuts depends on the spans
// alone, so that the same spans make the same file.
type batcher struct {
	maxBytes, maxSpans int
	open               batch
}

func newBatcher(l limits, e *envelope) batcher {
	return batcher{maxBytes: l.bytes - e.size(), maxSpans: l.spans}
}

// add adds a span to the open batch. If it does not fit, add returns that
// batch, and the span begins the next one.
func (b *batcher) add(s *tracepb.Span) (full batch) {
	size := sizeInRequest(s)
	if n := len(b.open.spans); n == b.maxSpans || n > 0 && b.open.bytes+size > b.maxBytes {
		full = b.take()
	}
	b.open.spans = append(b.open.spans, s)
	b.open.bytes += size
	return full
}

// take returns the open batch, which may be empty, and begins another.
func (b *batcher) take() batch {
	open := b.open
	b.open = batch{}
	return open
}

func sizeInRequest(s *tracepb.Span) int {
	const spansField = 2 // of ScopeSpans
	return protowire.SizeTag(spansField) + protowire.SizeBytes(proto.Size(s))
}
