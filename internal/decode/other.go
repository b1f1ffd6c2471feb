package decode

import (
	"slices"

	exptrace "golang.org/x/exp/trace"
)

// other takes the events that do not change the state of a goroutine or P: they
// always can have happened, but for those of the garbage collector.
func (o *order) other(c *Chunk, next *cursor) outcome {
	th, args := next.thread, &next.args
	// Most need a goroutine on a P, some a P only, and some nothing.
	switch next.typ {
	case evGCActive, evGCBegin, evGCEnd, evGCSweepActive, evGCMarkAssistActive:
	case evHeapAlloc, evHeapGoal, evGCSweepBegin, evGCSweepEnd:
		if th.p == none {
			return odd
		}
	default:
		if th.p == none || th.g == nil {
			return odd
		}
	}
	switch next.typ {
	case evProcsChange:
		return o.metric(c, next, "/sched/gomaxprocs:threads", args[1])
	case evHeapAlloc:
		return o.metric(c, next, "/memory/classes/heap/objects:bytes", 0)
	case evHeapGoal:
		return o.metric(c, next, "/gc/heap/goal:bytes", 0)

	case evGoLabel:
		e, d := o.detailed(c, next, exptrace.EventLabel)
		e.Resource, e.ID = exptrace.ResourceGoroutine, th.g.id
		return o.named(d, args[0])
	case evUserLog:
		e, d := o.detailed(c, next, exptrace.EventLog)
		d.Task = taskID(args[0])
		if !o.hasString(args[1]) || !o.hasString(args[2]) {
			return odd
		}
		d.Name, d.Message = o.strings[args[1]].s, o.strings[args[2]].s
		return o.withStack(c, &e.Stack, args[3])
	case evUserTaskBegin:
		e, d := o.detailed(c, next, exptrace.EventTaskBegin)
		d.Task, d.Parent = args[0], taskID(args[1])
		if o.tasks[args[0]] || o.named(d, args[2]) == odd {
			return odd
		}
		o.tasks[args[0]] = true
		return o.withStack(c, &e.Stack, args[3])
	case evUserTaskEnd:
		e, _ := o.detailed(c, next, exptrace.EventTaskEnd)
		e.ID = int64(args[0])
		delete(o.tasks, args[0])
		return o.withStack(c, &e.Stack, args[1])
	case evUserRegionBegin, evUserRegionEnd:
		return o.region(c, next)
	}
	return o.rangeEvent(c, next)
}

// detailed is event with a detail.
func (o *order) detailed(c *Chunk, next *cursor, kind exptrace.EventKind) (*Event, *Detail) {
	e := o.event(c, kind, next.thread, next.time)
	return e, c.detail(e)
}

// named sets the name of a detail.
func (o *order) named(d *Detail, id uint64) outcome {
	if !o.hasString(id) {
		return odd
	}
	d.Name = o.strings[id].s
	return happened
}

func (o *order) metric(c *Chunk, next *cursor, name string, stack uint64) outcome {
	e, d := o.detailed(c, next, exptrace.EventMetric)
	d.Name, d.Value = name, next.args[0]
	return o.withStack(c, &e.Stack, stack)
}

// region takes the beginning or the end of a region. Regions nest; those from
// before the generation end without having begun.
func (o *order) region(c *Chunk, next *cursor) outcome {
	g, kind := next.thread.g, exptrace.EventRegionBegin
	if next.typ == evUserRegionEnd {
		kind = exptrace.EventRegionEnd
	}
	e, d := o.detailed(c, next, kind)
	d.Task = taskID(next.args[0])
	if o.named(d, next.args[1]) == odd {
		return odd
	}
	r := region{next.args[0], d.Name}
	if n := len(g.regions); kind == exptrace.EventRegionBegin {
		g.regions = append(g.regions, r)
	} else if n > 0 {
		if g.regions[n-1] != r {
			return odd
		}
		g.regions = g.regions[:n-1]
	}
	return o.withStack(c, &e.Stack, next.args[2])
}

