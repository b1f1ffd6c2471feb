package otel

import (
	"bytes"
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// FuzzTree: whatever is in a trace, its spans are right in themselves: all decode, no
// two share an ID, each has its parent in the trace or is below a span that the
// program has sent, its link leads to one of these, and none ends before it starts.
func FuzzTree(f *testing.F) {
	testtrace.SeedStructure(f)
	f.Fuzz(func(t *testing.T, data []byte, change uint64) {
		data = testtrace.Mutate(data, change)
		opts := DefaultOptions()
		opts.MinSpan, opts.MaxSpansPerTrace = 0, 0
		if change%2 == 0 {
			opts.MaxSpansPerTrace = 50
		}
		if change%3 == 0 {
			opts.MinSpan, opts.MaxBytesPerTrace = time.Microsecond, 20_000
		}
		var spans []*tracepb.Span
		l := &linkedTasks{sent: make(map[string]bool)}
		l.Sink = newTree(opts, func(encoded []byte) { spans = append(spans, decodeSpan(t, encoded)) }, func() error { return nil }).sink()
		sum, err := model.Read(t.Context(), bytes.NewReader(data), l)
		if sum == nil {
			if len(spans) > 0 {
				t.Errorf("%v, and %d spans", err, len(spans))
			}
			return
		}
		checkSpans(t, spans, l.sent, opts.MaxSpansPerTrace)
	})
}

// FuzzConvert: what is written to a file are lines that the Collector reads, with as
// many spans as are reported.
func FuzzConvert(f *testing.F) {
	testtrace.SeedStructure(f)
	f.Fuzz(func(t *testing.T, data []byte, change uint64) {
		data = testtrace.Mutate(data, change)
		var out bytes.Buffer
		report, err := Convert(context.Background(), bytes.NewReader(data), NewFileClient(&out, Traces), DefaultOptions())
		if report == nil {
			if out.Len() > 0 {
				t.Errorf("%v, and %d bytes", err, out.Len())
			}
			return
		}
		if err != nil && !model.IsDamage(err) {
			t.Fatal(err)
		}
		spans := 0
		for line := range bytes.Lines(out.Bytes()) {
			traces, err := (&ptrace.JSONUnmarshaler{DisallowUnknownFields: true}).UnmarshalTraces(line)
			if err != nil {
				t.Fatal(err)
			}
			spans += traces.SpanCount()
		}
		if spans != report.Total() || int64(spans) != report.Result.Accepted {
			t.Errorf("%d spans in the file, %d are reported, %d as accepted", spans, report.Total(), report.Result.Accepted)
		}
	})
}

// linkedTasks notes the spans that the program has sent.
type linkedTasks struct {
	model.Sink
	sent map[string]bool // trace and span ID
}

func (l *linkedTasks) TaskStart(task *model.Task) {
	if s := task.Span; s != nil {
		l.sent[string(s.TraceID[:])+string(s.SpanID[:])] = true
	}
	l.Sink.TaskStart(task)
}

func checkSpans(t *testing.T, spans []*tracepb.Span, sent map[string]bool, limit int) {
	t.Helper()
	ids := make(map[string]bool)
	perTrace := make(map[string]int)
	for _, s := range spans {
		id := string(s.TraceId) + string(s.SpanId)
		if len(s.TraceId) != 16 || len(s.SpanId) != 8 || ids[id] {
			t.Errorf("span %q has the ID %x in trace %x, which is not its own", s.Name, s.SpanId, s.TraceId)
		}
		ids[id] = true
		if s.EndTimeUnixNano < s.StartTimeUnixNano || int64(s.EndTimeUnixNano) < 0 {
			t.Errorf("span %q is from %d to %d", s.Name, s.StartTimeUnixNano, s.EndTimeUnixNano)
		}
		if perTrace[string(s.TraceId)]++; limit > 0 && len(sent) == 0 && perTrace[string(s.TraceId)] > limit {
			t.Errorf("trace %x goes over the limit", s.TraceId)
		}
	}
	for _, s := range spans {
		parent := string(s.TraceId) + string(s.ParentSpanId)
		if len(s.ParentSpanId) > 0 && !ids[parent] && !sent[parent] {
			t.Errorf("span %q has the parent %x, which is not in its trace", s.Name, s.ParentSpanId)
		}
		for _, l := range s.Links {
			if to := string(l.TraceId) + string(l.SpanId); !ids[to] && !sent[to] {
				t.Errorf("span %q has a link to %x of trace %x, which is not there", s.Name, l.SpanId, l.TraceId)
			}
		}
	}
}

// TestSpansOfAllTraces holds all traces to what the fuzz targets hold damaged ones to.
func TestSpansOfAllTraces(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		for _, limit := range []int{0, 50} {
			opts := DefaultOptions()
			opts.MinSpan, opts.MaxSpansPerTrace = 0, limit
			var spans []*tracepb.Span
			l := &linkedTasks{sent: make(map[string]bool)}
			l.Sink = newTree(opts, func(encoded []byte) { spans = append(spans, decodeSpan(t, encoded)) }, func() error { return nil }).sink()
			model.Read(t.Context(), bytes.NewReader(testtrace.Data(t, name)), l)
			if len(spans) == 0 {
				t.Errorf("%s has no spans", name)
			}
			checkSpans(t, spans, l.sent, limit)
		}
	}
}

// TestDamaged: the spans of traces of all versions that are cut or overwritten are
// right in themselves.
func TestDamaged(t *testing.T) {
	for name, data := range testtrace.Damaged(t, 200) {
		var spans []*tracepb.Span
		l := &linkedTasks{sent: make(map[string]bool)}
		l.Sink = newTree(DefaultOptions(), func(encoded []byte) { spans = append(spans, decodeSpan(t, encoded)) }, func() error { return nil }).sink()
		_, err := model.Read(t.Context(), bytes.NewReader(data), l)
		checkSpans(t, spans, l.sent, DefaultOptions().MaxSpansPerTrace)
		if t.Failed() {
			t.Fatalf("%s: %v", name, err)
		}
	}
}
