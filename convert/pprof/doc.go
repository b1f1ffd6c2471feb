// Package pprof adds up a Go execution trace by stack, as a profile for go tool pprof
// and other readers of its format.
//
// The types [Net], [Sync], [Syscall] and [Sched] equal those of go tool trace -pprof,
// with the same stacks, counts and nanoseconds. [CPU], [Wall] and [Critical] are more
// that a trace can give. [Critical] shows why units of work took as long as they did:
// see package critical. The comment on each type defines it.
//
// [Convert] does it all; [New] returns the [model.Sink] behind it. It keeps a sum for
// each stack (and state, for Wall) and what is alive, and nothing that it has added up.
// Package model decides what a goroutine does, and when it is at work for a task. This
// package does not open or name files. Package github.com/google/pprof/profile encodes.
package pprof
