package critical

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/model"
)

// Kind is a kind of units of work.
type Kind uint8

const (
	// Task is a runtime/trace.Task.
	Task Kind = iota
	// Region is a runtime/trace.Region.
	Region
	// HTTP is a request that a server of net/http handled, also one of HTTP/2. Its type is
	// the handler.
	HTTP
	// GoroutineLife is the life of a goroutine. Its type is the start function.
	GoroutineLife

	kinds = iota
)

// AllKinds has all kinds, in the order in which they are preferred.
var AllKinds = [kinds]Kind{Task, Region, HTTP, GoroutineLife}

var kindNames = [kinds]string{"task", "region", "http", "goroutine"}

// String returns "task", "region", "http" or "goroutine".
func (k Kind) String() string { return kindNames[k] }

// MarshalText returns the same as String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText takes what String returns. The error for any other text lists the valid
// ones.
func (k *Kind) UnmarshalText(text []byte) error {
	for i, name := range kindNames {
		if name == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("no kind of units: %q (there are %s)", text, strings.Join(kindNames[:], ", "))
}

// Kinds is a set of kinds.
type Kinds uint8

// KindsOf returns the set of these kinds.
func KindsOf(ks ...Kind) (set Kinds) {
	for _, k := range ks {
		set |= 1 << k
	}
	return set
}

// Has reports whether a kind is in the set.
func (s Kinds) Has(k Kind) bool { return s&(1<<k) != 0 }

// Unit is a unit of work that has ended.
type Unit struct {
	Kind Kind
	// Type is the type of a task or region, or [model.UnknownTask], the function that
	// handled a request, or [HandlerNotSeen], or the start function of a goroutine, "" if
	// the trace does not tell.
	Type string
	// Func is the start function of Goroutine; "" if unknown, and for tasks.
	Func string
	// Task is the ID of a task, or of the task of a region; 0 for none.
	Task model.TaskID
	// Span is the span of OpenTelemetry that a task is, nil for none.
	Span *model.SpanContext
	// Goroutine began the unit and EndGoroutine ended it; NoGoroutine if unknown.
	Goroutine, EndGoroutine model.GoID
	// Start and End are the edges of the trace for a unit that is Cut: one that
	// began before the trace or that had not ended when it did. It has no path.
	Start, End model.Time
	Cut        bool
	// Stack is where the unit began: where the task, the region or the goroutine
	// was made. It is nil if unknown, and for requests.
	Stack *model.Stack
	// File is the trace that has the unit, after [Sums.Merge]; else "".
	File string

	// The path is found when it is asked for first, back from a turn, which the unit
	// ended at a stack.
	history *history
	last    uint64
	stack   int32
	path    *path // nil until then
}

// Duration is the latency of the unit.
func (u *Unit) Duration() time.Duration { return time.Duration(u.End - u.Start) }

// Path is a critical path: segments without gaps, the oldest first, from the start
// of a unit to its end.
type Path struct {
	Segments []Segment
	// Waits has the waits around the segments of other goroutines. Each comes before
	// the waits within it.
	Waits []Wait
}

// Segment is a part of a critical path in which one goroutine was in one state.
type Segment struct {
	Start, End model.Time
	// State is Unknown where the path is not known. Reason then says why: [CutOff],
	// [Damaged], [NoCreator], [NoEnd] or [LeftOut].
	State model.StateKind
	// Reason says why the goroutine waited, if no goroutine ended the wait; why it was
	// runnable, if it was preempted; or it is [Assist], for a goroutine that ran.
	Reason string
	// Goroutine was in the state. Func is its start function. Own says that it began
	// or ended the unit.
	Goroutine model.GoID
	Func      string
	Own       bool
	// Task is the task that the goroutine was at work for, or BackgroundTask.
	Task model.TaskID
	// Stack is where it waited, made a system call or was preempted. If it ran, it is
	// a sample of the CPU profiler, or else where it stopped; if it was runnable,
	// where it waited before or was created. It is nil if the trace does not have it.
	Stack *model.Stack
	// Sampled says that Stack is of samples of the CPU profiler.
	Sampled bool
	// Wait is the index in Path.Waits of the innermost wait around the segment, -1 if
	// nothing waited for it. Depth is the number of waits around it.
	Wait, Depth int
	// Stalled is the part of the segment, in ns, in which the whole process did not
	// run: nothing happened for at least [MinStall] although a goroutine was running.
	Stalled time.Duration
	// Ran is what held the Ps while the goroutine was runnable. Only [Kept] paths
	// have it.
	Ran []Ran
}

// Wait is a wait that another goroutine ended. The segments in it are what that
// goroutine did meanwhile.
type Wait struct {
	Start, End model.Time
	Reason     string
	Goroutine  model.GoID
	Func       string
	Own        bool
	Task       model.TaskID
	// Stack is where the goroutine waited, WakerStack where the other one ended the
	// wait.
	Stack, WakerStack *model.Stack
	// Wait is the index of the wait around this one, -1 for none.
	Wait, Depth int
}

// own reports whether a goroutine is one of the unit's.
func (u *Unit) own(g model.GoID) bool {
	return g != model.NoGoroutine && (g == u.Goroutine || g == u.EndGoroutine)
}

// walk finds the path, nil if there is none.
func (u *Unit) walk() *path {
	if u.path == nil && !u.Cut && u.history != nil {
		u.path = u.history.pathOf(u)
	}
	return u.path
}

// detach makes a unit one to keep, which has no path.
func (u *Unit) detach() { u.history, u.path = nil, nil }

// StateTime is the time on a path in one state.
type StateTime struct {
	State  model.StateKind
	Reason string // as Segment.Reason
	Own    bool   // as Segment.Own
	Time   model.Time
}

// StateTimes appends what the critical path adds up to, by state, reason and whose it is,
// in no certain order. It takes less time than Path. It appends nothing for a unit that
// is Cut.
func (u *Unit) StateTimes(to []StateTime) []StateTime {
	path := u.walk()
	if path == nil {
		return to
	}
	type key struct {
		reason uint16
		kind   model.StateKind
		own    bool
	}
	var buf [16]key
	keys, n := buf[:0], len(to)
	for i := range path.segments {
		s := &path.segments[i]
		k := key{s.reason, s.kind, u.own(s.goid)}
		at := slices.Index(keys, k)
		if at < 0 {
			at = len(keys)
			keys = append(keys, k)
			to = append(to, StateTime{State: s.kind, Reason: u.history.reasons[s.reason], Own: k.own})
		}
		to[n+at].Time += s.end - s.start
	}
	return to
}

// Path returns the critical path, which the caller may keep. It is nil for a unit that
// is Cut. If the path has more segments than the limit, Path returns the newest, after
// one with the reason [LeftOut]. 0 is no limit.
func (u *Unit) Path(limit int) *Path {
	path := u.walk()
	if path == nil {
		return nil
	}
	h, segments, waits := u.history, path.segments, path.waits
	from := u.Start
	var out Path
	if limit > 0 && len(segments) > limit {
		segments = segments[:limit]
		from = segments[limit-1].start
		for i := range waits {
			if waits[i].end <= from {
				waits = waits[:i] // the others ended earlier
				break
			}
		}
		out.Segments = append(out.Segments, Segment{Start: u.Start, End: from, State: model.Unknown, Reason: LeftOut, Goroutine: model.NoGoroutine, Wait: -1})
	}
	// h.path has the newest segments and waits first, but a wait before those within
	// it. Now the oldest come first, and a wait is still before those within it.
	place := order(waits)
	out.Waits = make([]Wait, len(waits))
	for i := range waits {
		w := &waits[i]
		x := Wait{
			Start: max(w.start, from), End: w.end, Reason: h.reasons[w.reason], Goroutine: w.goid, Func: h.funcs[w.fn],
			Own: u.own(w.goid), Task: w.task, Stack: h.stacks[w.stack], WakerStack: h.stacks[w.wakerStack], Wait: -1,
		}
		if w.outer >= 0 {
			x.Wait = int(place[w.outer])
			x.Depth = out.Waits[x.Wait].Depth + 1
		}
		out.Waits[place[i]] = x
	}
	out.Segments = slices.Grow(out.Segments, len(segments))
	for i := len(segments) - 1; i >= 0; i-- {
		s := &segments[i]
		x := Segment{
			Start: s.start, End: s.end, State: s.kind, Reason: h.reasons[s.reason], Goroutine: s.goid, Func: h.funcs[s.fn],
			Own: u.own(s.goid), Task: s.task, Stack: h.stacks[s.stack], Sampled: s.sampled, Stalled: h.stalled(s.start, s.end), Wait: -1,
		}
		if s.wait >= 0 {
			x.Wait = int(place[s.wait])
			x.Depth = out.Waits[x.Wait].Depth + 1
		}
		out.Segments = append(out.Segments, x)
	}
	return &out
}

// order returns the new index of each wait when the oldest comes first, and each before
// the waits within it.
func order(waits []wait) []int32 {
	n := len(waits)
	place := make([]int32, n)
	// within counts each wait and the waits within it, which come after it.
	within := make([]int32, n)
	for i := n - 1; i >= 0; i-- {
		within[i]++
		if o := waits[i].outer; o >= 0 {
			within[o] += within[i]
		}
	}
	// next is the index for the next wait that is directly within a wait. It goes
	// before those that have been placed, which are newer.
	next := make([]int32, n)
	end := int32(n)
	for i := range n {
		behind := &end
		if o := waits[i].outer; o >= 0 {
			behind = &next[o]
		}
		*behind -= within[i]
		place[i] = *behind
		next[i] = place[i] + within[i]
	}
	return place
}
