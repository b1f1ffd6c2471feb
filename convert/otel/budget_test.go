package otel

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// byTrace sorts spans by their traces.
func byTrace(spans []*tracepb.Span) map[string][]*tracepb.Span {
	traces := make(map[string][]*tracepb.Span)
	for _, s := range spans {
		traces[string(s.TraceId)] = append(traces[string(s.TraceId)], s)
	}
	return traces
}

func length(s *tracepb.Span) time.Duration {
	return time.Duration(s.EndTimeUnixNano - s.StartTimeUnixNano)
}

// TestLimits: with limits, each trace has its longest spans, as many as fit, in one
// tree with its root, and the roots tell how many are missing.
func TestLimits(t *testing.T) {
	for _, name := range []string{"httpserver-go1.25", "leak", "gc", "httpserver-go1.21"} {
		limitsHold(t, name, false)
	}
	limitsHold(t, "httpserver-go1.25", true)
}

// limitsHold is TestLimits of a trace. With critical paths, what is on them may be short.
func limitsHold(t *testing.T, name string, paths bool) {
	data := testtrace.Data(t, name)
	opts := DefaultOptions()
	opts.CriticalPath = paths
	opts.MinSpan, opts.MaxSpansPerTrace, opts.MaxBytesPerTrace = 0, 0, 0
	all, _ := spansOf(t, data, opts)
	everything := byTrace(all)
	linked := make(map[string]bool) // the tasks that links lead to: they are there
	for _, s := range all {
		for _, l := range s.Links {
			linked[string(l.SpanId)] = true
		}
	}
	for _, limits := range []struct{ spans, bytes int }{{spans: 20}, {bytes: 20_000}, {spans: 20, bytes: 5_000}, {spans: 1}} {
		t.Run(fmt.Sprint(name, limits, paths), func(t *testing.T) {
			opts.MaxSpansPerTrace, opts.MaxBytesPerTrace = limits.spans, limits.bytes
			sent, stats := spansOf(t, data, opts)

			traces := byTrace(sent)
			if len(traces) != len(everything) {
				t.Errorf("%d traces, %d without limits", len(traces), len(everything))
			}
			leftOut, longer := 0, 0
			for trace, spans := range traces {
				missing := make(map[string]*tracepb.Span)
				for _, s := range everything[trace] {
					missing[string(s.SpanId)] = s
				}
				ids := make(map[string]bool)
				size, shortest := 0, time.Duration(1<<62)
				for _, s := range spans {
					ids[string(s.SpanId)] = true
					if missing[string(s.SpanId)] == nil {
						t.Errorf("span %q is there only with limits, or twice", s.Name)
					}
					delete(missing, string(s.SpanId))
					size += proto.Size(s)
					if len(s.ParentSpanId) > 0 && !linked[string(s.SpanId)] {
						shortest = min(shortest, length(s))
					}
					n, _ := attr(s, "go.spans.left_out").(int64)
					leftOut += int(n)
				}
				if len(spans) > 1 && (limits.spans > 0 && len(spans) > limits.spans || limits.bytes > 0 && size > limits.bytes) {
					t.Errorf("a trace of %d spans and %d bytes", len(spans), size)
				}
				if limits.bytes == 0 && len(missing) > 0 && len(spans) != limits.spans {
					t.Errorf("a trace of %d spans that could have more", len(spans))
				}
				if limits.spans == 0 && len(missing) > 0 && size < limits.bytes/3 {
					t.Errorf("a trace of %d bytes that could have more", size)
				}
				roots := 0
				for _, s := range spans {
					if len(s.ParentSpanId) == 0 {
						roots++
					} else if !ids[string(s.ParentSpanId)] {
						t.Errorf("the parent of span %q is missing", s.Name)
					}
				}
				if roots != 1 {
					t.Errorf("%d roots", roots)
				}
				program := spans[len(spans)-1].Name == "program" // states of it are dropped early
				for _, s := range missing {
					switch {
					case program || length(s) <= shortest:
					case paths:
						longer++
					default:
						t.Errorf("span %q of %v is missing, one of %v is there", s.Name, length(s), shortest)
					}
				}
			}
			if want := len(all) - len(sent); leftOut != want || stats.LeftOut != want {
				t.Errorf("%d spans left out, the roots tell of %d, the statistics of %d", want, leftOut, stats.LeftOut)
			}
			if paths && limits.spans > 1 && limits.bytes > 0 && longer == 0 {
				t.Error("no span is there because it is on a critical path")
			}
		})
	}
}

