package otel

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// writeFile uploads spans to a file.
func writeFile(t *testing.T, spans ...*tracepb.Span) []byte {
	t.Helper()
	var w bytes.Buffer
	r, err := upload(t.Context(), NewFileClient(&w, Traces), spans...)
	if err != nil || r.Accepted != int64(len(spans)) {
		t.Fatalf("%+v, %v", r, err)
	}
	return w.Bytes()
}

func TestFile(t *testing.T) {
	spans := testSpans(5000)
	spans[10].Attributes = nil
	spans[11].Flags, spans[11].TraceState = 0x101, "a=b"
	spans[12].ParentSpanId = spans[11].SpanId
	spans[13].Name = "новый \x00\n\u2028 😀"
	file := writeFile(t, spans...)

	var got []*tracepb.Span
	lines := strings.SplitAfter(string(file), "\n")
	for _, line := range lines[:len(lines)-1] {
		if len(line) > maxLine {
			t.Errorf("a line of %d bytes", len(line))
		}
		traces, err := (&ptrace.JSONUnmarshaler{DisallowUnknownFields: true}).UnmarshalTraces([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		pb, err := new(ptrace.ProtoMarshaler).MarshalTraces(traces)
		if err != nil {
			t.Fatal(err)
		}
		r := decode(pb)
		got = append(got, r.ScopeSpans[0].Spans...)
		r.ScopeSpans[0].Spans = nil
		if !proto.Equal(r, &testRequest) {
			t.Errorf("not the envelope: %v", r)
		}
	}
	if lines[len(lines)-1] != "" {
		t.Error("the last line has no end")
	}
	if len(got) != len(spans) {
		t.Fatalf("%d spans of %d", len(got), len(spans))
	}
	for i, s := range spans {
		s.Status = new(tracepb.Status) // pdata has one in every span
		if !proto.Equal(got[i], s) {
			t.Fatalf("span %d: got %v, want %v", i, got[i], s)
		}
	}
	if !bytes.Contains(file, []byte(`"spanId":"000000000000000c"`)) {
		t.Error("IDs are not in hex")
	}
	if again := writeFile(t, testSpans(5000)...); !bytes.Equal(again, writeFile(t, testSpans(5000)...)) {
		t.Error("the same spans make other bytes")
	}
}

// Spans whose JSON is much larger than their protobuf still make lines that the
// Collector reads.
func TestFileLineLimit(t *testing.T) {
	spans := testSpans(300)
	for _, s := range spans {
		s.Name = strings.Repeat("\x01", 6<<10) // \u0001
	}
	file := writeFile(t, spans...)
	for line := range bytes.Lines(file) {
		if len(line) > maxLine {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	large := testSpan(1)
	large.Name = strings.Repeat("x", 2<<20)
	if n := bytes.Count(writeFile(t, testSpan(0), large, testSpan(2)), []byte("\n")); n != 3 {
		t.Errorf("%d lines", n)
	}
}

// limitedWriter fails like a disk that is full.
type limitedWriter struct{ left, calls int }

var errFull = errors.New("no space left on device")

func (w *limitedWriter) Write(p []byte) (int, error) {
	w.calls++
	n := min(len(p), w.left)
	w.left -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestFileError(t *testing.T) {
	w := &limitedWriter{left: 1 << 20}
	r, err := upload(t.Context(), NewFileClient(w, Traces), testSpans(20_000)...)
	if !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
	if r.Accepted == 0 || r.Accepted+r.Rejected != 20_000 || r.Reasons[errFull.Error()] != r.Rejected {
		t.Errorf("%+v", r)
	}
	calls := w.calls
	c, e := NewFileClient(w, Traces), testEnvelope()
	for range 3 {
		if _, err := c.Export(context.Background(), e.request(nil)); err == nil {
			t.Error("no error")
		}
	}
	if w.calls != calls+1 {
		t.Error("written after an error")
	}
}

func BenchmarkFile(b *testing.B) {
	benchmarkUpload(b, func() Client { return NewFileClient(discard{}, Traces) })
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
