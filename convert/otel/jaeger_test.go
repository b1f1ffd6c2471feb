package otel_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/otel/otlpclient"
	"github.com/trace2x/trace2x/e2e/jaegertest"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model/modeltest"
)

// These tests send traces to a real Jaeger and compare what it has with what
// the model counted.

func testOptions() otel.Options {
	opts := otel.DefaultOptions()
	opts.Resource = []attribute.KeyValue{attribute.String("service.name", "traced")}
	return opts
}

// send converts a trace and sends it to Jaeger.
func send(t *testing.T, j *jaegertest.Jaeger, data []byte, opts otel.Options, protocol string) *otel.Report {
	t.Helper()
	endpoint := j.OTLPHTTP
	if protocol == "grpc" {
		endpoint = "http://" + j.OTLPGRPC
	}
	client, err := otlpclient.New(otlpclient.Options{Endpoint: endpoint, Protocol: protocol})
	if err != nil {
		t.Fatal(err)
	}
	rep, err := otel.Convert(t.Context(), bytes.NewReader(data), client, opts)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// stored returns all traces of Jaeger, which must have as many different spans.
func stored(t *testing.T, j *jaegertest.Jaeger, spans int) []jaegertest.Trace {
	t.Helper()
	traces, err := j.Traces(t.Context(), "traced", 0)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(texts(traces)); n != spans {
		t.Errorf("%d different spans in Jaeger, %d were sent", n, spans)
	}
	return traces
}

// text is a span as one line, without the warnings of Jaeger.
func text(s *jaegertest.Span) string {
	return fmt.Sprint(s.TraceID, s.SpanID, s.OperationName, s.References, s.StartTime, s.Duration, s.Tags, s.Logs)
}

func texts(traces []jaegertest.Trace) map[string]bool {
	all := make(map[string]bool)
	for _, tr := range traces {
		for i := range tr.Spans {
			all[text(&tr.Spans[i])] = true
		}
	}
	return all
}

func TestJaeger(t *testing.T) {
	t.Parallel()
	data := testtrace.Data(t, "httpserver")
	record := modeltest.NewRecord()
	converttest.Read(t, data, record)
	j := jaegertest.StartTest(t)
	rep := send(t, j, data, testOptions(), "")
	if rep.LeftOut != 0 || rep.Result.Accepted != int64(rep.Total()) || rep.Result.Rejected != 0 {
		t.Fatalf("%d spans, %d left out, result %+v", rep.Total(), rep.LeftOut, rep.Result)
	}
	traces := stored(t, j, rep.Total())

	roots := 0
	for _, task := range record.Tasks {
		if task.Name == "handleRequest" {
			roots++
		}
	}
	// And one for the program.
	if len(traces) != roots+1 {
		t.Errorf("%d traces for %d root tasks", len(traces), roots)
	}

	offset := record.Clocks[0].Wall.UnixNano() - int64(record.Clocks[0].Trace)
	micros := func(i modeltest.Interval) string {
		start := int64(i.Start) + offset
		return fmt.Sprint(i.Name, " ", start/1000, " ", int64(i.End-i.Start)/1000)
	}
	want := make(map[string]int)
	for _, i := range slices.Concat(record.Tasks, record.Regions) {
		want[micros(i)]++
	}
	logs := 0
	spans := make(map[string]*jaegertest.Span)
	for _, tr := range traces {
		for i := range tr.Spans {
			s := &tr.Spans[i]
			spans[s.TraceID+s.SpanID] = s
			logs += len(s.Logs)
			if kind := s.Tags.Get("go.span.kind"); kind == "task" || kind == "region" {
				want[fmt.Sprint(s.OperationName, " ", s.StartTime, " ", s.Duration)]--
			}
		}
	}
	for what, n := range want {
		if n != 0 {
			t.Errorf("%s: %d too few in Jaeger", what, n)
		}
	}
	if logs != record.Logs {
		t.Errorf("%d logs in Jaeger, %d in the trace", logs, record.Logs)
	}
	checkTree(t, traces, spans)

	// The other protocol, and once more the same: the same spans, by ID.
	other := jaegertest.StartTest(t)
	send(t, other, data, testOptions(), "grpc")
	send(t, other, data, testOptions(), "grpc")
	a, b := texts(traces), texts(stored(t, other, rep.Total()))
	if !maps.Equal(a, b) {
		t.Errorf("%d spans over HTTP, %d others over gRPC", len(a), len(b))
	}

	// A file has what Jaeger has.
	var file bytes.Buffer
	if _, err := otel.Convert(t.Context(), bytes.NewReader(data), otel.NewFileClient(&file, otel.Traces), testOptions()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(file.String()) {
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					n++
					got := spans[s.TraceID().String()+s.SpanID().String()]
					if got == nil || got.OperationName != s.Name() || got.StartTime != int64(s.StartTimestamp())/1000 ||
						got.Duration != int64(s.EndTimestamp()-s.StartTimestamp())/1000 || len(got.Logs) != s.Events().Len() {
						t.Errorf("span %s %q of the file is %+v in Jaeger", s.SpanID(), s.Name(), got)
					}
				}
			}
		}
	}
	if n != len(spans) {
		t.Errorf("%d spans in the file, %d in Jaeger", n, len(spans))
	}
}

