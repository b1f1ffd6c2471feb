package critical

import "github.com/trace2x/trace2x/model"

// state is a state of a goroutine, or a part of one that was running: the walk
// wants to know for which task. It has no pointers, so that the garbage collector
// does not look at a million of them, and fills a cache line.
type state struct {
	start model.Time
	goid  model.GoID
	// prev is the goroutine's state before, or, of a first state, that of the
	// creator at that moment; 0 if there is none.
	prev uint64
	// waker is the state of the goroutine that ended this wait, at that moment; 0
	// if none did.
	waker uint64
	// task is what the goroutine was at work for, BackgroundTask for nothing.
	task model.TaskID
	// stack is where the goroutine entered the state, 0 if it just went on at from:
	// the last place before that is known, or where it was created. The waker ended
	// the wait at wakerStack.
	stack, from, wakerStack int32
	fn                      int32 // start function, 0 if unknown when the state ended
	slot                    int32
	reason                  uint16
	kind                    model.StateKind
	first                   bool // prev is of another goroutine
}

// holdsP reports whether a goroutine in this state can hold a P.
func (s *state) holdsP() bool { return s.kind == model.Running || s.kind == model.Syscall }

// ring keeps the last states, which are numbered from 1. It grows to its size.
type ring struct {
	chunks []*[chunkSize]state
	size   uint64 // a power of 2, at least chunkSize
	last   uint64 // number of the last state
}

const chunkSize = 1 << 12

func newRing(size int) ring {
	n := uint64(chunkSize)
	for n < uint64(size) {
		n *= 2
	}
	return ring{chunks: make([]*[chunkSize]state, n/chunkSize), size: n}
}

// add makes room for a state, maybe in place of the oldest one.
func (r *ring) add() (n uint64, s *state) {
	r.last++
	i := r.last & (r.size - 1)
	c := r.chunks[i/chunkSize]
	if c == nil {
		c = new([chunkSize]state)
		r.chunks[i/chunkSize] = c
	}
	return r.last, &c[i%chunkSize]
}

// has reports whether state n is kept still.
func (r *ring) has(n uint64) bool { return n != 0 && n+r.size > r.last }

// at is state n, which is kept.
func (r *ring) at(n uint64) *state {
	i := n & (r.size - 1)
	return &r.chunks[i/chunkSize][i%chunkSize]
}
