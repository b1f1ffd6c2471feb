package otel

import (
	"bytes"
	"context"
	"math"
	"runtime/trace"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// record traces what f does.
func record(t *testing.T, f func()) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := trace.Start(&b); err != nil {
		t.Fatal(err)
	}
	f()
	trace.Stop()
	return b.Bytes()
}

// intAttr is an attribute that is a number, 0 if it is not there.
func intAttr(s *tracepb.Span, key string) int64 {
	n, _ := attr(s, key).(int64)
	return n
}

// TestDispatcher: a goroutine begins a task for each request and hands it over. It
// does not wait for all of them.
func TestDispatcher(t *testing.T) {
	const n = 50
	data := record(t, func() {
		done := make(chan bool, n) // nothing else waits to receive: locks of the tracer are of package sync
		for range n {
			_, task := trace.NewTask(context.Background(), "request")
			go func() {
				time.Sleep(5 * time.Millisecond)
				task.End()
				done <- true
			}()
		}
		for range n {
			<-done
		}
	})
	spans, stats := spansOf(t, data, DefaultOptions())
	if got := stats.Spans["task"]; got != n {
		t.Errorf("%d tasks, want %d", got, n)
	}
	// One of the dispatcher and one of the request's own goroutine.
	if got := stats.Spans["goroutine"]; got < n || got > 2*n+20 {
		t.Errorf("%d spans of goroutines, want about %d", got, 2*n)
	}
	var waited int64
	first, last := uint64(math.MaxUint64), uint64(0)
	for _, s := range spans {
		if s.Name != "request" {
			continue
		}
		if slept, lasted := intAttr(s, "go.block_time_ns.sleep"), int64(s.EndTimeUnixNano-s.StartTimeUnixNano); slept < 4e6 || slept > lasted {
			t.Errorf("a request of %d ns slept for %d ns", lasted, slept)
		}
		waited += intAttr(s, "go.block_time_ns.chan receive")
		first, last = min(first, s.StartTimeUnixNano), max(last, s.EndTimeUnixNano)
	}
	// The dispatcher works for one of them at a time, and for the last one while it
	// waits for all.
	if all := int64(last - first); waited > 2*all {
		t.Errorf("the requests wait for %d ns in all, which took %d", waited, all)
	}
}

// TestSubtasks: what goroutines do for a subtask counts for the task, once.
func TestSubtasks(t *testing.T) {
	data := record(t, func() {
		ctx, task := trace.NewTask(context.Background(), "outer")
		defer task.End()
		_, sub := trace.NewTask(ctx, "inner")
		done := make(chan bool)
		go func() {
			time.Sleep(3 * time.Millisecond)
			sub.End()
			close(done)
		}()
		<-done
	})
	spans, _ := spansOf(t, data, DefaultOptions())
	sums := make(map[string]*tracepb.Span)
	for _, s := range spans {
		sums[s.Name] = s
	}
	for _, key := range []string{"go.block_time_ns.sleep", "go.block_time_ns.chan receive"} {
		outer, inner := intAttr(sums["outer"], key), intAttr(sums["inner"], key)
		if inner < 2e6 || outer < inner || outer > inner+inner/2 {
			t.Errorf("%s: %d ns of the task, %d ns of its subtask", key, outer, inner)
		}
	}
}

// TestNoNames: an empty name is a name.
func TestNoNames(t *testing.T) {
	data := record(t, func() {
		ctx, task := trace.NewTask(context.Background(), "")
		trace.Log(ctx, "", "")
		trace.WithRegion(ctx, "", func() {})
		task.End()
	})
	spans, stats := spansOf(t, data, DefaultOptions())
	named, logs := 0, 0
	for _, s := range spans {
		if s.Name == "(no name)" {
			named++
		}
		logs += len(s.Events)
	}
	if named != 2 || logs != 1 || stats.Spans["task"] != 1 || stats.Spans["region"] != 1 {
		t.Errorf("%d spans without a name, %d logs, %v", named, logs, stats.Spans)
	}
}

// TestNested: regions and tasks that nest deeply have a span each below the one
// around it, and no more.
func TestNested(t *testing.T) {
	const n = 300
	data := record(t, func() {
		ctx := context.Background()
		var tasks []*trace.Task
		for range n {
			var task *trace.Task
			ctx, task = trace.NewTask(ctx, "task")
			tasks = append(tasks, task)
		}
		var regions []*trace.Region
		for range n {
			regions = append(regions, trace.StartRegion(ctx, "region"))
		}
		time.Sleep(2 * time.Millisecond)
		for i := range n {
			regions[n-1-i].End()
		}
		for i := range n {
			tasks[n-1-i].End()
		}
	})
	opts := DefaultOptions()
	spans, stats := spansOf(t, data, opts)
	if stats.Spans["task"] != n || stats.Spans["region"] != n {
		t.Errorf("%v, want %d tasks and regions", stats.Spans, n)
	}
	if got := stats.Spans["goroutine"]; got < n || got > n+20 {
		t.Errorf("%d spans of goroutines, want about %d", got, n)
	}
	below := make(map[string]int)
	slept := 0
	for _, s := range spans {
		if s.Name == "region" { // states of a busy machine stand there, too
			below[string(s.ParentSpanId)]++
		}
		if s.Name == "task" || s.Name == "region" {
			if intAttr(s, "go.block_time_ns.sleep") >= 1e6 {
				slept++
			}
		}
	}
	if slept != 2*n {
		t.Errorf("the sleep is in the sums of %d tasks and regions, want %d", slept, 2*n)
	}
	for _, s := range spans {
		if s.Name == "region" && below[string(s.SpanId)] > 1 {
			t.Errorf("%d regions are below a region", below[string(s.SpanId)])
		}
	}
}