// checkTree: every span but the roots has its parent in its trace and lies
// within it; the sums of what has any are its duration.
func checkTree(t *testing.T, traces []jaegertest.Trace, spans map[string]*jaegertest.Span) {
	t.Helper()
	for _, tr := range traces {
		roots := 0
		for i := range tr.Spans {
			s := &tr.Spans[i]
			// What a region from before the trace did is not known.
			old := s.Tags.Get("go.began_before_trace") == true
			if kind := s.Tags.Get("go.span.kind"); kind == "region" && !old || kind == "goroutine" {
				var sum int64
				for _, tag := range s.Tags {
					if strings.HasPrefix(tag.Key, "go.") && strings.Contains(tag.Key, "_time_ns") && tag.Key != "go.gc_assist_time_ns" {
						sum += tag.Value.(int64)
					}
				}
				if d := sum/1000 - s.Duration; d < -1 || d > 1 {
					t.Errorf("%v %q of %d µs has sums of %d ns: %v", kind, s.OperationName, s.Duration, sum, s.Tags)
				}
			}
			if len(s.References) == 0 {
				roots++
				continue
			}
			parent := spans[s.TraceID+s.References[0].SpanID]
			if parent == nil {
				t.Errorf("%q has no parent in its trace", s.OperationName)
				continue
			}
			if s.StartTime < parent.StartTime || s.StartTime+s.Duration > parent.StartTime+parent.Duration+1 {
				t.Errorf("%v %q [%d, %d] is outside of its parent, %v %q [%d, %d]", s.Tags.Get("go.span.kind"), s.OperationName, s.StartTime, s.StartTime+s.Duration,
					parent.Tags.Get("go.span.kind"), parent.OperationName, parent.StartTime, parent.StartTime+parent.Duration)
			}
		}
		if roots != 1 {
			t.Errorf("trace %s has %d roots", tr.TraceID, roots)
		}
	}
}

// TestAllTraces holds the tree of spans together on every trace.
func TestAllTraces(t *testing.T) {
	t.Parallel()
	j := jaegertest.StartTest(t)
	total := 0
	for _, name := range []string{"manytasks", "flightrecorder", "cgo", "gc", "httpserver-go1.21", "leak", "syscalls", "chain"} {
		rep := send(t, j, testtrace.Data(t, name), testOptions(), "")
		total += rep.Total()
	}
	traces := stored(t, j, total)
	spans := make(map[string]*jaegertest.Span)
	for _, tr := range traces {
		for i := range tr.Spans {
			spans[tr.Spans[i].TraceID+tr.Spans[i].SpanID] = &tr.Spans[i]
		}
	}
	if len(spans) != total {
		t.Errorf("%d different spans, of %d", len(spans), total)
	}
	checkTree(t, traces, spans)
}

