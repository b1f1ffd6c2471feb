package decode

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// cursor reads the events of one thread, in order.
type cursor struct {
	thread *thread
	rest   []*batch // behind the one that is being read
	data   []byte   // what is left of that
	last   int64    // time of the last event, or of the batch

	// The event that comes next, in the form of the trace.
	typ  byte
	time int64
	args [4]uint64
}

// next reads the next event. more is false at the end of the thread's; ok is
// false if it is none, or its time is so large that it overflows.
func (c *cursor) next(t *tables) (more, ok bool) {
	if len(c.data) == 0 {
		if more, ok := c.nextBatch(t); !more {
			return false, ok
		}
	}
	b := c.data
	c.typ = b[0]
	n := arguments[c.typ]
	if n < 0 {
		return false, false
	}
	ticks, i := uvarint(b, 1)
	for k := range c.args[:n] {
		// Most numbers are of up to three bytes, and calls take longer than those.
		switch {
		case i < len(b) && b[i] < 0x80:
			c.args[k] = uint64(b[i])
			i++
		case i+1 < len(b) && b[i+1] < 0x80:
			c.args[k] = uint64(b[i]&0x7f) | uint64(b[i+1])<<7
			i += 2
		case i+2 < len(b) && b[i+2] < 0x80:
			c.args[k] = uint64(b[i]&0x7f) | uint64(b[i+1]&0x7f)<<7 | uint64(b[i+2])<<14
			i += 3
		default:
			c.args[k], i = longUvarint(b, i)
		}
	}
	if i > len(b) {
		return false, false
	}
	c.data = b[i:]
	if c.time = t.clock.time(ticks) + c.last; c.time < c.last {
		return false, false
	}
	c.last = c.time
	return true, true
}

// nextBatch goes on to the next batch that has events.
func (c *cursor) nextBatch(t *tables) (more, ok bool) {
	for len(c.data) == 0 {
		if len(c.rest) == 0 {
			return false, true
		}
		c.data, c.last = c.rest[0].data, t.clock.time(c.rest[0].ticks)
		if c.rest = c.rest[1:]; c.last < 0 {
			return false, false
		}
	}
	return true, true
}

// uvarint reads a number at b[i], and returns where the next one is: behind the
// end of b if there is none.
func uvarint(b []byte, i int) (uint64, int) {
	if i < len(b) && b[i] < 0x80 {
		return uint64(b[i]), i + 1
	}
	return longUvarint(b, i)
}

func longUvarint(b []byte, i int) (uint64, int) {
	if i < len(b) {
		if v, n := binary.Uvarint(b[i:]); n > 0 {
			return v, i + n
		}
	}
	return 0, len(b) + 1
}

// frontier is a heap of cursors, that with the earliest event first. Which of
// several with one time comes first depends on how exactly it is kept: it has to
// be done as golang.org/x/exp/trace does it (internal/trace/batchcursor.go).
type frontier []entry

type entry struct {
	time int64 // of the cursor
	*cursor
}

func (f *frontier) add(c *cursor) {
	*f = append(*f, entry{c.time, c})
	f.up(len(*f) - 1)
}

// moved puts the cursor at i, which went on, into its place.
func (f frontier) moved(i int) {
	f[i].time = f[i].cursor.time
	if f.up(i) == i {
		f.down(i)
	}
}

// remove takes the cursor at i out: it is pulled up to the root, and the last
// one takes its place there.
func (f *frontier) remove(i int) {
	h := *f
	for ; i > 0; i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
	last := len(h) - 1
	h[0] = h[last]
	h[last] = entry{}
	*f = h[:last]
	f.down(0)
}

func (f frontier) up(i int) int {
	for i > 0 {
		parent := (i - 1) / 2
		if f[parent].time <= f[i].time {
			break
		}
		f[parent], f[i] = f[i], f[parent]
		i = parent
	}
	return i
}

func (f frontier) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(f); child++ {
			if f[child].time < f[least].time {
				least = child
			}
		}
		if least == i {
			return
		}
		f[i], f[least] = f[least], f[i]
		i = least
	}
}

// sort puts all into the order of their times.
func (f frontier) sort() {
	slices.SortFunc(f, func(a, b entry) int { return cmp.Compare(a.time, b.time) })
}
