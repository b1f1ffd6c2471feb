package otel

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

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
		data := testtrace.Data(t, name)
		opts := DefaultOptions()
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
			t.Run(fmt.Sprint(name, limits), func(t *testing.T) {
				opts.MaxSpansPerTrace, opts.MaxBytesPerTrace = limits.spans, limits.bytes
				sent, stats := spansOf(t, data, opts)

				traces := byTrace(sent)
				if len(traces) != len(everything) {
					t.Errorf("%d traces, %d without limits", len(traces), len(everything))
				}
				leftOut := 0
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
						if !program && length(s) > shortest {
							t.Errorf("span %q of %v is missing, one of %v is there", s.Name, length(s), shortest)
						}
					}
				}
				if want := len(all) - len(sent); leftOut != want || stats.LeftOut != want {
					t.Errorf("%d spans left out, the roots tell of %d, the statistics of %d", want, leftOut, stats.LeftOut)
				}
			})
		}
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
