package otel

import (
	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

// endings are the tasks that have ended, and whose critical paths are being found by
// another goroutine, while the tree goes on. A task is sent when its path is known, and
// the tasks that ended before it have been. When the tree looks for that depends on the
// trace alone, so that the same trace gives the same spans.
type endings struct {
	queue []*ending
	now   *ending // of the task that the tree is ending

	// What follows belongs to the goroutine that finds the paths.
	current  *ending
	batch    int // of current
	segments int // of paths that were found in the batch
	times    []critical.StateTime
}

// ending is a task that has ended.
type ending struct {
	node       *node
	start, end model.Time
	goroutine  model.GoID // that ended it
	batch      int        // of the finder, which finds the path with it
	// wantsTimes and wantsPath say what of the path is wanted.
	wantsTimes, wantsPath bool
	// then is what is left to do when the path is known; nil for nothing.
	then func()

	known chan struct{} // closed when what follows is
	sums  *pathSums
	path  *critical.Path // nil if it is not wanted
}

const (
	// batchesBehind is how many batches of the finder a task is sent later. The finder
	// has time for them.
	batchesBehind = 3
	// pathsOfBatch is the number of segments, in the paths of a batch, up to which there
	// are others. The paths of nested tasks are long, and nearly the same.
	pathsOfBatch = 1 << 15
)

// begin hands a task that ends to the finder.
func (x *endings) begin(c *criticalTree, n *node, task *model.Task) {
	r := n.root
	tooShort := r.node == n && r.verdict == undecided && task.End-task.Start < c.minTask
	e := &ending{
		node: n, start: task.Start, end: task.End, goroutine: model.NoGoroutine,
		wantsTimes: r.verdict != unwanted && !tooShort,
		known:      make(chan struct{}),
	}
	if task.EndGoroutine != nil {
		e.goroutine = task.EndGoroutine.ID
	}
	e.wantsPath = e.wantsTimes && (len(r.waits) > 0 || c.isCrowded(r, n))
	c.finder.Then(func() { x.current = e })
	c.finder.TaskEnd(task)
	e.batch = c.finder.Batch()
	x.now = e
	x.queue = append(x.queue, e)
	r.ending++
}

// found takes the path of a task.
func (x *endings) found(u *critical.Unit) {
	e := x.current
	x.current = nil
	defer close(e.known)
	if u.Cut || !e.wantsTimes {
		e.wantsTimes = false
		return
	}
	x.times = u.StateTimes(x.times[:0])
	e.sums = newPathSums(x.times)
	if !e.wantsPath {
		return
	}
	if e.batch != x.batch {
		x.batch, x.segments = e.batch, 0
	}
	if x.segments < pathsOfBatch {
		e.path = u.Path(maxPath)
		x.segments += len(e.path.Segments)
	}
}

// whenExplained does the last thing that is to be done for the task that ends now: when its
// path is known, or at once if nobody asks for that.
func (c *criticalTree) whenExplained(do func()) {
	if c == nil {
		do()
		return
	}
	c.endings.now.then = do
}

// ready finishes the tasks whose paths have been found by now, at the latest.
func (x *endings) ready(c *criticalTree) {
	x.now = nil
	for len(x.queue) > 0 && x.queue[0].batch+batchesBehind <= c.finder.Batch() {
		x.finish(c)
	}
}

// finish finishes the first task.
func (x *endings) finish(c *criticalTree) {
	e := x.queue[0]
	x.queue[0] = nil
	x.queue = x.queue[1:]
	<-e.known
	e.node.root.ending--
	if e.wantsTimes {
		c.explained(e)
	}
	if e.then != nil {
		e.then()
	}
}

// settle finishes the tasks of a trace that have ended, and those before them.
func (c *criticalTree) settle(r *root) {
	if c == nil || r.ending == 0 {
		return
	}
	c.finder.Flush()
	for r.ending > 0 {
		c.endings.finish(c)
	}
}

// settleAll finishes all tasks that have ended.
func (c *criticalTree) settleAll() {
	if c == nil || len(c.endings.queue) == 0 {
		return
	}
	c.finder.Flush()
	for len(c.endings.queue) > 0 {
		c.endings.finish(c)
	}
}
