package otel

import (
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// Stats counts what became spans.
type Stats struct {
	// Traces is the number of new traces. Linked is the number of tasks that are
	// spans of OpenTelemetry, with their goroutines below these. Filtered is the
	// number of root tasks that are not wanted.
	Traces, Linked, Filtered int
	// Spans counts spans by what they stand for: program, task, region,
	// goroutine, state, gc.
	Spans map[string]int
	// LeftOut counts spans that the limits of a trace left out.
	LeftOut int
	// Found is what there was of Options.Selection.
	Found model.Found
}

// tree is the sink that decides which spans there are. It calls out with each span when
// it is complete.
type tree struct {
	model.NopSink
	opts    Options
	minSpan model.Time
	minTask model.Time
	failed  func() error

	trace      model.Trace
	summary    *model.Summary // when all has been read
	now        model.Time
	ids        ids
	clock      WallClock
	sizes      sizes
	encoder    *encoder // nil if spans are only counted
	counts     [numKinds]int
	stats      Stats
	program    *program
	gaps       []model.Gap
	critical   *criticalTree // nil if it is not wanted
	budget     budget
	keptSpans  int               // of all roots
	keptEver   int               // likewise, up to now
	spare      [][]kept          // memory that root.kept may use again
	names      map[string]string // of the spans of goroutines, by start function
	tasks      map[*model.Task]*node
	works      map[*model.Work]*node
	selection  *model.SelectedTasks
	goroutines model.BySlot[goroutine]
	ledger     times.Ledger
	taskTimes  *times.Tasks
	regions    map[regionKey]*node
	oldRegions uint64 // that began before the trace
}

// regionKey identifies the innermost open region of a goroutine and a task, for what is
// inside it.
type regionKey struct {
	slot int // of its goroutine
	task model.TaskID
}

// goroutine is what the tree knows of a goroutine.
type goroutine struct {
	innermost *node      // stint that is open
	regions   []*node    // by Depth
	alone     *node      // what belongs to no task, for the program's trace
	told      model.Time // up to which its states have become spans

	early    *node // what it did before its first work, which is part of earlyFor
	earlyFor *node
	ending   *node // a task from before the trace that it ended last
}

var _ model.Sink = (*tree)(nil)

// newTree returns a tree that hands encoded spans to out, from another goroutine, one
// after the other; each is valid until out returns. With a nil out it only counts them.
func newTree(opts Options, out func(span []byte), failed func() error) *tree {
	t := &tree{
		opts:    opts,
		minSpan: model.Time(opts.MinSpan),
		minTask: model.Time(opts.MinTask),
		budget:  newBudget(&opts),
		failed:  failed,
		tasks:   make(map[*model.Task]*node),
		works:   make(map[*model.Work]*node),
		regions: make(map[regionKey]*node),
		names:   make(map[string]string),
		stats:   Stats{Spans: make(map[string]int)},
	}
	t.selection = model.NewSelectedTasks(&t.opts.Selection, &t.stats.Found)
	t.taskTimes = times.NewTasks(&t.ledger)
	t.sizes = sizes{&t.ledger.Reasons, make(map[*model.Stack]int)}
	if out != nil {
		t.encoder = newEncoder(out, &t.clock, &t.ledger.Reasons)
	}
	return t
}

func (t *tree) Err() error { return t.failed() }

func (t *tree) Begin(tr *model.Trace) {
	t.trace, t.now = *tr, tr.Start
	t.ids = newIDs(tr.Fingerprint)
	t.clock = NewWallClock(t.opts.WallStart, tr.Start)
	t.program = newProgram(t, !t.opts.filtered())
}

func (t *tree) Sync(s *model.Sync) {
	if t.encoder != nil && !t.clock.Known() {
		t.encoder.hand() // what was sent before has the clock of before
	}
	t.clock.Sync(s)
}

func (t *tree) send(r *root, s *span) {
	r.begun = true
	t.counts[s.kind]++
	s.link = t.linked(s.link)
	for _, gap := range t.gaps {
		s.lost += max(min(s.end, gap.End)-max(s.start, gap.Start), 0)
	}
	if t.encoder != nil {
		t.encoder.add(r.trace, s)
	}
}

// Gap keeps a damaged part of the trace, so that spans that reach into it say so.
func (t *tree) Gap(g *model.Gap) {
	if !g.Open {
		t.gaps = append(t.gaps, *g)
	}
}

func (t *tree) want(r *root) {
	r.verdict = wanted
	t.stats.Linked += r.linked
	if !r.node.linked {
		t.stats.Traces++
	}
}

func (t *tree) goroutine(g *model.Goroutine) *goroutine { return t.goroutines.Of(g) }

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
		times:      t.taskTimes.Start(task),
		task:       task.ID,
		parentTask: task.ParentID,
		goroutine:  model.NoGoroutine,
		thread:     model.NoThread,
	}}
	if g := task.Goroutine; g != nil {
		n.goroutine, n.startFunc = g.ID, g.Func
	}
	var above traceID
	if parent != nil && asked == parent.asked {
		above = parent.root.trace
	}
	span := t.ids.task(task, above)
	n.id, n.linked = span.SpanID, task.Span != nil
	if t.opts.ProfileIDs {
		n.profile = n.id
	}
	if parent != nil && span.TraceID == above {
		n.root, n.parent = parent.root, parent
	} else {
		n.root = &root{trace: span.TraceID, node: n}
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
	n.old = oldTask(task, n, parent)
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
	t.taskTimes.End(task)
	switch r := n.root; {
	case r.node == n:
		if r.verdict == undecided && task.End-task.Start < t.minTask {
			r.verdict = unwanted
			t.stats.Filtered++
		}
		t.endOldRoot(task, n)
	case n.sent:
		t.critical.whenExplained(func() { t.emitNode(n) })
	}
}

