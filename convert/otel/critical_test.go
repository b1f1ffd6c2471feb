package otel

import (
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

const pathPrefix = "go.critical_path."

// criticalOptions are those under which nothing is too short or too much.
func criticalOptions() Options {
	opts := DefaultOptions()
	opts.MinSpan, opts.MaxSpansPerTrace, opts.MaxBytesPerTrace = 0, 0, 0
	return opts
}

// TestCriticalPathTimes: the times of a task's path are those that package critical
// finds, and add up to its duration.
func TestCriticalPathTimes(t *testing.T) {
	tasks, tasksLinked := 0, 0
	for _, name := range testtrace.Readable(t) {
		data := testtrace.Data(t, name)
		want, linked := make(map[string]int), make(map[string]int)
		converttest.Read(t, data, critical.NewFinder(critical.Options{Kinds: critical.KindsOf(critical.Task)}, func(u *critical.Unit) {
			if u.Cut {
				return
			}
			times := make(map[string]int64)
			for _, s := range u.Path(0).Segments {
				key := "others_ns"
				switch {
				case s.State == model.Unknown:
					key = "unknown_ns"
				case s.Own && s.State == model.Waiting:
					key = "waiting_ns." + s.Reason
				case s.Own:
					key = s.State.String() + "_ns"
				}
				times[key] += int64(s.End - s.Start)
			}
			if u.Span != nil {
				linked[fmt.Sprint(u.Task, " ", times)]++
				return
			}
			want[fmt.Sprint(u.Task, " ", times)]++
		}))
		spans, _ := spansOf(t, data, criticalOptions())
		got := make(map[string]int)
		for _, s := range spans {
			times, sum := make(map[string]int64), int64(0)
			for _, a := range s.Attributes {
				if key, ok := strings.CutPrefix(a.Key, pathPrefix); ok {
					times[key] = a.Value.GetIntValue()
					sum += times[key]
				}
			}
			if len(times) == 0 {
				continue
			}
			key := fmt.Sprint(attr(s, "go.task.id"), " ", times)
			if attr(s, "go.span.kind") == "goroutine" { // that ended what the program sent itself
				if linked[key]--; linked[key] < 0 {
					t.Errorf("%s: the path of linked task %s", name, key)
				}
				tasksLinked++
				continue
			}
			if kind := attr(s, "go.span.kind"); kind != "task" || sum != int64(length(s)) {
				t.Errorf("%s: %d ns of %v on the path of %v %q", name, sum, length(s), kind, s.Name)
			}
			got[key]++
			tasks++
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: paths of %d tasks, want %d; or other ones", name, len(got), len(want))
		}
	}
	if tasks < 1000 || tasksLinked < 20 {
		t.Errorf("only %d tasks and %d that are linked", tasks, tasksLinked)
	}
}

// TestCriticalChildren: below a wait is what others did, within its time.
func TestCriticalChildren(t *testing.T) {
	for name, least := range map[string]int{"slow": 300, "httpserver": 1500, "chain": 5, "pipeline": 300, "spanlink": 3} {
		spans, _ := spansOf(t, testtrace.Data(t, name), criticalOptions())
		byID := make(map[string]*tracepb.Span)
		for _, s := range spans {
			id := string(s.TraceId) + string(s.SpanId)
			if byID[id] != nil {
				t.Errorf("%s: two spans have the ID of %q", name, s.Name)
			}
			byID[id] = s
		}
		n := 0
		for _, s := range spans {
			if attr(s, "go.span.kind") != "critical" {
				continue
			}
			n++
			up := byID[string(s.TraceId)+string(s.ParentSpanId)]
			if up == nil || attr(up, "go.state") != "waiting" || s.StartTimeUnixNano < up.StartTimeUnixNano || s.EndTimeUnixNano > up.EndTimeUnixNano {
				t.Errorf("%s: %q is below %v", name, s.Name, up)
			}
			if attr(s, "go.state") == nil || attr(s, "go.goroutine.id") == nil {
				t.Errorf("%s: no state or goroutine: %v", name, s)
			}
		}
		if n < least {
			t.Errorf("%s: %d segments of others, want %d", name, n, least)
		}
	}
}

// links finds by itself which waits ended at the hands of a goroutine that was at
// work for another task, by their ends.
type links struct {
	model.NopSink
	offset int64
	found  map[string]model.TaskID
}

func (l *links) Sync(s *model.Sync) {
	if s.Clock != nil && l.offset == 0 {
		l.offset = s.Clock.Wall.UnixNano() - int64(s.Clock.Trace)
	}
}

func (l *links) GoroutineState(g *model.Goroutine, s *model.GoState) {
	by := s.Waker.Goroutine
	if s.Kind != model.Waiting || s.Open || by == nil || by.Work() == nil || g.Work() == nil || by.Work().Task == g.Work().Task {
		return
	}
	l.found[fmt.Sprint(g.ID, " ", s.End)] = by.Work().Task.ID
}

// TestLinks: a wait for a goroutine at work for another task has a link to the span
// of that task; with limits, to one that is sent.
func TestLinks(t *testing.T) {
	data := testtrace.Data(t, "httpserver")
	want := &links{found: make(map[string]model.TaskID)}
	converttest.Read(t, data, want)
	for _, most := range []int{0, 10} {
		opts := criticalOptions()
		opts.MaxSpansPerTrace = most
		spans, _ := spansOf(t, data, opts)
		byID := make(map[string]*tracepb.Span)
		for _, s := range spans {
			byID[string(s.TraceId)+string(s.SpanId)] = s
		}
		got, others := 0, 0
		for _, s := range spans {
			task, expected := want.found[fmt.Sprint(attr(s, "go.goroutine.id"), " ", int64(s.EndTimeUnixNano)-want.offset)]
			if attr(s, "go.state") != "waiting" {
				expected = false
			}
			if attr(s, "go.span.kind") == "state" && expected != (len(s.Links) == 1) {
				t.Errorf("%q of goroutine %v has %d links, ended by task %d", s.Name, attr(s, "go.goroutine.id"), len(s.Links), task)
			}
			for _, l := range s.Links {
				to := byID[string(l.TraceId)+string(l.SpanId)]
				switch {
				case to == nil || attr(to, "go.span.kind") != "task":
					t.Errorf("%q has a link to %x %x: %v", s.Name, l.TraceId, l.SpanId, to)
				case attr(s, "go.span.kind") == "state" && most == 0 && attr(to, "go.task.id") != int64(task):
					t.Errorf("%q has a link to task %v, want %d", s.Name, attr(to, "go.task.id"), task)
				case string(s.TraceId) != string(l.TraceId):
					others++
				}
				if l.Attributes[1].Value.GetIntValue() != attr(to, "go.task.id") && most == 0 {
					t.Errorf("the link says task %v", l.Attributes)
				}
				got++
			}
		}
		t.Logf("%d links, %d of them to other traces", got, others)
		if most == 0 && (got < 50 || others < 50) || got == 0 {
			t.Errorf("only %d links, %d of them to other traces", got, others)
		}
	}
}

// TestNoCriticalPath: without critical paths, everything else is the same.
func TestNoCriticalPath(t *testing.T) {
	data := testtrace.Data(t, "httpserver")
	opts := criticalOptions()
	with, _ := spansOf(t, data, opts)
	opts.CriticalPath = false
	without, _ := spansOf(t, data, opts)
	ids := make(map[string]bool)
	for _, s := range without {
		ids[hex.EncodeToString(s.TraceId)+hex.EncodeToString(s.SpanId)] = true
		if len(s.Links) > 0 || strings.Contains(fmt.Sprint(s.Attributes), pathPrefix) {
			t.Fatalf("%v", s)
		}
	}
	for _, s := range with {
		id := hex.EncodeToString(s.TraceId) + hex.EncodeToString(s.SpanId)
		if ids[id] == (attr(s, "go.span.kind") == "critical") {
			t.Errorf("%q is there with and without the path: %v", s.Name, ids[id])
		}
		delete(ids, id)
	}
	if len(ids) > 0 {
		t.Errorf("%d spans are only there without the path", len(ids))
	}
}
