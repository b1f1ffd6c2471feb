// Command slowrequest is an HTTP service whose slow requests explain
// themselves: it keeps the last seconds of its execution trace in memory, and
// posts them to a Collector when a request has taken long. README.md shows how to
// look at the request in Jaeger then.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"

	"github.com/trace2x/trace2x/recorder"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`address` to listen on")
	threshold := flag.Duration("threshold", 200*time.Millisecond, "requests that take this long are slow")
	collector := flag.String("collector", "http://localhost:4319/v1/trace", "`URL` for the execution traces of slow requests; \"\" for none")
	dir := flag.String("dir", "", "`folder` for them; \"\" for none")
	window := flag.Duration("window", 10*time.Second, "how much of the execution trace is kept at least")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	rec, err := recorder.Start(recorder.Options{SlowSpan: *threshold, URL: *collector, Folder: *dir, Window: *window})
	if err != nil {
		log.Fatal(err)
	}
	if err := run(ctx, *addr, rec); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, addr string, rec *recorder.Recorder) error {
	tp, err := newTracerProvider(ctx, rec)
	if err != nil {
		return err
	}
	defer tp.Shutdown(context.Background()) // sends what is left
	otel.SetTracerProvider(tp)
	otel.SetTextMapPropagator(propagation.TraceContext{})

	var s store
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cart", s.cart)
	mux.HandleFunc("GET /reindex", func(w http.ResponseWriter, r *http.Request) {
		duration, err := time.ParseDuration(r.URL.Query().Get("duration"))
		if err != nil {
			duration = 500 * time.Millisecond
		}
		go s.reindex(duration)
		w.WriteHeader(http.StatusAccepted)
	})
	server := &http.Server{Handler: otelhttp.NewHandler(mux, "slowrequest")}

	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	log.Printf("listening on http://%s", ln.Addr())
	go func() {
		<-ctx.Done()
		server.Shutdown(context.Background())
	}()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newTracerProvider sends spans to OTEL_EXPORTER_OTLP_ENDPOINT, by default to
// this machine. The one line that trace2x needs is the one with rec.
func newTracerProvider(ctx context.Context, rec *recorder.Recorder) (*sdktrace.TracerProvider, error) {
	var opts []otlptracehttp.Option
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" {
		opts = append(opts, otlptracehttp.WithEndpointURL("http://localhost:4318/v1/traces"))
	}
	exporter, err := otlptracehttp.New(ctx, opts...)
	if err != nil {
		return nil, err
	}
	return sdktrace.NewTracerProvider(
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName("slowrequest"))),
		sdktrace.WithSpanProcessor(rec),
		sdktrace.WithBatcher(exporter, sdktrace.WithBatchTimeout(time.Second)),
	), nil
}
