package model

import (
	"math"
	"unsafe"

	exptrace "golang.org/x/exp/trace"
)

// event is an event of the trace as the builder takes it. Almost all events are
// state transitions, which are in it whole, without pointers; of others, detail
// says where they are in their chunk.
type event struct {
	time   Time
	g      GoID // that was executing
	thread ThreadID
	id     int64 // the goroutine or P that changes its state; the task that ends
	proc   int32
	// stack is of the executing goroutine, own of the one that changes its
	// state: numbers in the generation's tables, 0 for none.
	stack, own uint32
	detail     int32
	reason     uint16 // number in the generation's table
	kind       uint8  // exptrace.EventKind
	resource   exptrace.ResourceKind
	from, to   exptrace.GoState // or ProcState
}

func (e *event) is(kind exptrace.EventKind) bool { return exptrace.EventKind(e.kind) == kind }

// unknownResource is the resource of a transition that x/exp/trace does not
// know: it does not check all states that it reads.
const unknownResource = exptrace.ResourceKind(255)

// chunk is some events in a row, of one generation.
type chunk struct {
	events  []event
	details []exptrace.Event
	// stacks and reasons are those that the generation has for the first time in
	// this chunk: they get the next numbers, from 1 on. Chunks that begin a
	// generation have first set.
	stacks  []exptrace.Stack
	reasons []string
	first   bool
	err     error // what came behind the events
}

// chunkSize is the number of events in a chunk. Each one that is handed over wakes
// up a goroutine, for which it takes the scheduler some 100 µs to run on another
// P: with 1024 events, that was a tenth of the time.
var chunkSize = 8192 // a variable for tests

func newChunk() *chunk { return &chunk{events: make([]event, 0, chunkSize)} }

func (c *chunk) reset() {
	c.events, c.first, c.err = c.events[:0], false, nil
	clear(c.details)
	clear(c.stacks)
	clear(c.reasons)
	c.details, c.stacks, c.reasons = c.details[:0], c.stacks[:0], c.reasons[:0]
}

// compactor puts the events of one generation after the other into chunks. It
// does what only those may do who decode: some accessors of events read tables
// to which decoding adds.
type compactor struct {
	// checked has the stacks that are known to be good, for the formats that
	// x/exp/trace does not check; nil for the others.
	checked map[exptrace.Stack]bool

	stacks  map[exptrace.Stack]uint32
	recent  [1024]stackNumber // of the stacks, by their IDs
	reasons map[string]uint16
	common  []reasonNumber // of the reasons

	// asking is set while x/exp/trace is asked for a transition, which panics if
	// it does not know it.
	asking bool
}

type stackNumber struct {
	stack exptrace.Stack
	n     uint32
}

type reasonNumber struct {
	data *byte // of the string, which the generation has once
	len  int
	n    uint16
}

func newCompactor(v1 bool) *compactor {
	c := &compactor{stacks: make(map[exptrace.Stack]uint32), reasons: make(map[string]uint16)}
	if v1 {
		c.checked = make(map[exptrace.Stack]bool)
	}
	return c
}

// forget begins a generation.
func (x *compactor) forget() {
	clear(x.stacks)
	clear(x.recent[:])
	clear(x.reasons)
	x.common = x.common[:0]
}

// add puts an event into a chunk.
func (x *compactor) add(c *chunk, ev *exptrace.Event) {
	kind := ev.Kind()
	if kind == exptrace.EventSync {
		x.forget()
		c.first = true
	}
	if x.checked != nil {
		x.check(ev)
	}
	n := len(c.events)
	c.events = c.events[:n+1]
	e := &c.events[n]
	*e = event{
		time:   Time(ev.Time()),
		g:      GoID(ev.Goroutine()),
		thread: ThreadID(ev.Thread()),
		proc:   int32(procID(ev)),
		kind:   uint8(kind),
	}
	switch kind {
	case exptrace.EventStateTransition:
		x.asking = true
		st := ev.StateTransition()
		x.asking = false
		e.resource = st.Resource.Kind
		switch e.resource {
		case exptrace.ResourceGoroutine:
			e.id = int64(st.Resource.Goroutine())
			e.from, e.to = st.Goroutine()
			e.own = x.stack(c, st.Stack)
			if e.from == exptrace.GoNotExist || e.from == exptrace.GoWaiting {
				e.stack = x.stack(c, ev.Stack()) // of the one who did it
			}
			if st.Reason != "" {
				e.reason = x.reason(c, st.Reason)
			}
		case exptrace.ResourceProc:
			e.id = int64(st.Resource.Proc())
			from, to := st.Proc()
			e.from, e.to = exptrace.GoState(from), exptrace.GoState(to)
		}
		return
	case exptrace.EventTaskEnd:
		e.id = int64(ev.Task().ID)
	case exptrace.EventStackSample:
		// Not checked by x/exp/trace, other than the stacks of other events.
		for range ev.Stack().Frames() {
		}
	}
	e.stack = x.stack(c, ev.Stack())
	c.details = append(c.details, *ev)
	e.detail = int32(len(c.details))
}

// stack numbers a stack.
func (x *compactor) stack(c *chunk, s exptrace.Stack) uint32 {
	if s == exptrace.NoStack {
		return 0
	}
	recent := &x.recent[stackID(s)%uint64(len(x.recent))]
	if recent.stack == s {
		return recent.n
	}
	n, ok := x.stacks[s]
	if !ok {
		n = uint32(len(x.stacks)) + 1
		x.stacks[s] = n
		c.stacks = append(c.stacks, s)
	}
	*recent = stackNumber{s, n}
	return n
}

// stackID is the ID of a stack in its generation, which x/exp/trace keeps to
// itself: a pointer to a table, and the ID. Only which stacks are found quickly
// depends on it.
func stackID(s exptrace.Stack) uint64 {
	if unsafe.Sizeof(s) < 16 {
		return 0
	}
	return *(*uint64)(unsafe.Add(unsafe.Pointer(&s), 8))
}

// reason numbers the reason of a transition. There are few, and very many uses.
func (x *compactor) reason(c *chunk, s string) uint16 {
	data := unsafe.StringData(s)
	for i := range x.common {
		if r := &x.common[i]; r.data == data && r.len == len(s) {
			return r.n
		}
	}
	n, ok := x.reasons[s]
	if !ok {
		if len(x.reasons) == math.MaxUint16 {
			return 0
		}
		n = uint16(len(x.reasons)) + 1
		x.reasons[s] = n
		c.reasons = append(c.reasons, s)
	}
	if len(x.common) < 32 {
		x.common = append(x.common, reasonNumber{data, len(s), n})
	}
	return n
}

// check panics if an event of Go 1.21 or earlier refers to a stack or a string
// that is not in the trace: before that, only those who ask for it find out.
func (x *compactor) check(ev *exptrace.Event) {
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

func (x *compactor) checkStack(s exptrace.Stack) {
	if x.checked[s] {
		return
	}
	for range s.Frames() {
	}
	x.checked[s] = true
}
