package critical

import (
	"math"

	"github.com/trace2x/trace2x/model"
)

// turn is a state of a goroutine, or the part of a run in which it worked for one task.
// If the goroutine is runnable and runs after it, as nearly always, that is in the same
// turn, so most turns have three states. A turn has no pointers, so that the garbage
// collector does not look at half a million of them, and 64 bytes, a line of the cache.
type turn struct {
	start model.Time
	goid  model.GoID
	// task is what the goroutine was at work for, BackgroundTask for nothing.
	task model.TaskID
	// runnable is when the goroutine became runnable after the first state, and
	// running when it began to run after that, in ns since start. They are never if
	// that has not happened, or is in another turn. A state may have taken no time.
	runnable, running uint32
	// prev is the goroutine's turn before this one. For its first turn it is the
	// creator's turn at that moment. waker is the turn of the goroutine that ended the
	// wait, at that moment. Both are distances from this turn, 0 for none.
	prev, waker int32
	// stack is where the goroutine entered the first state, 0 if the trace has no
	// stack for that. from is the last known place before, or where it was created.
	// wakerStack is where the waker ended the wait.
	stack, from, wakerStack int32
	fn                      int32 // start function, 0 if unknown when the last state ended
	slot                    int32
	reason                  uint16          // of the first state, as the kind
	kind                    model.StateKind // Waiting if there is a waker
	first                   bool            // prev is of another goroutine
}

const never = math.MaxUint32

// distance returns how far it is from turn n to another, as far as that matters: what
// is farther away than maxStates is not kept.
func distance(to, n uint64) int32 {
	return int32(min(max(int64(to-n), math.MinInt32), math.MaxInt32))
}

// goOn adds a state to a turn, and reports whether it could. Only the first state of a
// turn has a reason, a stack and a waker: the states that goOn takes have none.
func (s *turn) goOn(kind model.StateKind, now model.Time, task model.TaskID) bool {
	d := uint64(now - s.start)
	if s.task != task || s.kind == model.Running || s.running != never || d >= never {
		return false
	}
	switch {
	case kind == model.Running:
		s.runnable, s.running = min(s.runnable, uint32(d)), uint32(d)
	case kind == model.Runnable && s.kind != model.Runnable && s.runnable == never:
		s.runnable = uint32(d)
	default:
		return false
	}
	return true
}

// at returns the state just before a moment, and when it began.
func (s *turn) at(t model.Time) (model.StateKind, model.Time) {
	d := t - s.start
	switch {
	case model.Time(s.running) < d && s.running != never:
		return model.Running, s.start + model.Time(s.running)
	case model.Time(s.runnable) < d && s.runnable != never:
		return model.Runnable, s.start + model.Time(s.runnable)
	}
	return s.kind, s.start
}

// ring keeps the last turns, numbered from 1. It grows to its size.
type ring struct {
	chunks []*[chunkSize]turn
	size   uint64 // a power of 2, at least chunkSize
	last   uint64 // number of the last turn
}

const (
	chunkSize = 1 << 12
	maxStates = 1 << 30 // distances between turns have 32 bits
)

func newRing(size int) ring {
	n := uint64(chunkSize)
	for n < uint64(size) && n < maxStates {
		n *= 2
	}
	return ring{chunks: make([]*[chunkSize]turn, n/chunkSize), size: n}
}

// add makes room for a turn, maybe in place of the oldest one.
func (r *ring) add() (n uint64, s *turn) {
	r.last++
	i := r.last & (r.size - 1)
	c := r.chunks[i/chunkSize]
	if c == nil {
		c = new([chunkSize]turn)
		r.chunks[i/chunkSize] = c
	}
	return r.last, &c[i%chunkSize]
}

// has reports whether turn n is still kept.
func (r *ring) has(n uint64) bool { return n != 0 && n+r.size > r.last }

// at returns turn n, which must be kept.
func (r *ring) at(n uint64) *turn {
	i := n & (r.size - 1)
	return &r.chunks[i/chunkSize][i%chunkSize]
}
