package spanlink_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime/trace"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/trace2x/trace2x/spanlink"
)

// recorded returns an execution trace of f. Its strings are in it as they are.
func recorded(t testing.TB, f func()) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := trace.Start(&buf); err != nil {
		t.Fatal(err)
	}
	f()
	trace.Stop()
	return buf.Bytes()
}

func provider(opts ...sdktrace.TracerProviderOption) *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(append(opts, sdktrace.WithSpanProcessor(spanlink.NewProcessor()))...)
}

func TestLogs(t *testing.T) {
	tracer := provider().Tracer("")
	_, before := tracer.Start(t.Context(), "before")
	var message string
	long := strings.Repeat("x", 2*spanlink.MaxName)
	data := recorded(t, func() {
		ctx, s := tracer.Start(t.Context(), "GET /cart")
		sc := s.SpanContext()
		message = fmt.Sprintf("00-%s-%s-01 GET /cart", sc.TraceID(), sc.SpanID())
		_, child := tracer.Start(ctx, long)
		child.End()
		s.End()
	})
	before.End()
	if !bytes.Contains(data, []byte(message)) || !bytes.Contains(data, []byte(spanlink.Category)) {
		t.Errorf("the trace does not have %q", message)
	}
	if !bytes.Contains(data, []byte("-01 "+long[:spanlink.MaxName])) || bytes.Contains(data, []byte("-01 "+long[:spanlink.MaxName+1])) {
		t.Error("the long name is not cut where it should be")
	}
	if bytes.Contains(data, []byte("before")) {
		t.Error("a span from before is in the trace")
	}
}

// TestParent: a span names its parent if that is in another process, in a way that
// readers of a traceparent alone skip.
func TestParent(t *testing.T) {
	tracer := provider().Tracer("")
	var server, child oteltrace.SpanContext
	remote := oteltrace.NewSpanContext(oteltrace.SpanContextConfig{
		TraceID: oteltrace.TraceID{1}, SpanID: oteltrace.SpanID{2, 3}, TraceFlags: oteltrace.FlagsSampled, Remote: true,
	})
	data := recorded(t, func() {
		ctx, s := tracer.Start(oteltrace.ContextWithRemoteSpanContext(t.Context(), remote), "GET /cart")
		_, c := tracer.Start(ctx, "query")
		server, child = s.SpanContext(), c.SpanContext()
		c.End()
		s.End()
	})
	for _, want := range []string{
		fmt.Sprintf("00-%s-%s-01-0203000000000000 GET /cart", server.TraceID(), server.SpanID()),
		fmt.Sprintf("00-%s-%s-01 query", child.TraceID(), child.SpanID()),
	} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("the trace does not have %q", want)
		}
	}
}

// TestEnds: the trace has the ends of spans that took long, also of those from before
// the recording, and of no others.
func TestEnds(t *testing.T) {
	tracer := provider().Tracer("")
	at := time.Now().Add(-time.Minute)
	start := func(name string) oteltrace.Span {
		_, s := tracer.Start(t.Context(), name, oteltrace.WithTimestamp(at))
		return s
	}
	end := func(s oteltrace.Span, took time.Duration) { s.End(oteltrace.WithTimestamp(at.Add(took))) }
	before := start("GET /before")
	long := strings.Repeat("x", 2*spanlink.MaxName)
	data := recorded(t, func() {
		end(before, time.Second)
		end(start("slow"), spanlink.LongSpan)
		end(start("fast"), spanlink.LongSpan-1)
		end(start(long), 9*time.Second)
	})
	sc := before.SpanContext()
	for _, want := range []string{
		spanlink.EndCategory,
		fmt.Sprintf("00-%s-%s-01 1000000000 GET /before", sc.TraceID(), sc.SpanID()),
		"-01 20000000 slow",
		"-01 9000000000 " + long[:spanlink.MaxName],
	} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("the trace does not have %q", want)
		}
	}
	if bytes.Contains(data, []byte("9999999 fast")) {
		t.Error("a short span is logged when it ends")
	}
}

