package otel

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// testSpan returns the span number n, which has n+1 as its ID: 0 is none.
func testSpan(n int) *tracepb.Span {
	id := binary.BigEndian.AppendUint64(nil, uint64(n+1))
	return &tracepb.Span{
		TraceId:           append(make([]byte, 8), id...),
		SpanId:            id,
		Name:              fmt.Sprint("span ", n),
		Kind:              tracepb.Span_SPAN_KIND_INTERNAL,
		StartTimeUnixNano: 1_700_000_000_000_000_000 + uint64(n),
		EndTimeUnixNano:   1_700_000_000_000_001_000 + uint64(n),
		Attributes: []*commonpb.KeyValue{
			stringTag("code.function.name", "net/http.(*conn).serve"),
			{Key: "go.execution.ns", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(n)}}},
		},
		Events: []*tracepb.Span_Event{{TimeUnixNano: uint64(n), Name: "log", Attributes: []*commonpb.KeyValue{stringTag("message", "a <message> & \"quotes\"")}}},
		Links:  []*tracepb.Span_Link{{TraceId: append(id, id...), SpanId: id}},
	}
}

func spanNumber(s *tracepb.Span) int { return int(binary.BigEndian.Uint64(s.SpanId)) - 1 }

func stringTag(k, v string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: k, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v}}}
}

var testEnvelope = envelope{
	resource:  &resourcepb.Resource{Attributes: []*commonpb.KeyValue{stringTag("service.name", "checkout")}},
	scope:     &commonpb.InstrumentationScope{Name: "trace2x", Version: "v1"},
	schemaURL: "https://opentelemetry.io/schemas/1.41.0",
}

// cut returns the batches that the spans become.
func cut(l limits, spans ...*tracepb.Span) (bs []batch) {
	b := newBatcher(l, &testEnvelope)
	for _, s := range spans {
		if full := b.add(s); len(full.spans) > 0 {
			bs = append(bs, full)
		}
	}
	if rest := b.take(); len(rest.spans) > 0 {
		bs = append(bs, rest)
	}
	return bs
}

func TestBatchLimits(t *testing.T) {
	var spans []*tracepb.Span
	for n := range 1000 {
		s := testSpan(n)
		s.Name = strings.Repeat("x", n*7%5000)
		spans = append(spans, s)
	}
	for _, l := range []limits{{bytes: 10_000, spans: 1000}, {bytes: 1 << 20, spans: 7}, {bytes: 100_000, spans: 50}} {
		next, largest := 0, 0
		for _, b := range cut(l, spans...) {
			size := proto.Size(&tracepb.TracesData{ResourceSpans: testEnvelope.wrap(b.spans)})
			largest = max(largest, size)
			if size > l.bytes || len(b.spans) > l.spans {
				t.Errorf("%+v: a batch of %d spans and %d bytes", l, len(b.spans), size)
			}
			for _, s := range b.spans {
				if spanNumber(s) != next {
					t.Fatalf("%+v: span %d where %d was due", l, spanNumber(s), next)
				}
				next++
			}
		}
		if next != len(spans) {
			t.Errorf("%+v: %d spans of %d", l, next, len(spans))
		}
		if l.bytes < 1<<20 && largest < l.bytes/2 {
			t.Errorf("%+v: the largest batch has only %d bytes", l, largest)
		}
	}
}

func TestBatchOfLargeSpan(t *testing.T) {
	large := testSpan(2)
	large.Name = strings.Repeat("x", 2<<20)
	bs := cut(backendLimits, testSpan(0), testSpan(1), large, testSpan(3), testSpan(4))
	var got []int
	for _, b := range bs {
		got = append(got, len(b.spans))
	}
	if fmt.Sprint(got) != "[2 1 2]" {
		t.Errorf("batches of %v spans", got)
	}
}

func TestHalves(t *testing.T) {
	for n := 2; n < 10; n++ {
		var spans []*tracepb.Span
		for i := range n {
			spans = append(spans, testSpan(i))
		}
		whole := cut(backendLimits, spans...)[0]
		first, second := whole.halves()
		if len(first.spans)+len(second.spans) != n || len(first.spans) != n/2 || spanNumber(second.spans[0]) != n/2 {
			t.Errorf("%d spans: halves of %d and %d", n, len(first.spans), len(second.spans))
		}
		if got := cut(backendLimits, second.spans...)[0]; got.bytes != second.bytes || first.bytes+second.bytes != whole.bytes {
			t.Errorf("%d spans of %d bytes: halves of %d and %d bytes", n, whole.bytes, first.bytes, second.bytes)
		}
	}
}
