package profiles

import (
	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/model"
)

// spans says to which spans samples lead: those of the program and, with own, those that
// package otel sends for the other tasks. What belongs to a task without a span leads to
// the span of the task around it.
type spans struct {
	opts     *Options
	ids      otel.SpanIDs
	selected *model.SelectedTasks
	tasks    map[*model.Task]*taskSpan // open ones that are selected
	ended    *taskSpan                 // the last one from before the trace that ended
	early    model.BySlot[early]
}

var _ pprof.Spans = (*spans)(nil)

// taskSpan is the span of a task. It is zero if there is none.
type taskSpan struct {
	model.SpanContext
	id  model.TaskID
	old *taskSpan // the task from before the trace that this one is part of; nil for none
	// within are the tasks that are part of this one from before the trace: they are in
	// its trace.
	within []*taskSpan
}

// maxWithin is the number of tasks within one from before the trace that are in its
// trace also if that is known only when it ends.
const maxWithin = 10_000

// early is what a goroutine from before the trace did before it began to work for a task
// that is known. It may turn out that this was for a span from before the trace.
type early struct {
	span  *model.SpanContext // zero while it is not known; nil for none
	since model.Time
	done  bool      // it has begun to work for a task
	task  *taskSpan // which is part of this one; nil for none
}

func newSpans(opts *Options) *spans {
	return &spans{opts: opts, selected: model.NewSelectedTasks(&opts.Selection, &model.Found{}), tasks: make(map[*model.Task]*taskSpan)}
}

func (s *spans) begin(t *model.Trace) { s.ids = otel.NewSpanIDs(t) }

func (s *spans) taskStarted(t *model.Task) {
	if s.opts.ByTask() && !s.selected.Start(t) {
		return
	}
	x := &taskSpan{id: t.ID}
	parent := s.tasks[t.Parent]
	switch {
	case s.opts.OwnSpans && parent != nil:
		x.SpanContext = s.ids.Task(t, &parent.SpanContext)
	case s.opts.OwnSpans:
		x.SpanContext = s.ids.Task(t, nil)
	case t.Span != nil:
		x.SpanContext = *t.Span
	case parent != nil:
		x.SpanContext = parent.SpanContext
	}
	switch {
	case t.Before && t.TypeUnknown:
		x.old = x
	case parent != nil && parent.old != nil:
		x.old = parent.old
		if len(x.old.within) < maxWithin {
			x.old.within = append(x.old.within, x)
		}
	}
	s.tasks[t] = x
}

func (s *spans) taskEnded(t *model.Task) {
	if x := s.tasks[t]; x != nil && x.old == x {
		s.ended = x
	}
	s.selected.End(t)
	delete(s.tasks, t)
}

func (s *spans) goroutineStarted(g *model.Goroutine) {
	e := s.early.Of(g)
	*e = early{}
	if g.Before && !s.opts.ByTask() {
		*e = early{span: &model.SpanContext{}, since: g.Start}
	}
}

func (s *spans) workStarted(w *model.Work) {
	if e := s.early.Of(w.Goroutine); !e.done {
		e.done = true
		if x := s.tasks[w.Task]; x != nil {
			e.task = x.old
		}
	}
}

// oldSpan takes a span from before the trace that ended. What is known of it becomes
// linked to it: its task, and what its goroutine did since the trace began.
func (s *spans) oldSpan(o *model.OldSpan) {
	var task *taskSpan
	if x := s.ended; x != nil && x.id == o.TaskID && o.TaskID != model.BackgroundTask {
		task = x
		before := x.SpanContext
		x.SpanContext = o.SpanContext
		for _, y := range x.within {
			switch {
			case y.SpanContext == before:
				y.SpanContext = o.SpanContext // it has none of its own
			case y.TraceID == before.TraceID:
				y.TraceID = o.TraceID
			}
		}
	}
	s.ended = nil
	if e := s.early.Of(o.Goroutine); e.span != nil && o.Start <= e.since && (!e.done || task != nil && e.task == task) {
		*e.span = o.SpanContext
		e.span, e.done = nil, true
	}
}

// Goroutine implements [pprof.Spans].
func (s *spans) Goroutine(g *model.Goroutine) *model.SpanContext {
	if w := g.Work(); w != nil {
		return s.Task(w.Task)
	}
	if e := s.early.Of(g); !e.done {
		return e.span
	}
	return nil
}

// Task implements [pprof.Spans].
func (s *spans) Task(t *model.Task) *model.SpanContext {
	if x := s.tasks[t]; x != nil {
		return &x.SpanContext
	}
	return nil
}
