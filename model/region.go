package model

import "slices"

// Region is a runtime/trace.Region. The regions of a goroutine nest, unless the
// program ends them in another order, which Summary.Misuse counts.
type Region struct {
	Goroutine *Goroutine
	Type      string // may be ""
	// TaskID is BackgroundTask for a region without a task. Task is nil for
	// such a region, and if the task had ended when the region began; it is only
	// valid until RegionStart returns.
	TaskID TaskID
	Task   *Task
	// Depth is a small number that no other open region of the goroutine has: an
	// index for what a sink knows of a region. Of regions that nest, it is how many
	// are around it.
	Depth int
	// Stack is where the region began, EndStack where it ended, which may be on
	// another goroutine; nil if unknown.
	Stack, EndStack *Stack
	// Start and End are the edges of the trace if Before and Open are set. A
	// region that is never ended ends with its goroutine. End, Open and EndStack
	// are valid in RegionEnd.
	Start, End   Time
	Before, Open bool

	ended  bool
	task   *Task   // open when the region began; nil for none
	ofTask *Region // this one or the innermost around it that has a task
	// What the goroutine worked for before, and the numbers of the signs for that
	// and of the region; see Work. sign is 0 if it worked for the same.
	back           *Task
	backSign, sign uint64
}

func (b *builder) regionBegun(r *Region) {
	g := r.Goroutine
	if r.task = r.Task; r.task != nil {
		r.ofTask = r
	} else if n := len(g.regions); n > 0 {
		r.ofTask = g.regions[n-1].ofTask
	}
	if o := g.outOfOrder; o != nil && len(o.freeDepths) > 0 {
		r.Depth = o.freeDepths[len(o.freeDepths)-1]
		o.freeDepths = o.freeDepths[:len(o.freeDepths)-1]
	} else {
		r.Depth = g.openRegions()
	}
	own := g.own()
	own.regions = append(own.regions, r)
	b.openRegions.add(r)
	if r.task != nil {
		b.enteredRegion(r)
	}
	b.sink.RegionStart(r)
	r.Task = nil
}

// regionEnded ends a region: the innermost one of the goroutine, unless the program
// ends them out of order. One that the trace did not begin is from before it, if
// its goroutine is.
func (b *builder) regionEnded(g *Goroutine, id TaskID, typ string, stack *Stack, now Time) {
	if n := len(g.regions); n > 0 && g.regions[n-1].Type == typ && g.regions[n-1].TaskID == id {
		b.regionClosed(g.regions[n-1], now, stack)
		return
	} else if n == 0 && (g.Before || g.Start < b.since) {
		r := &Region{Goroutine: g, Type: typ, TaskID: id, Task: b.task(id), Start: b.since, Before: true}
		b.sink.RegionStart(r)
		r.Task = nil
		r.End, r.EndStack = now, stack
		b.sink.RegionEnd(r)
		return
	}
	if b.openRegions == nil {
		b.openRegions = make(openRegions)
		for g := range b.pool.all() {
			for _, r := range g.regions {
				b.openRegions.add(r)
			}
		}
	}
	if r := b.openRegions.innermost(regionKey{g, id, typ}); r != nil {
		b.misuse("region ended that is not the innermost one")
		b.regionClosed(r, now, stack)
	} else if r, n := b.openRegions.only(regionKey{nil, id, typ}); n == 1 {
		b.misuse("region ended on another goroutine")
		b.regionClosed(r, now, stack)
	} else if n > 1 {
		b.misuse("region ended on another goroutine, nobody knows which of several")
	} else if b.since == b.trace.Start { // else it may have begun in a gap
		b.misuse("region ended that has not begun")
	}
}

func (b *builder) regionClosed(r *Region, now Time, stack *Stack) {
	g := r.Goroutine
	r.ended = true
	g.forgetRegion(r)
	b.openRegions.remove(r)
	r.End, r.EndStack = now, stack
	b.sink.RegionEnd(r)
	if r.task != nil {
		b.leftRegion(r, now)
	}
}

// outOfOrder is what is known of the open regions of a goroutine that does not nest
// them.
type outOfOrder struct {
	ended      int   // among Goroutine.regions
	freeDepths []int // below the number of those
}

// openRegions is how many regions of the goroutine are open. If no depth below it is
// free, these have all of them.
func (g *Goroutine) openRegions() int {
	if g.outOfOrder == nil {
		return len(g.regions)
	}
	return len(g.regions) - g.outOfOrder.ended
}

// forgetRegion drops a region that has ended. One that is not the innermost may stay
// for a while.
func (g *Goroutine) forgetRegion(r *Region) {
	n := len(g.regions)
	o := g.outOfOrder
	if o == nil {
		if g.regions[n-1] == r {
			g.regions[n-1] = nil
			g.regions = g.regions[:n-1]
			return
		}
		o = &outOfOrder{}
		g.outOfOrder = o
	}
	o.ended++
	o.freeDepths = append(o.freeDepths, r.Depth)
	for n > 0 && g.regions[n-1].ended {
		n--
		o.ended--
	}
	clear(g.regions[n:])
	g.regions = g.regions[:n]
	if 2*o.ended > n {
		g.regions = slices.DeleteFunc(g.regions, func(r *Region) bool { return r.ended })
		o.ended = 0
	}
	if len(g.regions) == 0 {
		g.outOfOrder = nil
	}
}

// openRegions finds open regions by what their ends tell. Only a program that does
// not nest them needs it: it is nil until then.
type openRegions map[regionKey]*sameRegions

// regionKey is what the end of a region tells; g is nil for any goroutine.
type regionKey struct {
	g    *Goroutine
	task TaskID
	typ  string
}

// sameRegions are regions with the same key, by their beginnings. Some may have
// ended.
type sameRegions struct {
	list []*Region
	open int
}

func (o openRegions) add(r *Region) {
	if o == nil || r.ended {
		return
	}
	for _, key := range [...]regionKey{{r.Goroutine, r.TaskID, r.Type}, {nil, r.TaskID, r.Type}} {
		same := o[key]
		if same == nil {
			same = &sameRegions{}
			o[key] = same
		}
		same.list = append(same.list, r)
		same.open++
	}
}

func (o openRegions) remove(r *Region) {
	if o == nil {
		return
	}
	for _, key := range [...]regionKey{{r.Goroutine, r.TaskID, r.Type}, {nil, r.TaskID, r.Type}} {
		same := o[key]
		if same.open--; same.open == 0 {
			delete(o, key)
		} else if len(same.list) > 2*same.open {
			same.forgetEnded()
		}
	}
}

func (s *sameRegions) forgetEnded() {
	open := s.list[:0]
	for _, r := range s.list {
		if !r.ended {
			open = append(open, r)
		}
	}
	clear(s.list[len(open):])
	s.list = open
}

// innermost returns the open region with this key that began last, nil for none.
func (o openRegions) innermost(key regionKey) *Region {
	same := o[key]
	if same == nil {
		return nil
	}
	for n := len(same.list); ; n-- {
		if r := same.list[n-1]; !r.ended {
			same.list = same.list[:n]
			return r
		}
	}
}

// only returns how many open regions have this key, and the region if it is one.
func (o openRegions) only(key regionKey) (r *Region, n int) {
	same := o[key]
	if same == nil {
		return nil, 0
	}
	return o.innermost(key), same.open
}
