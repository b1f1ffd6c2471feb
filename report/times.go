package report

import (
	"slices"
	"time"

	"github.com/trace2x/trace2x/model"
)

// Times is what goroutines spent their time on, in nanoseconds.
type Times struct {
	// Total is how long the goroutines were in the trace. The next five add up to
	// it.
	Total time.Duration `json:"total_ns"`
	// Execution is running on a P.
	Execution time.Duration `json:"execution_ns"`
	// SchedWait is being runnable: waiting for a P.
	SchedWait time.Duration `json:"sched_wait_ns"`
	// Block is waiting for anything else, BlockByReason the same by the runtime's
	// reasons.
	Block         time.Duration            `json:"block_ns"`
	BlockByReason map[string]time.Duration `json:"block_by_reason_ns"`
	// Syscall is being in a system call, or in C, with a P; SyscallBlock without.
	Syscall      time.Duration `json:"syscall_ns"`
	SyscallBlock time.Duration `json:"syscall_block_ns"`
	// GCAssist is helping the GC to mark. It overlaps with the others: mostly it
	// is execution, but assists may block.
	GCAssist time.Duration `json:"gc_assist_ns"`
}

// sums is the time of goroutines by state, while it adds up.
type sums struct {
	execution, schedWait, syscall, syscallBlock, gcAssist model.Time
	block                                                 []model.Time // by reason
}

// blockFor is the time blocked for a reason.
func (s *sums) blockFor(reason int) *model.Time {
	for reason >= len(s.block) {
		s.block = append(s.block, 0)
	}
	return &s.block[reason]
}

func (s *sums) add(o *sums) {
	s.execution += o.execution
	s.schedWait += o.schedWait
	s.syscall += o.syscall
	s.syscallBlock += o.syscallBlock
	s.gcAssist += o.gcAssist
	for reason, d := range o.block {
		if d != 0 {
			*s.blockFor(reason) += d
		}
	}
}

// sub takes away what is part of s.
func (s *sums) sub(o *sums) {
	s.execution -= o.execution
	s.schedWait -= o.schedWait
	s.syscall -= o.syscall
	s.syscallBlock -= o.syscallBlock
	s.gcAssist -= o.gcAssist
	for reason, d := range o.block {
		*s.blockFor(reason) -= d
	}
}

// max makes each field the larger one.
func (s *sums) max(o *sums) {
	s.execution = max(s.execution, o.execution)
	s.schedWait = max(s.schedWait, o.schedWait)
	s.syscall = max(s.syscall, o.syscall)
	s.syscallBlock = max(s.syscallBlock, o.syscallBlock)
	s.gcAssist = max(s.gcAssist, o.gcAssist)
	for reason, d := range o.block {
		if d != 0 {
			b := s.blockFor(reason)
			*b = max(*b, d)
		}
	}
}

// set makes s a copy of o, in the memory of s.
func (s *sums) set(o *sums) {
	block := append(s.block[:0], o.block...)
	*s = *o
	s.block = block
}

func (s *sums) reset() {
	clear(s.block)
	*s = sums{block: s.block}
}

func (s *sums) blocked() (total model.Time) {
	for _, d := range s.block {
		total += d
	}
	return total
}

// addState adds the part of a state that lies in [from, to]. While it lasts, onProc
// tells whether the goroutine holds a P.
func (s *sums) addState(g *model.GoState, from, to model.Time, onProc bool, reasons *reasons) {
	switch g.Kind {
	case model.Running:
		s.execution += to - from
	case model.Runnable:
		s.schedWait += to - from
	case model.Waiting:
		*s.blockFor(reasons.index(g.Reason)) += to - from
	case model.Syscall:
		with, without := g.SyscallTimes(from, to, onProc)
		s.syscall += with
		s.syscallBlock += without
	}
}

// times is what the sums are for users.
func (s *sums) times(reasons *reasons) Times {
	t := Times{
		Execution:     time.Duration(s.execution),
		SchedWait:     time.Duration(s.schedWait),
		Block:         time.Duration(s.blocked()),
		BlockByReason: make(map[string]time.Duration),
		Syscall:       time.Duration(s.syscall),
		SyscallBlock:  time.Duration(s.syscallBlock),
		GCAssist:      time.Duration(s.gcAssist),
	}
	t.Total = t.Execution + t.SchedWait + t.Block + t.Syscall + t.SyscallBlock
	for reason, d := range s.block {
		if d > 0 {
			t.BlockByReason[reasons.names[reason]] = time.Duration(d)
		}
	}
	return t
}

// reasons numbers the reasons of waits, which are few.
type reasons struct{ names []string }

func (r *reasons) index(name string) int {
	for i, n := range r.names {
		if n == name {
			return i
		}
	}
	r.names = append(r.names, name)
	return len(r.names) - 1
}

// byTime returns the reasons, those with the most time first.
func byTime(m map[string]time.Duration) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return compare(m[b], m[a], a, b)
	})
	return names
}
