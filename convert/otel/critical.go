package otel

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
)

// criticalTree is a tree that also shows why each task took so long: what its critical
// path consists of, what other goroutines did while it waited for them, and which task
// it waited for.
type criticalTree struct {
	*tree
	finder  *critical.Finder
	endings endings
	// waits is the number of waits in all root.waits. A wait stays there until its
	// root ends, or until it is explained.
	waits int
	// looked is how often markPath looked at what is kept.
	looked int
	// blockers are the tasks that others may have waited for: all open ones, and the
	// ones that ended last.
	blockers map[model.TaskID]*blocker
	ended    []*blocker // a ring
	next     int        // in ended
}

// maxEnded is the number of ended tasks that are remembered. What waited for one of
// them has nearly always ended before it is forgotten.
const maxEnded = 4096

// maxPath is the largest number of segments of a path that become spans: the newest.
const maxPath = 100_000

// waitKey identifies a wait by its end.
type waitKey struct {
	goroutine model.GoID
	end       model.Time
}

// blocker is a task that others may have waited for.
type blocker struct {
	id   model.TaskID
	span *model.SpanContext // nil if the program did not send it
	node *node              // nil if it is not exported
	open bool
}

// link is a link of a span to the span of a task.
type link struct {
	trace traceID
	id    spanID
	task  model.TaskID
	// node is the node of the task, while it is not certain which span is sent for it.
	node *node
}

// sink returns the sink that a trace is read into.
func (t *tree) sink() model.Sink {
	if t.opts.CriticalPath {
		c := newCriticalTree(t)
		return &criticalSink{model.Tee(c.finder, t), c}
	}
	return t
}

func newCriticalTree(t *tree) *criticalTree {
	c := &criticalTree{
		tree: t, blockers: make(map[model.TaskID]*blocker),
		ended: make([]*blocker, maxEnded),
	}
	c.finder = critical.NewFinder(critical.Options{Kinds: critical.KindsOf(critical.Task), Aside: true}, c.endings.found)
	t.critical = c
	return c
}

// criticalSink hands a trace to the finder of a criticalTree and then to the tree. It hands
// the tasks over itself: the tree decides whether a task is wanted.
type criticalSink struct {
	model.Sink
	c *criticalTree
}

// The frequent calls do without the Tee.

func (s *criticalSink) GoroutineStart(g *model.Goroutine) {
	s.c.finder.GoroutineStart(g)
	s.c.tree.GoroutineStart(g)
}

func (s *criticalSink) GoroutineState(g *model.Goroutine, x *model.GoState) {
	s.c.finder.GoroutineState(g, x)
	s.c.tree.GoroutineState(g, x)
}

func (s *criticalSink) GoroutineEnd(g *model.Goroutine) {
	s.c.finder.GoroutineEnd(g)
	s.c.tree.GoroutineEnd(g)
}

func (s *criticalSink) WorkStart(w *model.Work) {
	s.c.finder.WorkStart(w)
	s.c.tree.WorkStart(w)
}

func (s *criticalSink) WorkEnd(w *model.Work) {
	s.c.finder.WorkEnd(w)
	s.c.tree.WorkEnd(w)
}

func (s *criticalSink) Run(r *model.Run)           { s.c.finder.Run(r) }
func (s *criticalSink) ProcState(*model.ProcState) {}

func (s *criticalSink) TaskStart(task *model.Task) { s.c.taskStarted(task) }
func (s *criticalSink) TaskEnd(task *model.Task)   { s.c.taskEnded(task) }

func (c *criticalTree) taskStarted(task *model.Task) {
	c.tree.TaskStart(task)
	n := c.tasks[task]
	if n == nil && task.Span == nil {
		return
	}
	c.blockers[task.ID] = &blocker{task.ID, task.Span, n, true}
	if n != nil {
		c.finder.TaskStart(task)
	}
}

func (c *criticalTree) taskEnded(task *model.Task) {
	n := c.tasks[task]
	if n != nil {
		c.endings.begin(c, n, task)
	}
	c.tree.TaskEnd(task)
	c.endings.ready(c)
	if b := c.blockers[task.ID]; b != nil && b.node == n && b.open {
		b.open = false
		if old := c.ended[c.next]; old != nil && c.blockers[old.id] == old {
			delete(c.blockers, old.id)
		}
		c.ended[c.next] = b
		c.next = (c.next + 1) % len(c.ended)
	}
}

// isCrowded reports whether a trace has so much that what is on the path of its task n has
// to be marked, and whether there is time for that.
func (c *criticalTree) isCrowded(r *root, n *node) bool {
	return r.keptCost > (c.budget.total()-r.spent)/2 && (r.node == n || c.looked <= lookedPerSpan*c.keptEver)
}

