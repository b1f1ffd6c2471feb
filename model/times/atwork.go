package times

import (
	"slices"

	"github.com/trace2x/trace2x/model"
)

// AtWork divides the time of one goroutine into what counts and what does not, for a
// sink that takes only the time at work for some tasks. A state is reported when it
// ends, so its time is added up as stints begin and end.
//
// What a goroutine does in a pause counts if it comes back (see [model.Sink]). Until
// that is known, the sink keeps it apart, in a T for each pause.
type AtWork[T Part[T]] struct {
	works  int        // for which the goroutine is at work now
	pauses []pause[T] // that may still come to count, by their beginnings
	since  model.Time // up to which the time has been assigned
	inside model.Time // of the state that the goroutine is in, what counts
}

// A Part is what a sink keeps of a pause.
type Part[T any] interface {
	// Merge adds a later part.
	Merge(T)
}

// pause is a break in the work for a task.
type pause[T any] struct {
	work    *model.Work
	part    T
	current model.Time // of the state that the goroutine is in
}

// Reset begins a goroutine's life. It keeps memory.
func (a *AtWork[T]) Reset(start model.Time) {
	clear(a.pauses)
	*a = AtWork[T]{pauses: a.pauses[:0], since: start}
}

// Now reports whether the goroutine is at work now. If it is not but may come back,
// ok is set and part is that of the pause.
func (a *AtWork[T]) Now() (at bool, part T, ok bool) {
	if n := len(a.pauses); a.works == 0 && n > 0 {
		return false, a.pauses[n-1].part, true
	}
	return a.works > 0, part, false
}

// Advance returns the time since the last call, or since Reset, in which nothing
// began or ended.
func (a *AtWork[T]) Advance(now model.Time) model.Time {
	d := now - a.since
	a.since = now
	return d
}

// Count assigns what Advance returned to the state that the goroutine is in: it
// counts, or may do so later, or never.
func (a *AtWork[T]) Count(d model.Time) {
	if a.works > 0 {
		a.inside += d
	} else if n := len(a.pauses); n > 0 {
		a.pauses[n-1].current += d
	}
}

// CountLate assigns time to the state that the goroutine is in of which only now it is
// known that it counts.
func (a *AtWork[T]) CountLate(d model.Time) { a.inside += d }

// StateEnded calls count with what counts of a state that ended, and keep with what
// may count later, each with the part of its pause, the last one first.
func (a *AtWork[T]) StateEnded(count func(model.Time), keep func(T, model.Time)) {
	if a.inside > 0 {
		count(a.inside)
		a.inside = 0
	}
	for i := range slices.Backward(a.pauses) {
		if p := &a.pauses[i]; p.current > 0 {
			keep(p.part, p.current)
			p.current = 0
		}
	}
}

// Start begins a stint, up to which the time has been assigned; so it is for the
// other methods.
func (a *AtWork[T]) Start() { a.works++ }

// Pause begins a pause. part is empty.
func (a *AtWork[T]) Pause(w *model.Work, part T) {
	a.works--
	a.pauses = append(a.pauses, pause[T]{work: w, part: part})
}

// Resume ends a pause. It calls count with each part that counts now, which count
// has to empty.
func (a *AtWork[T]) Resume(w *model.Work, count func(T)) {
	i := a.pauseOf(w)
	if i < 0 {
		return
	}
	// What is in the later pauses was in this one, too.
	for j := range a.pauses[i:] {
		p := &a.pauses[i+j]
		count(p.part)
		a.inside += p.current
		p.current = 0
	}
	a.pauses = slices.Delete(a.pauses, i, i+1)
	a.works++
}

// End ends a stint, also in a pause: then that does not count, except as a part of an
// earlier one.
func (a *AtWork[T]) End(w *model.Work) {
	i := a.pauseOf(w)
	if i < 0 {
		a.works--
		return
	}
	if i > 0 {
		before := &a.pauses[i-1]
		before.part.Merge(a.pauses[i].part)
		before.current += a.pauses[i].current
	}
	a.pauses = slices.Delete(a.pauses, i, i+1)
}

func (a *AtWork[T]) pauseOf(w *model.Work) int {
	return slices.IndexFunc(a.pauses, func(p pause[T]) bool { return p.work == w })
}
