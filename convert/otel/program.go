package otel

import (
	"container/heap"
	"slices"

	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// program is the trace of what belongs to no task. Its methods do nothing on
// nil, for when it is not wanted.
type program struct {
	tree *tree
	*root
	node *node

	// kept are the goroutines, with their states, that are to be sent: those
	// that lasted longest, as many as fit into the trace. The shortest is first.
	kept  goroutineHeap
	total int // spans in kept
	// held is the number of states of goroutines that have not ended. When all
	// states together are twice what fits into the trace, the shorter ones are
	// dropped, and from then on those that are shorter than minState.
	held     int
	minState model.Time
}

// aloneGoroutine is a goroutine that ended, with its states.
type aloneGoroutine struct {
	span   *span
	states []*span
}

func (a *aloneGoroutine) spans() int { return 1 + len(a.states) }

func newProgram(t *tree) *program {
	n := &node{span: span{
		kind: kindProgram, id: t.ids.span(kindProgram), name: "program",
		start: t.trace.Start, before: true, goroutine: model.NoGoroutine, thread: model.NoThread,
	}, sent: true}
	r := &root{trace: t.ids.trace(model.BackgroundTask), node: n, verdict: wanted, spans: 1}
	n.root = r
	t.stats.Traces++
	return &program{tree: t, root: r, node: n}
}

// join makes a goroutine part of the program's trace, as long as it is not at
// work for a task.
func (p *program) join(g *model.Goroutine, gr *goroutine) {
	if p == nil || p.tree.opts.Detail < Goroutines || !p.tree.selected(g) {
		return
	}
	gr.alone = &node{
		span: span{
			kind:      kindGoroutine,
			id:        p.tree.ids.span(kindGoroutine, uint64(model.BackgroundTask), uint64(g.ID), uint64(g.Start)),
			parent:    p.node.id,
			start:     g.Start,
			before:    g.Before,
			stack:     g.Creation,
			goroutine: g.ID,
			thread:    model.NoThread,
		},
		parent: p.node, sent: true, g: g,
	}
}

// leave takes a goroutine out, for good: it is at work for a task.
func (p *program) leave(gr *goroutine) {
	if gr.alone != nil {
		p.held -= len(gr.alone.held)
		gr.alone = nil
	}
}

// state takes a state of a goroutine.
func (p *program) state(alone *node, x *span) {
	if x.end-x.start < p.minState {
		p.leftOut++
		return
	}
	alone.held = append(alone.held, x)
	p.held++
	if limit := p.tree.opts.MaxSpansPerTrace; limit > 0 && p.held+p.total > 2*limit {
		p.dropShort(limit)
	}
}

// dropShort drops the shortest states until no more than limit are left.
func (p *program) dropShort(limit int) {
	for p.held+p.total > limit && p.minState < 1<<62 {
		p.minState = max(2*p.minState, 1)
		drop := func(states []*span) []*span {
			kept := slices.DeleteFunc(states, func(x *span) bool { return x.end-x.start < p.minState })
			p.leftOut += len(states) - len(kept)
			return kept
		}
		p.held = 0
		goroutines := p.tree.goroutines.All()
		for i := range goroutines {
			if n := goroutines[i].alone; n != nil {
				n.held = drop(n.held)
				p.held += len(n.held)
			}
		}
		p.total = 0
		for _, a := range p.kept {
			a.states = drop(a.states)
			p.total += a.spans()
		}
		if p.held == 0 {
			return // only goroutines: fit drops the shortest
		}
	}
}

// goroutineEnd keeps the goroutine if it lasted long enough.
func (p *program) goroutineEnd(g *model.Goroutine, gr *goroutine) {
	n := gr.alone
	if p == nil || n == nil {
		return
	}
	n.end, n.open, n.startFunc = g.End, g.Open, g.Func
	n.name = goroutineName(g)
	n.times = &times.Times{}
	n.times.Set(p.tree.ledger.Times(g))
	if since, ok := g.Assist(); ok {
		n.times.GCAssist += g.End - since
	}
	p.held -= len(n.held)
	a := &aloneGoroutine{&n.span, n.held}
	heap.Push(&p.kept, a)
	p.total += a.spans()
	p.fit()
}

// fit drops the shortest goroutines until the rest fits into the trace.
func (p *program) fit() {
	limit := p.tree.opts.MaxSpansPerTrace
	for limit > 0 && len(p.kept) > 0 && p.root.spans+p.total > limit {
		a := heap.Pop(&p.kept).(*aloneGoroutine)
		p.total -= a.spans()
		p.leftOut += a.spans()
	}
}

// gc takes a GC cycle or a pause.
func (p *program) gc(r *model.Range) {
	if p == nil || !p.reserve(p.tree.opts.MaxSpansPerTrace) {
		return
	}
	x := &span{
		kind: kindGC, id: p.tree.ids.span(kindGC, uint64(r.Kind), uint64(r.Start)), parent: p.node.id,
		name: r.Name, start: r.Start, end: r.End, before: r.Before, open: r.Open, stack: r.Stack,
		reason: r.Reason, goroutine: model.NoGoroutine, thread: model.NoThread,
	}
	if r.Goroutine != nil {
		x.goroutine, x.startFunc = r.Goroutine.ID, r.Goroutine.Func
	}
	p.tree.emit(p.root, x)
}

// end sends the goroutines, and the program itself.
func (p *program) end(s *model.Summary) {
	if p == nil {
		return
	}
	p.fit()
	slices.SortFunc(p.kept, func(a, b *aloneGoroutine) int {
		if a.span.start != b.span.start {
			return int(a.span.start - b.span.start)
		}
		return int(a.span.goroutine - b.span.goroutine)
	})
	for _, a := range p.kept {
		p.tree.emit(p.root, a.span)
		for _, x := range a.states {
			p.tree.emit(p.root, x)
		}
	}
	n := p.node
	n.end, n.open, n.leftOut = s.End, true, p.leftOut
	p.tree.stats.LeftOut += p.leftOut
	p.tree.emit(p.root, &n.span)
}

// goroutineHeap orders goroutines by how long they lasted.
type goroutineHeap []*aloneGoroutine

func (h goroutineHeap) Len() int { return len(h) }
func (h goroutineHeap) Less(i, j int) bool {
	a, b := h[i].span, h[j].span
	if x, y := a.end-a.start, b.end-b.start; x != y {
		return x < y
	}
	return a.goroutine > b.goroutine
}
func (h goroutineHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *goroutineHeap) Push(x any)   { *h = append(*h, x.(*aloneGoroutine)) }
func (h *goroutineHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}
