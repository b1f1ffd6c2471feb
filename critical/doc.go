// Package critical finds the units of work of a trace and why each took as long as
// it did: its critical path.
//
// A unit of work is an interval on goroutines: a task, a region, an HTTP request or
// the life of a goroutine. Its critical path is a sequence of segments, without gaps
// or overlaps, from its start to its end. So the segments add up to exactly its
// latency. The path is found by walking back from the end. At each moment t the walk
// asks what the goroutine g did just before it:
//
//   - It ran, was runnable, or was in a system call: that is a segment, back to
//     where that state began.
//   - It waited, until the goroutine w woke it up at t: the path goes on with what w
//     did before t, back to where the wait began, and then with g before the wait.
//   - It waited, and no goroutine woke it up: the wait is a segment. It waited for a
//     timer or the network.
//   - It was not there yet: the path goes on with the goroutine that created it.
//   - The trace does not tell: an unknown segment.
//
// Into w the path goes only as far back as g waited. So a goroutine that holds a
// lock is blamed only for the time in which the unit had to wait for it.
//
// [Finder] is a sink that finds the units and reports each when it ends. [Sums] is a
// sink that adds up the paths by type of unit: of all units, and of the slowest
// hundredth. Another sink can embed them, or pass its calls on to them.
//
// # Order and ownership
//
// Units are found in the order of their ends, also those that the edges of the trace
// cut. Unless Options.Aside is set, that is during the call that ends them. An HTTP
// request is found when the server begins to wait for the next request, or, if it does
// not wait, when the next one begins. A [Unit] is only valid during the call. What its
// Path method returns may be kept for ever, and so may all stacks.
//
// # Cost
//
// A [Finder] only notes what happens. A history takes the notes, in another goroutine if
// Options.Aside is set. It keeps what is alive, and the last half a million turns of
// goroutines (by default), in 64 bytes each. In a turn, a goroutine waits, is runnable,
// and runs. A path is found only if it is asked for. A step of a walk takes constant
// time. One walk has at most as many steps as there are states, and all walks together
// have at most 16 times as many. What is older than the turns that are kept, or would
// take more steps, is an unknown segment with the reason [CutOff].
//
// What a gap of the trace hides is an unknown segment with the reason [Damaged].
// [Segment.Stalled] is how long the whole process did not run. A trace shows that only
// while a goroutine was running, not while all waited for timers.
//
// A [Sums] also keeps the sums, and the units that may be in a tail, see [MaxTail]. The
// number of sums is bounded by the number of different functions, places and reasons.
package critical
