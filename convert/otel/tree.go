package otel

import (
	"slices"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/trace2x/trace2x/model"
)

// Stats counts what became spans.
type Stats struct {
	// Traces and Tasks count what is wanted; Filtered root tasks that are not.
	Traces, Filtered int
	// Spans counts spans by what they stand for: program, task, region,
	// goroutine, state, gc.
	Spans map[string]int
	// LeftOut counts spans that the limit of a trace left out.
	LeftOut int
}

// tree is the sink that decides which spans there are, and hands each to out
// when it is complete.
type tree struct {
	model.NopSink
	opts    Options
	minSpan model.Time
	minTask model.Time
	out     func(*tracepb.Span)
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

func newTree(opts Options, out func(*tracepb.Span), failed func() error) *tree {
	return &tree{
		opts:    opts,
		minSpan: model.Time(opts.MinSpan),
		minTask: model.Time(opts.MinTask),
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
		t.counts[s.kind]++
		t.out(t.mapping.span(r.trace, s))
	}
}

func (t *tree) want(r *root) {
	r.verdict = wanted
	t.stats.Traces++
	for _, s := range r.pending {
		t.counts[s.kind]++
		t.out(t.mapping.span(r.trace, s))
	}
	r.pending = nil
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
		id:         t.ids.span(kindTask, uint64(task.ID)),
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
	if task.Parent != nil {
		parent := t.tasks[task.Parent]
		if parent == nil {
			return // below a task that is not wanted
		}
		n.root, n.parent = parent.root, parent
		n.span.parent = parent.as()
	} else {
		if t.opts.Task != nil && !t.opts.Task.MatchString(task.Type) {
			t.stats.Filtered++
			return
		}
		n.root = &root{trace: t.ids.trace(task.ID), node: n}
		if t.minTask == 0 {
			t.want(n.root)
		}
	}
	n.sent = n.root.reserve(t.opts.MaxSpansPerTrace)
	t.tasks[task] = n
	if g := task.Goroutine; g != nil {
		n.goroutine, n.startFunc = g.ID, g.Func
		t.work(n, g, task.Start).active++
	}
}

func (t *tree) TaskEnd(task *model.Task) {
	t.advance(task.End)
	n := t.tasks[task]
	if n == nil {
		return
	}
	delete(t.tasks, task)
	for len(n.works) > 0 {
		t.workEnded(n.works[len(n.works)-1], task.End)
	}
	n.end, n.open = task.End, task.Open
	if n.name == "" {
		n.name = taskName(task)
	}
	if n.root.node == n {
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

// work makes a goroutine be at work for a task, from now on, if it is not yet.
func (t *tree) work(task *node, g *model.Goroutine, now model.Time) *node {
	gr := t.goroutine(g)
	for _, w := range gr.windows {
		if w.task == task {
			return w
		}
	}
	t.program.leave(gr)
	w := &node{
		span: span{
			kind:      kindGoroutine,
			id:        t.ids.span(kindGoroutine, uint64(task.span.task), uint64(g.ID), uint64(now)),
			start:     now,
			before:    g.Before && now == t.trace.Start,
			sums:      &sums{},
			task:      task.span.task,
			goroutine: g.ID,
			thread:    model.NoThread,
		},
		g: g, root: task.root, parent: task, task: task, index: len(task.works), counted: now, last: now,
	}
	w.span.parent = task.as()
	w.sent = t.opts.Detail >= Goroutines && w.root.reserve(t.opts.MaxSpansPerTrace)
	task.works = append(task.works, w)
	gr.windows = append(gr.windows, w)
	return w
}

// workEnded ends the work of a goroutine for a task.
func (t *tree) workEnded(w *node, now model.Time) {
	task, g := w.task, w.g
	last := len(task.works) - 1
	task.works[w.index] = task.works[last]
	task.works[w.index].index = w.index
	task.works[last] = nil
	task.works = task.works[:last]

	t.windowClosed(w, g, now)
	task.sums.add(w.sums)
}

// windowClosed ends a window on a goroutine, at the moment now.
func (t *tree) windowClosed(w *node, g *model.Goroutine, now model.Time) {
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
	w.end = w.last
	if w.active > 0 {
		w.end = now
		w.open = g.Open
		cur := g.Current()
		if w.counted < now {
			// The goroutine goes on in its state, outside of the window.
			t.state(g, cur, w, now)
		}
		w.countTo(now, cur, g.OnProc())
		if since, ok := g.Assist(); ok {
			w.sums.gcAssist += now - max(since, w.start)
		}
	}
	if w.sent {
		t.emit(w.root, &w.span)
	}
}

func (t *tree) GoroutineStart(g *model.Goroutine) {
	t.advance(g.Start)
	gr := t.goroutine(g)
	*gr = goroutine{windows: gr.windows[:0]}
	if g.Creator != nil && !g.System() {
		for _, w := range t.goroutine(g.Creator).windows {
			if w.task != nil && w.active > 0 {
				t.work(w.task, g, g.Start).active++
			}
		}
	}
	if gr := t.goroutine(g); len(gr.windows) == 0 {
		t.program.join(g, gr)
	}
}

func (t *tree) GoroutineEnd(g *model.Goroutine) {
	t.advance(g.End)
	gr := t.goroutine(g)
	for i := len(gr.windows) - 1; i >= 0; i-- {
		if w := gr.windows[i]; w.task != nil {
			t.workEnded(w, g.End)
		}
	}
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
		w.countTo(s.End, s, false)
	}
	if gr.alone != nil {
		gr.alone.countTo(s.End, s, false)
	}
}

// innermost is the window below which the states of a goroutine stand: the last
// one that the goroutine is in, else the last one to which it may come back.
func (gr *goroutine) innermost() *node {
	for i := len(gr.windows) - 1; i >= 0; i-- {
		if gr.windows[i].active > 0 {
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
		parent:    w.as(),
		start:     start,
		end:       end,
		task:      w.span.task,
		goroutine: g.ID,
		startFunc: g.Func,
		thread:    model.NoThread,
	}
}

// child sends a span below a window, holds it while the window is tentative, or
// leaves it out.
func (t *tree) child(w *node, x *span) {
	switch {
	case w.root == nil: // alone
		t.program.state(w, x)
	case w.active == 0:
		w.held = append(w.held, x)
	case w.root.reserve(t.opts.MaxSpansPerTrace):
		t.emit(w.root, x)
	}
}

// entered makes a goroutine be inside its task again, at the moment now.
func (t *tree) entered(w *node, g *model.Goroutine, now model.Time) {
	if w.active == 0 {
		w.countTo(now, g.Current(), g.OnProc())
		w.sums.add(&w.tentative)
		w.tentative = sums{}
		for _, x := range w.held {
			if w.root.reserve(t.opts.MaxSpansPerTrace) {
				t.emit(w.root, x)
			}
		}
		w.held = nil
	}
	w.active++
}

// left makes it be outside, until it comes back.
func (t *tree) left(w *node, g *model.Goroutine, now model.Time) {
	w.countTo(now, g.Current(), g.OnProc())
	w.active--
	w.last = now
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
		parent: parent, counted: r.Start, active: 1, g: r.Goroutine,
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
		if !r.Before {
			t.entered(t.work(task, r.Goroutine, r.Start), r.Goroutine, r.Start)
		}
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
		gr = t.goroutine(r.Goroutine)
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
			t.emit(n.root, &n.span)
		}
		return
	}
	for _, w := range t.goroutine(r.Goroutine).windows {
		if w.task != nil && w.span.task == r.TaskID && w.active > 0 {
			t.left(w, r.Goroutine, r.End)
		}
	}
	t.windowClosed(n, r.Goroutine, r.End)
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
	task.addEvent(e)
	if g := l.Goroutine; g != nil {
		w := t.work(task, g, l.Time)
		t.entered(w, g, l.Time)
		t.left(w, g, l.Time)
	}
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
			if w.active == 0 {
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