type decision sdktrace.SamplingDecision

func (d decision) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: sdktrace.SamplingDecision(d)}
}
func (decision) Description() string { return "" }

func TestNotSampled(t *testing.T) {
	for _, d := range []sdktrace.SamplingDecision{sdktrace.Drop, sdktrace.RecordOnly} {
		tracer := provider(sdktrace.WithSampler(decision(d))).Tracer("")
		data := recorded(t, func() {
			_, s := tracer.Start(t.Context(), "not sampled")
			s.End()
		})
		if bytes.Contains(data, []byte(spanlink.Category)) {
			t.Errorf("decision %v: the span is linked", d)
		}
	}
}

// TestUntouched: the spans are the same with and without the processor, and the
// race detector sees concurrent ones.
func TestUntouched(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	tracer := provider(sdktrace.WithSyncer(spans)).Tracer("")
	recorded(t, func() {
		var wg sync.WaitGroup
		for range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range 50 {
					_, s := tracer.Start(context.Background(), "span")
					s.End()
				}
			}()
		}
		wg.Wait()
	})
	got := spans.GetSpans()
	if len(got) != 400 {
		t.Errorf("%d spans", len(got))
	}
	for _, s := range got {
		if s.Name != "span" || len(s.Attributes)+len(s.Events)+len(s.Links) > 0 {
			t.Fatalf("%+v", s)
		}
	}
}

// capture keeps a started span, to start it again and again.
type capture struct {
	sdktrace.SpanProcessor
	span sdktrace.ReadWriteSpan
}

func (c *capture) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) { c.span = s }
func (c *capture) OnEnd(sdktrace.ReadOnlySpan)                         {}

func startedSpan() sdktrace.ReadWriteSpan {
	var c capture
	_, s := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(&c)).Tracer("").Start(context.Background(), "GET /cart/{id}")
	s.End()
	return c.span
}

func TestNothingRecorded(t *testing.T) {
	p, s, ctx := spanlink.NewProcessor(), startedSpan(), context.Background()
	if n := testing.AllocsPerRun(1000, func() { p.OnStart(ctx, s); p.OnEnd(s) }); n != 0 {
		t.Errorf("%v allocations while nothing is recorded", n)
	}
}

// BenchmarkOnStart measures what the processor adds to the start of a span,
// while nothing is recorded and while an execution trace is.
func BenchmarkOnStart(b *testing.B) {
	p, s, ctx := spanlink.NewProcessor(), startedSpan(), context.Background()
	start := func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.OnStart(ctx, s)
		}
	}
	b.Run("off", start)
	b.Run("recording", func(b *testing.B) {
		if err := trace.Start(discard{}); err != nil {
			b.Fatal(err)
		}
		defer trace.Stop()
		start(b)
	})
}

// BenchmarkOnEnd measures what the processor adds to the end of a span: of a short
// one, and of one that is logged.
func BenchmarkOnEnd(b *testing.B) {
	p := spanlink.NewProcessor()
	long := startedSpan()
	for _, bb := range []struct {
		name      string
		span      sdktrace.ReadOnlySpan
		recording bool
	}{
		{"off", long, false},
		{"recording short", tracetest.SpanStub{SpanContext: long.SpanContext(), Name: "short", StartTime: time.Now(), EndTime: time.Now()}.Snapshot(), true},
		{"recording long", tracetest.SpanStub{SpanContext: long.SpanContext(), Name: "GET /cart/{id}", StartTime: time.Now(), EndTime: time.Now().Add(time.Second)}.Snapshot(), true},
	} {
		b.Run(bb.name, func(b *testing.B) {
			if bb.recording {
				if err := trace.Start(discard{}); err != nil {
					b.Fatal(err)
				}
				defer trace.Stop()
			}
			b.ReportAllocs()
			for b.Loop() {
				p.OnEnd(bb.span)
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
