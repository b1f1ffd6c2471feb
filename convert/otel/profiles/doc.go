// Package profiles turns a Go execution trace into OpenTelemetry profiles: where
// goroutines waited and were runnable, in exact time instead of samples, the samples of
// the CPU profiler, and the critical paths of units of work. Each sample has its stack
// and, where the goroutine was at work for a span, a link to that span.
//
// A [Collector] is a [model.Sink], which hands out messages while the trace is read, so
// that memory does not grow with it. Package pprof adds up; this package decides which of
// its sums are which profile, and encodes them. docs/otlp.md lists profiles and
// attributes.
//
// OTLP's profiles are not stable yet. No other package imports what this one needs for
// them, go.opentelemetry.io/collector/pdata/pprofile.
package profiles
