package decode

import (
	"fmt"
	"io"
	"math"

	exptrace "golang.org/x/exp/trace"
)

// expReader decodes a trace, or a part of one behind its header, with
// golang.org/x/exp/trace.
type expReader struct {
	r  *exptrace.Reader
	x  *Compactor
	ev exptrace.Event
	// held says that ev begins the next chunk, since a chunk is of one generation.
	held bool
}

// newExpReader returns a reader of the trace in r. It reads one of Go 1.21 or
// earlier whole.
func newExpReader(r io.Reader) (d *expReader, err error) {
	defer func() { recovered(&err, recover()) }()
	tr, err := exptrace.NewReader(r)
	if err != nil {
		return nil, err
	}
	return &expReader{r: tr, x: NewCompactor()}, nil
}

// fill decodes the next events. The chunk's error says when no more follow.
func (d *expReader) fill(c *Chunk) {
	c.reset()
	c.leaps = true // nobody looks
	if d.held {
		d.x.Add(c, &d.ev)
		d.held = false
	}
	for len(c.Events) < cap(c.Events) && c.err == nil && !d.held {
		d.fillOn(c)
	}
}

// fillOn decodes events until the chunk is full or the decoder, which meets bytes
// that nobody has checked, panics: that is an error like another.
func (d *expReader) fillOn(c *Chunk) {
	defer func() { recovered(&c.err, recover()) }()
	for len(c.Events) < cap(c.Events) {
		if d.ev, c.err = d.r.ReadEvent(); c.err != nil {
			return
		}
		if d.ev.Kind() == exptrace.EventSync && len(c.Events) > 0 {
			d.held = true
			return
		}
		d.x.Add(c, &d.ev)
	}
}

// skip leaves out the next n events.
func (d *expReader) skip(n int) (err error) {
	defer func() { recovered(&err, recover()) }()
	for range n {
		if _, err := d.r.ReadEvent(); err != nil {
			return err
		}
	}
	return nil
}

func recovered(err *error, p any) {
	if p != nil {
		*err = fmt.Errorf("the trace contradicts its format: %v", p)
	}
}

// Compactor puts the events of golang.org/x/exp/trace into chunks, one generation after
// the other. The goroutine that decodes has to do it: some accessors of events read tables
// to which decoding adds.
type Compactor struct {
	stacks  map[exptrace.Stack]uint32
	last    uint32 // number of a stack
	reasons map[string]uint16
}

// NewCompactor returns a Compactor.
func NewCompactor() *Compactor {
	return &Compactor{stacks: make(map[exptrace.Stack]uint32), reasons: make(map[string]uint16)}
}

// forget begins a generation.
func (x *Compactor) forget() {
	clear(x.stacks)
	clear(x.reasons)
	x.last = 0
}

// kinds has what the kinds of golang.org/x/exp/trace are here.
var kinds = map[exptrace.EventKind]Kind{
	exptrace.EventSync:        Sync,
	exptrace.EventMetric:      Metric,
	exptrace.EventLabel:       Label,
	exptrace.EventStackSample: Sample,
	exptrace.EventRangeBegin:  RangeBegin,
	exptrace.EventRangeActive: RangeActive,
	exptrace.EventRangeEnd:    RangeEnd,
	exptrace.EventTaskBegin:   TaskBegin,
	exptrace.EventTaskEnd:     TaskEnd,
	exptrace.EventRegionBegin: RegionBegin,
	exptrace.EventRegionEnd:   RegionEnd,
	exptrace.EventLog:         Log,
}

var goStateOf = map[exptrace.GoState]State{
	exptrace.GoUndetermined: Undetermined,
	exptrace.GoNotExist:     NotExist,
	exptrace.GoRunnable:     Runnable,
	exptrace.GoRunning:      Running,
	exptrace.GoWaiting:      Waiting,
	exptrace.GoSyscall:      Syscall,
}

var procStateOf = map[exptrace.ProcState]State{
	exptrace.ProcUndetermined: Undetermined,
	exptrace.ProcNotExist:     NotExist,
	exptrace.ProcRunning:      Running,
	exptrace.ProcIdle:         Idle,
}

// stateIn returns a state, Bad for one that is not known.
func stateIn[S comparable](states map[S]State, s S) State {
	if known, ok := states[s]; ok {
		return known
	}
	return Bad
}

