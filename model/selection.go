package model

import (
	"regexp"
	"slices"
)

// Selection limits what a sink takes to some goroutines, or to the time in which
// these are at work for some tasks. If there are several limits, all must hold. The zero
// value is everything.
type Selection struct {
	// Goroutines has the IDs of goroutines; nil is all.
	Goroutines []GoID
	// Func matches the start functions of goroutines, as Goroutine.Func spells them.
	// A goroutine does not match if the trace never tells its function.
	Func *regexp.Regexp
	// TaskID selects the task with this ID, Task those whose type matches, and TraceID
	// those that are spans of a distributed trace of OpenTelemetry; each with their
	// subtasks, except spans of another distributed trace. The zero values are none.
	// Only the time counts in which a goroutine is at work for them, see [Work].
	TaskID  TaskID
	Task    *regexp.Regexp
	TraceID [16]byte
}

// ByGoroutine reports whether only some goroutines are selected, ByTask whether only
// the work for some tasks is.
func (s *Selection) ByGoroutine() bool { return s.Goroutines != nil || s.Func != nil }
func (s *Selection) ByTask() bool {
	return s.TaskID != BackgroundTask || s.Task != nil || s.TraceID != [16]byte{}
}

// All reports whether everything is selected.
func (s *Selection) All() bool { return !s.ByGoroutine() && !s.ByTask() }

// Goroutine reports whether a goroutine is selected. It is not known as long as that
// depends on a start function that the trace has not told.
func (s *Selection) Goroutine(g *Goroutine) (selected, known bool) {
	switch {
	case s.Goroutines != nil && !slices.Contains(s.Goroutines, g.ID):
		return false, true
	case s.Func == nil:
		return true, true
	case g.Func == "":
		return false, false
	}
	return s.Func.MatchString(g.Func), true
}

// task reports whether a task is one that the limits name.
func (s *Selection) task(t *Task) bool {
	return (s.TraceID == [16]byte{} || t.Span != nil && t.Span.TraceID == s.TraceID) &&
		(s.TaskID == BackgroundTask || t.ID == s.TaskID) &&
		(s.Task == nil || s.Task.MatchString(t.Type))
}

// Found counts what there was of what a selection names: goroutines, if it names
// some, or else all; tasks, without their subtasks; and spans of the distributed
// trace, SpansBefore those of them that began before the trace.
type Found struct{ Goroutines, Tasks, Spans, SpansBefore int }

// Add adds the counts of another trace, or of another part of the same trace.
func (f *Found) Add(more Found) {
	f.Goroutines += more.Goroutines
	f.Tasks += more.Tasks
	f.Spans += more.Spans
	f.SpansBefore += more.SpansBefore
}

// SelectedTasks has the open tasks that a selection names, and their subtasks. A sink
// passes TaskStart and TaskEnd on to it.
type SelectedTasks struct {
	selection *Selection
	found     *Found
	open      map[*Task]bool
}

// NewSelectedTasks returns the tasks that s selects, none open yet. It counts in found.
func NewSelectedTasks(s *Selection, found *Found) *SelectedTasks {
	return &SelectedTasks{s, found, make(map[*Task]bool)}
}

// Start takes a task that began and reports whether it is selected.
func (ts *SelectedTasks) Start(t *Task) bool {
	selected := ts.selects(t)
	if selected {
		ts.open[t] = true
	}
	return selected
}

func (ts *SelectedTasks) selects(t *Task) bool {
	if id := ts.selection.TraceID; id != [16]byte{} && t.Span != nil {
		if t.Span.TraceID != id {
			return false
		}
		ts.found.Spans++
		if t.Before {
			ts.found.SpansBefore++
		}
	}
	if ts.open[t.Parent] {
		return true
	}
	if !ts.selection.task(t) {
		return false
	}
	ts.found.Tasks++
	return true
}

// End takes a task that ended and reports whether it was selected.
func (ts *SelectedTasks) End(t *Task) bool {
	selected := ts.open[t]
	delete(ts.open, t)
	return selected
}

// Has reports whether an open task is selected.
func (ts *SelectedTasks) Has(t *Task) bool { return ts.open[t] }