// rangeEvent takes an event of what the runtime does for some time.
func (o *order) rangeEvent(c *Chunk, next *cursor) outcome {
	th, args := next.thread, &next.args
	switch next.typ {
	case evGCActive, evGCBegin, evGCEnd:
		return o.gcEvent(c, next)

	case evSTWBegin:
		e, d := o.detailed(c, next, exptrace.EventRangeBegin)
		if !th.g.begin(rangeOf{evSTWBegin, args[0]}) || !o.stopped(e, d, th.g, args[0]) {
			return odd
		}
		return o.withStack(c, &e.Stack, args[1])
	case evSTWEnd:
		e, d := o.detailed(c, next, exptrace.EventRangeEnd)
		r, ok := th.g.end(evSTWBegin)
		if !ok || !o.stopped(e, d, th.g, r.kind) {
			return odd
		}
		return happened

	case evGCMarkAssistBegin, evGCMarkAssistEnd, evGCMarkAssistActive:
		return o.assist(c, next)
	case evGCSweepBegin, evGCSweepEnd, evGCSweepActive:
		return o.sweep(c, next)
	}
	return odd
}

// Names of ranges, as x/exp/trace has them. That of a stopped world goes on with
// the reason, and a parenthesis.
const (
	MarkPhase    = "GC concurrent mark phase"
	MarkAssist   = "GC mark assist"
	Sweep        = "GC incremental sweep"
	StopTheWorld = "stop-the-world ("
)

// stopped is what an event about a stopped world is about.
func (o *order) stopped(e *Event, d *Detail, g *goroutine, kind uint64) bool {
	if !o.hasString(kind) {
		return false
	}
	d.Name = StopTheWorld + o.strings[kind].s + ")"
	e.Resource, e.ID = exptrace.ResourceGoroutine, g.id
	return true
}

func (g *goroutine) begin(r rangeOf) bool {
	if slices.Contains(g.ranges, r) {
		return false
	}
	g.ranges = append(g.ranges, r)
	return true
}

// end ends the first range of a type; the last of all takes its place.
func (g *goroutine) end(typ byte) (rangeOf, bool) {
	i := slices.IndexFunc(g.ranges, func(r rangeOf) bool { return r.typ == typ })
	if i < 0 {
		return rangeOf{}, false
	}
	r, last := g.ranges[i], len(g.ranges)-1
	g.ranges[i] = g.ranges[last]
	g.ranges = g.ranges[:last]
	return r, true
}

// gcEvent takes an event of a cycle of the garbage collector: their sequence
// numbers have them in order, whatever thread they are from.
func (o *order) gcEvent(c *Chunk, next *cursor) outcome {
	th, seq := next.thread, next.args[0]
	first := o.gc == gcUnknown
	if next.typ == evGCActive && !first {
		return odd
	}
	if next.typ == evGCEnd || !first {
		if seq != o.gcSeq+1 {
			return notYet
		}
		if (next.typ == evGCEnd) != (o.gc == gcOn) || th.p == none || th.g == nil {
			return odd
		}
	}
	kind := exptrace.EventRangeBegin
	o.gc, o.gcSeq = gcOn, seq
	switch next.typ {
	case evGCActive:
		kind = exptrace.EventRangeActive
	case evGCEnd:
		kind, o.gc = exptrace.EventRangeEnd, gcOff
	}
	e, d := o.detailed(c, next, kind)
	d.Name = MarkPhase
	if next.typ == evGCBegin {
		return o.withStack(c, &e.Stack, next.args[1])
	}
	return happened
}

func (o *order) assist(c *Chunk, next *cursor) outcome {
	g, kind := next.thread.g, exptrace.EventRangeBegin
	switch next.typ {
	case evGCMarkAssistActive:
		if g = o.goroutines.find(int64(next.args[0])); g == nil {
			return odd
		}
		kind = exptrace.EventRangeActive
	case evGCMarkAssistEnd:
		kind = exptrace.EventRangeEnd
	}
	e, d := o.detailed(c, next, kind)
	d.Name, e.Resource, e.ID = MarkAssist, exptrace.ResourceGoroutine, g.id
	if kind == exptrace.EventRangeEnd {
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
	id, kind := next.thread.p, exptrace.EventRangeBegin
	switch next.typ {
	case evGCSweepActive:
		if p := o.proc(next.args[0]); p == nil || p.status == 0 {
			return odd
		}
		id, kind = int32(next.args[0]), exptrace.EventRangeActive
	case evGCSweepEnd:
		kind = exptrace.EventRangeEnd
	}
	e, d := o.detailed(c, next, kind)
	d.Name, e.Resource, e.ID = Sweep, exptrace.ResourceProc, int64(id)
	p := &o.procs[id]
	if p.sweeping != (kind == exptrace.EventRangeEnd) {
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
