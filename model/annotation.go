package model

// Task is a runtime/trace.Task.
type Task struct {
	ID TaskID
	// Type is "" for a task from before the trace, whose type is not in it.
	Type string
	// ParentID is BackgroundTask for a task without parent. Parent is nil for
	// such a task, and if the parent had ended when the task began; it is only
	// valid until TaskStart of this task returns.
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
}

// Region is a runtime/trace.Region. The regions of a goroutine nest.
type Region struct {
	Goroutine *Goroutine
	Type      string
	// TaskID is BackgroundTask for a region without a task. Task is nil for
	// such a region, and if the task had ended when the region began; it is only
	// valid until RegionStart returns.
	TaskID TaskID
	Task   *Task
	// Stack is where the region began, EndStack where it ended; nil if unknown.
	Stack, EndStack *Stack
	// Start and End are the edges of the trace if Before and Open are set. A
	// region that its goroutine never ended ends with the goroutine. End, Open
	// and EndStack are valid in RegionEnd.
	Start, End   Time
	Before, Open bool

	atWork bool // is a reason for Work
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
	t := &Task{ID: id, Start: b.since, Before: true}
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
		b.work(t, g, t.Start)
	}
}

func (b *builder) taskBegun(t *Task) {
	if b.tasks[t.ID] != nil || b.endedOld[t.ID] {
		b.inconsistent("task begun twice")
		return
	}
	b.firstTask = min(b.firstTask, t.ID)
	t.Span = b.spanOf(t.Goroutine, t.Type)
	if t.ParentID != BackgroundTask {
		t.Parent = b.task(t.ParentID)
	}
	b.openTask(t)
}

// taskEnded ends a task. Ending one again, which programs may do, has no effect.
func (b *builder) taskEnded(id TaskID, g *Goroutine, stack *Stack, now Time) {
	t := b.task(id)
	if t == nil {
		return
	}
	if t.Before {
		b.endedOld[id] = true
	}
	t.EndGoroutine, t.EndStack = g, stack
	b.endWork(&t.works, now)
	t.End = now
	b.sink.TaskEnd(t)
	t.EndGoroutine = nil
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

func (b *builder) regionBegun(r *Region) {
	r.Goroutine.regions = append(r.Goroutine.regions, r)
	if r.Task != nil {
		r.atWork = true
		b.work(r.Task, r.Goroutine, r.Start)
	}
	b.sink.RegionStart(r)
	r.Task = nil
}

// regionEnded ends the innermost region of a goroutine; one that the trace did
// not begin is from before it.
func (b *builder) regionEnded(g *Goroutine, id TaskID, typ string, stack *Stack, now Time) {
	n := len(g.regions)
	if n == 0 {
		r := &Region{Goroutine: g, Type: typ, TaskID: id, Task: b.task(id), Start: b.since, Before: true}
		b.sink.RegionStart(r)
		r.Task = nil
		b.regionClosed(r, now, stack)
		return
	}
	r := g.regions[n-1]
	g.regions = g.regions[:n-1]
	if r.Type != typ || r.TaskID != id {
		b.inconsistent("region ended that is not the innermost one")
	}
	b.regionClosed(r, now, stack)
}

func (b *builder) regionClosed(r *Region, now Time, stack *Stack) {
	r.End, r.EndStack = now, stack
	b.sink.RegionEnd(r)
	if r.atWork {
		b.leftRegion(r.Goroutine, r.TaskID, now)
	}
}
