package otel_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime/trace"
	"strings"
	"sync"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/otel/otlpclient"
	"github.com/trace2x/trace2x/e2e/jaegertest"
)

const held = 20 * time.Millisecond

// holder holds a mutex, in a task, while it sleeps.
func holder(ctx context.Context, name string, mu *sync.Mutex, locked chan<- struct{}) {
	ctx, task := trace.NewTask(ctx, name)
	defer task.End()
	defer trace.StartRegion(ctx, "hold").End()
	mu.Lock()
	close(locked)
	time.Sleep(held)
	mu.Unlock()
}

// waiter waits for the mutex, in a task.
func waiter(ctx context.Context, name string, mu *sync.Mutex) {
	_, task := trace.NewTask(ctx, name)
	defer task.End()
	mu.Lock()
	defer mu.Unlock()
}

// traceBlocked returns the trace of a program in which the task "waiter" waits for
// the task "holder", and "linked waiter" for "linked holder": these are spans, as
// package spanlink has it.
func traceBlocked(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := trace.Start(&out); err != nil {
		t.Fatal(err)
	}
	defer trace.Stop()
	ctx := context.Background()
	link := func(span int, name string) string {
		if !strings.HasPrefix(name, "linked") {
			return name
		}
		trace.Logf(ctx, "opentelemetry.traceparent", "00-%032x-%016x-01 %s", span<<8, span, name)
		return name
	}
	for _, prefix := range []string{"", "linked "} {
		var mu sync.Mutex
		var done sync.WaitGroup
		locked := make(chan struct{})
		done.Go(func() { holder(ctx, link(1, prefix+"holder"), &mu, locked) })
		<-locked
		done.Go(func() { waiter(ctx, link(2, prefix+"waiter"), &mu) })
		done.Wait()
	}
	trace.Stop()
	return out.Bytes()
}

// TestBlockerInJaeger: in a real Jaeger, a wait has a link to the span of the task
// that it was for, in another trace, and below it is what that one did: of tasks,
// and of spans that the program sent itself.
func TestBlockerInJaeger(t *testing.T) {
	data := traceBlocked(t)
	j := jaegertest.StartTest(t)
	// What the program sends: the spans of the linked tasks.
	var own []*tracepb.Span
	for span, name := range map[int]string{1: "linked holder", 2: "linked waiter"} {
		s := &tracepb.Span{TraceId: make([]byte, 16), SpanId: make([]byte, 8), Name: name}
		own = append(own, s)
		s.TraceId[14], s.SpanId[7] = byte(span), byte(span)
		s.StartTimeUnixNano = uint64(time.Now().Add(-time.Second).UnixNano())
		s.EndTimeUnixNano = uint64(time.Now().UnixNano())
	}
	client, err := otlpclient.New(otlpclient.Options{Endpoint: j.OTLPHTTP})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := otel.Upload(t.Context(), client, own...); err != nil || r.Accepted != 2 {
		t.Fatal(r, err)
	}
	send(t, j, data, testOptions(), "")

	spans := make(map[string]*jaegertest.Span)
	services, err := j.Services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range services {
		traces, err := j.Traces(t.Context(), service, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, tr := range traces {
			for i := range tr.Spans {
				spans[tr.Spans[i].TraceID+tr.Spans[i].SpanID] = &tr.Spans[i]
			}
		}
	}
	refs := func(s *jaegertest.Span, typ string) (to []*jaegertest.Span) {
		for _, r := range s.References {
			if r.RefType == typ {
				if spans[r.TraceID+r.SpanID] == nil {
					t.Errorf("%q: no span %s in trace %s", s.OperationName, r.SpanID, r.TraceID)
					continue
				}
				to = append(to, spans[r.TraceID+r.SpanID])
			}
		}
		return to
	}
	found := make(map[string]int)
	for _, s := range spans {
		for _, to := range refs(s, "FOLLOWS_FROM") {
			// What it is a part of.
			top := s
			for up := refs(top, "CHILD_OF"); len(up) > 0; up = refs(top, "CHILD_OF") {
				top = up[0]
			}
			found[fmt.Sprintf("%s of %q waited for %q", s.OperationName, top.OperationName, to.OperationName)]++
			if s.TraceID == to.TraceID {
				t.Errorf("%q waited for %q in its own trace", top.OperationName, to.OperationName)
			}
		}
		if s.Tags.Get("go.span.kind") == "critical" && strings.HasSuffix(s.OperationName, "sleep") {
			up := refs(s, "CHILD_OF")
			if len(up) == 0 {
				continue
			}
			found[s.OperationName+" below "+up[0].OperationName]++
			if d := time.Duration(s.Duration) * time.Microsecond; d < held-5*time.Millisecond || s.Tags.Get("code.function.name") != "github.com/trace2x/trace2x/convert/otel_test.holder" {
				t.Errorf("%q, %v at %v", s.OperationName, d, s.Tags.Get("code.function.name"))
			}
		}
	}
	for _, want := range []string{`sync of "waiter" waited for "holder"`, `sync of "linked waiter" waited for "linked holder"`} {
		if found[want] != 1 {
			t.Errorf("no link: %s", want)
		}
		delete(found, want)
	}
	n := 0
	for what, k := range found {
		if !strings.HasSuffix(what, ": sleep below sync") {
			t.Errorf("found: %s", what)
		}
		n += k
	}
	if n != 2 {
		t.Errorf("%d sleeps below waits: %v", n, found)
	}
}
