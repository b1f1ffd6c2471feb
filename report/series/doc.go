// Package series samples a Go execution trace over time, in memory that does not grow
// with the length of the trace: what goroutines and Ps did, the GC, the heap, waits for a
// P, and the latencies of units of work.
//
// A [Builder] is the [model.Sink], and [Series] its result: at most [Buckets] buckets of
// equal length. When a trace outgrows them, neighbours are merged and the length doubles.
// Sums over all buckets are exact. [Units] has the latencies of all units by size, with
// some units of each, [Life] what one goroutine did over time, and [Ran] what held the Ps
// in some intervals.
//
// All durations are in nanoseconds. Moments are since the trace began, also in a window.
package series
