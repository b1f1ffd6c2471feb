package decode

import "slices"

func (o *order) stwBegin(c *Chunk, next *cursor) outcome {
	g := next.thread.g
	e, d := o.detailed(c, next, RangeBegin)
	if !g.begin(rangeOf{evSTWBegin, next.args[0]}) || !o.stopped(e, d, g, next.args[0]) {
		return odd
	}
	return o.withStack(c, &e.Stack, next.args[1])
}

func (o *order) stwEnd(c *Chunk, next *cursor) outcome {
	g := next.thread.g
	e, d := o.detailed(c, next, RangeEnd)
	r, ok := g.end(evSTWBegin)
	if !ok || !o.stopped(e, d, g, r.kind) {
		return odd
	}
	return happened
}

// stopped fills in what an event about a stopped world is about.
func (o *order) stopped(e *Event, d *Detail, g *goroutine, kind uint64) bool {
	reason, ok := o.str(kind)
	d.Name, e.Scope, e.ID = StopTheWorld+reason+")", OfGoroutine, g.id
	return ok
}

func (g *goroutine) begin(r rangeOf) bool {
	if g.ranges == nil {
		g.ranges = new([]rangeOf)
	}
	if slices.Contains(*g.ranges, r) {
		return false
	}
	*g.ranges = append(*g.ranges, r)
	return true
}

// end ends the first range of a type; the last of all takes its place.
func (g *goroutine) end(typ byte) (rangeOf, bool) {
	if g.ranges == nil {
		return rangeOf{}, false
	}
	rs := *g.ranges
	i := slices.IndexFunc(rs, func(r rangeOf) bool { return r.typ == typ })
	if i < 0 {
		return rangeOf{}, false
	}
	r, last := rs[i], len(rs)-1
	rs[i] = rs[last]
	*g.ranges = rs[:last]
	return r, true
}

// gcEvent takes an event of a cycle of the garbage collector: their sequence
// numbers have them in order, whatever thread they are from.
func (o *order) gc(c *Chunk, next *cursor) outcome {
	th, seq := next.thread, next.args[0]
	first := o.phase == gcUnknown
	if next.typ == evGCActive && !first {
		return odd
	}
	if next.typ == evGCEnd || !first {
		if seq != o.gcSeq+1 {
			return notYet
		}
		if (next.typ == evGCEnd) != (o.phase == gcOn) || th.p == none || th.g == nil {
			return odd
		}
	}
	kind := RangeBegin
	o.phase, o.gcSeq = gcOn, seq
	switch next.typ {
	case evGCActive:
		kind = RangeActive
	case evGCEnd:
		kind, o.phase = RangeEnd, gcOff
	}
	e, d := o.detailed(c, next, kind)
	d.Name = MarkPhase
	if next.typ == evGCBegin {
		return o.withStack(c, &e.Stack, next.args[1])
	}
	return happened
}

func (o *order) assist(c *Chunk, next *cursor) outcome {
	g, kind := next.thread.g, RangeBegin
	switch next.typ {
	case evGCMarkAssistActive:
		if g = o.goroutines.find(int64(next.args[0])); g == nil {
			return odd
		}
		kind = RangeActive
	case evGCMarkAssistEnd:
		kind = RangeEnd
	}
	e, d := o.detailed(c, next, kind)
	d.Name, e.Scope, e.ID = MarkAssist, OfGoroutine, g.id
	if kind == RangeEnd {
		if _, ok := g.end(evGCMarkAssistBegin); !ok {
			return odd
		}
		return happened
	}
	if !g.begin(rangeOf{typ: evGCMarkAssistBegin}) {
		return odd
	}
	if next.typ == evGCMarkAssistBegin {
		return o.withStack(c, &e.Stack, next.args[0])
	}
	return happened
}

func (o *order) sweep(c *Chunk, next *cursor) outcome {
	id, kind := next.thread.p, RangeBegin
	switch next.typ {
	case evGCSweepActive:
		if p := o.proc(next.args[0]); p == nil || p.status == 0 {
			return odd
		}
		id, kind = int32(next.args[0]), RangeActive
	case evGCSweepEnd:
		kind = RangeEnd
	}
	e, d := o.detailed(c, next, kind)
	d.Name, e.Scope, e.ID = Sweep, OfProc, int64(id)
	p := &o.procs[id]
	if p.sweeping != (kind == RangeEnd) {
		return odd
	}
	p.sweeping = !p.sweeping
	switch next.typ {
	case evGCSweepBegin:
		return o.withStack(c, &e.Stack, next.args[0])
	case evGCSweepEnd:
		d.Swept, d.Reclaimed = next.args[0], next.args[1]
	}
	return happened
}
