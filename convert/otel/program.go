package otel

import (
	"slices"

	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// program is the trace of what belongs to no task. If it is not wanted, it only holds
// the states of goroutines from before the trace, for [tree.OldSpan].
type program struct {
	tree *tree
	*root
	node *node

	// held is the cost of the states of goroutines that have not ended. When it is
	// more than twice the budget, the shortest are dropped, and from then on all that
	// are shorter than minState.
	held     int64
	minState model.Time
	gcSpent  int64 // of the budget

	free *node // to be used again; nil for none
}

func newProgram(t *tree, wants bool) *program {
	n := &node{span: span{
		kind: kindProgram, id: t.ids.span(kindProgram), name: "program",
		start: t.trace.Start, before: true, goroutine: model.NoGoroutine, thread: model.NoThread,
	}, sent: true}
	r := &root{trace: t.ids.trace(model.BackgroundTask, t.trace.Start), node: n, verdict: unwanted}
	n.root = r
	if wants {
		t.want(r)
	}
	return &program{tree: t, root: r, node: n}
}

// join makes a goroutine part of the program's trace, as long as it is not at
// work for a task.
func (p *program) join(g *model.Goroutine, gr *goroutine) {
	if p.verdict == unwanted && !g.Before || p.tree.opts.Detail < Goroutines || !p.tree.selected(g) {
		return
	}
	n := p.free
	if n == nil {
		n = new(node)
	}
	p.free = nil
	n.kind, n.start, n.before, n.stack = kindGoroutine, g.Start, g.Before, g.Creation
	n.id = p.tree.ids.span(kindGoroutine, uint64(model.BackgroundTask), uint64(g.ID), uint64(g.Start))
	n.goroutine, n.thread = g.ID, model.NoThread
	n.parent, n.sent, n.g = p.node, true, g
	gr.alone = n
}

// reuse takes back a node that nothing refers to.
func (p *program) reuse(n *node) {
	*n = node{}
	p.free = n
}

// leave takes a goroutine out, for good: it is at work for a task.
func (p *program) leave(gr *goroutine) {
	if n := gr.alone; n != nil {
		p.held -= n.heldCost
		gr.alone = nil
		p.reuse(n)
	}
}

// cost returns the cost of spans.
func (p *program) cost(spans []*span) (cost int64) {
	for _, x := range spans {
		cost += p.tree.cost(x)
	}
	return cost
}

// tooShort reports whether states of this length are dropped.
func (p *program) tooShort(d model.Time) bool { return d < max(p.minState, p.shortest) }

// state takes a state of a goroutine, or an assist.
func (p *program) state(alone *node, x *span) {
	if p.tooShort(x.end - x.start) {
		alone.dropped++
		return
	}
	cost := p.tree.cost(x)
	alone.held = append(alone.held, x)
	alone.heldCost += cost
	p.held += cost
	if p.held/2 > p.tree.budget.total() {
		p.dropShort()
	}
}

// dropShort drops the shortest states until the rest fits into the trace.
func (p *program) dropShort() {
	for p.held > p.tree.budget.total() {
		p.minState = max(2*p.minState, 1)
		p.held = 0
		for gr := range p.tree.goroutines.All() {
			for _, n := range [...]*node{gr.alone, gr.early} {
				if n == nil {
					continue
				}
				states := len(n.held)
				n.held = slices.DeleteFunc(n.held, func(x *span) bool { return x.end-x.start < p.minState })
				n.dropped += states - len(n.held)
				n.heldCost = p.cost(n.held)
				p.held += n.heldCost
			}
		}
	}
}

// goroutineEnd emits the goroutine with its states.
func (p *program) goroutineEnd(g *model.Goroutine, gr *goroutine) {
	if gr.early != nil {
		p.held -= gr.early.heldCost
	}
	n := gr.alone
	if n == nil {
		return
	}
	n.end, n.open, n.startFunc = g.End, g.Open, g.Func
	p.held -= n.heldCost
	n.root = p.root
	p.leftOut += n.dropped
	if p.tree.hopeless(n) {
		// So are its states, which are shorter.
		for range n.held {
			p.tree.leaveOut(p.root, nil)
		}
		p.tree.leaveOut(p.root, n)
		gr.alone = nil
		p.reuse(n)
		return
	}
	n.name = p.tree.goroutineName(g)
	n.times = &times.Times{}
	n.times.Set(p.tree.ledger.Times(g))
	p.tree.emitNode(n)
	for _, x := range n.held {
		p.tree.emitLeaf(n, x)
	}
	n.held = nil
}

// gc takes a GC cycle or a pause. They are short, but matter: up to a quarter of the
// budget is for them, whatever else there is.
func (p *program) gc(r *model.Range) {
	if p.verdict == unwanted {
		return
	}
	x := &span{
		kind: kindGC, id: p.tree.ids.span(kindGC, uint64(r.Kind), uint64(r.Start)),
		name: r.Name, start: r.Start, end: r.End, before: r.Before, open: r.Open, stack: r.Stack,
		reason: r.Reason, goroutine: model.NoGoroutine, thread: model.NoThread,
	}
	if r.Goroutine != nil {
		x.goroutine, x.startFunc = r.Goroutine.ID, r.Goroutine.Func
	}
	cost := p.tree.cost(x)
	if cost > p.tree.budget.total()/4-p.gcSpent {
		p.tree.emitLeaf(p.node, x)
		return
	}
	p.gcSpent += cost
	p.spent += cost
	x.parent = p.node.id
	p.tree.send(p.root, x)
}

// end sends what is kept, and the program itself.
func (p *program) end(s *model.Summary) {
	p.node.end, p.node.open, p.node.misuse = s.End, true, s.Misuse
	p.tree.end(p.root)
}
