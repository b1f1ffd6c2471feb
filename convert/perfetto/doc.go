// Package perfetto writes a Go execution trace as a Perfetto trace, for
// ui.perfetto.dev and Perfetto's trace processor.
//
// Go's scheduler is written in Perfetto's own scheduling encoding: goroutines
// are threads, Ps are CPUs, and a start function is a process with the
// goroutines that it started. What Perfetto knows of scheduling (who woke whom,
// latencies, critical paths) therefore works for goroutines. Goroutines share
// lanes, which are Perfetto's threads: the lane of one that exited goes to the
// next one with the same start function. Everything else is track events: the
// lifetime of each goroutine, its waits, system calls, regions and logs on its
// lane; GC, stop-the-world pauses and counters in the group "Go runtime"; tasks
// in the group "Tasks".
//
// [Convert] does it all; a [Writer] is the [model.Sink] behind it. The package
// does not decide what a goroutine does or why: that is in package model. It
// does not open or name files, and does not compress.
//
// Facts about the format come from protos/perfetto/trace of
// https://github.com/google/perfetto and from what its trace processor, v55.3,
// makes of the files; numbers of fields are in fields.go.
package perfetto