func (t *tree) WorkStart(work *model.Work) {
	t.advance(work.Start)
	g := work.Goroutine
	t.taskTimes.Turn(g, work.Start, t.selected(g))
	task := t.tasks[work.Task]
	if task == nil || !t.selected(g) {
		return // not wanted
	}
	gr := t.goroutine(g)
	t.turnToWork(g, gr, task, work.Start)
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
		g: g, root: task.root, parent: task,
	}
	w.profile = task.profile
	w.sent = t.opts.Detail >= Goroutines
	t.works[work] = w
	t.stintBegan(w, gr, work.Start)
}

func (t *tree) WorkEnd(work *model.Work) {
	t.advance(work.End)
	g := work.Goroutine
	t.taskTimes.Turn(g, work.End, t.selected(g))
	if w := t.works[work]; w != nil {
		delete(t.works, work)
		t.stintEnded(w, t.goroutine(g), work.End)
	}
}

// stintBegan makes a stint the innermost one of its goroutine.
func (t *tree) stintBegan(w *node, gr *goroutine, now model.Time) {
	t.breakState(w.g, gr, now)
	w.outer = gr.innermost
	if w.outer != nil {
		w.outer.inner = w
	}
	gr.innermost = w
	if w.sent {
		w.stint.Begin(&t.ledger, w.g, now)
	}
}

// stintEnded ends a stint.
func (t *tree) stintEnded(w *node, gr *goroutine, now model.Time) {
	g := w.g
	if w == gr.innermost {
		t.breakState(g, gr, now)
		gr.innermost = w.outer
	} else {
		w.inner.outer = w.outer
	}
	if w.outer != nil {
		w.outer.inner = w.inner
	}
	if !w.sent {
		return
	}
	w.startFunc, w.end, w.open = g.Func, now, g.Open
	if t.hopeless(w) {
		t.leaveOut(w.root, w)
		return
	}
	if w.kind == kindGoroutine {
		w.name = t.goroutineName(g)
	}
	w.times = w.stint.Finish(&t.ledger, g, now)
	t.emitNode(w)
}

// breakState makes a span of the part up to now of the state that a goroutine is in,
// which goes on below another stint.
func (t *tree) breakState(g *model.Goroutine, gr *goroutine, now model.Time) {
	if gr.innermost == nil || t.ledger.Until(g) >= now {
		return
	}
	s := g.Current()
	t.state(g, gr, &s, gr.innermost, now)
	gr.told = now
}

func (t *tree) GoroutineStart(g *model.Goroutine) {
	t.advance(g.Start)
	t.ledger.GoroutineStart(g)
	gr := t.goroutine(g)
	*gr = goroutine{regions: gr.regions[:0]}
	t.program.join(g, gr)
}

func (t *tree) GoroutineEnd(g *model.Goroutine) {
	t.advance(g.End)
	gr := t.goroutine(g)
	if t.selected(g) {
		t.stats.Found.Goroutines++
	}
	t.endWaiting(gr)
	t.program.goroutineEnd(g, gr)
	*gr = goroutine{regions: gr.regions[:0]}
}

func (t *tree) GoroutineState(g *model.Goroutine, s *model.GoState) {
	t.advance(s.End)
	gr := t.goroutine(g)
	if w := gr.stint(); w != nil {
		t.state(g, gr, s, w, s.End)
	}
	t.ledger.GoroutineState(g, s)
}

// stint returns the stint below which what a goroutine does stands, nil for none.
func (gr *goroutine) stint() *node {
	if gr.innermost != nil {
		return gr.innermost
	}
	return gr.alone
}

