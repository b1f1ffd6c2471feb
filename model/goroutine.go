package model

import (
	"iter"
	"strings"
)

// Goroutine is a goroutine of the traced program. After GoroutineStart only its fields
// End, Open and Func change.
//
// A trace may have a million of them alive, so there is only in it what all have.
type Goroutine struct {
	// ID is unique among the goroutines alive; those that C threads bring to Go
	// use theirs again.
	ID GoID
	// Slot is a small number that no other goroutine alive has: an index for
	// what a sink knows of a goroutine. It is used again after GoroutineEnd.
	Slot int
	// Parent is the goroutine with the go statement, NoGoroutine if unknown.
	Parent GoID
	// Creation is the stack of the go statement, nil if unknown, and
	// Creator and CreatorProc what executed it: nil and NoProc if unknown. Creator
	// is only valid during GoroutineStart.
	Creation    *Stack
	Creator     *Goroutine
	CreatorProc ProcID
	// Before means that the goroutine existed before the trace began, or before the
	// Gap ended before which nothing had named it: Start is that moment, and State
	// what it was in then. Else Start is when it was created.
	Before bool
	State  StateKind
	// Open means that the goroutine had not exited when the trace ended, at End. Else
	// End is when it exited. Both are valid in GoroutineEnd.
	Open       bool
	alive      bool // else it is in the pool
	Start, End Time
	// Func is the function that the go statement started, and main.main for
	// the main goroutine. It is "" until the trace has told: for goroutines
	// from before the trace that is with their first stack, possibly never.
	Func string

	cur   state // the state that the goroutine is in
	proc  *proc // the P that it holds, nil for none
	work  *Work // the innermost
	*more       // nothing for most
}

// state is a state that goes on: what of a GoState is known.
type state struct {
	start, procLost Time
	reason          string
	stack           *Stack
	thread          ThreadID
	proc            ProcID
	kind            StateKind
	before, open    bool
}

// more is what only some goroutines have. It is read-only in nothing, which all others
// share.
type more struct {
	// regions are those that are open, by their beginnings; some may have ended if
	// outOfOrder is not nil.
	regions    []*Region
	outOfOrder *outOfOrder
	assist     *Range
	span       *startedSpan // whose task is about to begin
	ended      endedTask    // the last task that it ended
}

var nothing = &more{}

// owns reports whether the goroutine has more of its own, which may be changed.
func (g *Goroutine) owns() bool { return g.more != nothing }

// own returns what the goroutine has of its own, to be changed.
func (g *Goroutine) own() *more {
	if !g.owns() {
		g.more = &more{}
	}
	return g.more
}

// System reports whether the goroutine belongs to the runtime, decided as the
// runtime decides (runtime.isSystemGoroutine) from its start function.
func (g *Goroutine) System() bool {
	return strings.HasPrefix(g.Func, "runtime.") && g.Func != coroutineStart
}

// coroutineStart is the start function of the program's coroutines (iter.Pull).
const coroutineStart = "runtime.corostart"

// OfRuntime reports whether goroutines of a start function are none of the program's: they
// belong to the runtime, or to its tracer or profiler.
func OfRuntime(fn string) bool {
	return fn != coroutineStart && (strings.HasPrefix(fn, "runtime.") || strings.HasPrefix(fn, "runtime/"))
}

// Current returns the state that the goroutine is in: its End, Next and Waker
// are not known yet. In a system call, ProcLost is Start if the goroutine still
// holds its P; OnProc tells.
func (g *Goroutine) Current() GoState {
	var s GoState
	g.cur.fill(&s)
	return s
}

// fill sets a state that is not known to have ended. It assigns the fields one by one, as
// what else runs for each event does: that takes half the time.
func (c *state) fill(s *GoState) {
	s.Kind, s.Start, s.End, s.Before, s.Open = c.kind, c.start, 0, c.before, c.open
	s.Proc, s.Thread, s.ProcLost = c.proc, c.thread, c.procLost
	s.Reason, s.Stack = c.reason, c.stack
	s.Next, s.Waker = NotExist, Waker{}
}

// OnProc reports whether the goroutine holds a P.
func (g *Goroutine) OnProc() bool { return g.proc != nil }

// Assist returns since when the goroutine has been assisting the GC with
// marking, if it does.
func (g *Goroutine) Assist() (since Time, ok bool) {
	if g.more == nil || g.assist == nil { // there is no more in a zero Goroutine
		return 0, false
	}
	return g.assist.Start, true
}

