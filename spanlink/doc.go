// Package spanlink lets Go execution traces say which of their tasks are spans
// of OpenTelemetry:
//
//	tp := sdktrace.NewTracerProvider(
//		sdktrace.WithSpanProcessor(spanlink.NewProcessor()),
//		sdktrace.WithBatcher(exporter),
//	)
//
// The OpenTelemetry SDK begins a task of runtime/trace for each recording span,
// but the task does not know the IDs of the span. With the processor,
// "trace2x otel" finds them in an execution trace, and puts what the runtime did
// during a span (goroutines, waits, system calls) below that very span, in the
// distributed trace that the program has sent.
//
// The package records nothing by itself: it only writes while somebody else has
// an execution trace recorded, with runtime/trace, its FlightRecorder or
// /debug/pprof/trace. It does not send anything, and does not change spans.
package spanlink
