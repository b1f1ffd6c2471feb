package otel

import (
	"regexp"
	"strings"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// spansOf converts a trace without sending anything.
func spansOf(t *testing.T, data []byte, opts Options) ([]*tracepb.Span, Stats) {
	t.Helper()
	var spans []*tracepb.Span
	tree := newTree(opts, func(s []byte) { spans = append(spans, decodeSpan(t, s)) }, func() error { return nil })
	converttest.Read(t, data, tree)
	return spans, tree.stats
}

func count(spans []*tracepb.Span) (traces int, names map[string]int) {
	ids := make(map[string]bool)
	names = make(map[string]int)
	for _, s := range spans {
		ids[string(s.TraceId)] = true
		names[s.Name]++
	}
	return len(ids), names
}

// TestFilters: only the root tasks asked for, with all below them.
func TestFilters(t *testing.T) {
	data := testtrace.Data(t, "httpserver")
	all, _ := spansOf(t, data, DefaultOptions())
	var long []time.Duration
	for _, s := range all {
		if s.Name == "handleRequest" {
			if d := time.Duration(s.EndTimeUnixNano - s.StartTimeUnixNano); d >= 2*time.Millisecond {
				long = append(long, d)
			}
		}
	}
	if len(long) == 0 || len(long) == 398 {
		t.Fatalf("%d requests of 2 ms or more", len(long))
	}
	opts := DefaultOptions()
	opts.MinTask = 2 * time.Millisecond
	spans, stats := spansOf(t, data, opts)
	traces, names := count(spans)
	if traces != len(long) || names["handleRequest"] != len(long) || names["render"] != len(long) || names["program"] != 0 || stats.Filtered != 398-len(long) {
		t.Errorf("%d traces of %d long requests, %v, %d filtered", traces, len(long), names, stats.Filtered)
	}
	// What is below a task does not depend on the filter.
	ids := make(map[string]bool)
	for _, s := range all {
		ids[string(s.TraceId)+string(s.SpanId)] = true
	}
	for _, s := range spans {
		if !ids[string(s.TraceId)+string(s.SpanId)] {
			t.Errorf("span %q is only there with the filter", s.Name)
		}
	}

	opts = DefaultOptions()
	opts.Task = regexp.MustCompile("^nothing$")
	if spans, stats := spansOf(t, data, opts); len(spans) != 0 || stats.Filtered != 398 {
		t.Errorf("%d spans of no task, %d filtered", len(spans), stats.Filtered)
	}
}

// TestSelection: goroutines that are not selected have no spans, and their time is in
// no task; a task is found by its ID, and below a task that is not selected.
func TestSelection(t *testing.T) {
	data := testtrace.Data(t, "httpserver")
	opts := DefaultOptions()
	opts.MaxSpansPerTrace = 0
	all, _ := spansOf(t, data, opts)
	const fn = "main.(*server).query.func1"
	want := 0
	for _, s := range all {
		if s.Name == "goroutine "+fn {
			want++
		}
	}
	opts.Func = regexp.MustCompile("^" + regexp.QuoteMeta(fn) + "$")
	spans, stats := spansOf(t, data, opts)
	_, names := count(spans)
	if got := names["goroutine "+fn]; got != want || want == 0 || stats.Found.Goroutines != 1194 {
		t.Errorf("%d goroutines, want %d; found %d", got, want, stats.Found.Goroutines)
	}
	for _, s := range spans {
		if strings.HasPrefix(s.Name, "goroutine ") && s.Name != "goroutine "+fn {
			t.Fatalf("a span %q", s.Name)
		}
	}

	opts = DefaultOptions()
	opts.Task = regexp.MustCompile("^query$")
	spans, stats = spansOf(t, data, opts)
	traces, names := count(spans)
	if n := names["query"]; n == 0 || traces != stats.Found.Tasks || names["handleRequest"] != 0 {
		t.Errorf("%d traces of %d tasks with %d regions; %d parents", traces, stats.Found.Tasks, n, names["handleRequest"])
	}

	var id model.TaskID
	for _, s := range all {
		for _, a := range s.Attributes {
			if a.Key == "go.task.id" && s.Name == "handleRequest" {
				id = model.TaskID(a.Value.GetIntValue())
			}
		}
	}
	opts = DefaultOptions()
	opts.TaskID = id
	spans, stats = spansOf(t, data, opts)
	if traces, names := count(spans); traces != 1 || names["handleRequest"] != 1 || stats.Found.Tasks != 1 {
		t.Errorf("%d traces, %v", traces, names)
	}
}

func TestDetail(t *testing.T) {
	data := testtrace.Data(t, "httpserver-go1.25")
	last := 0
	for d := Tasks; d <= States; d++ {
		opts := DefaultOptions()
		opts.Detail = d
		spans, stats := spansOf(t, data, opts)
		for k := kindRegion; k <= kindState; k++ {
			if got, want := stats.Spans[k.String()] > 0, int(k-kindRegion) < int(d); got != want {
				t.Errorf("detail %v: %d spans of kind %v", d, stats.Spans[k.String()], k)
			}
		}
		if len(spans) <= last {
			t.Errorf("detail %v: %d spans, %d with less detail", d, len(spans), last)
		}
		last = len(spans)
	}
}

// TestWallStart: a trace that does not tell the time of day begins when asked.
func TestWallStart(t *testing.T) {
	opts := DefaultOptions()
	opts.WallStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	spans, _ := spansOf(t, testtrace.Data(t, "httpserver-go1.21"), opts)
	if got := time.Unix(0, int64(spans[len(spans)-1].StartTimeUnixNano)); !got.Equal(opts.WallStart) {
		t.Errorf("the program starts at %v", got)
	}
}
