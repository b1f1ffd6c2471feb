package decode

// named decodes what is left of a generation behind what is wanted of it: only the
// statuses in which goroutines and Ps are named for the first time. What did nothing up
// to there has been in that state since the generation began.
//
// The threads are read one after the other, and no order is found between them, which
// takes most of the time of decoding: the times of these events mean nothing, except that
// they are later than all before. It is false as advance is.
func (g *generation) named(c *Chunk) bool {
	o := g.order
	for len(c.Events)+mostOfOne <= cap(c.Events) {
		n := len(g.frontier)
		if n == 0 {
			return g.end(c)
		}
		next := g.frontier[n-1].cursor
		if o.follow(c, next) == odd {
			return false
		}
		switch more, ok := next.skip(o.tables, &argumentsMatter); {
		case !ok:
			return false
		case !more:
			g.frontier = g.frontier[:n-1]
		}
	}
	return true
}

// argumentsMatter has the types of events whose arguments follow reads.
var argumentsMatter = [256]bool{
	evProcStart: true, evProcSteal: true, evProcStatus: true, evGoStatus: true, evGoStatusStack: true,
}

// unnamed stands for a goroutine that a thread executes: which one does not matter.
var unnamed = &goroutine{id: 1}

// follow takes the next event of a thread if it is a status, and keeps what the statuses
// that follow depend on: whether the thread has a P, and executes a goroutine.
func (o *order) follow(c *Chunk, next *cursor) (out outcome) {
	out = happened
	th := next.thread
	switch next.typ {
	case evProcStart:
		th.p = int32(next.args[0])
	case evProcStop:
		th.p = none
	case evProcSteal:
		if int64(next.args[2]) == th.id {
			th.p = none
		}
	case evGoStart, evGoSwitch, evGoSwitchDestroy, evGoCreateSyscall:
		th.g = unnamed
	case evGoStop, evGoBlock, evGoDestroy:
		th.g = nil
	case evGoSyscallEndBlocked, evGoDestroySyscall:
		th.g, th.p = nil, none
	case evProcStatus:
		if o.tellsProc(next) == nil {
			return odd
		}
		o.procNamed(c, next)
	case evGoStatus, evGoStatusStack:
		if !next.tellsGoroutine() {
			return odd
		}
		out = o.goNamed(c, next, unnamed)
	}
	if th.id == none {
		th.g, th.p = nil, none
	}
	return out
}