// TestKnownSums: testdata/gen/states sleeps 10 ms, waits 20 ms for a mutex and
// 5 ms for a channel, and works for 30 ms while another goroutine wants its P.
func TestKnownSums(t *testing.T) {
	t.Parallel()
	j := jaegertest.StartTest(t)
	rep := send(t, j, testtrace.Data(t, "states"), testOptions(), "")
	got := make(map[string]*jaegertest.Span)
	for _, tr := range stored(t, j, rep.Total()) {
		for i := range tr.Spans {
			if s := &tr.Spans[i]; s.Tags.Get("go.span.kind") == "region" {
				got[s.OperationName] = s
			}
		}
	}
	for _, c := range []struct {
		region, sum string
		ms          int64
	}{
		{"asleep", "go.block_time_ns.sleep", 10},
		{"mutex", "go.block_time_ns.sync", 20},
		{"channel", "go.block_time_ns.chan receive", 5},
		{"work", "go.execution_time_ns", 30},
	} {
		s := got[c.region]
		if s == nil {
			t.Errorf("no region %q", c.region)
			continue
		}
		ns, _ := s.Tags.Get(c.sum).(int64)
		if ns < c.ms*1e6 || ns > c.ms*1e6+3e6 {
			t.Errorf("%s: %s is %d, want about %d ms: %v", c.region, c.sum, ns, c.ms, s.Tags)
		}
	}
	if ns, _ := got["work"].Tags.Get("go.sched_wait_time_ns").(int64); ns < 10e6 {
		t.Errorf("work waited %d ns for the P, which it shared", ns)
	}
}

// TestNoTasks: a program without tasks gives one trace.
func TestNoTasks(t *testing.T) {
	t.Parallel()
	j := jaegertest.StartTest(t)
	rep := send(t, j, testtrace.Data(t, "leak"), testOptions(), "")
	traces := stored(t, j, rep.Total())
	if len(traces) != 1 {
		t.Fatalf("%d traces", len(traces))
	}
	leaked := 0
	for _, s := range traces[0].Spans {
		if fn, _ := s.Tags.Get("go.goroutine.function").(string); strings.HasPrefix(fn, "main.leak") && s.Tags.Get("go.state") == "waiting" {
			leaked++
			if s.Tags.Get("go.open_at_end") != true || !strings.Contains(s.Tags.Get("code.stacktrace").(string), fn) {
				t.Errorf("%s: %v", fn, s.Tags)
			}
		}
	}
	if leaked != 8 {
		t.Errorf("%d waits of leaked goroutines, want 8", leaked)
	}
}

// TestLimit: no trace goes over the limit, and the root tells what is left out.
func TestLimit(t *testing.T) {
	t.Parallel()
	j := jaegertest.StartTest(t)
	opts := testOptions()
	opts.MinSpan, opts.MaxSpansPerTrace = 0, 20
	rep := send(t, j, testtrace.Data(t, "httpserver-go1.25"), opts, "")
	if rep.LeftOut == 0 {
		t.Fatal("nothing left out")
	}
	var leftOut int64
	traces := stored(t, j, rep.Total())
	spans := make(map[string]*jaegertest.Span)
	for _, tr := range traces {
		if len(tr.Spans) > 20 {
			t.Errorf("trace %s has %d spans", tr.TraceID, len(tr.Spans))
		}
		for i := range tr.Spans {
			s := &tr.Spans[i]
			spans[s.TraceID+s.SpanID] = s
			n, _ := s.Tags.Get("go.spans.left_out").(int64)
			leftOut += n
		}
	}
	if leftOut != int64(rep.LeftOut) {
		t.Errorf("the roots tell of %d spans left out, the report of %d", leftOut, rep.LeftOut)
	}
	checkTree(t, traces, spans)
}
