package critical

import "github.com/trace2x/trace2x/model"

// path is a critical path while it is being found: the newest segment first, with
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
	sampled    bool // stack is of samples of the CPU profiler
}

// wait is a wait that another goroutine ended. The path has what that goroutine did
// instead of the wait.
type wait struct {
	start, end        model.Time
	goid              model.GoID
	task              model.TaskID
	stack, wakerStack int32
	fn                int32
	outer             int32 // the wait that this one is a part of, -1 for none
	reason            uint16
}

// frame says where the walk goes on after a wait.
type frame struct {
	floor model.Time // how far back to follow the goroutine that waited
	wait  uint64     // its turn
	index int32      // of the wait around it
}

// Reasons that the runtime does not have. All but Assist are for segments that are
// Unknown.
const (
	// CutOff is for what is no longer kept.
	CutOff = "cut off"
	// Damaged is for what is in a part of the trace that cannot be read.
	Damaged = "damaged"
	// NoCreator is for the time before a goroutine whose creator is not known: a timer
	// or C created it, or it was created in a damaged part.
	NoCreator = "no creator"
	// NoEnd is for a unit that no known goroutine ended.
	NoEnd = "no end"

	// LeftOut is for the oldest part of a long path, see [Unit.Path].
	LeftOut = "left out"

	// Assist is for running segments in which the goroutine had to help the garbage
	// collector to mark, because it allocated.
	Assist = "GC mark assist"

	otherReason = "other"
)

// stepsPerState bounds the steps of all walks together: on average, a state may be on the
// paths of this many units. Without the bound, the time for a chain of goroutines that
// wait for each other grows with the square of its length.
const stepsPerState = 16

// walk finds the path of a unit that began at from, and ended at a moment in a turn with
// the goroutine at a stack. The path is valid until the next walk.
func (h *history) walk(n uint64, from, at model.Time, stack int32) *path {
	p := &h.path
	p.segments, p.waits = p.segments[:0], p.waits[:0]
	h.frames = h.frames[:0]
	t, floor, around := at, from, int32(-1)
	for {
		if t <= floor {
			last := len(h.frames) - 1
			if last < 0 {
				return p
			}
			// The goroutine that waited, before it did.
			fr := h.frames[last]
			h.frames = h.frames[:last]
			floor, around = fr.floor, fr.index
			if t > floor {
				// The wait was kept when the walk came by, and still is.
				s := h.ring.at(fr.wait)
				n, stack = s.before(fr.wait, stack)
				if n == 0 {
					p.unknown(floor, t, around, reasonNoCreator)
					t = floor
				}
			}
			continue
		}
		if h.steps >= stepsPerState*h.states+chunkSize || !h.ring.has(n) {
			p.unknown(floor, t, around, reasonCutOff)
			t = floor
			continue
		}
		s := h.ring.at(n)
		kind, start := s.at(t)
		start = max(start, floor)
		if s.waker != 0 && kind == model.Waiting && start < t {
			p.waits = append(p.waits, wait{
				start: start, end: t, goid: s.goid, task: s.task, stack: s.stack, wakerStack: s.wakerStack,
				fn: h.funcOf(s), outer: around, reason: s.reason,
			})
			h.frames = append(h.frames, frame{floor, n, around})
			floor, around = start, int32(len(p.waits)-1)
			n, stack = n+uint64(s.waker), s.wakerStack
			continue
		}
		h.steps++
		if start < t {
			// One by one, not all at once, as for a turn.
			x := p.grow()
			x.start, x.end, x.goid, x.task, x.fn = start, t, s.goid, s.task, h.funcOf(s)
			x.stack, x.wait, x.kind, x.reason = s.place(kind, stack), around, kind, 0
			if kind == s.kind {
				x.reason = s.reason
			}
			if kind == model.Running && s.entered(kind) == 0 && h.samples.n > 0 {
				h.divide(p)
			} else {
				p.join()
			}
			t = start
		}
		if t > floor && kind == s.kind {
			n, stack = s.before(n, stack)
			if n == 0 {
				p.unknown(floor, t, around, reasonNoCreator)
				t = floor
			}
		}
	}
}

// entered returns the stack at which the goroutine entered a state of the turn, 0 if the
// trace has none for that.
func (s *turn) entered(kind model.StateKind) int32 {
	if kind != s.kind {
		return 0
	}
	return s.stack
}

// before returns the turn before s, which is turn n; 0 for none. stack is that at which
// it ended. ended is the stack at which the first state of s ended.
func (s *turn) before(n uint64, ended int32) (prev uint64, stack int32) {
	if s.prev != 0 {
		prev = n + uint64(s.prev)
	}
	switch {
	case s.first:
		return prev, s.from
	case s.kind == model.Running && s.stack == 0:
		return prev, ended // s may be a later part of the same run
	}
	return prev, s.stack
}

// place returns the stack that says most about a state: where the goroutine waited, made
// a system call or was preempted; where it stopped running; or, if that is not known,
// the last known place before.
func (s *turn) place(kind model.StateKind, stopped int32) int32 {
	switch {
	case kind == model.Running && s.entered(kind) == 0 && stopped != 0:
		return stopped
	case s.stack != 0:
		return s.stack
	}
	return s.from
}

// funcOf returns the start function of the goroutine of a turn, also if it became known
// later.
func (h *history) funcOf(s *turn) int32 {
	if s.fn == 0 {
		if g := h.slots.At(int(s.slot)); g.id == s.goid {
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

// grow adds a segment before all others. The caller fills it and calls join.
func (p *path) grow() *segment {
	p.segments = append(p.segments, segment{})
	return &p.segments[len(p.segments)-1]
}

// join joins the last two segments if they are parts of the same one.
func (p *path) join() {
	n := len(p.segments)
	if n < 2 {
		return
	}
	l, s := &p.segments[n-2], &p.segments[n-1]
	if l.goid == s.goid && l.kind == s.kind && l.kind == model.Running && l.reason == s.reason && l.stack == s.stack && l.sampled == s.sampled && l.wait == s.wait && l.task == s.task {
		l.start = s.start
		p.segments = p.segments[:n-1]
	}
}

// add adds a segment and joins it.
func (p *path) add(s segment) {
	*p.grow() = s
	p.join()
}
