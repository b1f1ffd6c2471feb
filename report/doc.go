// Package report sums up a Go execution trace: which goroutines use the CPU,
// which wait, on what and where, how long they wait for a P, what the GC costs,
// what tasks and regions spend their time on, and what looks wrong.
//
// [Read] does it all; a [Builder] is the [model.Sink] behind it, and [Report] its
// result, whose JSON names are documented in docs/summary.md. [Text] renders a
// report for a terminal. All durations are in nanoseconds, all moments are
// durations since the trace began. The same trace always gives the same report.
//
// Counts, totals and maxima are exact. Percentiles come from histograms, whose
// relative error is [PercentileError]. Memory grows with the number of different
// start functions, places, types and reasons, with what is alive, and with what
// the GC does in a second; not with the length of the trace.
//
// The package does no I/O but Read's reading, and does not decide what a
// goroutine does or why: that is in package model.
package report
