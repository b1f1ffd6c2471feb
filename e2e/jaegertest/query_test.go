package jaegertest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const (
	traceID  = "0af7651916cd43dd8448eb211c80319c"
	spanID   = "b7ad6b7169203331"
	parentID = "00f067aa0ba902b7"
)

// The span is from 2001, so that it is also told if only recent ones are found.
func TestRoundTrip(t *testing.T) {
	j := StartTest(t)
	post(t, j,
		strings.Join([]string{
			attribute("service.name", "stringValue", `"teapot"`),
			attribute("process.pid", "intValue", `"4711"`),
		}, ","),
		`{"traceId":"`+traceID+`","spanId":"`+spanID+`","parentSpanId":"`+parentID+`",
		"name":"brew \"✓\"","kind":2,"startTimeUnixNano":"1000000000123456789","endTimeUnixNano":"1000000001123459789",
		"attributes":[`+strings.Join([]string{
			attribute("string", "stringValue", `"a\nb"`),
			attribute("bool", "boolValue", `true`),
			attribute("int", "intValue", `"-42"`),
			attribute("odd", "intValue", `"9007199254740993"`),
			attribute("min", "intValue", `"-9223372036854775808"`),
			attribute("tenth", "doubleValue", `0.1`),
			attribute("whole", "doubleValue", `2`),
			attribute("bytes", "bytesValue", `"`+base64.StdEncoding.EncodeToString([]byte{0, 255})+`"`),
		}, ",")+`],
		"events":[{"timeUnixNano":"1000000000500000999","name":"boiling","attributes":[`+attribute("degrees", "intValue", `"100"`)+`]}],
		"links":[{"traceId":"000000000000000000000000000000ff","spanId":"00000000000000aa"}],
		"status":{"code":2,"message":"too hot"}}`)

	services, err := j.Services(t.Context())
	if want := []string{"teapot"}; err != nil || !reflect.DeepEqual(services, want) {
		t.Errorf("services %q, %v; want %q", services, err, want)
	}
	trace, err := j.Trace(t.Context(), traceID)
	if err != nil {
		t.Fatal(err)
	}
	traces, err := j.Traces(t.Context(), "teapot", 10)
	if err != nil || !reflect.DeepEqual(traces, []Trace{trace}) {
		t.Errorf("traces %+v, %v; want only %+v", traces, err, trace)
	}

	if trace.TraceID != traceID || len(trace.Spans) != 1 || len(trace.Processes) != 1 {
		t.Fatalf("trace %+v", trace)
	}
	span := trace.Spans[0]
	process := trace.Processes[span.ProcessID]
	if want := (Process{"teapot", Tags{{"process.pid", int64(4711)}}}); !reflect.DeepEqual(process, want) {
		t.Errorf("process %+v, want %+v", process, want)
	}
	want := Span{
		TraceID:       traceID,
		SpanID:        spanID,
		OperationName: `brew "✓"`,
		References: []Reference{
			{"CHILD_OF", traceID, parentID},
			{"FOLLOWS_FROM", "00000000000000ff", "00000000000000aa"},
		},
		StartTime: 1000000000_123456,
		Duration:  1_000003,
		Tags: Tags{
			{"bool", true},
			{"bytes", []byte{0, 255}},
			{"error", true},
			{"int", int64(-42)},
			{"min", int64(-1 << 63)},
			{"odd", int64(1<<53 + 1)},
			{"otel.scope.name", "scope"},
			{"otel.scope.version", "v1"},
			{"otel.status_code", "ERROR"},
			{"otel.status_description", "too hot"},
			{"span.kind", "server"},
			{"string", "a\nb"},
			{"tenth", 0.1},
			{"whole", 2.0},
		},
		Logs: []Log{{
			Timestamp: 1000000000_500000,
			Fields:    Tags{{"event", "boiling"}, {"degrees", int64(100)}},
		}},
		ProcessID: span.ProcessID,
		Warnings:  []string{"invalid parent span IDs=" + parentID + "; skipping clock skew adjustment"},
	}
	if !reflect.DeepEqual(span, want) {
		t.Errorf("got  %+v\nwant %+v", span, want)
	}
	if got := span.Tags.Get("int"); got != int64(-42) {
		t.Errorf("tag int is %v", got)
	}
	if got := span.Tags.Get("nothing"); got != nil {
		t.Errorf("tag nothing is %v", got)
	}
}

func TestTraces(t *testing.T) {
	j := StartTest(t)
	const (
		old   = "00000000000000010000000000000000"
		young = "00000000000000020000000000000000"
		mixed = "00000000000000030000000000000000"
	)
	postSpan(t, j, "a", young, spanID, 9e18)
	postSpan(t, j, "a", old, spanID, 0)
	postSpan(t, j, "a", mixed, spanID, 2e18)
	postSpan(t, j, "b", mixed, parentID, 1e18)
	postSpan(t, j, "b", mixed, parentID, 1e18) // Jaeger stores it twice, but presents it once
	for _, test := range []struct {
		service string
		limit   int
		want    string
	}{
		{"a", 0, old + " 1, " + mixed + " 2, " + young + " 1"},
		{"a", 3, old + " 1, " + mixed + " 2, " + young + " 1"},
		{"a", 2, old + " 1, " + mixed + " 2"}, // young was stored first
		{"a", 1, mixed + " 2"},
		{"b", 0, mixed + " 2"},
		{"c", 0, ""},
	} {
		traces, err := j.Traces(t.Context(), test.service, test.limit)
		var got []string
		for _, trace := range traces {
			got = append(got, fmt.Sprint(trace.TraceID, " ", len(trace.Spans)))
		}
		if got := strings.Join(got, ", "); err != nil || got != test.want {
			t.Errorf("traces of %s, at most %d: %s, %v; want %s", test.service, test.limit, got, err, test.want)
		}
	}
}

// All spans of a large request are there once it is answered.
func TestManySpans(t *testing.T) {
	const n = 20_000
	j := StartTest(t)
	var spans []string
	for i := range n {
		spans = append(spans, fmt.Sprintf(`{"traceId":"%s","spanId":"%016x","name":"s","startTimeUnixNano":"%d","endTimeUnixNano":"%d"}`,
			traceID, i+1, 1e18+i, 1e18+i+1))
	}
	post(t, j, attribute("service.name", "stringValue", `"many"`), strings.Join(spans, ","))
	trace, err := j.Trace(t.Context(), traceID)
	if err != nil || len(trace.Spans) != n {
		t.Errorf("%d spans, %v; want %d", len(trace.Spans), err, n)
	}
}

func TestQueryErrors(t *testing.T) {
	j := StartTest(t)
	if services, err := j.Services(t.Context()); err != nil || len(services) != 0 {
		t.Errorf("services %q, %v; want none, not even Jaeger itself", services, err)
	}
	if _, err := j.Trace(t.Context(), traceID); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing trace: %v, want %v", err, ErrNotFound)
	}
	if _, err := j.Trace(t.Context(), "teapot"); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("bad trace ID: %v", err)
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := j.Services(ctx); !errors.Is(err, cause) {
		t.Errorf("services: %v, want %v", err, cause)
	}
}
