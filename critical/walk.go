package critical

import "github.com/trace2x/trace2x/model"

// path is a critical path while it is found: the newest segment first, with
// numbers instead of strings and pointers.
type path struct {
	segments []segment
	waits    []wait
}

type segment struct {
	start, end model.Time
	goid       model.GoID
	task       model.TaskID
	stack      int32
	fn         int32
	wait       int32 // index in path.waits, -1 for none
	reason     uint16
	kind       model.StateKind
}

// wait is a wait that another goroutine ended, what led to which is on the path
// instead.
type wait struct {
	start, end        model.Time
	goid              model.GoID
	task              model.TaskID
	stack, wakerStack int32
	fn                int32
	outer             int32 // the wait that this one is a part of, -1 for none
	reason            uint16
}

// frame is where the walk goes on after it has been through a wait.
type frame struct {
	floor model.Time // of the goroutine that waited
	wait  uint64     // its state
	index int32      // of the wait around it
}

// Reasons that the runtime does not have. The first are those of segments that are
// Unknown.
const (
	// CutOff is the reason of what is not kept any more.
	CutOff = "cut off"
	// Damaged is the reason of what is in a part of the trace that cannot be read.
	Damaged = "damaged"
	// NoCreator is the reason of what was before a goroutine that no known one
	// created: a timer did, or C, or it was created in a damaged part.
	NoCreator = "no creator"
	// NoEnd is the reason of a unit that no known goroutine ended.
	NoEnd = "no end"

	// LeftOut is the reason of the oldest part of a long path, see [Unit.Path].
	LeftOut = "left out"

	// Assist is the reason of running segments in which the goroutine had to help
	// the garbage collector to mark, because it allocated.
	Assist = "GC mark assist"

	otherReason = "other"
)

// stepsPerState bounds the steps of all walks together. Each state may be on the
// paths of that many units; without a bound a chain of goroutines that wait for
// each other would take time that grows with the square of its length.
const stepsPerState = 16

// walk finds the path of what ended at a moment in a state, and began at from.
// The goroutine was at the stack then. The path is valid until the next walk.
func (f *Finder) walk(n uint64, from, at model.Time, stack int32) *path {
	p := &f.path
	p.segments, p.waits = p.segments[:0], p.waits[:0]
	f.frames = f.frames[:0]
	t, floor, around := at, from, int32(-1)
	for {
		if t <= floor {
			last := len(f.frames) - 1
			if last < 0 {
				return p
			}
			// The goroutine that waited, before it did.
			fr := f.frames[last]
			f.frames = f.frames[:last]
			floor, around = fr.floor, fr.index
			if t > floor {
				// The wait was kept when the walk came by, and still is.
				s := f.ring.at(fr.wait)
				n, stack = s.before(stack)
				if n == 0 {
					p.unknown(floor, t, around, f.reasonNoCreator)
					t = floor
				}
			}
			continue
		}
		if f.steps >= stepsPerState*f.ring.last+chunkSize || !f.ring.has(n) {
			p.unknown(floor, t, around, f.reasonCutOff)
			t = floor
			continue
		}
		s := f.ring.at(n)
		start := max(s.start, floor)
		if s.waker != 0 && start < t {
			p.waits = append(p.waits, wait{
				start: start, end: t, goid: s.goid, task: s.task, stack: s.stack, wakerStack: s.wakerStack,
				fn: f.funcOf(s), outer: around, reason: s.reason,
			})
			f.frames = append(f.frames, frame{floor, n, around})
			floor, around = start, int32(len(p.waits)-1)
			n, stack = s.waker, s.wakerStack
			continue
		}
		f.steps++
		if start < t {
			seg := segment{
				start: start, end: t, goid: s.goid, task: s.task, stack: s.place(stack), fn: f.funcOf(s),
				wait: around, reason: s.reason, kind: s.kind,
			}
			if s.kind == model.Running && s.stack == 0 && f.samples.n > 0 {
				f.addRunning(p, seg)
			} else {
				p.add(seg)
			}
			t = start
		}
		if t > floor {
			n, stack = s.before(stack)
			if n == 0 {
				p.unknown(floor, t, around, f.reasonNoCreator)
				t = floor
			}
		}
	}
}

// before is the state before s, 0 for none, and the stack at which that ended; s
// itself ended at a stack.
func (s *state) before(ended int32) (n uint64, stack int32) {
	switch {
	case s.first:
		return s.prev, s.from
	case s.kind == model.Running && s.stack == 0:
		return s.prev, ended // maybe another part of it
	}
	return s.prev, s.stack
}

// place is the stack that tells most about a state: where the goroutine waited,
// made a system call or was preempted; where it stopped running; or, if that is not
// known, where it went on.
func (s *state) place(stopped int32) int32 {
	switch {
	case s.stack != 0:
		return s.stack
	case s.kind == model.Running && stopped != 0:
		return stopped
	}
	return s.from
}

// funcOf is the start function of the goroutine in a state, also if it became
// known later.
func (f *Finder) funcOf(s *state) int32 {
	if s.fn == 0 {
		if g := &f.slots[s.slot]; g.id == s.goid {
			return g.fn
		}
	}
	return s.fn
}

func (p *path) unknown(start, end model.Time, around int32, reason uint16) {
	if start < end {
		p.add(segment{start: start, end: end, goid: model.NoGoroutine, kind: model.Unknown, wait: around, reason: reason})
	}
}

// add adds a segment that comes before all others, or lengthens the last one if
// it is a part of the same.
func (p *path) add(s segment) {
	if n := len(p.segments); n > 0 {
		if l := &p.segments[n-1]; l.goid == s.goid && l.kind == s.kind && l.kind == model.Running && l.reason == s.reason && l.stack == s.stack && l.wait == s.wait && l.task == s.task {
			l.start = s.start
			return
		}
	}
	p.segments = append(p.segments, s)
}