// Add puts an event into a chunk, which has room for it.
func (x *Compactor) Add(c *Chunk, ev *exptrace.Event) {
	kind := ev.Kind()
	if kind == exptrace.EventSync {
		x.forget()
		c.First = true
	}
	c.Events = append(c.Events, Event{
		Time:   int64(ev.Time()),
		G:      int64(ev.Goroutine()),
		Thread: int64(ev.Thread()),
		Proc:   procID(int64(ev.Proc())),
		Kind:   kinds[kind],
	})
	e := &c.Events[len(c.Events)-1]
	if kind == exptrace.EventStateTransition {
		x.transition(c, e, ev)
		return
	}
	d := c.detail(e)
	// The formats before Go 1.22 are not checked: an event may refer to a string
	// that is not in the trace.
	if !survives(func() bool { x.describe(e, d, ev); return true }) {
		c.Missing++
	}
	e.Stack = x.stack(c, ev.Stack())
}

// describe fills in what an event tells other than a transition.
func (x *Compactor) describe(e *Event, d *Detail, ev *exptrace.Event) {
	switch kind := ev.Kind(); kind {
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
		if l.Resource.Kind == exptrace.ResourceGoroutine {
			e.ID = int64(l.Resource.Goroutine())
		} else {
			e.Kind, d.Name = Unknown, "label of a "+l.Resource.Kind.String()
		}
	case exptrace.EventRangeBegin, exptrace.EventRangeActive, exptrace.EventRangeEnd:
		x.describeRange(e, d, ev)
	case exptrace.EventTaskBegin:
		t := ev.Task()
		d.Task, d.Parent = uint64(t.ID), taskID(uint64(t.Parent))
		d.Name = t.Type
	case exptrace.EventTaskEnd:
		e.ID = int64(ev.Task().ID)
	case exptrace.EventRegionBegin, exptrace.EventRegionEnd:
		r := ev.Region()
		d.Name, d.Task = r.Type, taskID(uint64(r.Task))
	case exptrace.EventLog:
		l := ev.Log()
		d.Name, d.Message, d.Task = l.Category, l.Message, taskID(uint64(l.Task))
	case exptrace.EventExperimental:
		d.Name = "experimental event " + ev.Experimental().Name
	case exptrace.EventStackSample:
	default:
		d.Name = "event " + kind.String()
	}
}

func (x *Compactor) describeRange(e *Event, d *Detail, ev *exptrace.Event) {
	r := ev.Range()
	d.Name = r.Name
	switch r.Scope.Kind {
	case exptrace.ResourceGoroutine:
		e.Scope, e.ID = OfGoroutine, int64(r.Scope.Goroutine())
	case exptrace.ResourceProc:
		e.Scope, e.ID = OfProc, int64(r.Scope.Proc())
	}
	if e.Kind != RangeEnd {
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

func (x *Compactor) transition(c *Chunk, e *Event, ev *exptrace.Event) {
	var st exptrace.StateTransition
	// golang.org/x/exp/trace does not check all states that it reads.
	if !survives(func() bool { st = ev.StateTransition(); return true }) {
		c.detail(e).Name = "state transition"
		return
	}
	switch st.Resource.Kind {
	case exptrace.ResourceGoroutine:
		e.Kind, e.ID = GoTransition, int64(st.Resource.Goroutine())
		from, to := st.Goroutine()
		e.From, e.To = stateIn(goStateOf, from), stateIn(goStateOf, to)
		e.Own = x.stack(c, st.Stack)
		if from == exptrace.GoNotExist || from == exptrace.GoWaiting {
			e.Stack = x.stack(c, ev.Stack()) // of the one who did it
		}
		if st.Reason != "" {
			e.Reason = x.reason(c, st.Reason)
		}
	case exptrace.ResourceProc:
		e.Kind, e.ID = ProcTransition, int64(st.Resource.Proc())
		from, to := st.Proc()
		e.From, e.To = stateIn(procStateOf, from), stateIn(procStateOf, to)
	default:
		c.detail(e).Name = "state transition of a " + st.Resource.Kind.String()
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
	// The formats before Go 1.22 are not checked: the stack may not be there.
	if !survives(func() bool {
		for f := range s.Frames() {
			frames = append(frames, &Frame{PC: f.PC, Line: f.Line, Func: f.Func, File: f.File})
		}
		return true
	}) {
		c.Missing++
		frames = nil
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

// taskID unites the two ways in which a trace says that there is no task.
func taskID(id uint64) uint64 {
	if id == uint64(exptrace.NoTask) {
		return uint64(exptrace.BackgroundTask)
	}
	return id
}
