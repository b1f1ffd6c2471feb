package model

// Task is a runtime/trace.Task.
type Task struct {
	ID TaskID
	// Type is the name that the program gave, which may be "". It is "" too, and
	// TypeUnknown is set, if the trace does not have it: the task began before it.
	Type        string
	TypeUnknown bool
	// ParentID is BackgroundTask for a task without parent. Parent is nil for
	// such a task. In TaskStart it is nil too if the parent had ended when the task
	// began; in TaskEnd it is the next ancestor that is open, nil for none. It is
	// only valid in these two.
	ParentID TaskID
	Parent   *Task
	// Goroutine began the task, at Stack; nil if it began before the trace.
	// It is only valid until TaskStart returns.
	Goroutine *Goroutine
	Stack     *Stack
	// Start and End are the edges of the trace if Before and Open are set. End
	// and Open are valid in TaskEnd.
	Start, End   Time
	Before, Open bool
	// EndGoroutine ended the task, at EndStack; valid in TaskEnd, nil if Open.
	EndGoroutine *Goroutine
	EndStack     *Stack
	// Span is the span of OpenTelemetry that the task is; nil if it is none, or
	// if the trace does not tell, as for a task from before it.
	Span *SpanContext
	// DatadogSpanID is the ID of the span of dd-trace-go that the task is, 0 if
	// it is none. It is valid in TaskEnd.
	DatadogSpanID uint64

	works []*Work
	few   [2]*Work // the memory of works, if there are no more
	up    *Task    // the parent, or an ancestor further up if that has ended; see parent
	depth int      // more than that of its ancestors
	ended bool
}

// parent returns the next ancestor that is open, nil for none.
func (t *Task) parent() *Task {
	t.up = t.up.open()
	return t.up
}

// open returns the task if it is open, else the next ancestor that is; nil for none.
// It shortens the way there, so that ended tasks do not pile up.
func (t *Task) open() *Task {
	top := t
	for top != nil && top.ended {
		top = top.up
	}
	for t != top && t.up != top {
		t, t.up = t.up, top
	}
	return top
}

// task returns the open task with this ID. A task that the trace names without
// having begun it is from before the trace, unless it has ended: the numbers
// grow, so that one below all that began in the trace is older than the trace.
func (b *builder) task(id TaskID) *Task {
	if id == BackgroundTask {
		return nil
	}
	if t := b.tasks[id]; t != nil {
		return t
	}
	if id >= b.firstTask || b.endedOld[id] {
		return nil
	}
	t := &Task{ID: id, TypeUnknown: true, Start: b.since, Before: true}
	b.openTask(t)
	return t
}

func (b *builder) openTask(t *Task) {
	g := t.Goroutine
	b.tasks[t.ID] = t
	b.taskOrder = append(b.taskOrder, t)
	b.sink.TaskStart(t)
	t.Parent, t.Goroutine = nil, nil
	if g != nil {
		b.sign(g, t, t.Start)
	}
}

func (b *builder) taskBegun(t *Task) {
	if b.tasks[t.ID] != nil || b.endedOld[t.ID] {
		b.misuse("task begun twice")
		return
	}
	b.firstTask = min(b.firstTask, t.ID)
	if t.Goroutine != nil {
		t.Goroutine.forgetEnded()
	}
	t.Span = b.spanOf(t.Goroutine, t.Type)
	if t.ParentID != BackgroundTask && t.ParentID != t.ID {
		t.Parent = b.task(t.ParentID)
	}
	if t.Parent != nil {
		t.up, t.depth = t.Parent, t.Parent.depth+1
	}
	b.openTask(t)
}

// taskEnded ends a task. Ending one again has no effect.
func (b *builder) taskEnded(id TaskID, g *Goroutine, stack *Stack, now Time) {
	t := b.task(id)
	if t == nil {
		if id != BackgroundTask {
			b.misuse("task ended that is not open")
		}
		return
	}
	if t.Before {
		b.endedOld[id] = true
	}
	if g != nil {
		g.own().ended = endedTask{id, t.Before, t.Span}
	}
	t.ended = true
	b.endWork(t, now)
	t.EndGoroutine, t.EndStack = g, stack
	t.End, t.Parent = now, t.parent()
	b.sink.TaskEnd(t)
	t.EndGoroutine, t.Parent = nil, nil
	delete(b.tasks, id)
	b.forgetEnded()
}

// forgetEnded drops ended tasks from the order of the beginnings, now and then.
func (b *builder) forgetEnded() {
	if len(b.taskOrder) < 64 || len(b.taskOrder) < 2*len(b.tasks) {
		return
	}
	alive := b.taskOrder[:0]
	for _, t := range b.taskOrder {
		if b.tasks[t.ID] == t {
			alive = append(alive, t)
		}
	}
	clear(b.taskOrder[len(alive):])
	b.taskOrder = alive
}