// TestStackText: of a deep stack both ends are there, and how much is between.
func TestStackText(t *testing.T) {
	for _, frames := range []int{1, 10, 30, 31, 32, 33, 34, 35, 100, 1000} {
		s := new(model.Stack)
		for i := range frames {
			s.Frames = append(s.Frames, &model.Frame{Func: fmt.Sprintf("example.com/some/package.function%d", i), File: "/home/user/go/some/file.go", Line: i})
		}
		text := stackText(s)
		if len(text) > maxAttribute {
			t.Errorf("%d frames: %d bytes", frames, len(text))
		}
		if !strings.HasPrefix(text, "example.com/some/package.function0\n") || !strings.HasSuffix(text, fmt.Sprintf("function%d\n\t/home/user/go/some/file.go:%d\n", frames-1, frames-1)) {
			t.Errorf("%d frames: %s", frames, text)
		}
		shown, leftOut := strings.Count(text, "\n\t"), 0
		if _, note, ok := strings.Cut(text, "\n..."); ok {
			fmt.Sscan(note, &leftOut)
			if len(text) < maxAttribute*3/4 {
				t.Errorf("%d frames: only %d bytes", frames, len(text))
			}
		}
		if shown+leftOut != frames {
			t.Errorf("%d frames: %d are shown, %d left out", frames, shown, leftOut)
		}
	}
	long := &model.Stack{Frames: []*model.Frame{{Func: strings.Repeat("f", 3000), File: "f.go"}}}
	if text := stackText(long); len(text) > maxAttribute {
		t.Errorf("one long frame: %d bytes", len(text))
	}
}

// TestPathsFirst: half of a limit is for what is on the critical path of a task, however
// short it is, the rest for the longest spans.
func TestPathsFirst(t *testing.T) {
	tr := newTree(Options{MaxSpansPerTrace: 11, CriticalPath: true}, func([]byte) {}, func() error { return nil })
	tr.sink()
	r := &root{verdict: wanted}
	r.node = &node{root: r, sent: true, span: span{kind: kindTask, task: 7, end: 20_000}}
	region := &node{root: r, parent: r.node, sent: true, span: span{goroutine: 1, start: 1000, end: 2000}}
	for i := range model.Time(20) {
		tr.emitLeaf(region, &span{kind: kindState, goroutine: 1, start: 1000 * i, end: 1000*i + 20 - i}) // on the path, until 15000
		tr.emitLeaf(r.node, &span{kind: kindState, goroutine: 2, start: 1000 * i, end: 1000*i + 100 + i})
	}
	tr.critical.markPath(r, &ending{end: 20_000, path: &critical.Path{
		Segments: []critical.Segment{{Goroutine: 1, Start: 0, End: 5000}, {Goroutine: 3, Start: 5000, End: 6000}},
		Waits:    []critical.Wait{{Goroutine: 1, Start: 5000, End: 15_000, Wait: -1}},
	}})
	if region.worth != 20_000 {
		t.Errorf("what is around a span on the path is worth %d", region.worth)
	}
	tr.cut(r, 10)
	var got []model.Time
	for _, k := range r.kept {
		got = append(got, k.duration())
	}
	if want := []model.Time{20, 19, 18, 17, 16, 115, 116, 117, 118, 119}; !slices.Equal(got, want) {
		t.Errorf("spans of %d are left, want %d", got, want)
	}
	if r.leftOut != 30 {
		t.Errorf("%d are left out", r.leftOut)
	}
}
