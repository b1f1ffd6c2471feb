package otel

import (
	"slices"

	"github.com/trace2x/trace2x/model"
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
	// LeftOut counts spans that the limits of a trace left out.
	LeftOut int
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
	budget     budget
	keptSpans  int // of all roots
	tasks      map[*model.Task]*node
	goroutines []goroutine // by slot
	regions    map[*model.Region]*node
	oldRegions uint64 // that began before the trace
}

// goroutine is what the tree knows of one.
type goroutine struct {
	windows []*node // that are open, the innermost last
	alone   *node   // what belongs to no task, for the program's trace
}

var _ model.Sink = (*tree)(nil)

func newTree(opts Options, out func(span []byte), failed func() error) *tree {
	return &tree{
		opts:    opts,
		minSpan: model.Time(opts.MinSpan),
		minTask: model.Time(opts.MinTask),
		budget:  newBudget(&opts),
		out:     out,
		failed:  failed,
		tasks:   make(map[*model.Task]*node),
		regions: make(map[*model.Region]*node),
		stats:   Stats{Spans: make(map[string]int)},
	}
}

func (t *tree) Err() error { return t.failed() }

func (t *tree) Begin(tr *model.Trace) {
	t.trace, t.now = *tr, tr.Start
	t.ids = newIDs(tr.Fingerprint)
	t.mapping = newMapping(t.opts.WallStart, tr.Start)
	if !t.opts.filtered() {
		t.program = newProgram(t)
	}
}

func (t *tree) Sync(s *model.Sync) {
	if s.Clock != nil {
		t.mapping.setClock(s.Clock)
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
}

func (t *tree) goroutine(g *model.Goroutine) *goroutine {
	for g.Slot >= len(t.goroutines) {
		t.goroutines = append(t.goroutines, goroutine{})
	}
	return &t.goroutines[g.Slot]
}

func (t *tree) TaskStart(task *model.Task) {
	t.advance(task.Start)
	n := &node{span: span{
		kind:       kindTask,
		name:       taskName(task),
		start:      task.Start,
		before:     task.Before,
		stack:      task.Stack,
		sums:       &sums{},
		task:       task.ID,
		parentTask: task.ParentID,
		goroutine:  model.NoGoroutine,
		thread:     model.NoThread,
	}}
	if g := task.Goroutine; g != nil {
		n.goroutine, n.startFunc = g.ID, g.Func
	}
	parent := t.tasks[task.Parent]
	asked := t.asked(task, parent)
	if !asked && parent == nil {
		return
	}
	trace := t.ids.trace(task.ID)
	if task.Span != nil {
		trace, n.id, n.linked = task.Span.TraceID, task.Span.SpanID, true
	} else {
		n.id = t.ids.span(kindTask, uint64(task.ID))
	}
	if parent != nil && (!n.linked || parent.root.trace == trace) {
		n.root, n.parent = parent.root, parent
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
		n.sent = true
	case n.root.verdict == wanted:
		t.stats.Linked++
	default:
		n.root.linked++
	}
	t.tasks[task] = n
}

// asked reports whether a task is asked for; parent is nil if its parent is not,
// or if it has none.
func (t *tree) asked(task *model.Task, parent *node) bool {
	if task.Span == nil && task.Parent != nil {
		return parent != nil
	}
	asked := parent != nil || t.opts.Task == nil || t.opts.Task.MatchString(task.Type)
	if t.opts.TraceID != [16]byte{} {
		asked = asked && task.Span != nil && task.Span.TraceID == t.opts.TraceID
	}
	if !asked && task.Parent == nil {
		t.stats.Filtered++
	}
	return asked
}

func (t *tree) TaskEnd(task *model.Task) {
	t.advance(task.End)
	n := t.tasks[task]
	if n == nil {
		return
	}
	delete(t.tasks, task)
	n.end, n.open, n.datadogSpan = task.End, task.Open, task.DatadogSpanID
	if n.name == "" {
		n.name = taskName(task)
	}
	switch r := n.root; {
	case r.node == n:
		if r.verdict == undecided && task.End-task.Start < t.minTask {
			r.verdict = unwanted
			t.stats.Filtered++
		}
		t.end(r)
	case n.sent:
		t.emitNode(n)
	}
}

func (t *tree) WorkStart(work *model.Work) {
	task, g := t.tasks[work.Task], work.Goroutine
	if task == nil {
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
			sums:      &sums{},
			task:      work.Task.ID,
			goroutine: g.ID,
			thread:    model.NoThread,
		},
		g: g, root: task.root, parent: task, task: task, work: work, counted: work.Start,
	}
	w.sent = t.opts.Detail >= Goroutines
	gr.windows = append(gr.windows, w)
}

// window returns the window of the work, nil if it is not wanted.
func (t *tree) window(work *model.Work) *node {
	for _, w := range t.goroutine(work.Goroutine).windows {
		if w.work == work {
			return w
		}
	}
	return nil
}

func (t *tree) WorkPause(work *model.Work) {
	if w := t.window(work); w != nil {
		w.countTo(work.End, work.Goroutine)
		w.paused = true
	}
}

// WorkResume makes what was tentative in the pause count.
func (t *tree) WorkResume(work *model.Work, now model.Time) {
	w := t.window(work)
	if w == nil {
		return
	}
	w.countTo(now, work.Goroutine)
	w.paused = false
	w.sums.add(&w.tentative)
	w.tentative = sums{}
	for _, x := range w.held {
		t.emitLeaf(w, x)
	}
	w.held = nil
}

