package otel

import (
	"slices"

	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// Stats counts what became spans.
type Stats struct {
	// Traces is the number of traces that are made here, Linked that of tasks
	// that are spans of OpenTelemetry and have their runtime lanes below these,
	// Filtered that of root tasks that are not wanted.
	Traces, Linked, Filtered int
	// Spans counts spans by what they stand for: program, task, region,
	// goroutine, state, gc.
	Spans map[string]int
	// LeftOut counts spans that the limit of a trace left out.
	LeftOut int
	// Found is what there was of Options.Selection.
	Found model.Found
}

// tree is the sink that decides which spans there are, and hands each to out
// when it is complete: encoded, and only until out returns.
type tree struct {
	model.NopSink
	opts    Options
	minSpan model.Time
	minTask model.Time
	out     func(span []byte) // nil if they are only counted
	failed  func() error

	trace      model.Trace
	summary    *model.Summary // when all has been read
	now        model.Time
	ids        ids
	mapping    *mapping
	counts     [numKinds]int
	stats      Stats
	program    *program // nil if it is not wanted
	tasks      map[*model.Task]*node
	selection  *model.SelectedTasks
	goroutines model.BySlot[goroutine]
	ledger     times.Ledger
	regions    map[*model.Region]*node
	oldRegions uint64 // that began before the trace
}

// goroutine is what the tree knows of one.
type goroutine struct {
	stints []*node // that are open, the innermost last
	alone  *node   // what belongs to no task, for the program's trace
}

var _ model.Sink = (*tree)(nil)

func newTree(opts Options, out func(span []byte), failed func() error) *tree {
	t := &tree{
		opts:    opts,
		minSpan: model.Time(opts.MinSpan),
		minTask: model.Time(opts.MinTask),
		out:     out,
		failed:  failed,
		tasks:   make(map[*model.Task]*node),
		regions: make(map[*model.Region]*node),
		stats:   Stats{Spans: make(map[string]int)},
	}
	t.selection = model.NewSelectedTasks(&t.opts.Selection, &t.stats.Found)
	return t
}

func (t *tree) Err() error { return t.failed() }

func (t *tree) Begin(tr *model.Trace) {
	t.trace, t.now = *tr, tr.Start
	t.ids = newIDs(tr.Fingerprint)
	t.mapping = newMapping(t.opts.WallStart, tr.Start, &t.ledger.Reasons)
	if !t.opts.filtered() {
		t.program = newProgram(t)
	}
}

func (t *tree) Sync(s *model.Sync) {
	if s.Clock != nil {
		t.mapping.setClock(s.Clock)
	}
}

// emit hands on a span of a trace, or keeps it until it is known whether the
// trace is wanted.
func (t *tree) emit(r *root, s *span) {
	if r.verdict == undecided && t.now-r.node.start >= t.minTask {
		t.want(r)
	}
	switch r.verdict {
	case undecided:
		r.pending = append(r.pending, s)
	case wanted:
		t.send(r, s)
	}
}

func (t *tree) send(r *root, s *span) {
	t.counts[s.kind]++
	if t.out != nil {
		t.out(t.mapping.span(r.trace, s))
	}
}

func (t *tree) want(r *root) {
	r.verdict = wanted
	t.stats.Linked += r.linked
	if !r.node.linked {
		t.stats.Traces++
	}
	for _, s := range r.pending {
		t.send(r, s)
	}
	r.pending = nil
}

func (t *tree) goroutine(g *model.Goroutine) *goroutine {
	return t.goroutines.Of(g)
}

// selected reports whether a goroutine is selected, as far as is known now.
func (t *tree) selected(g *model.Goroutine) bool {
	selected, _ := t.opts.Selection.Goroutine(g)
	return selected
}

func (t *tree) TaskStart(task *model.Task) {
	t.advance(task.Start)
	parent := t.tasks[task.Parent]
	asked := t.selection.Start(task)
	if !asked {
		if task.Parent == nil {
			t.stats.Filtered++
		}
		if parent == nil {
			return
		}
	}
	n := &node{asked: asked, span: span{
		kind:       kindTask,
		name:       taskName(task),
		start:      task.Start,
		before:     task.Before,
		stack:      task.Stack,
		times:      &times.Times{},
		task:       task.ID,
		parentTask: task.ParentID,
		goroutine:  model.NoGoroutine,
		thread:     model.NoThread,
	}}
	if g := task.Goroutine; g != nil {
		n.goroutine, n.startFunc = g.ID, g.Func
	}
	trace := t.ids.trace(task.ID)
	if task.Span != nil {
		trace, n.id, n.linked = task.Span.TraceID, task.Span.SpanID, true
	} else {
		n.id = t.ids.span(kindTask, uint64(task.ID))
	}
	if parent != nil && asked == parent.asked && (!n.linked || parent.root.trace == trace) {
		n.root, n.parent = parent.root, parent
		n.span.parent = parent.as()
	} else {
		n.root = &root{trace: trace, node: n}
		switch {
		case !asked:
			// What its goroutines do in it is not the parent's all the same.
			n.root.verdict = unwanted
		case t.minTask == 0:
			t.want(n.root)
		}
	}
	switch {
	case !n.linked:
		n.sent = n.root.reserve(t.opts.MaxSpansPerTrace)
	case n.root.verdict == wanted:
		t.stats.Linked++
	default:
		n.root.linked++
	}
	t.tasks[task] = n
}

func (t *tree) TaskEnd(task *model.Task) {
	t.advance(task.End)
	t.selection.End(task)
	n := t.tasks[task]
	if n == nil {
		return
	}
	delete(t.tasks, task)
	n.end, n.open, n.datadogSpan = task.End, task.Open, task.DatadogSpanID
	if n.name == "" {
		n.name = taskName(task)
	}
	if n.root.node == n && n.root.verdict != unwanted {
		n.leftOut = n.root.leftOut
		t.stats.LeftOut += n.leftOut
		if n.root.verdict == undecided && task.End-task.Start < t.minTask {
			n.root.verdict, n.root.pending = unwanted, nil
			t.stats.Filtered++
		}
	}
	if n.sent {
		t.emit(n.root, &n.span)
	}
}

func (t *tree) WorkStart(work *model.Work) {
	task, g := t.tasks[work.Task], work.Goroutine
	if task == nil || !t.selected(g) {
		return // not wanted
	}
	gr := t.goroutine(g)
	t.program.leave(gr)
	w := &node{
		span: span{
			kind:      kindGoroutine,
			id:        t.ids.span(kindGoroutine, uint64(work.Task.ID), uint64(g.ID), uint64(work.Start)),
			start:     work.Start,
			before:    g.Before && work.Start == t.trace.Start,
			task:      work.Task.ID,
			goroutine: g.ID,
			thread:    model.NoThread,
		},
		g: g, root: task.root, parent: task, task: task, work: work,
	}
	w.stint.Begin(&t.ledger, g, work.Start)
	w.span.parent = task.as()
	w.sent = t.opts.Detail >= Goroutines && w.root.reserve(t.opts.MaxSpansPerTrace)
	gr.stints = append(gr.stints, w)
}

// stint returns the stint of the work, nil if it is not wanted.
func (t *tree) stint(work *model.Work) *node {
	for _, w := range t.goroutine(work.Goroutine).stints {
		if w.work == work {
			return w
		}
	}
	return nil
}

func (t *tree) WorkPause(work *model.Work) {
	if w := t.stint(work); w != nil {
		w.stint.Pause(&t.ledger, work.Goroutine, work.End)
	}
}

// WorkResume makes the pause count.
func (t *tree) WorkResume(work *model.Work, _ model.Time) {
	w := t.stint(work)
	if w == nil {
		return
	}
	w.stint.Resume()
	for _, x := range w.held {
		if w.root.reserve(t.opts.MaxSpansPerTrace) {
			t.emit(w.root, x)
		}
	}
	w.held = nil
}

func (t *tree) WorkEnd(work *model.Work, _ model.Time) {
	if w := t.stint(work); w != nil {
		t.stintEnded(w, work.End)
		w.task.times.Add(w.times)
	}
}

// stintEnded ends a stint; end is the last moment that counts.
func (t *tree) stintEnded(w *node, end model.Time) {
	g := w.g
	gr := t.goroutine(g)
	if i := slices.Index(gr.stints, w); i >= 0 {
		gr.stints = slices.Delete(gr.stints, i, i+1)
	}
	w.startFunc = g.Func
	if w.kind == kindGoroutine {
		w.name = goroutineName(g)
	}
	w.end = end
	if !w.stint.Paused() {
		w.open = g.Open
		if t.ledger.Until(g) < end {
			// The goroutine goes on in its state, outside of the stint.
			t.state(g, g.Current(), w, end)
		}
	}
	w.times = w.stint.End(&t.ledger, g, end)
	if !w.sent {
		return
	}
	if w.task != nil && w.root.node.linked {
		// The root of the trace is not sent: the goroutines tell, each what is new.
		w.leftOut = w.root.leftOut - w.root.told
		w.root.told = w.root.leftOut
	}
	t.emit(w.root, &w.span)
}

func (t *tree) GoroutineStart(g *model.Goroutine) {
	t.advance(g.Start)
	t.ledger.GoroutineStart(g)
	gr := t.goroutine(g)
	*gr = goroutine{stints: gr.stints[:0]}
	t.program.join(g, gr)
}

func (t *tree) GoroutineEnd(g *model.Goroutine) {
	t.advance(g.End)
	gr := t.goroutine(g)
	if t.selected(g) {
		t.stats.Found.Goroutines++
	}
	t.program.goroutineEnd(g, gr)
	clear(gr.stints)
	*gr = goroutine{stints: gr.stints[:0]}
}

func (t *tree) GoroutineState(g *model.Goroutine, s *model.GoState) {
	t.ledger.GoroutineState(g, s)
	gr := t.goroutine(g)
	if len(gr.stints) == 0 && gr.alone == nil {
		return
	}
	t.advance(s.End)
	if s.Kind != model.Running {
		t.state(g, s, gr.innermost(), s.End)
	}
}

// innermost is the stint below which the states of a goroutine stand: the last
// one that the goroutine is in, else the last one to which it may come back.
func (gr *goroutine) innermost() *node {
	for _, w := range slices.Backward(gr.stints) {
		if !w.stint.Paused() {
			return w
		}
	}
	if n := len(gr.stints); n > 0 {
		return gr.stints[n-1]
	}
	return gr.alone
}

// state makes a span of a state, up to now, below w if it is long enough.
func (t *tree) state(g *model.Goroutine, s *model.GoState, w *node, now model.Time) {
	start := max(s.Start, w.start)
	if s.Kind == model.Running || now-start < t.minSpan || t.opts.Detail < States || now == start {
		return
	}
	x := t.newState(g, w, start, now)
	x.before = s.Before && start == s.Start
	x.open = s.Open || now < s.End || s.End < s.Start
	x.state, x.reason, x.stack, x.thread = s.Kind, s.Reason, s.Stack, s.Thread
	switch s.Kind {
	case model.Waiting:
		x.name = s.Reason
		if !x.open {
			x.waker = &waker{goroutine: model.NoGoroutine, stack: s.Waker.Stack}
			if by := s.Waker.Goroutine; by != nil {
				x.waker.goroutine, x.waker.startFunc = by.ID, by.Func
			}
		}
	default:
		x.name = s.Kind.String()
	}
	if s.Kind != model.Syscall {
		x.thread = model.NoThread
	}
	t.child(w, x)
}

// newState begins a span below a stint.
func (t *tree) newState(g *model.Goroutine, w *node, start, end model.Time) *span {
	return &span{
		kind:      kindState,
		id:        t.ids.span(kindState, uint64(w.start), uint64(w.span.task), uint64(w.kind), uint64(g.ID), uint64(start)),
		parent:    w.as(),
		start:     start,
		end:       end,
		task:      w.span.task,
		goroutine: g.ID,
		startFunc: g.Func,
		thread:    model.NoThread,
	}
}

// child sends a span below a stint, holds it in a pause, or leaves it out.
func (t *tree) child(w *node, x *span) {
	switch {
	case w.root == nil: // alone
		t.program.state(w, x)
	case w.stint.Paused():
		w.held = append(w.held, x)
	case w.root.reserve(t.opts.MaxSpansPerTrace):
		t.emit(w.root, x)
	}
}

func (t *tree) RegionStart(r *model.Region) {
	t.advance(r.Start)
	var task *node // nil for what belongs to none
	if r.Task != nil {
		if task = t.tasks[r.Task]; task == nil {
			return // not wanted
		}
	}
	if !t.selected(r.Goroutine) {
		return
	}
	gr := t.goroutine(r.Goroutine)
	var parent *node
	for i := len(gr.stints) - 1; i >= 0 && parent == nil; i-- {
		if w := gr.stints[i]; w.kind == kindRegion && w.span.task == r.TaskID {
			parent = w
		}
	}
	n := &node{
		span: span{
			kind:      kindRegion,
			name:      r.Type,
			start:     r.Start,
			before:    r.Before,
			stack:     r.Stack,
			task:      r.TaskID,
			goroutine: r.Goroutine.ID,
			thread:    model.NoThread,
		},
		parent: parent, g: r.Goroutine,
	}
	if r.Before {
		// It ends at once: what its goroutine did in it has been told before, and
		// is not known any more.
		t.oldRegions++
		n.id = t.ids.span(kindRegion, uint64(r.Goroutine.ID), uint64(r.Start), t.oldRegions)
	} else {
		n.stint.Begin(&t.ledger, r.Goroutine, r.Start)
		n.id = t.ids.span(kindRegion, uint64(r.Goroutine.ID), uint64(r.Start))
	}
	switch {
	case task != nil:
		if parent == nil {
			n.parent = task
		}
		n.root = task.root
	case t.program == nil:
		return
	default:
		if parent == nil {
			n.parent = t.program.node
		}
		n.root = t.program.root
	}
	n.span.parent = n.parent.as()
	n.sent = t.opts.Detail >= Regions && n.root.reserve(t.opts.MaxSpansPerTrace)
	t.regions[r] = n
	if !r.Before {
		gr.stints = append(gr.stints, n)
	}
}

func (t *tree) RegionEnd(r *model.Region) {
	t.advance(r.End)
	n := t.regions[r]
	if n == nil {
		return
	}
	delete(t.regions, r)
	if r.Before {
		n.startFunc, n.end, n.open = r.Goroutine.Func, r.End, r.Open
		if n.sent {
			t.emit(n.root, &n.span)
		}
		return
	}
	t.stintEnded(n, r.End)
}

func (t *tree) Log(l *model.Log) {
	t.advance(l.Time)
	e := event{l.Time, l.Category, l.Message}
	if l.Goroutine != nil {
		gr := t.goroutine(l.Goroutine)
		for _, w := range slices.Backward(gr.stints) {
			if w.kind == kindRegion && w.span.task == l.TaskID {
				w.addEvent(e)
				return
			}
		}
	}
	if l.Task == nil {
		if t.program != nil {
			t.program.node.addEvent(e)
		}
		return
	}
	task := t.tasks[l.Task]
	if task == nil {
		return
	}
	if task.linked && l.Goroutine != nil {
		// The span is not sent: the goroutine that is at work for it has the log.
		for _, w := range t.goroutine(l.Goroutine).stints {
			if w.task == task {
				w.addEvent(e)
				return
			}
		}
	}
	task.addEvent(e)
}

func (t *tree) Range(r *model.Range) {
	t.advance(r.End)
	switch r.Kind {
	case model.MarkAssist:
		if r.Goroutine == nil {
			return
		}
		t.ledger.Range(r)
		w := t.goroutine(r.Goroutine).innermost()
		if w == nil || t.opts.Detail < States {
			return
		}
		if start := max(r.Start, w.start); r.End-start >= t.minSpan {
			x := t.newState(r.Goroutine, w, start, r.End)
			x.id = t.ids.span(kindGC, uint64(r.Goroutine.ID), uint64(start))
			x.name, x.stack, x.open = r.Name, r.Stack, r.Open
			t.child(w, x)
		}
	case model.GCMark, model.StopTheWorld, model.OtherRange:
		t.program.gc(r)
	}
}

func (t *tree) End(s *model.Summary) {
	t.summary = s
	t.advance(s.End)
	t.program.end(s)
	for k, n := range t.counts {
		if n > 0 {
			t.stats.Spans[kind(k).String()] = n
		}
	}
}

func goroutineName(g *model.Goroutine) string { return "goroutine " + model.FuncName(g.Func) }

func (t *tree) advance(now model.Time) { t.now = max(t.now, now) }

func taskName(task *model.Task) string {
	if task.Type == "" {
		return model.UnknownTask
	}
	return task.Type
}
