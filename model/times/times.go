// Package times adds up what goroutines spend their time on, for the sinks of package
// model that want sums.
//
// A [Ledger] follows the states of all goroutines. A [Stint] is a part of a goroutine's
// life. Its times are those of the ledger at its end, less those at its beginning, so a
// state costs the same however many stints it is in. [Tasks] adds up the stints for the
// tasks that goroutines work for.
//
// [AtWork] is for sinks that take only the time at work for some tasks. Package model
// decides what a goroutine does, and when it is at work.
package times

import "github.com/trace2x/trace2x/model"

// Times is time by state, in ns.
type Times struct {
	Execution    model.Time // running
	SchedWait    model.Time // runnable
	Syscall      model.Time // in a system call, with a P
	SyscallBlock model.Time // in a system call, without
	GCAssist     model.Time // overlaps with the others
	// Block is the time waiting, by the reason's number in [Reasons]. Reasons beyond
	// its end have no time.
	Block []model.Time
}

// block returns the time blocked for a reason.
func (t *Times) block(reason int) *model.Time {
	if n := reason + 1 - len(t.Block); n > 0 {
		t.Block = append(t.Block, make([]model.Time, n)...)
	}
	return &t.Block[reason]
}

// Add adds o.
func (t *Times) Add(o *Times) {
	t.Execution += o.Execution
	t.SchedWait += o.SchedWait
	t.Syscall += o.Syscall
	t.SyscallBlock += o.SyscallBlock
	t.GCAssist += o.GCAssist
	for reason, d := range o.Block {
		if d != 0 {
			*t.block(reason) += d
		}
	}
}

// sub subtracts o, which is a part of t.
func (t *Times) sub(o *Times) {
	t.Execution -= o.Execution
	t.SchedWait -= o.SchedWait
	t.Syscall -= o.Syscall
	t.SyscallBlock -= o.SyscallBlock
	t.GCAssist -= o.GCAssist
	for reason, d := range o.Block {
		*t.block(reason) -= d
	}
}

// Max sets each time of t to the larger one of t and o.
func (t *Times) Max(o *Times) {
	t.Execution = max(t.Execution, o.Execution)
	t.SchedWait = max(t.SchedWait, o.SchedWait)
	t.Syscall = max(t.Syscall, o.Syscall)
	t.SyscallBlock = max(t.SyscallBlock, o.SyscallBlock)
	t.GCAssist = max(t.GCAssist, o.GCAssist)
	for reason, d := range o.Block {
		if d != 0 {
			b := t.block(reason)
			*b = max(*b, d)
		}
	}
}

// Blocked returns the time blocked for any reason.
func (t *Times) Blocked() (total model.Time) {
	for _, d := range t.Block {
		total += d
	}
	return total
}

// Total returns the time in all states.
func (t *Times) Total() model.Time {
	return t.Execution + t.SchedWait + t.Syscall + t.SyscallBlock + t.Blocked()
}

// Set makes t a copy of o. It uses the memory of t.
func (t *Times) Set(o *Times) {
	block := append(t.Block[:0], o.Block...)
	*t = *o
	t.Block = block
}

// reset makes t zero and keeps its memory.
func (t *Times) reset() {
	clear(t.Block)
	*t = Times{Block: t.Block}
}

// state adds the part of a state that lies in [from, to]. While the state lasts,
// onProc tells whether the goroutine holds a P.
func (t *Times) state(s *model.GoState, from, to model.Time, onProc bool, reasons *Reasons) {
	switch s.Kind {
	case model.Running:
		t.Execution += to - from
	case model.Runnable:
		t.SchedWait += to - from
	case model.Waiting:
		*t.block(reasons.Index(s.Reason)) += to - from
	case model.Syscall:
		with, without := s.SyscallTimes(from, to, onProc)
		t.Syscall += with
		t.SyscallBlock += without
	}
}

// Reasons numbers the reasons of waits, which are few.
type Reasons struct{ names []string }

// Index returns the number of a reason.
func (r *Reasons) Index(name string) int {
	for i, n := range r.names {
		if n == name {
			return i
		}
	}
	r.names = append(r.names, name)
	return len(r.names) - 1
}

// Name returns the reason for a number that Index returned.
func (r *Reasons) Name(i int) string { return r.names[i] }
