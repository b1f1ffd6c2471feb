package decode

func (o *order) procStart(c *Chunk, next *cursor) outcome {
	th, seq := next.thread, next.args[1]
	p := o.proc(next.args[0])
	if p == nil {
		return odd
	}
	if p.status != procIdle || seq != p.seq+1 || th.p != none {
		return notYet
	}
	id := int32(next.args[0])
	o.procTransition(c, th, next.time, id, Idle, Running)
	p.status, p.seq, th.p = procRunning, seq, id
	return happened
}

func (o *order) procStop(c *Chunk, next *cursor) outcome {
	th := next.thread
	if th.p == none || o.procs[th.p].status != procRunning && o.procs[th.p].status != procSyscall {
		return odd
	}
	o.procTransition(c, th, next.time, th.p, Running, Idle)
	o.procs[th.p].status, th.p = procIdle, none
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
	from := Running
	if p.status == procAbandoned {
		from = Idle // as which it appeared
	}
	o.procTransition(c, th, next.time, id, from, Idle)
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
	p := o.tellsProc(next)
	if p == nil || p.status != 0 {
		return odd
	}
	p.status = uint8(next.args[1])
	o.procTold(c, next)
	return happened
}

// tellsProc returns the P whose status the event tells, nil if there is no such P or
// status.
func (o *order) tellsProc(next *cursor) *proc {
	if status := next.args[1]; status == 0 || status > procAbandoned {
		return nil
	}
	return o.proc(next.args[0])
}

// procTold takes the status of a P.
func (o *order) procTold(c *Chunk, next *cursor) {
	th, id, to := next.thread, int32(next.args[0]), Running
	status := next.args[1]
	if status == procIdle || status == procAbandoned {
		to = Idle
	}
	o.procTransition(c, th, next.time, id, Undetermined, to)
	if status == procRunning || status == procSyscall {
		th.p = id
	}
}
