// Package model turns a Go execution trace into one normalized, streaming
// model of what the scheduler did: goroutines and their states, what ran on
// each P, regions, tasks, logs, the runtime's ranges (GC, stop-the-world, mark
// assist, sweep), metrics, CPU samples and clock snapshots.
//
// [Read] drives it: it decodes a trace and calls a [Sink] as things become
// known. The model decides what a state is, when it begins and why it ends,
// once for every output format. It keeps only what is alive (goroutines, open
// tasks and regions) and interned names and stacks, so that memory does not
// grow with the length of the trace; only traces of Go 1.21 and earlier are
// read whole into memory, which is how golang.org/x/exp/trace reads them.
//
// The package does not know any output format, does not open files and does
// not aggregate: a sink that wants sums adds them up. Which events there are, and
// in which order, package internal/decode decides.
//
// # Order of the calls
//
//   - Sink.Begin is first, Sink.End last, each once, also for a damaged trace.
//   - What has a duration is reported when it ends, in the order of the ends;
//     its Start may therefore lie before what was reported earlier.
//     Goroutines, regions and tasks are also announced when they begin.
//   - A goroutine is announced by GoroutineStart before anything else names
//     it, and nothing names it after GoroutineEnd. At one moment, states come
//     before the run on the P that they end, and both before GoroutineEnd.
//   - Work lies within its task and within its goroutine's life. It is announced
//     before the region or the log, but after the task or the goroutine, that it
//     begins with. Where one work follows another, the new one starts before the
//     old one ends.
//   - What existed before the trace began is announced when the trace first
//     names it, with Start at the beginning of the trace and Before set. All
//     goroutines that existed then are announced before the second Sync.
//   - A span from before the trace is known only when it ends, from OldSpan. Its task
//     has no name and no Span until then, and has ended just before.
//   - What is open when the trace ends is reported with End at the end of the
//     trace and Open set.
//
// # Ownership
//
// Everything passed to a Sink is only valid during the call and must not be
// modified, with these exceptions: a *Stack and its frames, and all strings,
// may be kept for ever; a *Goroutine may be kept until its GoroutineEnd
// returns, a *Task until its TaskEnd returns, a *Region until its RegionEnd
// returns, a *Work until its WorkEnd returns.
package model
