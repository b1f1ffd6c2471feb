package decode

import (
	"encoding/binary"
	"math/bits"
)

// statuses decodes what is left of a generation behind what is wanted of it: only the
// statuses in which goroutines and Ps are named for the first time. What did nothing up
// to there has been in that state since the generation began.
//
// The threads are read one after the other. To find an order between them takes most of the
// time of decoding, and is left out. So the times of these events mean nothing, except that
// they are later than all before. It is false as advance is.
func (g *generation) statuses(c *Chunk) bool {
	o := g.order
	for len(c.Events)+mostOfOne <= cap(c.Events) {
		n := len(g.frontier)
		if n == 0 {
			return g.end(c)
		}
		next := g.frontier[n-1].cursor
		if o.status(c, next) == odd {
			return false
		}
		switch more, ok := next.toStatus(o.tables); {
		case !ok:
			return false
		case !more:
			g.frontier = g.frontier[:n-1]
		}
	}
	return true
}

// teller stands for a goroutine that tells the status of another one.
var teller = &goroutine{id: 1}

// status takes the next event of a thread if it is a status. A thread tells the statuses of
// its own P and its own goroutine before anything else. So it has no other P then, and
// executes no other goroutine.
func (o *order) status(c *Chunk, next *cursor) (out outcome) {
	th := next.thread
	switch next.typ {
	default:
		return happened
	case evProcStatus:
		if o.tellsProc(next) == nil {
			return odd
		}
		o.procTold(c, next)
		out = happened
	case evGoStatus, evGoStatusStack:
		if !next.tellsGoroutine() {
			return odd
		}
		own := next.args[2] == goRunning || next.args[2] == goSyscall && int64(next.args[1]) == th.id
		if th.g = teller; own || th.id == none {
			th.g = nil
		}
		out = o.goTold(c, next, teller)
	}
	if th.id == none {
		th.g, th.p = nil, none
	}
	return out
}

// isStatus has the types of events that tell a status.
var isStatus = [256]bool{evProcStatus: true, evGoStatus: true, evGoStatusStack: true}

// toStatus goes on to the next status of the thread and reads it without its time. It
// returns what [cursor.next] returns.
func (c *cursor) toStatus(t *tables) (more, ok bool) {
	for {
		if more, ok := c.nextBatch(t); !more {
			return false, ok
		}
		b := c.data
		i := 0
		for i < len(b) && !isStatus[b[i]] {
			n := arguments[b[i]]
			if n < 0 {
				return false, false
			}
			i = behindUvarints(b, i+1, int(n)+1)
		}
		if i > len(b) {
			return false, false
		}
		if c.data = b[i:]; len(c.data) > 0 {
			last := c.last
			more, ok = c.next(t)
			c.last, c.time = last, last
			return more, ok
		}
	}
}

// behindUvarints returns where n numbers end that begin at b[i], at most five: behind the
// end of b if they are not there.
func behindUvarints(b []byte, i, n int) int {
	if len(b)-i >= 8 {
		// The last byte of each number is the one without the highest bit. No branch
		// depends on the numbers: they would be mispredicted.
		ends := ^binary.LittleEndian.Uint64(b[i:]) & 0x8080_8080_8080_8080
		second := ends & (ends - 1)
		third := second & (second - 1)
		fourth := third & (third - 1)
		if end := [...]uint64{1: ends, 2: second, 3: third, 4: fourth, 5: fourth & (fourth - 1)}[n]; end != 0 {
			return i + bits.TrailingZeros64(end)/8 + 1
		}
	}
	for ; n > 0; i++ {
		if i >= len(b) {
			return len(b) + 1
		}
		if b[i] < 0x80 {
			n--
		}
	}
	return i
}