// explained takes the path of a task that has ended.
func (c *criticalTree) explained(e *ending) {
	n := e.node
	r := n.root
	n.path = e.sums
	if n.linked {
		c.tellOnGoroutine(n, e)
	}
	if e.path == nil {
		return
	}
	if c.isCrowded(r, n) {
		c.markPath(r, e)
	}
	if len(r.waits) > 0 {
		c.explain(r, e)
	}
}

// tellOnGoroutine puts the path of a task that the program sent itself on the span of
// the goroutine that ended it, if the goroutine was at work for the task until then.
// That span is one of the latest.
func (c *criticalTree) tellOnGoroutine(n *node, e *ending) {
	r := n.root
	for i := range slices.Backward(r.kept) {
		k := &r.kept[i]
		if k.end < e.end && !k.late() {
			return
		}
		if k.kind == kindGoroutine && k.up == n && k.goroutine == e.goroutine {
			k.path = n.path
			more := c.cost(k.span) - k.cost
			k.cost += more
			r.keptCost += more
			return
		}
	}
}

// waited makes a node of a wait that another goroutine ended, so that spans can stand
// below it. It reports whether it did.
func (c *criticalTree) waited(w *node, x *span, s *model.GoState, g *model.Goroutine) bool {
	by := s.Waker.Goroutine
	if c == nil || s.Kind != model.Waiting || x.open || by == nil || by == g || w.root == nil || w.root.verdict == unwanted {
		return false
	}
	if work := by.Work(); work != nil && work.Task.ID != x.task {
		x.link = c.link(work.Task.ID)
	}
	n := &node{span: *x, root: w.root, parent: w, sent: true}
	if c.waits < maxKept && !w.root.ended {
		if w.root.waits == nil {
			w.root.waits = make(map[waitKey]*node)
		}
		w.root.waits[waitKey{g.ID, x.end}] = n
		c.waits++
	}
	c.emitNode(n)
	return true
}

// rootEnded forgets the waits below a root.
func (c *criticalTree) rootEnded(r *root) {
	if c != nil {
		c.waits -= len(r.waits)
		r.waits = nil
	}
}

// link returns a link to the span of a task, nil if there is none.
func (c *criticalTree) link(task model.TaskID) *link {
	b := c.blockers[task]
	switch {
	case b == nil:
		return nil
	case b.span != nil:
		return &link{trace: b.span.TraceID, id: b.span.SpanID, task: task}
	case b.node.root.verdict == unwanted:
		return nil
	case b.node.root.verdict == wanted && b.open:
		// From now on it is certain that the task, or a node above it, has a span.
		if id := c.parent(b.node); id != (spanID{}) {
			return &link{trace: b.node.root.trace, id: id, task: task}
		}
		return nil
	}
	return &link{trace: b.node.root.trace, task: task, node: b.node}
}

// linked returns a link as it is sent, nil if the span that it leads to is not sent.
// For a task without a span it leads to the nearest span above.
func (t *tree) linked(l *link) *link {
	if l == nil || l.node == nil {
		return l
	}
	r := l.node.root
	if r.verdict == unwanted || r.verdict == undecided && t.now-r.node.start < t.minTask {
		return nil
	}
	for n := l.node; n != nil; n = n.parent {
		if n.linked || n.certain || n == r.node {
			return &link{trace: l.trace, id: n.id, task: l.task}
		}
	}
	return nil
}

// explain makes spans of what other goroutines did on a path, below the spans of the
// waits for them.
func (c *criticalTree) explain(r *root, e *ending) {
	p := e.path
	// For each wait of the path: its span, nil for none; the span of the task's own
	// wait around it; and the task that the goroutine that ended it worked for.
	type place struct{ node, outermost *node }
	places := make([]place, len(p.Waits))
	for i := range p.Waits {
		w := &p.Waits[i]
		key := waitKey{w.Goroutine, w.End}
		if w.Wait < 0 {
			if n := r.waits[key]; n != nil {
				delete(r.waits, key) // it is explained once
				c.waits--
				places[i] = place{n, n}
			}
			continue
		}
		outer := places[w.Wait]
		if outer.node == nil || w.End-w.Start < c.minSpan {
			continue
		}
		x := c.segment(outer.outermost, w.Goroutine, w.Func, w.Start, w.End, w.Depth, true)
		x.task, x.state, x.reason, x.stack = w.Task, model.Waiting, w.Reason, w.Stack
		x.name = segmentName(w.Func, w.Reason)
		n := &node{span: *x, root: outer.node.root, parent: outer.node, sent: true, worth: outer.node.worth}
		places[i] = place{n, outer.outermost}
	}
	// What ended a wait is what is last in it.
	wakers := make([]model.TaskID, len(p.Waits))
	for i := range p.Waits {
		if w := &p.Waits[i]; w.Wait >= 0 && w.End == p.Waits[w.Wait].End {
			wakers[w.Wait] = w.Task
		}
	}
	for i := range p.Segments {
		if s := &p.Segments[i]; s.Wait >= 0 && s.End == p.Waits[s.Wait].End {
			wakers[s.Wait] = s.Task
		}
	}
	for i, at := range places {
		if n := at.node; n != nil && n != at.outermost {
			if task := wakers[i]; task != model.BackgroundTask && task != n.span.task && task != e.node.task {
				n.link = c.link(task)
			}
			c.emitNode(n)
		}
	}
	for i := range p.Segments {
		s := &p.Segments[i]
		if s.Wait < 0 || s.State == model.Unknown || s.End-s.Start < c.minSpan {
			continue
		}
		at := places[s.Wait]
		if at.node == nil {
			continue
		}
		x := c.segment(at.outermost, s.Goroutine, s.Func, s.Start, s.End, s.Depth, false)
		x.task, x.state, x.reason, x.stack = s.Task, s.State, s.Reason, s.Stack
		x.name = segmentName(s.Func, s.State.String())
		if s.State == model.Waiting {
			x.name = segmentName(s.Func, s.Reason)
		}
		c.emitLeaf(at.node, x)
	}
}

