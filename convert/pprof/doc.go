// Package pprof adds a Go execution trace up by stack, as a profile for go tool
// pprof and whatever else reads its format.
//
// The types [Net], [Sync], [Syscall] and [Sched] are those of go tool trace
// -pprof, with the same stacks, counts and nanoseconds; [CPU] and [Wall] are
// others that a trace can give. Each has its definition beside it. [Critical] is of
// units of work, and is why they took as long as they did: see package critical.
//
// [Convert] does it all; what [New] returns is the [model.Sink] behind it, which
// keeps a sum for each stack (and state, for Wall) and what is alive, and never
// what it has added up. The package does not decide what a goroutine does, or
// when it is at work for a task: that is in package model. It does not open or
// name files. The encoding is that of github.com/google/pprof/profile.
package pprof
