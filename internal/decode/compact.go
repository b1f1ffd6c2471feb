package decode

import (
	"math"

	exptrace "golang.org/x/exp/trace"
)

// Compactor puts the events of x/exp/trace into chunks, those of one generation
// after the other. It does what only those may do who decode: some accessors of
// events read tables to which decoding adds.
type Compactor struct {
	// checked has the stacks that are known to be good, for the formats that
	// x/exp/trace does not check; nil for the others.
	checked map[exptrace.Stack]bool

	stacks  map[exptrace.Stack]uint32
	last    uint32 // number of a stack
	reasons map[string]uint16

	// asking is set while x/exp/trace is asked for a transition, which panics if
	// it does not know it.
	asking bool
}

func NewCompactor(v1 bool) *Compactor {
	c := &Compactor{stacks: make(map[exptrace.Stack]uint32), reasons: make(map[string]uint16)}
	if v1 {
		c.checked = make(map[exptrace.Stack]bool)
	}
	return c
}

// forget begins a generation.
func (x *Compactor) forget() {
	clear(x.stacks)
	clear(x.reasons)
	x.last = 0
}

// Add puts an event into a chunk, which has room for it.
func (x *Compactor) Add(c *Chunk, ev *exptrace.Event) {
	kind := ev.Kind()
	if kind == exptrace.EventSync {
		x.forget()
		c.First = true
	}
	if x.checked != nil {
		x.check(ev)
	}
	c.Events = append(c.Events, Event{
		Time:   int64(ev.Time()),
		G:      int64(ev.Goroutine()),
		Thread: int64(ev.Thread()),
		Proc:   procID(int64(ev.Proc())),
		Kind:   uint8(kind),
	})
	e := &c.Events[len(c.Events)-1]
	if kind == exptrace.EventStateTransition {
		x.transition(c, e, ev)
		return
	}
	d := c.detail(e)
	switch kind {
	case exptrace.EventSync:
		s := ev.Sync()
		if s.ClockSnapshot != nil {
			d.Clock = &Clock{Trace: int64(s.ClockSnapshot.Trace), Mono: s.ClockSnapshot.Mono, Wall: s.ClockSnapshot.Wall}
		}
		for name := range s.ExperimentalBatches {
			d.Unknown = append(d.Unknown, "batches of the experiment "+name)
		}
	case exptrace.EventMetric:
		m := ev.Metric()
		d.Name, d.Value = m.Name, m.Value.Uint64()
	case exptrace.EventLabel:
		l := ev.Label()
		d.Name = l.Label
		if e.Resource = l.Resource.Kind; e.Resource == exptrace.ResourceGoroutine {
			e.ID = int64(l.Resource.Goroutine())
		}
	case exptrace.EventRangeBegin, exptrace.EventRangeActive, exptrace.EventRangeEnd:
		x.rangeEvent(e, d, ev)
	case exptrace.EventTaskBegin:
		t := ev.Task()
		d.Name, d.Task, d.Parent = t.Type, uint64(t.ID), taskID(uint64(t.Parent))
	case exptrace.EventTaskEnd:
		e.ID = int64(ev.Task().ID)
	case exptrace.EventRegionBegin, exptrace.EventRegionEnd:
		r := ev.Region()
		d.Name, d.Task = r.Type, taskID(uint64(r.Task))
	case exptrace.EventLog:
		l := ev.Log()
		d.Name, d.Message, d.Task = l.Category, l.Message, taskID(uint64(l.Task))
	case exptrace.EventExperimental:
		d.Name = ev.Experimental().Name
	}
	e.Stack = x.stack(c, ev.Stack())
}

func (x *Compactor) transition(c *Chunk, e *Event, ev *exptrace.Event) {
	x.asking = true
	st := ev.StateTransition()
	x.asking = false
	e.Resource = st.Resource.Kind
	switch e.Resource {
	case exptrace.ResourceGoroutine:
		e.ID = int64(st.Resource.Goroutine())
		e.From, e.To = st.Goroutine()
		e.Own = x.stack(c, st.Stack)
		if e.From == exptrace.GoNotExist || e.From == exptrace.GoWaiting {
			e.Stack = x.stack(c, ev.Stack()) // of the one who did it
		}
		if st.Reason != "" {
			e.Reason = x.reason(c, st.Reason)
		}
	case exptrace.ResourceProc:
		e.ID = int64(st.Resource.Proc())
		from, to := st.Proc()
		e.From, e.To = exptrace.GoState(from), exptrace.GoState(to)
	}
}

func (x *Compactor) rangeEvent(e *Event, d *Detail, ev *exptrace.Event) {
	r := ev.Range()
	d.Name = r.Name
	switch e.Resource = r.Scope.Kind; e.Resource {
	case exptrace.ResourceGoroutine:
		e.ID = int64(r.Scope.Goroutine())
	case exptrace.ResourceProc:
		e.ID = int64(r.Scope.Proc())
	}
	if !e.Is(exptrace.EventRangeEnd) {
		return
	}
	for _, a := range ev.RangeAttributes() {
		switch a.Name {
		case "bytes swept":
			d.Swept = a.Value.Uint64()
		case "bytes reclaimed":
			d.Reclaimed = a.Value.Uint64()
		default:
			d.Unknown = append(d.Unknown, "range attribute "+a.Name)
		}
	}
}

// stack numbers a stack, 0 for one without frames.
func (x *Compactor) stack(c *Chunk, s exptrace.Stack) uint32 {
	if s == exptrace.NoStack {
		return 0
	}
	n, ok := x.stacks[s]
	if ok {
		return n
	}
	var frames Stack
	for f := range s.Frames() {
		frames = append(frames, &f)
	}
	if len(frames) > 0 {
		x.last++
		n = x.last
		c.Stacks = append(c.Stacks, frames)
	}
	x.stacks[s] = n
	return n
}

// reason numbers the reason of a transition, 0 if there are too many.
func (x *Compactor) reason(c *Chunk, s string) uint16 {
	n, ok := x.reasons[s]
	if !ok && len(x.reasons) < math.MaxUint16 {
		n = uint16(len(x.reasons)) + 1
		x.reasons[s] = n
		c.Reasons = append(c.Reasons, s)
	}
	return n
}

// procID returns the number of a P, -1 for none.
func procID(p int64) int32 {
	if p < 0 || p >= MaxProc {
		return -1
	}
	return int32(p)
}

// taskID unites the two ways in which x/exp/trace says that there is no task.
func taskID(id uint64) uint64 {
	if id == uint64(exptrace.NoTask) {
		return uint64(exptrace.BackgroundTask)
	}
	return id
}

// check panics if an event of Go 1.21 or earlier refers to a stack or a string
// that is not in the trace: before that, only those who ask for it find out.
func (x *Compactor) check(ev *exptrace.Event) {
	x.checkStack(ev.Stack())
	switch ev.Kind() {
	case exptrace.EventStateTransition:
		x.checkStack(ev.StateTransition().Stack)
	case exptrace.EventRangeBegin, exptrace.EventRangeActive, exptrace.EventRangeEnd:
		ev.Range()
	case exptrace.EventLabel:
		ev.Label()
	case exptrace.EventTaskBegin:
		ev.Task()
	case exptrace.EventRegionBegin, exptrace.EventRegionEnd:
		ev.Region()
	case exptrace.EventLog:
		ev.Log()
	}
}

func (x *Compactor) checkStack(s exptrace.Stack) {
	if x.checked[s] {
		return
	}
	for range s.Frames() {
	}
	x.checked[s] = true
}
