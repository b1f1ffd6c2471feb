// Program spanlink records an execution trace of a program whose spans are
// linked by package spanlink, and beside it the spans, as OUTPUT less ".trace"
// with ".spans.json": what the OpenTelemetry SDK exported, with the goroutine
// that began each.
//
// It exercises concurrent spans with equal names, spans that begin in one
// goroutine and end in another, remote parents, new roots, unsampled and
// non-recording spans, spans that are open when the trace begins or ends, long
// names, plain tasks around and inside spans, logs, regions, a mutex that
// main.holdMutex holds for 30 ms while main.waitForMutex waits, and tasks with IDs as
// dd-trace-go writes them.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"log"
	"os"
	"runtime"
	rt "runtime/trace"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/trace2x/trace2x/spanlink"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("spanlink: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: spanlink output-file")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

// span is an exported span, as the file beside the trace has it.
type span struct {
	Name      string
	TraceID   string
	SpanID    string
	ParentID  string `json:",omitempty"`
	Goroutine int64
	Start     int64 // ns since 1970
	End       int64 // 0 if the span had not ended with the trace
	Linked    bool  // it began while the trace was recorded
}

func run(output string) error {
	runtime.GOMAXPROCS(2)
	spans := &exporter{}
	tp := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sampler{}),
		sdktrace.WithSpanProcessor(spanlink.NewProcessor()),
		sdktrace.WithSyncer(spans),
	)
	p := &program{tracer: tp.Tracer("spanlink")}

	f, err := os.Create(output)
	if err != nil {
		return err
	}
	ctx, early := p.start(context.Background(), "open at the beginning")
	if err := rt.Start(f); err != nil {
		return err
	}
	begin := time.Now()
	_, child := p.start(ctx, "child of one from before")
	time.Sleep(2 * time.Millisecond)
	child.End()
	early.End()

	p.concurrent()
	p.handedOver()
	p.remote()
	p.newRoot()
	p.notSampled()
	p.longName()
	p.plainTasks()
	p.contended()
	datadog()

	_, late := p.start(context.Background(), "open at the end")
	time.Sleep(2 * time.Millisecond)
	rt.Stop()
	late.End()
	end := time.Now()
	if err := f.Close(); err != nil {
		return err
	}
	for i := range spans.list {
		s := &spans.list[i]
		s.Linked = s.Start >= begin.UnixNano()
		if s.Name == "open at the end" {
			s.End = end.UnixNano()
		}
	}
	text, err := json.MarshalIndent(spans.list, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(strings.TrimSuffix(output, ".trace")+".spans.json", append(text, '\n'), 0o666)
}

type program struct{ tracer trace.Tracer }

func (p *program) start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	return p.tracer.Start(ctx, name, append(opts, trace.WithAttributes(attribute.Int64("goroutine", goid())))...)
}

// concurrent runs 8 spans of one name, each with children of one name.
func (p *program) concurrent() {
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx, s := p.start(context.Background(), "request")
			defer s.End()
			for range 2 {
				_, s := p.start(ctx, "query")
				time.Sleep(2 * time.Millisecond)
				s.End()
			}
			time.Sleep(time.Millisecond)
		}()
	}
	wg.Wait()
}

// handedOver ends a span in another goroutine than the one that began it.
func (p *program) handedOver() {
	spans := make(chan trace.Span)
	done := make(chan bool)
	go func() {
		s := <-spans
		time.Sleep(2 * time.Millisecond)
		s.End()
		close(done)
	}()
	_, s := p.start(context.Background(), "handed over")
	spans <- s
	<-done
}

// remote begins spans whose parents are in other processes.
func (p *program) remote() {
	for i := range 2 {
		parent := trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{15: byte(i + 1)}, SpanID: trace.SpanID{7: 1}, TraceFlags: trace.FlagsSampled, Remote: true,
		})
		ctx, s := p.start(trace.ContextWithRemoteSpanContext(context.Background(), parent), "served")
		rt.Log(ctx, "remote", "in the span")
		rt.WithRegion(ctx, "handler", func() {
			rt.Log(ctx, "remote", "in the region")
			time.Sleep(2 * time.Millisecond)
		})
		s.End()
	}
}

