// Package otel turns a Go execution trace into OpenTelemetry spans, for Jaeger,
// Tempo and any backend that takes OTLP.
//
// Each root task of package runtime/trace becomes a trace: tasks and regions
// are spans, logs are events. Below a task stands a span for each goroutine at
// work for it, and below that a span for each long state in which it did not
// run: blocked, runnable, in a system call. Shorter states are in the sums that
// task, region and goroutine spans carry as attributes, in nanoseconds. What
// belongs to no task makes one more trace, for the program as a whole: GC
// cycles, stop-the-world pauses and the other goroutines.
//
// [model.Work] defines which goroutines are at work for a task. A state stands below
// what the goroutine began last: the innermost region or task.
//
// A task that package spanlink marked as a span of OpenTelemetry is in the trace that
// the program has already sent. It is not sent again: what the tree has below it goes
// below that span. Its logs are events of the spans of goroutines.
//
// [Convert] does it all. Memory grows with the open tasks and goroutines, and
// with the limit of spans of the program's trace, not with the length of the
// execution trace. The package does not decide what a goroutine does or why:
// that is in package model.
package otel
