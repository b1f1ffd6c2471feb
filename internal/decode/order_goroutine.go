package decode

// runs reports whether the thread executes a goroutine of this status on a P.
func (th *thread) runs(status uint8) bool {
	return th.g != nil && th.p != none && th.g.status == status
}

func (o *order) goCreate(c *Chunk, next *cursor) outcome {
	th, id := next.thread, int64(next.args[0])
	if th.p == none || th.g != nil && th.g.status != goRunning || id < 0 || o.goroutines.find(id) != nil {
		return odd
	}
	to, status := Runnable, uint8(goRunnable)
	if next.typ == evGoCreateBlocked {
		to, status = Waiting, goWaiting
	}
	o.goroutines.add(id, status)
	e := o.transition(c, th, next.time, id, NotExist, to)
	if o.withStack(c, &e.Own, next.args[1]) == odd {
		return odd
	}
	return o.withStack(c, &e.Stack, next.args[2])
}

// goCreateSyscall begins a callback from C, on a thread of its own.
func (o *order) goCreateSyscall(c *Chunk, next *cursor) outcome {
	th, id := next.thread, int64(next.args[0])
	if th.g != nil || id < 0 || o.goroutines.find(id) != nil {
		return odd
	}
	o.transition(c, th, next.time, id, NotExist, Syscall)
	th.g = o.goroutines.add(id, goSyscall)
	return happened
}

func (o *order) goStart(c *Chunk, next *cursor) outcome {
	th, id, seq := next.thread, int64(next.args[0]), next.args[1]
	g := o.goroutines.find(id)
	if g == nil || g.status != goRunnable || seq != g.seq+1 {
		return notYet
	}
	if th.p == none || th.g != nil {
		return odd
	}
	o.transition(c, th, next.time, id, Runnable, Running)
	g.status, g.seq, th.g = goRunning, seq, g
	return happened
}

func (o *order) goStop(c *Chunk, next *cursor) outcome {
	th := next.thread
	if !th.runs(goRunning) {
		return odd
	}
	to, status := Runnable, uint8(goRunnable)
	if next.typ == evGoBlock {
		to, status = Waiting, goWaiting
	}
	e := o.transition(c, th, next.time, th.g.id, Running, to)
	th.g.status, th.g = status, nil
	var ok bool
	if e.Reason, ok = o.reason(c, next.args[0]); !ok {
		return odd
	}
	return o.withStack(c, &e.Own, next.args[1])
}

func (o *order) goUnblock(c *Chunk, next *cursor) outcome {
	id, seq := int64(next.args[0]), next.args[1]
	g := o.goroutines.find(id)
	if g == nil || g.status != goWaiting || seq != g.seq+1 {
		return notYet
	}
	g.status, g.seq = goRunnable, seq
	e := o.transition(c, next.thread, next.time, id, Waiting, Runnable)
	return o.withStack(c, &e.Stack, next.args[2])
}

func (o *order) goDestroy(c *Chunk, next *cursor) outcome {
	th := next.thread
	if !th.runs(goRunning) {
		return odd
	}
	o.transition(c, th, next.time, th.g.id, Running, NotExist)
	o.goroutines.remove(th.g)
	th.g = nil
	return happened
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
		o.procTransition(c, th, next.time, p, Running, Idle)
	}
	o.transition(c, th, next.time, th.g.id, Syscall, NotExist)
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
	o.transition(c, th, next.time, g.id, Waiting, Runnable)
	if next.typ == evGoSwitch {
		o.transition(c, th, next.time, th.g.id, Running, Waiting)
		th.g.status = goWaiting
	} else {
		o.transition(c, th, next.time, th.g.id, Running, NotExist)
		o.goroutines.remove(th.g)
	}
	th.g = nil
	o.transition(c, th, next.time, g.id, Runnable, Running)
	g.status, g.seq, th.g = goRunning, next.args[1], g
	return happened
}

func (o *order) goSyscallBegin(c *Chunk, next *cursor) outcome {
	th := next.thread
	if !th.runs(goRunning) {
		return odd
	}
	p := &o.procs[th.p]
	if next.args[0] != p.seq+1 {
		return odd
	}
	th.g.status, p.status, p.seq = goSyscall, procSyscall, next.args[0]
	e := o.transition(c, th, next.time, th.g.id, Running, Syscall)
	return o.withStack(c, &e.Own, next.args[1])
}

func (o *order) goSyscallEnd(c *Chunk, next *cursor) outcome {
	th := next.thread
	if !th.runs(goSyscall) || o.procs[th.p].status != procSyscall {
		return odd
	}
	th.g.status, o.procs[th.p].status = goRunning, procRunning
	o.transition(c, th, next.time, th.g.id, Syscall, Running)
	return happened
}

func (o *order) goSyscallEndBlocked(c *Chunk, next *cursor) outcome {
	th := next.thread
	if th.p != none && o.procs[th.p].status == procSyscall {
		return notYet // it is going to lose its P
	}
	if th.g == nil || th.g.status != goSyscall {
		return odd
	}
	o.transition(c, th, next.time, th.g.id, Syscall, Runnable)
	th.g.status, th.g = goRunnable, nil
	return happened
}

// goStatus makes a goroutine from before the generation known.
func (o *order) goStatus(c *Chunk, next *cursor) outcome {
	id, m, status := int64(next.args[0]), int64(next.args[1]), next.args[2]
	if !next.tellsGoroutine() || o.goroutines.find(id) != nil || status == goSyscall && m != next.thread.id && o.thread(m).seen {
		return odd
	}
	return o.goTold(c, next, o.goroutines.add(id, uint8(status)))
}

// tellsGoroutine reports whether the status of a goroutine is one that there is.
func (next *cursor) tellsGoroutine() bool {
	id, m, status := int64(next.args[0]), int64(next.args[1]), next.args[2]
	return id >= 0 && status != 0 && status < uint64(len(goStates)) && (status != goSyscall || m >= 0)
}

// goTold takes the status of a goroutine, g.
func (o *order) goTold(c *Chunk, next *cursor, g *goroutine) outcome {
	th, m, status := next.thread, int64(next.args[1]), next.args[2]
	e := o.transition(c, th, next.time, int64(next.args[0]), Undetermined, goStates[status])
	switch {
	case status == goRunning || status == goSyscall && m == th.id:
		th.g = g
	case status == goSyscall:
		// It has been in the system call for as long as the generation lasts.
		other := o.thread(m)
		other.g, other.seen = g, true
		e.Thread = m
	}
	if next.typ == evGoStatusStack {
		return o.withStack(c, &e.Own, next.args[3])
	}
	return happened
}
