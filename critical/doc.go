// Package critical finds the units of work of a trace and why each took as long as
// it did: its critical path.
//
// A unit of work is an interval on goroutines: a task, a region, an HTTP request or
// the life of a goroutine. Its critical path is a sequence of segments, without gaps
// or overlaps, from its start to its end, which is why they add up to exactly its
// latency. It is found by walking back from the end. What did the goroutine g do
// just before a moment t?
//
//   - It ran, was runnable, or was in a system call: that is a segment, back to
//     where that state began.
//   - It waited, until the goroutine w woke it up at t: the path goes on with what w
//     did before t, back to where the wait began, and then with g before the wait.
//   - It waited, and no goroutine woke it up: the wait is a segment. It was for a
//     timer, or the network.
//   - It was not there yet: the path goes on with the goroutine that created it.
//   - The trace does not tell: an unknown segment.
//
// Into w the path goes only as far back as g waited. So a goroutine that holds a
// lock is blamed only for the time in which the unit had to wait for it.
//
// [Finder] is a sink that finds the units and hands out each as it ends; [Sums] is
// one that adds up the paths by type of unit, all of them and the slowest hundredth.
// Both can be embedded in another sink, or called by it with what it is told itself.
//
// # Order and ownership
//
// Units are found in the order of their ends, also those that are cut by the edges of
// the trace; an HTTP request is found when the server begins to wait for the next,
// or, if it does not wait, at the next one. A [Unit] is only valid during the call;
// what its Path method returns may be kept for ever, as all stacks may.
//
// # Cost
//
// A [Finder] keeps what is alive, and the last turns of goroutines, half a million of
// them by default, in 80 bytes each. In a turn, a goroutine waits, is runnable, and
// runs. A step of a walk takes constant time. The steps of one walk are at most as
// many as there are states, those of all walks together at most 16 times as many.
// What is older than the turns that are kept, or would take more steps, is an unknown
// segment with the reason [CutOff].
//
// What a gap of the trace hides is an unknown segment with the reason [Damaged].
// Where the whole process did not run, [Segment.Stalled] tells for how long; that
// shows only while a goroutine was running, not while all waited for timers.
//
// A [Sums] also keeps the sums, whose number is bounded by that of the different
// functions, places and reasons, and the units that may be in a tail, see [MaxTail].
package critical
