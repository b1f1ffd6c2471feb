package critical

import (
	"sort"
	"time"

	"github.com/trace2x/trace2x/model"
)

// A goroutine that runs is preempted after 10 ms, by a thread of the runtime that
// looks every 10 ms, whether or not another one waits for the P. Where no goroutine
// changes its state for longer although one runs, that thread did not run either:
// the operating system did not let the whole process run, or the machine slept. (Or
// the program switched preemption off with GODEBUG=asyncpreemptoff=1.)
//
// Where no goroutine ran, the trace does not tell: it does not have the times for
// which timers were set.

// MinStall is the shortest stall: no goroutine changes its state for this long.
const MinStall = 40 * time.Millisecond

// stalls keeps the last stalls, the oldest first.
type stalls struct {
	last  model.Time // when a goroutine changed its state last
	known []interval
}

type interval struct{ start, end model.Time }

const maxStalls = 1 << 10

// heard notes that a goroutine changes its state now.
func (h *history) heard(now model.Time) {
	st := &h.stalls
	if now-st.last >= model.Time(MinStall) && h.anyRuns() {
		if len(st.known) == maxStalls {
			st.known = append(st.known[:0], st.known[maxStalls/2:]...)
		}
		st.known = append(st.known, interval{st.last, now})
	}
	st.last = now
}

// anyRuns reports whether a goroutine runs, and not just holds a P for a system
// call.
func (h *history) anyRuns() bool {
	for _, slot := range h.runs.running {
		if h.slots.At(int(slot)).kind == model.Running {
			return true
		}
	}
	return false
}

// stalled returns how much of [from, to] the whole process did not run.
func (h *history) stalled(from, to model.Time) (sum time.Duration) {
	known := h.stalls.known
	i := sort.Search(len(known), func(i int) bool { return known[i].end > from })
	for ; i < len(known) && known[i].start < to; i++ {
		sum += time.Duration(min(to, known[i].end) - max(from, known[i].start))
	}
	return sum
}
