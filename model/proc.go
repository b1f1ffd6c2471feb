package model

import "github.com/trace2x/trace2x/internal/decode"

// Run is an interval in which a goroutine held a P: it ran, or was in a system
// call that had not lost the P. On one P, runs do not overlap and are reported
// in order.
type Run struct {
	Proc      ProcID
	Goroutine *Goroutine
	Thread    ThreadID
	// Start and End are the edges of the trace, or of a Gap, if Before and Open are
	// set.
	Start, End   Time
	Before, Open bool
	// Next is what the goroutine did after it gave up or lost the P; Syscall
	// means that it lost the P in a system call. It is meaningless if Open.
	Next StateKind
	// Label is what the runtime says the goroutine does in this run, such as
	// "GC (dedicated)"; "" mostly.
	Label string
}

// ProcState is an interval in which a P was idle, or running: then a thread
// had it, to execute goroutines or to look for them.
type ProcState struct {
	Proc    ProcID
	Running bool
	// Thread had the P if Running.
	Thread     ThreadID
	Start, End Time
	// Before and Open say that Start and End are the edges of the trace, or of a
	// Gap.
	Before, Open bool
}

// proc is a P.
type proc struct {
	id    ProcID
	state ProcState
	// g holds the P, since run.Start.
	g     *Goroutine
	run   Run
	sweep *Range
}

// proc returns the P with this number, nil for none.
func (b *builder) proc(id ProcID) *proc {
	if id < 0 || id >= decode.MaxProc {
		return nil
	}
	for int(id) >= len(b.procs) {
		b.procs = append(b.procs, nil)
	}
	p := b.procs[id]
	if p == nil {
		p = &proc{id: id, state: ProcState{Proc: id, Thread: NoThread, Start: b.since, Before: true}}
		b.procs[id] = p
		b.summary.MaxProc = max(b.summary.MaxProc, id)
	}
	return p
}

// procTurned makes a P running or idle.
func (b *builder) procTurned(p *proc, running bool, thread ThreadID, t Time) {
	if !running {
		b.evict(p, t)
	}
	p.state.End = t
	b.sink.ProcState(&p.state)
	p.state = ProcState{Proc: p.id, Running: running, Thread: thread, Start: t}
}

// acquire gives p to g.
func (b *builder) acquire(p *proc, g *Goroutine, thread ThreadID, t Time) {
	b.evict(p, t)
	p.g, g.proc = g, p
	r := &p.run
	r.Proc, r.Goroutine, r.Thread = p.id, g, thread
	r.Start, r.End, r.Before, r.Open = t, 0, false, false
	r.Next, r.Label = NotExist, ""
}

// evict takes p from the goroutine that has it, if any. Only one in a system
// call can lose its P.
func (b *builder) evict(p *proc, t Time) {
	switch g := p.g; {
	case g == nil:
	case g.cur.kind == Syscall:
		b.lostProc(g, t)
	default:
		b.inconsistent("P taken from a running goroutine")
		b.stopped(g, Waiting, unknownReason, nil, t)
	}
}

// release takes the P, if it has one, from g, which goes on in state next.
func (b *builder) release(g *Goroutine, t Time, next StateKind) {
	p := g.proc
	if p == nil {
		return
	}
	p.run.End, p.run.Next = t, next
	b.sink.Run(&p.run)
	p.g, g.proc = nil, nil
}