// newRoot begins a span inside of another that is not its parent.
func (p *program) newRoot() {
	ctx, outer := p.start(context.Background(), "outer")
	_, s := p.start(ctx, "another trace", trace.WithNewRoot())
	time.Sleep(2 * time.Millisecond)
	s.End()
	outer.End()
}

// notSampled begins spans that nothing links: dropped ones make no task, those
// that are only recorded do.
func (p *program) notSampled() {
	for _, name := range []string{"dropped", "record only"} {
		_, s := p.start(context.Background(), name)
		time.Sleep(2 * time.Millisecond)
		s.End()
	}
}

func (p *program) longName() {
	_, s := p.start(context.Background(), strings.Repeat("long ", 400))
	time.Sleep(2 * time.Millisecond)
	s.End()
}

// plainTasks has tasks that are no spans around and inside one.
func (p *program) plainTasks() {
	ctx, outer := rt.NewTask(context.Background(), "plain outer")
	ctx, s := p.start(ctx, "between")
	_, inner := rt.NewTask(ctx, "plain inner")
	time.Sleep(2 * time.Millisecond)
	inner.End()
	s.End()
	outer.End()
}

// contended has a span that waits for a mutex.
func (p *program) contended() {
	var mu sync.Mutex
	held := make(chan bool)
	done := make(chan bool)
	go holdMutex(&mu, held, done)
	<-held
	_, s := p.start(context.Background(), "slow")
	waitForMutex(&mu)
	s.End()
	<-done
}

//go:noinline
func waitForMutex(mu *sync.Mutex) {
	mu.Lock()
	mu.Unlock()
}

//go:noinline
func holdMutex(mu *sync.Mutex, held, done chan bool) {
	mu.Lock()
	close(held)
	time.Sleep(30 * time.Millisecond)
	mu.Unlock()
	close(done)
}

// datadog begins tasks and logs as dd-trace-go does.
func datadog() {
	for id := uint64(1); id <= 2; id++ {
		ctx, task := rt.NewTask(context.Background(), "datadog")
		rt.Log(ctx, "datadog.uint64_span_id", string(binary.LittleEndian.AppendUint64(nil, id<<60)))
		time.Sleep(2 * time.Millisecond)
		task.End()
	}
}

// sampler decides by the name.
type sampler struct{}

func (sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	switch p.Name {
	case "dropped":
		return sdktrace.SamplingResult{Decision: sdktrace.Drop}
	case "record only":
		return sdktrace.SamplingResult{Decision: sdktrace.RecordOnly}
	}
	return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
}

func (sampler) Description() string { return "by name" }

// exporter collects the spans.
type exporter struct {
	mu   sync.Mutex
	list []span
}

func (e *exporter) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range spans {
		x := span{
			Name:    s.Name(),
			TraceID: s.SpanContext().TraceID().String(),
			SpanID:  s.SpanContext().SpanID().String(),
			Start:   s.StartTime().UnixNano(),
			End:     s.EndTime().UnixNano(),
		}
		if s.Parent().IsValid() {
			x.ParentID = s.Parent().SpanID().String()
		}
		for _, a := range s.Attributes() {
			if a.Key == "goroutine" {
				x.Goroutine = a.Value.AsInt64()
			}
		}
		e.list = append(e.list, x)
	}
	return nil
}

func (e *exporter) Shutdown(context.Context) error { return nil }

// goid is the ID of the calling goroutine, from the head of its stack.
func goid() int64 {
	var buf [64]byte
	fields := bytes.Fields(buf[:runtime.Stack(buf[:], false)])
	id, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	return id
}
