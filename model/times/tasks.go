package times

import "github.com/trace2x/trace2x/model"

// Tasks adds up what goroutines spend their time on for tasks, see [model.Work]. A
// task's times have the times of its subtasks that ended.
type Tasks struct {
	ledger *Ledger
	open   map[*model.Task]*Times
	works  model.BySlot[*taskStint] // nil for goroutines that never were at work
}

// taskStint is a goroutine at work for a task, as long as that does not change.
type taskStint struct {
	task *Times // nil for none
	Stint
}

// NewTasks returns a Tasks without open tasks. The sink owns the ledger, and passes the
// calls about goroutines on to it.
func NewTasks(l *Ledger) *Tasks { return &Tasks{ledger: l, open: make(map[*model.Task]*Times)} }

// Start begins a task and returns its times, which add up until End.
func (ts *Tasks) Start(t *model.Task) *Times {
	times := &Times{}
	ts.open[t] = times
	return times
}

// End ends a task and returns its times, which then belong to the caller.
func (ts *Tasks) End(t *model.Task) *Times {
	times := ts.open[t]
	delete(ts.open, t)
	if parent := ts.open[t.Parent]; parent != nil {
		parent.Add(times)
	}
	return times
}

// Turn notes that a work of the goroutine begins or ends now. If counts, the time up to
// now belongs to the task that the goroutine has worked for.
func (ts *Tasks) Turn(g *model.Goroutine, now model.Time, counts bool) {
	at := ts.works.Of(g)
	st := *at
	if st != nil && st.task != nil {
		if counts {
			st.task.Add(st.End(ts.ledger, g, now))
		}
		st.task = nil
	}
	w := g.Work()
	if w == nil || ts.open[w.Task] == nil {
		return
	}
	if st == nil {
		st = &taskStint{}
		*at = st
	}
	st.task = ts.open[w.Task]
	st.Begin(ts.ledger, g, now)
}
