package decode

import exptrace "golang.org/x/exp/trace"

// none is no goroutine, P or thread.
const none = -1

// order has the state of the scheduler, which says whether the next event of a
// thread can have happened already: events of several threads are in order if it
// could, whatever their times are. The rules are those of x/exp/trace
// (internal/trace/order.go) for the first generation of a trace.
type order struct {
	*tables
	goroutines goroutineTable
	procs      []proc // by number
	threads    map[int64]*thread
	tasks      map[uint64]bool // that have begun and not ended
	gc         gcPhase
	gcSeq      uint64
	last       int64 // time of the last event
}

type goroutine struct {
	id      int64
	seq     uint64
	status  uint8
	regions []region
	ranges  []rangeOf
}

type region struct {
	task uint64
	typ  string
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

// outcome is that of trying an event.
type outcome uint8

const (
	notYet   outcome = iota
	happened         // it is in the chunk
	odd              // x/exp/trace has to decide; the chunk may have part of it
)

func newOrder(t *tables) *order {
	return &order{tables: t, goroutines: newGoroutineTable(), threads: make(map[int64]*thread), tasks: make(map[uint64]bool)}
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
func (o *order) event(c *Chunk, kind exptrace.EventKind, th *thread, time int64) *Event {
	if time <= o.last {
		time = o.last + 1
	}
	o.last = time
	n := len(c.Events)
	c.Events = c.Events[:n+1]
	e := &c.Events[n]
	*e = Event{Time: time, G: th.executing(), Thread: th.id, Proc: th.p, Kind: uint8(kind)}
	return e
}

// transition is event for a change of the state of a goroutine.
func (o *order) transition(c *Chunk, th *thread, time int64, g int64, from, to exptrace.GoState) *Event {
	e := o.event(c, exptrace.EventStateTransition, th, time)
	e.Resource, e.ID, e.From, e.To = exptrace.ResourceGoroutine, g, from, to
	return e
}

func (o *order) procTransition(c *Chunk, th *thread, time int64, p int32, from, to exptrace.ProcState) {
	e := o.event(c, exptrace.EventStateTransition, th, time)
	e.Resource, e.ID, e.From, e.To = exptrace.ResourceProc, int64(p), exptrace.GoState(from), exptrace.GoState(to)
}

// try takes the next event of a thread if it can have happened by now.
func (o *order) try(c *Chunk, next *cursor) outcome {
	th, args := next.thread, &next.args
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
	case evGoStart:
		g := o.goroutines.find(int64(args[0]))
		if g == nil || g.status != goRunnable || args[1] != g.seq+1 {
			return notYet
		}
		if th.p == none || th.g != nil {
			return odd
		}
		o.transition(c, th, next.time, g.id, exptrace.GoRunnable, exptrace.GoRunning)
		g.status, g.seq, th.g = goRunning, args[1], g
		return happened
	case evGoUnblock:
		g := o.goroutines.find(int64(args[0]))
		if g == nil || g.status != goWaiting || args[1] != g.seq+1 {
			return notYet
		}
		g.status, g.seq = goRunnable, args[1]
		e := o.transition(c, th, next.time, g.id, exptrace.GoWaiting, exptrace.GoRunnable)
		return o.withStack(c, &e.Stack, args[2])
	case evGoBlock, evGoStop:
		return o.goStop(c, next)
	case evGoDestroy:
		if !th.runs(goRunning) {
			return odd
		}
		o.transition(c, th, next.time, th.g.id, exptrace.GoRunning, exptrace.GoNotExist)
		o.goroutines.remove(th.g)
		th.g = nil
		return happened
	case evGoSyscallBegin:
		if !th.runs(goRunning) {
			return odd
		}
		p := &o.procs[th.p]
		if args[0] != p.seq+1 {
			return odd
		}
		th.g.status, p.status, p.seq = goSyscall, procSyscall, args[0]
		e := o.transition(c, th, next.time, th.g.id, exptrace.GoRunning, exptrace.GoSyscall)
		return o.withStack(c, &e.Own, args[1])
	case evGoSyscallEnd:
		if !th.runs(goSyscall) || o.procs[th.p].status != procSyscall {
			return odd
		}
		th.g.status, o.procs[th.p].status = goRunning, procRunning
		o.transition(c, th, next.time, th.g.id, exptrace.GoSyscall, exptrace.GoRunning)
		return happened
	case evGoSyscallEndBlocked:
		if th.p != none && o.procs[th.p].status == procSyscall {
			return notYet // it is going to lose its P
		}
		if th.g == nil || th.g.status != goSyscall {
			return odd
		}
		o.transition(c, th, next.time, th.g.id, exptrace.GoSyscall, exptrace.GoRunnable)
		th.g.status, th.g = goRunnable, nil
		return happened
	case evGoCreateSyscall:
		if th.g != nil || o.goroutines.find(int64(args[0])) != nil || int64(args[0]) < 0 {
			return odd
		}
		o.transition(c, th, next.time, int64(args[0]), exptrace.GoNotExist, exptrace.GoSyscall)
		th.g = o.goroutines.add(int64(args[0]), goSyscall)
		return happened
	case evGoDestroySyscall:
		return o.goDestroySyscall(c, next)
	case evGoSwitch, evGoSwitchDestroy:
		return o.goSwitch(c, next)
	case evGoStatus, evGoStatusStack:
		return o.goStatus(c, next)
	case evProcStart:
		p := o.proc(args[0])
		if p == nil {
			return odd
		}
		if p.status != procIdle || args[1] != p.seq+1 || th.p != none {
			return notYet
		}
		o.procTransition(c, th, next.time, int32(args[0]), exptrace.ProcIdle, exptrace.ProcRunning)
		p.status, p.seq, th.p = procRunning, args[1], int32(args[0])
		return happened
	case evProcStop:
		if th.p == none || o.procs[th.p].status != procRunning && o.procs[th.p].status != procSyscall {
			return odd
		}
		o.procTransition(c, th, next.time, th.p, exptrace.ProcRunning, exptrace.ProcIdle)
		o.procs[th.p].status, th.p = procIdle, none
		return happened
	case evProcSteal:
		return o.procSteal(c, next)
	case evProcStatus:
		return o.procStatus(c, next)
	}
	return o.other(c, next)
}

// tryNoThread is try for what does not happen on a thread: the runtime tells of
// goroutines and Ps that do nothing.
func (o *order) tryNoThread(c *Chunk, next *cursor) (out outcome) {
	switch next.typ {
	case evGoStatus, evGoStatusStack:
		out = o.goStatus(c, next)
	case evProcStatus:
		out = o.procStatus(c, next)
	case evGCSweepActive, evGCMarkAssistActive:
		out = o.other(c, next)
	default:
		return odd
	}
	next.thread.g, next.thread.p = nil, none
	return out
}

// runs reports whether the thread executes a goroutine of this status on a P.
func (th *thread) runs(status uint8) bool {
	return th.g != nil && th.p != none && th.g.status == status
}

// withStack sets a number of a stack.
func (o *order) withStack(c *Chunk, n *uint32, id uint64) outcome {
	var ok bool
	if *n, ok = o.stack(c, id); !ok {
		return odd
	}
	return happened
}

func (o *order) goCreate(c *Chunk, next *cursor) outcome {
	th, id := next.thread, int64(next.args[0])
	if th.p == none || th.g != nil && th.g.status != goRunning || id < 0 || o.goroutines.find(id) != nil {
		return odd
	}
	to, status := exptrace.GoRunnable, uint8(goRunnable)
	if next.typ == evGoCreateBlocked {
		to, status = exptrace.GoWaiting, goWaiting
	}
	o.goroutines.add(id, status)
	e := o.transition(c, th, next.time, id, exptrace.GoNotExist, to)
	if o.withStack(c, &e.Own, next.args[1]) == odd {
		return odd
	}
	return o.withStack(c, &e.Stack, next.args[2])
}

func (o *order) goStop(c *Chunk, next *cursor) outcome {
	th := next.thread
	if !th.runs(goRunning) {
		return odd
	}
	to, status := exptrace.GoRunnable, uint8(goRunnable)
	if next.typ == evGoBlock {
		to, status = exptrace.GoWaiting, goWaiting
	}
	e := o.transition(c, th, next.time, th.g.id, exptrace.GoRunning, to)
	th.g.status, th.g = status, nil
	var ok bool
	if e.Reason, ok = o.reason(c, next.args[0]); !ok {
		return odd
	}
	return o.withStack(c, &e.Own, next.args[1])
}

// goDestroySyscall ends a callback from C. Its thread leaves the P, if it has
// one, to whoever steals it: thread IDs are used again.
func (o *order) goDestroySyscall(c *Chunk, next *cursor) outcome {
	th := next.thread
	if th.g == nil || th.g.status != goSyscall {
		return odd
	}
	p := th.p
	if p != none {
		if o.procs[p].status != procSyscall {
			return odd
		}
		o.procs[p].status = procAbandoned
		o.procTransition(c, th, next.time, p, exptrace.ProcRunning, exptrace.ProcIdle)
	}
	o.transition(c, th, next.time, th.g.id, exptrace.GoSyscall, exptrace.GoNotExist)
	o.goroutines.remove(th.g)
	th.g, th.p = nil, none
	return happened
}

// goSwitch is three events: a goroutine unblocks another one, blocks or ends, and
// the other one runs.
func (o *order) goSwitch(c *Chunk, next *cursor) outcome {
	th := next.thread
	if !th.runs(goRunning) {
		return odd
	}
	g := o.goroutines.find(int64(next.args[0]))
	if g == nil || g.status != goWaiting || next.args[1] != g.seq+1 {
		return notYet
	}
	o.transition(c, th, next.time, g.id, exptrace.GoWaiting, exptrace.GoRunnable)
	if next.typ == evGoSwitch {
		o.transition(c, th, next.time, th.g.id, exptrace.GoRunning, exptrace.GoWaiting)
		th.g.status = goWaiting
	} else {
		o.transition(c, th, next.time, th.g.id, exptrace.GoRunning, exptrace.GoNotExist)
		o.goroutines.remove(th.g)
	}
	th.g = nil
	o.transition(c, th, next.time, g.id, exptrace.GoRunnable, exptrace.GoRunning)
	g.status, g.seq, th.g = goRunning, next.args[1], g
	return happened
}

// goStatus makes a goroutine from before the generation known.
func (o *order) goStatus(c *Chunk, next *cursor) outcome {
	th, id, m, status := next.thread, int64(next.args[0]), int64(next.args[1]), next.args[2]
	if id < 0 || status == 0 || status >= uint64(len(goStates)) || status == goSyscall && m < 0 || o.goroutines.find(id) != nil {
		return odd
	}
	e := o.transition(c, th, next.time, id, exptrace.GoUndetermined, goStates[status])
	g := o.goroutines.add(id, uint8(status))
	switch {
	case status == goRunning || status == goSyscall && m == th.id:
		th.g = g
	case status == goSyscall:
		// It has been in the system call for as long as the generation lasts.
		other := o.thread(m)
		if other.seen {
			return odd
		}
		other.g, other.seen = g, true
		e.Thread = m
	}
	if next.typ == evGoStatusStack {
		return o.withStack(c, &e.Own, next.args[3])
	}
	return happened
}

func (o *order) procSteal(c *Chunk, next *cursor) outcome {
	th := next.thread
	id, seq, m := int32(next.args[0]), next.args[1], int64(next.args[2])
	p := o.proc(next.args[0])
	if p == nil {
		return odd
	}
	if p.status != procSyscall && p.status != procAbandoned || seq != p.seq+1 {
		return notYet
	}
	from := exptrace.ProcRunning
	if p.status == procAbandoned {
		from = exptrace.ProcIdle // as which it appeared
	}
	o.procTransition(c, th, next.time, id, from, exptrace.ProcIdle)
	if p.status == procSyscall {
		// The thread in the system call, which may be this one, goes on without P.
		victim := o.threads[m]
		if victim == nil || victim.p != id {
			return odd
		}
		victim.p = none
	}
	p.status, p.seq = procIdle, seq
	return happened
}

// procStatus makes a P from before the generation known.
func (o *order) procStatus(c *Chunk, next *cursor) outcome {
	th, id, status := next.thread, int32(next.args[0]), next.args[1]
	p := o.proc(next.args[0])
	if p == nil || p.status != 0 || status == 0 || status > procAbandoned {
		return odd
	}
	p.status = uint8(status)
	to := exptrace.ProcRunning
	if status == procIdle || status == procAbandoned {
		to = exptrace.ProcIdle
	}
	o.procTransition(c, th, next.time, id, exptrace.ProcUndetermined, to)
	if status == procRunning || status == procSyscall {
		th.p = id
	}
	return happened
}

// goroutineTable finds goroutines by their IDs.
type goroutineTable struct {
	all    map[int64]*goroutine
	recent [1 << 12]*goroutine // some of them, by the end of their IDs
	free   []*goroutine
}

func newGoroutineTable() goroutineTable {
	return goroutineTable{all: make(map[int64]*goroutine)}
}

func (t *goroutineTable) find(id int64) *goroutine {
	recent := &t.recent[uint64(id)%uint64(len(t.recent))]
	if g := *recent; g != nil && g.id == id {
		return g
	}
	g := t.all[id]
	if g != nil {
		*recent = g
	}
	return g
}

// add makes a goroutine that is not there.
func (t *goroutineTable) add(id int64, status uint8) *goroutine {
	var g *goroutine
	if n := len(t.free); n > 0 {
		g, t.free = t.free[n-1], t.free[:n-1]
	} else {
		g = new(goroutine)
	}
	g.id, g.status = id, status
	t.all[id] = g
	t.recent[uint64(id)%uint64(len(t.recent))] = g
	return g
}

func (t *goroutineTable) remove(g *goroutine) {
	delete(t.all, g.id)
	if recent := &t.recent[uint64(g.id)%uint64(len(t.recent))]; *recent == g {
		*recent = nil
	}
	*g = goroutine{regions: g.regions[:0], ranges: g.ranges[:0]}
	t.free = append(t.free, g)
}
