// Package perfetto writes a Go execution trace as a Perfetto trace, for
// ui.perfetto.dev and Perfetto's trace processor.
//
// Go's scheduler is written in Perfetto's own scheduling encoding: a P is a CPU, a
// goroutine is a thread, and a start function is a process that has the goroutines
// that it started. So what Perfetto knows of scheduling (who woke whom, latencies,
// critical paths) works for goroutines. Goroutines share lanes, which are Perfetto's
// threads: when a goroutine exits, the next one with the same start function gets its
// lane. Everything else is track events. On the lane of a goroutine are its lifetime,
// waits, system calls, regions and logs. The group "Go runtime" has GC, stop-the-world
// pauses and counters. The group "Tasks" has the tasks.
//
// [Convert] does it all; a [Writer] is the [model.Sink] behind it. The package
// does not decide what a goroutine does or why: that is in package model. It
// does not open or name files, and does not compress.
//
// Facts about the format come from protos/perfetto/trace of
// https://github.com/google/perfetto and from what its trace processor, v55.3,
// makes of the files; numbers of fields are in fields.go.
package perfetto
