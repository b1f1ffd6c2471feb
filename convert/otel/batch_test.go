package otel

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/otel/otlptest"
	"github.com/trace2x/trace2x/internal/wire"
)

var (
	testSpan   = otlptest.Span
	spanNumber = otlptest.Number
)

func stringTag(k, v string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: k, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v}}}
}

// testRequest has the envelope of the requests of tests.
var testRequest = tracepb.ResourceSpans{
	Resource:  &resourcepb.Resource{Attributes: []*commonpb.KeyValue{stringTag("service.name", "checkout")}},
	SchemaUrl: schemaURL,
	ScopeSpans: []*tracepb.ScopeSpans{{
		Scope:     &commonpb.InstrumentationScope{Name: scopeName, Version: "v1"},
		SchemaUrl: schemaURL,
	}},
}

func testEnvelope() envelope {
	return newEnvelope([]attribute.KeyValue{attribute.String("service.name", "checkout")}, "v1")
}

func encode(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// decode returns the only resource of a request.
func decode(request []byte) *tracepb.ResourceSpans {
	var data tracepb.TracesData
	if err := proto.Unmarshal(request, &data); err != nil {
		panic(err)
	}
	if len(data.ResourceSpans) != 1 || len(data.ResourceSpans[0].ScopeSpans) != 1 {
		panic(fmt.Sprintf("%d resources", len(data.ResourceSpans)))
	}
	return data.ResourceSpans[0]
}

// decoded returns the spans of a batch.
func (b batch) decoded() []*tracepb.Span {
	e := testEnvelope()
	return decode(e.request(b.spans)).ScopeSpans[0].Spans
}

// cut returns the batches that the spans become.
func cut(l limits, spans ...*tracepb.Span) (bs []batch) {
	e := testEnvelope()
	b := newBatcher(l, &e)
	for _, s := range spans {
		if full := b.add(encode(s)); len(full.ends) > 0 {
			bs = append(bs, full)
		}
	}
	if rest := b.take(); len(rest.ends) > 0 {
		bs = append(bs, rest)
	}
	return bs
}

// TestRequest: a request has the bytes that the generated code makes.
func TestRequest(t *testing.T) {
	e := testEnvelope()
	for _, n := range []int{0, 1, 50, 5000} {
		var spans []byte
		want := proto.CloneOf(&testRequest)
		for _, s := range testSpans(n) {
			spans = wire.AppendBytes(spans, fScopeSpansSpan, encode(s))
			want.ScopeSpans[0].Spans = append(want.ScopeSpans[0].Spans, s)
		}
		got := e.request(spans)
		if !bytes.Equal(got, encode(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{want}})) {
			t.Errorf("%d spans: the request is %v", n, decode(got))
		}
		if cap(got) != len(got) {
			t.Errorf("%d spans: %d bytes in memory for %d", n, len(got), cap(got))
		}
	}
}

// TestResource: attributes of all types are those that the generated code decodes.
func TestResource(t *testing.T) {
	list := func(values ...*commonpb.AnyValue) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: values}}}
	}
	text := func(s string) *commonpb.AnyValue { return stringTag("", s).Value }
	number := func(n int64) *commonpb.AnyValue { return intTag("", n).Value }
	yes := trueTag("").Value
	no := &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{}}
	half := &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: 0.5}}
	raw := &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte("\xff")}}
	for _, c := range []struct {
		in   attribute.Value
		want *commonpb.AnyValue
	}{
		{attribute.StringValue("a\xff"), text("a\uFFFD")},
		{attribute.StringValue(""), text("")},
		{attribute.BoolValue(true), yes},
		{attribute.BoolValue(false), no},
		{attribute.Int64Value(-1), number(-1)},
		{attribute.Float64Value(0.5), half},
		{attribute.ByteSliceValue([]byte("\xff")), raw},
		{attribute.Value{}, new(commonpb.AnyValue)},
		{attribute.BoolSliceValue([]bool{true, false}), list(yes, no)},
		{attribute.Int64SliceValue([]int64{0, 1 << 40}), list(number(0), number(1<<40))},
		{attribute.Float64SliceValue([]float64{0.5}), list(half)},
		{attribute.StringSliceValue([]string{"a", strings.Repeat("b", 300)}), list(text("a"), text(strings.Repeat("b", 300)))},
		{attribute.StringSliceValue(nil), list()},
		{attribute.SliceValue(attribute.BoolValue(true), attribute.StringValue("x")), list(yes, text("x"))},
		{attribute.MapValue(attribute.String("k", "v")), &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{
			KvlistValue: &commonpb.KeyValueList{Values: []*commonpb.KeyValue{stringTag("k", "v")}}}}},
	} {
		e := newEnvelope([]attribute.KeyValue{{Key: "key", Value: c.in}}, "")
		got := decode(e.request(nil)).Resource
		want := &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{Key: "key", Value: c.want}}}
		if !proto.Equal(got, want) {
			t.Errorf("%v: %v, want %v", c.in.Type(), got, want)
		}
	}
}

func TestBatchLimits(t *testing.T) {
	e := testEnvelope()
	var spans []*tracepb.Span
	for n := range 1000 {
		s := testSpan(n)
		s.Name = strings.Repeat("x", n*7%5000)
		spans = append(spans, s)
	}
	for _, l := range []limits{{bytes: 10_000, spans: 1000}, {bytes: 1 << 20, spans: 7}, {bytes: 100_000, spans: 50}} {
		next, largest := 0, 0
		for _, b := range cut(l, spans...) {
			size := len(e.request(b.spans))
			largest = max(largest, size)
			if size > l.bytes || len(b.ends) > l.spans {
				t.Errorf("%+v: a batch of %d spans and %d bytes", l, len(b.ends), size)
			}
			for _, s := range b.decoded() {
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
		got = append(got, len(b.ends))
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
		var got []int
		for _, half := range []batch{first, second} {
			for _, s := range half.decoded() {
				got = append(got, spanNumber(s))
			}
			if again := cut(backendLimits, half.decoded()...)[0]; !slices.Equal(again.ends, half.ends) {
				t.Errorf("a half of %d spans ends at %v, not %v", n, half.ends, again.ends)
			}
		}
		if len(first.ends) != n/2 || len(got) != n || !slices.IsSorted(got) {
			t.Errorf("%d spans: the first half has %d, both have %v", n, len(first.ends), got)
		}
	}
}

// TestBatchReuse: the memory of a batch that was sent is that of a later one.
func TestBatchReuse(t *testing.T) {
	e := testEnvelope()
	b := newBatcher(testLimits, &e)
	span := encode(testSpan(1))
	b.add(span)
	first := b.take()
	b.reuse(first)
	b.add(span)
	b.take()
	b.add(span)
	if again := b.take(); &again.spans[0] != &first.spans[0] || len(again.ends) != 1 {
		t.Errorf("a batch of %d spans in other memory", len(again.ends))
	}
}