// segment begins a span of what another goroutine did, below the wait for it.
func (c *criticalTree) segment(wait *node, g model.GoID, fn string, start, end model.Time, depth int, waits bool) *span {
	var kindOf uint64
	if waits {
		kindOf = 1
	}
	return &span{
		kind:  kindCritical,
		id:    c.ids.span(kindCritical, binary.BigEndian.Uint64(wait.id[:]), uint64(g), uint64(start), uint64(depth), kindOf),
		start: start, end: end, goroutine: g, startFunc: fn, thread: model.NoThread,
	}
}

// segmentName returns who did what, in the words of the runtime.
func segmentName(fn, state string) string {
	return cmp.Or(fn, "(unknown start function)") + ": " + state
}

// pathSums is the time on the critical path of a task, which adds up to its
// duration.
type pathSums struct {
	running, runnable, syscall, unknown model.Time
	waiting                             []reasonTime
	others                              model.Time // of other goroutines
}

type reasonTime struct {
	reason string
	time   model.Time
}

func newPathSums(times []critical.StateTime) *pathSums {
	s := &pathSums{}
	for _, x := range times {
		d := x.Time
		switch {
		case x.State == model.Unknown:
			s.unknown += d
		case !x.Own:
			s.others += d
		case x.State == model.Running:
			s.running += d
		case x.State == model.Runnable:
			s.runnable += d
		case x.State == model.Syscall:
			s.syscall += d
		default:
			at, ok := slices.BinarySearchFunc(s.waiting, x.Reason, func(r reasonTime, reason string) int { return strings.Compare(r.reason, reason) })
			if !ok {
				s.waiting = slices.Insert(s.waiting, at, reasonTime{reason: x.Reason})
			}
			s.waiting[at].time += d
		}
	}
	return s
}

// attributes appends the attributes of a path. They add up to the duration of the
// task.
func (s *pathSums) attributes(b []byte) []byte {
	add := func(name string, t model.Time) {
		if t > 0 {
			b = appendIntAttr(b, fSpanAttribute, "go.critical_path."+name, int64(t))
		}
	}
	add("running_ns", s.running)
	add("runnable_ns", s.runnable)
	add("syscall_ns", s.syscall)
	for _, w := range s.waiting {
		add("waiting_ns."+w.reason, w.time)
	}
	add("others_ns", s.others)
	add("unknown_ns", s.unknown)
	return b
}

// size returns an upper bound of the size of the attributes.
func (s *pathSums) size() int {
	const each = 55 // without the reason
	size := 5 * each
	for _, w := range s.waiting {
		size += each + len(w.reason)
	}
	return size
}

// Span.Link
const (
	fSpanLink      wire.Number = 13 // links
	fLinkTraceID   wire.Number = 1
	fLinkSpanID    wire.Number = 2
	fLinkAttribute wire.Number = 4
)

// linkSize is an upper bound of the size of a link.
const linkSize = 128

func (l *link) append(b []byte) []byte {
	b, mark := wire.Open(b, fSpanLink)
	b = wire.AppendBytes(b, fLinkTraceID, l.trace[:])
	b = wire.AppendBytes(b, fLinkSpanID, l.id[:])
	b = appendStringAttr(b, fLinkAttribute, "go.link.kind", "waited for")
	b = appendIntAttr(b, fLinkAttribute, "go.task.id", int64(l.task))
	return wire.Close(b, mark)
}