// GoState is an interval in which a goroutine was in one state.
type GoState struct {
	Kind       StateKind
	Start, End Time
	// Before means that the state began before the trace, Open that it had not
	// ended when the trace did: then Start and End are the edges of the trace, or
	// of a Gap.
	Before, Open bool
	// Proc and Thread are where the goroutine ran, or, for a state in which it
	// did not, where it ran last, if that was in the state just before.
	Proc   ProcID
	Thread ThreadID
	// ProcLost is when a goroutine in a system call lost its P: from then on it
	// was blocked. It is End for a system call that kept its P to its end, and
	// Start for one that had none.
	ProcLost Time
	// Reason tells why a goroutine waits, or why it is runnable if it was
	// running before ("preempted", "runtime.Gosched"), in the words of the
	// runtime. A wait always has one; "unknown" stands where the trace does not
	// tell.
	Reason string
	// Stack is where the goroutine entered a wait or a system call, or where it
	// was stopped; nil if the trace does not have it.
	Stack *Stack
	// Next is the state that follows, meaningless if Open.
	Next StateKind
	// Waker ended a wait.
	Waker Waker
}

// Waker is what made a goroutine runnable.
type Waker struct {
	// Goroutine is nil if none did: then it was the scheduler, polling the
	// network or running timers, with the P or without any.
	Goroutine *Goroutine
	// Proc is NoProc if the waker had no P, as the runtime's sysmon.
	Proc   ProcID
	Thread ThreadID
	// Stack is where the waker did it, nil if the trace does not have it.
	Stack *Stack
}

// Duration is End-Start, in nanoseconds.
func (s *GoState) Duration() Time { return s.End - s.Start }

// SyscallTimes returns how much of [from, to], which lies in a system call, the
// goroutine held its P, and how much it did not. While the state lasts, onProc says
// whether it holds one. Once it ended, ProcLost says all.
func (s *GoState) SyscallTimes(from, to Time, onProc bool) (with, without Time) {
	lost := s.ProcLost
	if onProc {
		lost = to
	}
	lost = min(max(lost, from), to)
	return lost - from, to - lost
}

// enter makes g be in a state from t on. It leaves where the goroutine ran last.
func (g *Goroutine) enter(kind StateKind, t Time) *state {
	c := &g.cur
	c.kind, c.start, c.procLost = kind, t, 0
	c.reason, c.stack = "", nil
	c.before, c.open = false, false
	return c
}

// leave ends the state that g is in and reports it.
func (b *builder) leave(g *Goroutine, t Time, next StateKind) { b.leaveTo(g, t, next, Waker{}) }

// leaveTo is leave with what ended the state.
func (b *builder) leaveTo(g *Goroutine, t Time, next StateKind, waker Waker) {
	if g.cur.kind == Syscall && g.proc != nil {
		g.cur.procLost = t
	}
	if b.muted {
		return
	}
	s := &b.left
	g.cur.fill(s)
	s.End, s.Next, s.Waker = t, next, waker
	b.sink.GoroutineState(g, s)
}

// existing announces a goroutine from before the trace, in the state that it
// has had since the trace began.
func (b *builder) existing(id GoID, kind StateKind) *Goroutine {
	g := b.announce(id, b.since, kind, func(g *Goroutine) {
		g.Before = true
		if id == 1 {
			g.Func = startFuncName("runtime.main")
		}
	})
	g.cur.before = true
	return g
}

// announce makes a goroutine and tells the sink; fill completes what the sink
// is to see.
func (b *builder) announce(id GoID, t Time, kind StateKind, fill func(*Goroutine)) *Goroutine {
	g := b.pool.get()
	g.ID, g.Parent, g.Start, g.State, g.CreatorProc = id, NoGoroutine, t, kind, NoProc
	g.cur.proc, g.cur.thread = NoProc, NoThread
	g.enter(kind, t).procLost = t
	fill(g)
	b.goroutines.Add(int64(id), g)
	b.summary.Goroutines++
	if g.Before && t == b.trace.Start {
		b.summary.MaxAlive++ // it was alive whenever others were
	} else {
		b.summary.MaxAlive = max(b.summary.MaxAlive, b.goroutines.Len())
	}
	creator := g.Creator
	b.sink.GoroutineStart(g)
	g.Creator = nil
	b.inherit(g, creator, t)
	return g
}

