// Command slowrequest is an HTTP service whose slow requests explain
// themselves: it keeps the last seconds of its execution trace in memory, and
// writes them to a file when a request has taken long. README.md shows how to
// look at that file in Jaeger.
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

	"github.com/trace2x/trace2x/spanlink"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`address` to listen on")
	threshold := flag.Duration("threshold", 200*time.Millisecond, "requests that take this long are slow")
	dir := flag.String("dir", ".", "`folder` for the execution traces of slow requests")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *addr, *threshold, *dir); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, addr string, threshold time.Duration, dir string) error {
	tp, err := newTracerProvider(ctx)
	if err != nil {
		return err
	}
	defer tp.Shutdown(context.Background()) // sends what is left
	otel.SetTracerProvider(tp)
	otel.SetTextMapPropagator(propagation.TraceContext{})

	rec, err := newRecorder(dir, threshold)
	if err != nil {
		return err
	}
	defer rec.stop()
	go rec.run(ctx)

	var s store
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cart", s.cart)
	mux.HandleFunc("GET /reindex", func(w http.ResponseWriter, r *http.Request) {
		go s.reindex()
		w.WriteHeader(http.StatusAccepted)
	})
	server := &http.Server{Handler: otelhttp.NewHandler(rec.watch(mux), "slowrequest")}

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
// this machine. The one line that trace2x needs is the one with spanlink.
func newTracerProvider(ctx context.Context) (*sdktrace.TracerProvider, error) {
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
		sdktrace.WithSpanProcessor(spanlink.NewProcessor()),
		sdktrace.WithBatcher(exporter, sdktrace.WithBatchTimeout(time.Second)),
	), nil
}
