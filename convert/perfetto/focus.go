package perfetto

import (
	"github.com/trace2x/trace2x/model"
)

// focus limits a trace to what belongs to one distributed trace: the tasks that
// are its spans, with their subtasks, and the goroutines at work for these,
// while they are. A goroutine has a lane as long as it is in focus. What else
// runs on the Ps is there as other goroutines, one lane for each P; only those
// that wake up one in focus have a lane of their own, with the runs in which
// they did.
type focus struct {
	traceID [16]byte
	tasks   map[*model.Task]bool // that are open, whether they are in focus
	spans   int                  // that were in focus
	others  map[model.ProcID]*lane
	// turns has, for each P, when the goroutine that holds it came into focus or
	// left it, since its run began.
	turns map[model.ProcID][]turn
}

// turn is a moment at which a goroutine comes into focus, or leaves it.
type turn struct {
	time model.Time
	lane *lane
	in   bool
}

// otherFunc is the process of the goroutines that are not in focus.
const otherFunc = "(other goroutines)"

func newFocus(traceID [16]byte) *focus {
	return &focus{
		traceID: traceID,
		tasks:   make(map[*model.Task]bool),
		others:  make(map[model.ProcID]*lane),
		turns:   make(map[model.ProcID][]turn),
	}
}

// taskStarted reports whether a task is in focus.
func (f *focus) taskStarted(t *model.Task) bool {
	switch {
	case t.Span != nil:
		if f.tasks[t] = t.Span.TraceID == f.traceID; f.tasks[t] {
			f.spans++
		}
	case t.Parent != nil:
		f.tasks[t] = f.tasks[t.Parent]
	}
	return f.tasks[t]
}

// taskEnded reports whether a task was in focus.
func (f *focus) taskEnded(t *model.Task) bool {
	in := f.tasks[t]
	delete(f.tasks, t)
	return in
}

func (w *Writer) WorkStart(work *model.Work) {
	if w.focus == nil || !w.focus.tasks[work.Task] {
		return
	}
	gr := w.goroutine(work.Goroutine)
	if gr.works++; gr.works == 1 {
		w.focusOn(work.Goroutine, gr, work.Start)
	}
}

func (w *Writer) WorkPause(*model.Work)              {} // it may come back
func (w *Writer) WorkResume(*model.Work, model.Time) {}

func (w *Writer) WorkEnd(work *model.Work, now model.Time) {
	if w.focus == nil || !w.focus.tasks[work.Task] {
		return
	}
	g := work.Goroutine
	gr := w.goroutine(g)
	if gr.works--; gr.works == 0 {
		w.focusOff(g, gr, now)
	}
}

// focusOn gives a goroutine a lane from t on.
func (w *Writer) focusOn(g *model.Goroutine, gr *goroutine, t model.Time) {
	gr.lane, gr.since = w.lanes.take(g), t
	if t == g.Start && !g.Before {
		w.created(g, gr, gr.creator)
		return
	}
	w.beginLifetime(g, gr, t, nil)
	if s := g.Current(); g.OnProc() {
		w.focus.turns[s.Proc] = append(w.focus.turns[s.Proc], turn{t, gr.lane, true})
	} else {
		w.sched.setState(gr.lane.tid, t, outsideState(s.Kind))
	}
}

// focusOff takes the lane back, at t. If the goroutine ends, its states have
// been written.
func (w *Writer) focusOff(g *model.Goroutine, gr *goroutine, t model.Time) {
	s := *g.Current()
	if ended := s.End >= s.Start && g.End == t; !ended {
		s.End, s.Next = t, s.Kind
		if s.Kind == model.Syscall && g.OnProc() {
			s.ProcLost = t
		}
		w.state(g, gr, &s)
		if g.OnProc() {
			w.focus.turns[s.Proc] = append(w.focus.turns[s.Proc], turn{t, gr.lane, false})
		} else {
			w.sched.setState(gr.lane.tid, t, stateGone)
		}
	}
	for ; gr.regions > 0; gr.regions-- {
		w.events.end(gr.lane.track, t)
	}
	w.lanes.describe(gr.lane, g, true)
	if !g.Open {
		w.events.end(gr.lane.track, t)
	}
	w.samplesOf(gr)
	w.lanes.giveBack(gr.lane)
	gr.lane = nil
}

// focusedRun writes a run of a goroutine that was in focus only for parts of it.
func (w *Writer) focusedRun(r *model.Run, gr *goroutine, endState uint64) {
	start, last := r.Start, gr.lane
	for _, turn := range w.focus.turns[r.Proc] {
		if turn.in {
			w.otherRun(r, gr, start, turn.time)
			last = turn.lane
		} else {
			w.sched.run(r.Proc, turn.lane.tid, start, turn.time, taskDead)
			last = nil
		}
		start = turn.time
	}
	delete(w.focus.turns, r.Proc)
	if last != nil {
		w.sched.run(r.Proc, last.tid, start, r.End, endState)
	} else {
		w.otherRun(r, gr, start, r.End)
	}
	gr.woke = false
}

// otherRun writes the part of a run in which the goroutine was not in focus.
func (w *Writer) otherRun(r *model.Run, gr *goroutine, start, end model.Time) {
	if start == end {
		return
	}
	if gr.woke {
		l := gr.waker
		w.sched.run(r.Proc, l.tid, start, end, taskWaiting)
		e := w.events
		e.event(sliceBegin, l.track, start)
		e.category(catGoroutine)
		e.uniqueName("G", int64(r.Goroutine.ID))
		e.endEvent()
		e.end(l.track, end)
		return
	}
	l := w.focus.others[r.Proc]
	if l == nil {
		l = &lane{tid: w.lanes.newID(), track: w.lanes.newTrack()}
		w.lanes.describeAs(l, otherFunc, otherFunc)
		w.focus.others[r.Proc] = l
	}
	w.sched.run(r.Proc, l.tid, start, end, taskWaiting)
}

// wakerLane returns the lane of a goroutine that wakes up another one.
func (w *Writer) wakerLane(g *model.Goroutine) *lane {
	gr := w.goroutine(g)
	if gr.lane != nil {
		return gr.lane
	}
	if gr.waker == nil {
		gr.waker = w.lanes.take(g)
	}
	gr.woke = g.OnProc()
	return gr.waker
}

// outsideState is the state of a goroutine that is not on a P.
func outsideState(k model.StateKind) uint64 {
	switch k {
	case model.Runnable:
		return stateRunnable
	case model.Syscall:
		return stateSyscall
	}
	return stateWaiting
}
