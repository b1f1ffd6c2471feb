package spanlink_test

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/trace2x/trace2x/spanlink"
)

func ExampleNewProcessor() {
	exporter := tracetest.NewInMemoryExporter() // or one that sends
	tp := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(spanlink.NewProcessor()),
		sdktrace.WithBatcher(exporter),
	)
	defer tp.Shutdown(context.Background())

	_, span := tp.Tracer("shop").Start(context.Background(), "checkout")
	span.End()

	tp.ForceFlush(context.Background())
	for _, s := range exporter.GetSpans() {
		fmt.Println(s.Name)
	}
	// Output: checkout
}
