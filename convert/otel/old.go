package otel

import (
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// A span from before the trace is known only when it ends. What there is of it until
// then waits:
//
//   - Its task is in a trace of its own, if the trace names the task earlier, as the
//     parent of another. That trace goes below the span.
//   - The goroutine that ends the span was at work for it since the trace began, if the
//     first other sign of its work is part of that task, or if there is none. Until
//     then its states are held as those of a goroutine that works for no task.

// oldTask returns the task from before the trace that a task is part of, as far as its
// span may become known still; nil for none.
func oldTask(task *model.Task, n, parent *node) *node {
	switch {
	case task.Before && task.TypeUnknown && !n.linked:
		return n
	case parent != nil:
		return parent.old
	}
	return nil
}

// turnToWork takes a goroutine out of the program: it is at work for a task. What it did
// before may turn out to belong to a span from before the trace.
func (t *tree) turnToWork(g *model.Goroutine, gr *goroutine, task *node, now model.Time) {
	if gr.alone == nil {
		return
	}
	if !g.Before || task.old == nil || t.opts.Detail < Goroutines {
		t.program.leave(gr)
		return
	}
	gr.early, gr.earlyFor = gr.alone, task.old
	gr.alone = nil
	t.endLane(g, gr.early, now)
}

// endLane ends what a goroutine did since it began.
func (t *tree) endLane(g *model.Goroutine, lane *node, now model.Time) {
	lane.end, lane.startFunc, lane.name = now, g.Func, t.goroutineName(g)
	lane.times = &times.Times{}
	lane.times.Set(new(times.Stint).End(&t.ledger, g, now))
}

// endOldRoot ends the trace of a task from before the trace, which its goroutine ended:
// at once, or when it is known whether it is a span.
func (t *tree) endOldRoot(task *model.Task, n *node) {
	if task.EndGoroutine == nil || task.Open || n.old != n {
		t.critical.whenExplained(func() { t.end(n.root) })
		return
	}
	gr := t.goroutine(task.EndGoroutine)
	t.endWaiting(gr)
	gr.ending = n
}

// endWaiting ends the trace that waits to become known as a span: it does not.
func (t *tree) endWaiting(gr *goroutine) {
	if n := gr.ending; n != nil {
		gr.ending = nil
		t.critical.settle(n.root)
		t.end(n.root)
	}
}

// OldSpan puts what is known of a span from before the trace below it.
func (t *tree) OldSpan(s *model.OldSpan) {
	t.advance(s.End)
	gr := t.goroutine(s.Goroutine)
	task := &model.Task{ID: s.TaskID, Type: s.Name, Before: true, Span: &s.SpanContext}
	wants := t.selection.Start(task) && s.End-s.Start >= t.minTask && t.selected(s.Goroutine)
	t.selection.End(task)

	n := gr.ending
	if n != nil {
		t.critical.settle(n.root)
	}
	if n != nil && s.TaskID == n.task && s.TaskID != model.BackgroundTask && !n.root.begun {
		gr.ending = nil
	} else {
		t.endWaiting(gr)
		n = &node{span: span{kind: kindTask, task: s.TaskID, start: s.Start, before: true, goroutine: model.NoGoroutine, thread: model.NoThread}}
		n.root = &root{node: n}
	}
	lane := gr.alone
	if gr.early != nil && gr.earlyFor == n {
		lane = gr.early
	} else if lane != nil {
		t.endLane(s.Goroutine, lane, s.End)
	}
	t.becomeSpan(n, s, wants)
	if lane != nil {
		t.program.held -= lane.heldCost
		t.oldLane(n, lane, s.Start)
		gr.alone, gr.early, gr.earlyFor = nil, nil, nil
	}
	t.end(n.root)
}

// becomeSpan makes the root of a trace a span that the program sent itself.
func (t *tree) becomeSpan(n *node, s *model.OldSpan, wants bool) {
	r := n.root
	if r.verdict == wanted {
		t.stats.Traces--
	}
	r.spent -= n.paid
	n.paid = 0
	n.id, n.linked, n.sent, n.name, n.end = s.SpanID, true, false, nameOr(s.Name), s.End
	r.trace, r.linked, r.verdict = s.TraceID, 1, unwanted
	if wants {
		t.want(r)
	}
}

// oldLane puts what a goroutine did since the trace began below a span, from when that
// began on.
func (t *tree) oldLane(n, lane *node, from model.Time) {
	lane.task, lane.root, lane.parent = n.task, n.root, n
	n.root.leftOut += lane.dropped
	states := lane.held
	lane.held = nil
	if lane.start < from {
		lane.start, lane.before, lane.times = from, false, nil
	}
	if lane.end <= lane.start {
		return
	}
	t.emitNode(lane)
	for _, x := range states {
		if x.end <= from {
			continue
		}
		x.task = n.task
		x.start = max(x.start, from)
		t.emitLeaf(lane, x)
	}
}