// started gives a runnable goroutine a P.
func (b *builder) started(g *Goroutine, p *proc, thread ThreadID, t Time) {
	b.leave(g, t, Running)
	b.runOn(g, p, thread, t)
}

// runOn makes g running on p from t on.
func (b *builder) runOn(g *Goroutine, p *proc, thread ThreadID, t Time) {
	s := g.enter(Running, t)
	s.proc, s.thread = p.id, thread
	b.acquire(p, g, thread, t)
}

// stopped takes a running goroutine off its P: it yields, blocks or is preempted.
func (b *builder) stopped(g *Goroutine, kind StateKind, reason string, stack *Stack, t Time) {
	b.leave(g, t, kind)
	b.release(g, t, kind)
	s := g.enter(kind, t)
	s.reason, s.stack = reason, stack
}

// unblocked ends a wait.
func (b *builder) unblocked(g *Goroutine, waker Waker, t Time) {
	b.leaveTo(g, t, Runnable, waker)
	g.enter(Runnable, t)
}

// syscallBegun makes a running goroutine be in a system call, on its P as yet.
func (b *builder) syscallBegun(g *Goroutine, stack *Stack, t Time) {
	b.leave(g, t, Syscall)
	g.enter(Syscall, t).stack = stack
}

// syscallEnded ends a system call: in Running if the goroutine kept its P, in
// Runnable if it has to wait for one.
func (b *builder) syscallEnded(g *Goroutine, kind StateKind, t Time) {
	b.leave(g, t, kind)
	if kind != Running {
		b.release(g, t, kind)
	}
	g.enter(kind, t)
}

// lostProc tells a goroutine in a system call that its P was taken from it.
func (b *builder) lostProc(g *Goroutine, t Time) {
	g.cur.procLost = t
	b.release(g, t, Syscall)
}

// exited ends a goroutine.
func (b *builder) exited(g *Goroutine, t Time) {
	b.leave(g, t, NotExist)
	b.release(g, t, NotExist)
	b.gone(g, t)
}

// gone closes what belongs to g and reports its end.
func (b *builder) gone(g *Goroutine, t Time) {
	for n := len(g.regions); n > 0; n = len(g.regions) {
		r := g.regions[n-1]
		r.sign = 0 // the goroutine does not go on
		b.regionClosed(r, t, nil)
	}
	if g.assist != nil {
		b.rangeClosed(g.assist, t)
		g.assist = nil
	}
	if g.span != nil {
		b.misuse(spanWithoutTask)
	}
	g.End = t
	b.turn(g, nil, 0, t)
	b.sink.GoroutineEnd(g)
	b.goroutines.Remove(int64(g.ID))
	b.pool.put(g)
}

// goroutinePool has all goroutines, with slots: the smallest free slots first as long
// as none was given back. Goroutines are made many at a time, to spare the collector.
type goroutinePool struct {
	slabs [][]Goroutine
	free  []*Goroutine
}

const slabSize = 64

func (p *goroutinePool) get() *Goroutine {
	if n := len(p.free); n > 0 {
		g := p.free[n-1]
		p.free = p.free[:n-1]
		g.alive = true
		return g
	}
	last := len(p.slabs) - 1
	if last < 0 || len(p.slabs[last]) == slabSize {
		p.slabs = append(p.slabs, make([]Goroutine, 0, slabSize))
		last++
	}
	slab := p.slabs[last]
	n := len(slab)
	slab = slab[:n+1]
	p.slabs[last] = slab
	slab[n] = Goroutine{Slot: last*slabSize + n, alive: true, more: nothing}
	return &slab[n]
}

func (p *goroutinePool) put(g *Goroutine) {
	if g.owns() {
		*g.more = more{regions: g.regions[:0]}
	}
	*g = Goroutine{Slot: g.Slot, more: g.more}
	p.free = append(p.free, g)
}

// all yields the goroutines that are alive, by slot. Those that end meanwhile are left
// out.
func (p *goroutinePool) all() iter.Seq[*Goroutine] {
	return func(yield func(*Goroutine) bool) {
		for _, slab := range p.slabs {
			for i := range slab {
				if g := &slab[i]; g.alive && !yield(g) {
					return
				}
			}
		}
	}
}