func (t *tree) WorkEnd(work *model.Work, _ model.Time) {
	if w := t.window(work); w != nil {
		t.windowClosed(w, work.End)
		w.task.sums.add(w.sums)
	}
}

// windowClosed ends a window; end is the last moment that counts.
func (t *tree) windowClosed(w *node, end model.Time) {
	g := w.g
	gr := t.goroutine(g)
	if i := slices.Index(gr.windows, w); i >= 0 {
		gr.windows = slices.Delete(gr.windows, i, i+1)
	}
	w.startFunc = g.Func
	if w.kind == kindGoroutine {
		w.name = "goroutine " + g.Func
		if g.Func == "" {
			w.name = "goroutine (unknown start function)"
		}
	}
	w.end = end
	if !w.paused {
		w.open = g.Open
		if w.counted < end {
			// The goroutine goes on in its state, outside of the window.
			t.state(g, g.Current(), w, end)
		}
		w.countTo(end, g)
		if since, ok := g.Assist(); ok {
			w.sums.gcAssist += end - max(since, w.start)
		}
	}
	if !w.sent {
		return
	}
	t.emitNode(w)
}

func (t *tree) GoroutineStart(g *model.Goroutine) {
	t.advance(g.Start)
	gr := t.goroutine(g)
	*gr = goroutine{windows: gr.windows[:0]}
	t.program.join(g, gr)
}

func (t *tree) GoroutineEnd(g *model.Goroutine) {
	t.advance(g.End)
	gr := t.goroutine(g)
	t.program.goroutineEnd(g, gr)
	clear(gr.windows)
	*gr = goroutine{windows: gr.windows[:0]}
}

func (t *tree) GoroutineState(g *model.Goroutine, s *model.GoState) {
	gr := t.goroutine(g)
	if len(gr.windows) == 0 && gr.alone == nil {
		return
	}
	t.advance(s.End)
	if s.Kind != model.Running {
		t.state(g, s, gr.innermost(), s.End)
	}
	for _, w := range gr.windows {
		w.count(s.End, s, false)
	}
	if gr.alone != nil {
		gr.alone.count(s.End, s, false)
	}
}

// innermost is the window below which the states of a goroutine stand: the last
// one that the goroutine is in, else the last one to which it may come back.
func (gr *goroutine) innermost() *node {
	for i := len(gr.windows) - 1; i >= 0; i-- {
		if !gr.windows[i].paused {
			return gr.windows[i]
		}
	}
	if n := len(gr.windows); n > 0 {
		return gr.windows[n-1]
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

// newState begins a span below a window.
func (t *tree) newState(g *model.Goroutine, w *node, start, end model.Time) *span {
	return &span{
		kind:      kindState,
		id:        t.ids.span(kindState, uint64(w.start), uint64(w.span.task), uint64(w.kind), uint64(g.ID), uint64(start)),
		start:     start,
		end:       end,
		task:      w.span.task,
		goroutine: g.ID,
		startFunc: g.Func,
		thread:    model.NoThread,
	}
}

// child emits a span below a window, or holds it in a pause.
func (t *tree) child(w *node, x *span) {
	switch {
	case w.root == nil: // alone
		t.program.state(w, x)
	case w.paused:
		w.held = append(w.held, x)
	default:
		t.emitLeaf(w, x)
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
	gr := t.goroutine(r.Goroutine)
	var parent *node
	for i := len(gr.windows) - 1; i >= 0 && parent == nil; i-- {
		if w := gr.windows[i]; w.kind == kindRegion && w.span.task == r.TaskID {
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
			sums:      &sums{},
			task:      r.TaskID,
			goroutine: r.Goroutine.ID,
			thread:    model.NoThread,
		},
		parent: parent, counted: r.Start, g: r.Goroutine,
	}
	if r.Before {
		// It ends at once: what its goroutine did in it has been told before, and
		// is not known any more.
		t.oldRegions++
		n.id = t.ids.span(kindRegion, uint64(r.Goroutine.ID), uint64(r.Start), t.oldRegions)
		n.sums = nil
	} else {
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
	n.sent = t.opts.Detail >= Regions
	t.regions[r] = n
	if !r.Before {
		gr.windows = append(gr.windows, n)
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
			t.emitNode(n)
		}
		return
	}
	t.windowClosed(n, r.End)
}

func (t *tree) Log(l *model.Log) {
	t.advance(l.Time)
	e := event{l.Time, l.Category, l.Message}
	if l.Goroutine != nil {
		gr := t.goroutine(l.Goroutine)
		for i := len(gr.windows) - 1; i >= 0; i-- {
			if w := gr.windows[i]; w.kind == kindRegion && w.span.task == l.TaskID {
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
		for _, w := range t.goroutine(l.Goroutine).windows {
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
		gr := t.goroutine(r.Goroutine)
		for _, w := range gr.windows {
			into := w.sums
			if w.paused {
				into = &w.tentative
			}
			into.gcAssist += r.End - max(r.Start, w.start)
		}
		if gr.alone != nil {
			gr.alone.sums.gcAssist += r.End - r.Start
		}
		w := gr.innermost()
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

func (t *tree) advance(now model.Time) { t.now = max(t.now, now) }

func taskName(task *model.Task) string {
	if task.Type == "" {
		return "(task from before the trace)"
	}
	return task.Type
}
