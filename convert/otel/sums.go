package otel

import "github.com/trace2x/trace2x/model"

// sums is the time that goroutines spent, by state, in ns.
type sums struct {
	execution    model.Time
	schedWait    model.Time // runnable
	syscall      model.Time // with a P
	syscallBlock model.Time // without
	gcAssist     model.Time // overlaps with the others
	block        []blockTime
}

type blockTime struct {
	reason string
	time   model.Time
}

// addState adds the part of a state that lies in [from, to]. While it lasts, onProc
// tells whether the goroutine holds a P.
func (s *sums) addState(g *model.GoState, from, to model.Time, onProc bool) {
	from = max(from, g.Start)
	if to <= from {
		return
	}
	switch g.Kind {
	case model.Running:
		s.execution += to - from
	case model.Runnable:
		s.schedWait += to - from
	case model.Waiting:
		s.addBlock(g.Reason, to-from)
	case model.Syscall:
		with, without := g.SyscallTimes(from, to, onProc)
		s.syscall += with
		s.syscallBlock += without
	}
}

func (s *sums) addBlock(reason string, d model.Time) {
	for i := range s.block {
		if s.block[i].reason == reason {
			s.block[i].time += d
			return
		}
	}
	s.block = append(s.block, blockTime{reason, d})
}

// add adds other sums.
func (s *sums) add(o *sums) {
	s.execution += o.execution
	s.schedWait += o.schedWait
	s.syscall += o.syscall
	s.syscallBlock += o.syscallBlock
	s.gcAssist += o.gcAssist
	for _, b := range o.block {
		if b.time != 0 {
			s.addBlock(b.reason, b.time)
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
	for _, b := range o.block {
		s.addBlock(b.reason, -b.time)
	}
}

// set makes s a copy of o, in the memory of s.
func (s *sums) set(o *sums) {
	block := append(s.block[:0], o.block...)
	*s = *o
	s.block = block
}