// state makes a span of a state, up to now, below w if it is long enough.
func (t *tree) state(g *model.Goroutine, gr *goroutine, s *model.GoState, w *node, now model.Time) {
	if s.Kind == model.Running {
		return
	}
	start := max(s.Start, w.start, gr.told)
	if now-start < t.minSpan || t.opts.Detail < States || now <= start {
		return
	}
	if w.root == nil && t.program.tooShort(now-start) {
		w.dropped++
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
	if t.critical.waited(w, x, s, g) {
		return
	}
	t.child(w, x)
}

// newState begins a span below a stint.
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

// child emits a span below a stint.
func (t *tree) child(w *node, x *span) {
	switch {
	case w.root == nil: // alone
		t.program.state(w, x)
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
	if !t.selected(r.Goroutine) {
		return
	}
	gr := t.goroutine(r.Goroutine)
	key := regionKey{r.Goroutine.Slot, r.TaskID}
	n := &node{
		span: span{
			kind:      kindRegion,
			name:      nameOr(r.Type),
			start:     r.Start,
			before:    r.Before,
			stack:     r.Stack,
			task:      r.TaskID,
			goroutine: r.Goroutine.ID,
			thread:    model.NoThread,
		},
		around: t.regions[key], g: r.Goroutine,
	}
	switch {
	case n.around != nil:
		n.parent, n.root = n.around, n.around.root
	case task != nil:
		n.parent, n.root = task, task.root
	case t.program.verdict == wanted:
		n.parent, n.root = t.program.node, t.program.root
	default:
		return
	}
	if r.Before {
		t.oldRegions++
		n.id = t.ids.span(kindRegion, uint64(r.Goroutine.ID), uint64(r.Start), t.oldRegions)
	} else {
		n.id = t.ids.span(kindRegion, uint64(r.Goroutine.ID), uint64(r.Start))
	}
	n.sent = t.opts.Detail >= Regions
	for r.Depth >= len(gr.regions) {
		gr.regions = append(gr.regions, nil)
	}
	gr.regions[r.Depth] = n
	if r.Before {
		return // what its goroutine did in it before is not known any more
	}
	t.regions[key] = n
	if n.around != nil {
		n.around.within = n
	}
	t.stintBegan(n, gr, r.Start)
}

func (t *tree) RegionEnd(r *model.Region) {
	t.advance(r.End)
	gr := t.goroutine(r.Goroutine)
	if r.Depth >= len(gr.regions) || gr.regions[r.Depth] == nil {
		return // not wanted
	}
	n := gr.regions[r.Depth]
	gr.regions[r.Depth] = nil
	if r.Before {
		if n.sent {
			n.startFunc, n.end, n.open = r.Goroutine.Func, r.End, r.Open
			t.emitNode(n)
		}
		return
	}
	if n.around != nil {
		n.around.within = n.within
	}
	switch key := (regionKey{r.Goroutine.Slot, r.TaskID}); {
	case n.within != nil:
		n.within.around = n.around
	case n.around != nil:
		t.regions[key] = n.around
	default:
		delete(t.regions, key)
	}
	t.stintEnded(n, gr, r.End)
}

func (t *tree) Log(l *model.Log) {
	t.advance(l.Time)
	e := event{l.Time, l.Category, l.Message}
	if l.Goroutine != nil {
		if r := t.regions[regionKey{l.Goroutine.Slot, l.TaskID}]; r != nil {
			r.addEvent(e)
			return
		}
	}
	if l.Task == nil {
		if t.program.verdict == wanted {
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
		if w := t.works[l.Goroutine.Work()]; w != nil {
			w.addEvent(e)
			return
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
		w := t.goroutine(r.Goroutine).stint()
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
	t.critical.settleAll()
	t.program.end(s)
	t.wait()
	for k, n := range t.counts {
		if n > 0 {
			t.stats.Spans[kind(k).String()] = n
		}
	}
}

// wait returns when all spans that have been sent are encoded and handed on.
func (t *tree) wait() {
	if t.encoder != nil {
		t.encoder.wait()
	}
}

func (t *tree) advance(now model.Time) { t.now = max(t.now, now) }

func taskName(task *model.Task) string {
	if task.TypeUnknown {
		return model.UnknownTask
	}
	return nameOr(task.Type)
}

// nameOr returns a name that the program gave, and a placeholder if it is empty:
// OpenTelemetry does not want empty names.
func nameOr(name string) string {
	if name == "" {
		return "(no name)"
	}
	return name
}

// maxNames is how many names of spans are kept.
const maxNames = 10_000

// goroutineName returns the name of a goroutine's span.
func (t *tree) goroutineName(g *model.Goroutine) string {
	name, ok := t.names[g.Func]
	if !ok {
		name = "goroutine " + model.FuncName(g.Func)
		if len(t.names) < maxNames {
			t.names[g.Func] = name
		}
	}
	return name
}
