package otel

import (
	"cmp"
	"slices"
	"sort"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

// What is on the critical path of a task is worth as much of the budget as the task is
// long: it is why the task took so long, however short it is itself.

// onPath has when goroutines are on a critical path: for each, intervals in the order of
// time.
type onPath map[model.GoID][]interval

type interval struct{ start, end model.Time }

func newOnPath(p *critical.Path) onPath {
	on := make(onPath)
	add := func(g model.GoID, start, end model.Time) {
		if g != model.NoGoroutine && start < end {
			on[g] = append(on[g], interval{start, end})
		}
	}
	for i := range p.Segments {
		add(p.Segments[i].Goroutine, p.Segments[i].Start, p.Segments[i].End)
	}
	for i := range p.Waits {
		add(p.Waits[i].Goroutine, p.Waits[i].Start, p.Waits[i].End)
	}
	for _, list := range on {
		slices.SortFunc(list, func(a, b interval) int { return cmp.Compare(a.start, b.start) })
	}
	return on
}

// has reports whether a goroutine is on the path in a part of an interval.
func (on onPath) has(g model.GoID, start, end model.Time) bool {
	list := on[g]
	i := sort.Search(len(list), func(i int) bool { return list[i].end > start })
	return i < len(list) && list[i].start < end
}

// lookedPerSpan bounds how often it is looked whether a span is on a path, on average:
// tasks may be nested in any depth. The path of a root is always looked at.
const lookedPerSpan = 4

// markPath marks what is kept of the trace of a task, and is on the task's critical path.
func (c *criticalTree) markPath(r *root, e *ending) {
	c.looked += len(e.path.Segments)
	on, length := newOnPath(e.path), e.end-e.start
	for i := range slices.Backward(r.kept) {
		k := &r.kept[i]
		c.looked++
		if k.end <= e.start && !k.late() {
			break // so did those before it
		}
		if on.has(k.goroutine, k.start, k.end) {
			k.worth = max(k.worth, length)
			if k.node != nil {
				k.node.worth = k.worth
			}
			for n := k.up; n != nil && n.worth < length; n = n.parent {
				c.looked++
				n.worth = length
			}
		}
	}
}
