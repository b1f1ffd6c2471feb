package critical

import (
	"math"

	"github.com/trace2x/trace2x/model"
)

// turn is a state of a goroutine, or a part of one that was running: the walk wants
// to know for which task. What nearly always follows, that the goroutine is runnable
// and runs, is in the same turn, so that most turns have three states. It has no
// pointers: the garbage collector does not look at half a million of them.
type turn struct {
	start model.Time
	// runnable is when the goroutine became runnable after the first state, and
	// running when it began to run after that; never if it did not yet, or that is
	// another turn. Either may have taken no time.
	runnable, running model.Time
	goid              model.GoID
	// prev is the goroutine's turn before, or, of a first one, that of the creator
	// at that moment; 0 if there is none.
	prev uint64
	// waker is the turn of the goroutine that ended the wait, at that moment; 0 if
	// none did.
	waker uint64
	// task is what the goroutine was at work for, BackgroundTask for nothing.
	task model.TaskID
	// stack is where the goroutine entered the first state, 0 if it just went on at
	// from: the last place before that is known, or where it was created. The waker
	// ended the wait at wakerStack.
	stack, from, wakerStack int32
	fn                      int32 // start function, 0 if unknown when the last state ended
	slot                    int32
	reason                  uint16          // of the first state, as the kind
	kind                    model.StateKind // Waiting if there is a waker
	first                   bool            // prev is of another goroutine
}

const never = model.Time(math.MaxInt64)

// goOn adds a state to a turn, if it can be in the same. Only the first state of a
// turn has a reason, a stack and a waker: the model has none for those that goOn
// takes.
func (s *turn) goOn(kind model.StateKind, now model.Time, task model.TaskID) bool {
	switch {
	case s.task != task || s.kind == model.Running || s.running != never:
		return false
	case kind == model.Running:
		s.runnable, s.running = min(s.runnable, now), now
	case kind == model.Runnable && s.kind != model.Runnable && s.runnable == never:
		s.runnable = now
	default:
		return false
	}
	return true
}

// at is the state just before a moment, and when it began.
func (s *turn) at(t model.Time) (model.StateKind, model.Time) {
	switch {
	case s.running < t:
		return model.Running, s.running
	case s.runnable < t:
		return model.Runnable, s.runnable
	}
	return s.kind, s.start
}

// ring keeps the last turns, which are numbered from 1. It grows to its size.
type ring struct {
	chunks []*[chunkSize]turn
	size   uint64 // a power of 2, at least chunkSize
	last   uint64 // number of the last turn
}

const chunkSize = 1 << 12

func newRing(size int) ring {
	n := uint64(chunkSize)
	for n < uint64(size) {
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

// has reports whether turn n is kept still.
func (r *ring) has(n uint64) bool { return n != 0 && n+r.size > r.last }

// at is turn n, which is kept.
func (r *ring) at(n uint64) *turn {
	i := n & (r.size - 1)
	return &r.chunks[i/chunkSize][i%chunkSize]
}
