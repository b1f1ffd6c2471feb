// Package recorder keeps the last seconds of a program's execution trace in memory,
// and writes them to a folder or posts them to an address when a span of OpenTelemetry
// was slow, or on demand:
//
//	rec, err := recorder.Start(recorder.Options{
//		SlowSpan: 500 * time.Millisecond,
//		Folder:   "/var/lib/traces",
//		MaxBytes: 1 << 30,
//	})
//	if err != nil {
//		return err // the options are wrong
//	}
//	tp := sdktrace.NewTracerProvider(
//		sdktrace.WithSpanProcessor(rec),
//		sdktrace.WithBatcher(exporter),
//	)
//
// It runs Go's flight recorder (runtime/trace.FlightRecorder), and links the spans as
// package spanlink does: "trace2x otel", or the receiver of trace2x in an OpenTelemetry
// Collector, puts what the runtime did during a span below that span.
//
// It is never in the way of the program. No span waits for it: dumps are taken by one
// goroutine of its own, one at a time and at most one in [Options.MinInterval]. What
// goes wrong then (a full disk, an address that does not answer, a flight recorder that
// somebody else has started) is logged once until it works again, and counted in
// [Stats].
package recorder
