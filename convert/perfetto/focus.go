package perfetto

import (
	"fmt"

	"github.com/trace2x/trace2x/model"
)

// focus limits a trace to a selection of goroutines. If the selection names tasks, it
// limits the trace to the time in which goroutines work for them. A goroutine has a
// lane as long as it is in focus. What else runs on the Ps is shown as other
// goroutines, with one lane for each P. A goroutine out of focus has a lane of its own
// only for the runs in which it wakes one in focus.
type focus struct {
	selection *model.Selection
	found     model.Found
	tasks     *model.SelectedTasks
	others    map[model.ProcID]*lane
	// turns has, for each P, when the goroutine that holds it came into focus or
	// left it, since its run began.
	turns map[model.ProcID][]turn
}

// goroutineFocus is what the writer knows of a goroutine because of the focus.
type goroutineFocus struct {
	works   int              // for tasks in focus
	creator *model.Goroutine // as long as the goroutine is being announced
	decided bool             // whether the selection has the goroutine
	in      bool             // it does
	waker   *lane            // for runs in which it wakes up others, out of focus
	woke    bool             // in this run
}

// turn is a moment at which a goroutine comes into focus, or leaves it.
type turn struct {
	time model.Time
	lane *lane
	in   bool
}

// otherFunc is the process of the goroutines that are not in focus.
const otherFunc = "(other goroutines)"

// newFocus returns nil for everything.
func newFocus(s *model.Selection) *focus {
	if s.All() {
		return nil
	}
	f := &focus{
		selection: s,
		others:    make(map[model.ProcID]*lane),
		turns:     make(map[model.ProcID][]turn),
	}
	f.tasks = model.NewSelectedTasks(s, &f.found)
	return f
}

// decide decides whether a goroutine is in focus from t on, as soon as its start
// function is known if that matters. For a goroutine from before the trace, that may be
// with a later state; the states before it are then shown as other goroutines'. late
// says that t is in the past.
func (w *Writer) decide(g *model.Goroutine, gr *goroutine, t model.Time, late bool) {
	f := w.focus
	if gr.focus.decided {
		return
	}
	if gr.focus.in, gr.focus.decided = f.selection.Goroutine(g); !gr.focus.in {
		return
	}
	f.found.Goroutines++
	if !f.selection.ByTask() {
		w.focusOn(g, gr, t, late)
	} else if gr.focus.works > 0 {
		w.focusOn(g, gr, max(t, gr.since), late)
	}
}

func (w *Writer) WorkStart(work *model.Work) {
	if w.slowest != nil {
		w.slowest.WorkStart(work)
	}
	w.focusOnWork(work)
	if gr := w.goroutine(work.Goroutine); gr.lane != nil {
		w.tasks.worked(work, gr.lane)
	}
}

// focusOnWork shows a goroutine that is at work for a selected task.
func (w *Writer) focusOnWork(work *model.Work) {
	if w.focus == nil || !w.focus.tasks.Has(work.Task) {
		return
	}
	g := work.Goroutine
	gr := w.goroutine(g)
	if gr.focus.works++; gr.focus.works > 1 {
		return
	}
	gr.since = work.Start
	if w.decide(g, gr, work.Start, false); gr.focus.in && gr.lane == nil {
		w.focusOn(g, gr, work.Start, false)
	}
}

func (w *Writer) WorkEnd(work *model.Work) {
	if w.slowest != nil {
		w.slowest.WorkEnd(work)
	}
	if w.focus == nil || !w.focus.tasks.Has(work.Task) {
		return
	}
	g := work.Goroutine
	gr := w.goroutine(g)
	if gr.focus.works--; gr.focus.works == 0 && gr.lane != nil && w.focus.selection.ByTask() {
		w.focusOff(g, gr, work.End)
	}
}

// focusOn gives a goroutine a lane from t on.
func (w *Writer) focusOn(g *model.Goroutine, gr *goroutine, t model.Time, late bool) {
	gr.lane, gr.since = w.lanes.take(g, t, false), t
	if t == g.Start && !g.Before && !late {
		w.created(g, gr, gr.focus.creator)
		return
	}
	if t != gr.edge {
		w.beginLifetime(g, gr, t, nil, true) // else it is an edge
	}
	switch s := g.Current(); {
	case g.OnProc():
		w.focus.turns[s.Proc] = append(w.focus.turns[s.Proc], turn{t, gr.lane, true})
	case t > g.Start: // else its first state tells
		w.packets.setState(gr.lane.tid, t, outsideState(s.Kind))
	}
}

// focusOff takes the lane of a goroutine back at t. If the goroutine ends, its states
// have been written.
func (w *Writer) focusOff(g *model.Goroutine, gr *goroutine, t model.Time) {
	s := g.Current()
	if g.End != t {
		s.End, s.Next = t, s.Kind
		if s.Kind == model.Syscall && g.OnProc() {
			s.ProcLost = t
		}
		w.state(g, gr, &s)
		if g.OnProc() {
			w.focus.turns[s.Proc] = append(w.focus.turns[s.Proc], turn{t, gr.lane, false})
		} else {
			w.packets.setState(gr.lane.tid, t, stateGone)
		}
	}
	w.leaveLane(g, gr, t, g.Open)
}

// focusedRun writes a run of a goroutine that was in focus only for parts of it.
func (w *Writer) focusedRun(r *model.Run, gr *goroutine, endState byte) {
	start, last := r.Start, gr.lane
	for _, turn := range w.focus.turns[r.Proc] {
		if turn.in {
			w.otherRun(r, gr, start, turn.time)
			last = turn.lane
		} else {
			w.ran(r.Proc, turn.lane, start, turn.time, taskDead)
			last = nil
		}
		start = turn.time
	}
	delete(w.focus.turns, r.Proc)
	if last != nil {
		w.ran(r.Proc, last, start, r.End, endState)
	} else {
		w.otherRun(r, gr, start, r.End)
	}
	gr.focus.woke = false
}

// otherRun writes the part of a run in which the goroutine was not in focus.
func (w *Writer) otherRun(r *model.Run, gr *goroutine, start, end model.Time) {
	if start == end {
		return
	}
	if gr.focus.woke {
		l := gr.focus.waker
		w.ran(r.Proc, l, start, end, taskWaiting)
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
		l = w.lanes.newLane()
		w.lanes.describeAs(l, otherFunc, fmt.Sprintf("others on P%d", r.Proc))
		w.focus.others[r.Proc] = l
	}
	w.ran(r.Proc, l, start, end, taskWaiting)
}

// wakerLane returns the lane of a goroutine that wakes another one.
func (w *Writer) wakerLane(g *model.Goroutine) *lane {
	gr := w.goroutine(g)
	if gr.lane != nil {
		return gr.lane
	}
	if gr.focus.waker == nil {
		gr.focus.waker = w.lanes.take(g, g.Start, true) // its run has begun before
	}
	gr.focus.woke = g.OnProc()
	return gr.focus.waker
}

// giveBackWaker takes back the lane on which a goroutine that ended woke others, if it
// has one.
func (w *Writer) giveBackWaker(g *model.Goroutine, gr *goroutine) {
	if l := gr.focus.waker; l != nil {
		w.lanes.describe(l, g, true)
		w.lanes.giveBack(g.ID, l, g.End)
	}
}

// outsideState returns the state of a goroutine that is not on a P.
func outsideState(k model.StateKind) uint64 {
	switch k {
	case model.Runnable:
		return stateRunnable
	case model.Syscall:
		return stateSyscall
	}
	return stateWaiting
}
