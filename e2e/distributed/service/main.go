// Command service is one of two HTTP services of the end-to-end test of linked
// spans. It serves requests with a span each, calls the other service if there
// is one, and records execution traces when asked.
//
//	GET /work        starts goroutines, locks a mutex that all requests want,
//	                 and calls the next service
//	GET /slow        waits for a mutex that (*server).hold holds for 80 ms
//	GET /hold?ms=N   sleeps
//
// Each server span has the attributes "goroutine", the ID of the one that serves
// the request, and "goroutines", the IDs of those that it starts.
//
// Not instrumented are GET /trace/start?file=F, /trace/stop and /flush. The first
// line of the output is the URL; the program ends with its standard input.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	rt "runtime/trace"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/trace2x/trace2x/spanlink"
)

func main() {
	name := flag.String("name", "", "service.name")
	next := flag.String("next", "", "`URL` of the service to call")
	flag.Parse()
	if err := run(context.Background(), *name, *next); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, name, next string) error {
	exporter, err := otlptracehttp.New(ctx) // OTEL_EXPORTER_OTLP_ENDPOINT
	if err != nil {
		return err
	}
	tp := sdktrace.NewTracerProvider(
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(name))),
		sdktrace.WithSpanProcessor(spanlink.NewProcessor()),
		sdktrace.WithBatcher(exporter, sdktrace.WithMaxQueueSize(100_000)),
	)
	otel.SetTracerProvider(tp)
	otel.SetTextMapPropagator(propagation.TraceContext{})

	s := &server{
		next:   next,
		client: http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport)},
		tracer: otel.Tracer("service"),
	}
	app := http.NewServeMux()
	app.HandleFunc("GET /work", s.work)
	app.HandleFunc("GET /slow", s.slow)
	app.HandleFunc("GET /hold", s.sleep)
	mux := http.NewServeMux()
	mux.Handle("/", otelhttp.NewHandler(noteGoroutine(app), "service"))
	mux.HandleFunc("GET /trace/start", s.startTrace)
	mux.HandleFunc("GET /trace/stop", s.stopTrace)
	mux.HandleFunc("GET /flush", func(w http.ResponseWriter, r *http.Request) {
		if err := tp.ForceFlush(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", ln.Addr())
	go http.Serve(ln, mux)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

type server struct {
	next   string
	client http.Client
	tracer trace.Tracer

	mu   sync.Mutex // every request wants it
	hot  int
	big  sync.Mutex // that hold holds
	file *os.File   // of the execution trace
}

// noteGoroutine tells in the server span which goroutine serves it.
func noteGoroutine(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		trace.SpanFromContext(r.Context()).SetAttributes(attribute.Int64("goroutine", goid()))
		next.ServeHTTP(w, r)
	})
}

func (s *server) work(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	ids := make(chan int64, 3)
	var wg sync.WaitGroup
	for range cap(ids) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ids <- goid()
			s.part(ctx)
		}()
	}
	wg.Wait()
	close(ids)
	var list []int64
	for id := range ids {
		list = append(list, id)
	}
	trace.SpanFromContext(ctx).SetAttributes(attribute.Int64Slice("goroutines", list))
	if s.next == "" {
		return
	}
	if err := s.call(ctx, "/work"); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

// part is what one of the goroutines of a request does.
func (s *server) part(ctx context.Context) {
	_, span := s.tracer.Start(ctx, "part")
	defer span.End()
	span.SetAttributes(attribute.Int64("goroutine", goid()))
	s.mu.Lock()
	for start := time.Now(); time.Since(start) < 20*time.Microsecond; {
		s.hot++
	}
	s.mu.Unlock()
	time.Sleep(2 * time.Millisecond)
}

func (s *server) call(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.next+path, nil)
	if err != nil {
		return err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func (s *server) slow(w http.ResponseWriter, r *http.Request) {
	if s.next != "" {
		if err := s.call(r.Context(), "/slow"); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
		return
	}
	held := make(chan bool)
	go s.hold(held)
	<-held
	s.wait()
}

func (s *server) hold(held chan<- bool) {
	s.big.Lock()
	defer s.big.Unlock()
	close(held)
	time.Sleep(80 * time.Millisecond)
}

//go:noinline
func (s *server) wait() {
	s.big.Lock()
	defer s.big.Unlock()
}

func (s *server) sleep(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(r.FormValue("ms"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	time.Sleep(time.Duration(ms) * time.Millisecond)
}

func (s *server) startTrace(w http.ResponseWriter, r *http.Request) {
	f, err := os.Create(r.FormValue("file"))
	if err == nil {
		err = rt.Start(f)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
	s.file = f
}

func (s *server) stopTrace(w http.ResponseWriter, r *http.Request) {
	rt.Stop()
	if err := s.file.Close(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

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
