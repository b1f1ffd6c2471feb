package decode

// none is no goroutine, P or thread.
const none = -1

// order has the state of the scheduler. It says whether the next event of a thread
// can have happened already: that, and not its time, puts the events of several
// threads in order. The rules are those of golang.org/x/exp/trace
// (order.go there) for the first generation of a trace, except about what a program
// says of itself: it may misuse regions and tasks, and the rest is true all the same.
type order struct {
	*tables
	goroutines goroutineTable
	procs      []proc // by number
	threads    map[int64]*thread
	phase      gcPhase
	gcSeq      uint64
	last       int64 // time of the last event
}

type goroutine struct {
	id     int64
	seq    uint64
	ranges *[]rangeOf // nil for most
	status uint8
}

// rangeOf is a range that goes on: evSTWBegin with what it is for, or
// evGCMarkAssistBegin.
type rangeOf struct {
	typ  byte
	kind uint64
}

type proc struct {
	seq      uint64
	status   uint8 // 0 if it is not known
	sweeping bool
}

type thread struct {
	id   int64
	g    *goroutine // that it executes; nil for none
	p    int32      // that it has; none
	seen bool       // had an event, or was named by one
}

func (th *thread) executing() int64 {
	if th.g == nil {
		return none
	}
	return th.g.id
}

type gcPhase uint8

const (
	gcUnknown gcPhase = iota
	gcOff
	gcOn
)

// outcome says what became of an event that was tried.
type outcome uint8

const (
	notYet   outcome = iota
	happened         // it is in the chunk
	odd              // golang.org/x/exp/trace has to decide; the chunk may have part of it
)

func newOrder(t *tables) *order {
	return &order{tables: t, threads: make(map[int64]*thread)}
}

func (o *order) thread(id int64) *thread {
	th := o.threads[id]
	if th == nil {
		th = &thread{id: id, p: none}
		o.threads[id] = th
	}
	return th
}

// proc returns a P, nil for one with a number that none has.
func (o *order) proc(id uint64) *proc {
	if id >= 1<<14 {
		return nil
	}
	for int(id) >= len(o.procs) {
		o.procs = append(o.procs, proc{})
	}
	return &o.procs[id]
}

// event puts an event of a thread into the chunk, in the state that the thread
// is in.
func (o *order) event(c *Chunk, kind Kind, th *thread, time int64) *Event {
	switch {
	case time <= o.last:
		time = o.last + 1
	case time-o.last > leap:
		c.leaps = true
	}
	o.last = time
	n := len(c.Events)
	c.Events = c.Events[:n+1]
	e := &c.Events[n]
	// Assigning the fields one by one takes half the time.
	e.Time, e.G, e.Thread, e.ID = time, th.executing(), th.id, 0
	e.Proc, e.Stack, e.Own, e.Detail = th.p, 0, 0, 0
	e.Reason, e.Kind, e.Scope, e.From, e.To = 0, kind, Global, Undetermined, Undetermined
	return e
}

// transition is event for a change of the state of a goroutine.
func (o *order) transition(c *Chunk, th *thread, time int64, g int64, from, to State) *Event {
	e := o.event(c, GoTransition, th, time)
	e.ID, e.From, e.To = g, from, to
	return e
}

func (o *order) procTransition(c *Chunk, th *thread, time int64, p int32, from, to State) {
	e := o.event(c, ProcTransition, th, time)
	e.ID, e.From, e.To = int64(p), from, to
}

// try takes the next event of a thread if it can have happened by now.
func (o *order) try(c *Chunk, next *cursor) outcome {
	th := next.thread
	th.seen = true
	switch {
	case th.id == none:
		return o.tryNoThread(c, next)
	case th.id < 0:
		return odd
	}
	switch next.typ {
	case evGoCreate, evGoCreateBlocked:
		return o.goCreate(c, next)
	case evGoCreateSyscall:
		return o.goCreateSyscall(c, next)
	case evGoStart:
		return o.goStart(c, next)
	case evGoStop, evGoBlock:
		return o.goStop(c, next)
	case evGoUnblock:
		return o.goUnblock(c, next)
	case evGoDestroy:
		return o.goDestroy(c, next)
	case evGoDestroySyscall:
		return o.goDestroySyscall(c, next)
	case evGoSwitch, evGoSwitchDestroy:
		return o.goSwitch(c, next)
	case evGoSyscallBegin:
		return o.goSyscallBegin(c, next)
	case evGoSyscallEnd:
		return o.goSyscallEnd(c, next)
	case evGoSyscallEndBlocked:
		return o.goSyscallEndBlocked(c, next)
	case evGoStatus, evGoStatusStack:
		return o.goStatus(c, next)
	case evProcStart:
		return o.procStart(c, next)
	case evProcStop:
		return o.procStop(c, next)
	case evProcSteal:
		return o.procSteal(c, next)
	case evProcStatus:
		return o.procStatus(c, next)
	}
	return o.tryOther(c, next)
}

// tryNoThread is try for what does not happen on a thread: the runtime writes the
// status of goroutines and Ps that do nothing.
func (o *order) tryNoThread(c *Chunk, next *cursor) (out outcome) {
	switch next.typ {
	case evGoStatus, evGoStatusStack:
		out = o.goStatus(c, next)
	case evProcStatus:
		out = o.procStatus(c, next)
	case evGCSweepActive, evGCMarkAssistActive:
		out = o.tryOther(c, next)
	default:
		return odd
	}
	next.thread.g, next.thread.p = nil, none
	return out
}

// tryOther takes the events that do not change the state of a goroutine or P: they
// always can have happened, except cycles of the garbage collector.
func (o *order) tryOther(c *Chunk, next *cursor) outcome {
	th := next.thread
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
		return o.metric(c, next, GOMAXPROCS, next.args[1])
	case evHeapAlloc:
		return o.metric(c, next, HeapObjects, 0)
	case evHeapGoal:
		return o.metric(c, next, HeapGoal, 0)
	case evGoLabel:
		return o.label(c, next)
	case evUserLog:
		return o.log(c, next)
	case evUserTaskBegin:
		return o.taskBegin(c, next)
	case evUserTaskEnd:
		return o.taskEnd(c, next)
	case evUserRegionBegin, evUserRegionEnd:
		return o.region(c, next)
	case evSTWBegin:
		return o.stwBegin(c, next)
	case evSTWEnd:
		return o.stwEnd(c, next)
	case evGCActive, evGCBegin, evGCEnd:
		return o.gc(c, next)
	case evGCMarkAssistBegin, evGCMarkAssistEnd, evGCMarkAssistActive:
		return o.assist(c, next)
	case evGCSweepBegin, evGCSweepEnd, evGCSweepActive:
		return o.sweep(c, next)
	}
	return odd
}

// withStack sets a number of a stack.
func (o *order) withStack(c *Chunk, n *uint32, id uint64) outcome {
	var ok bool
	if *n, ok = o.stack(c, id); !ok {
		return odd
	}
	return happened
}
