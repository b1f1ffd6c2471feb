package times

import "github.com/trace2x/trace2x/model"

// AtWork divides the time of one goroutine into what counts and what does not, for a
// sink that takes only the time at work for some tasks. A state is reported when it
// ends, so its time is added up as work begins and ends.
type AtWork struct {
	works  int        // for which the goroutine is at work now
	since  model.Time // up to which the time has been assigned
	inside model.Time // of the state that the goroutine is in, what counts
}

// Reset begins a goroutine's life.
func (a *AtWork) Reset(start model.Time) { *a = AtWork{since: start} }

// Start begins work, and End ends it. The time up to then has been assigned.
func (a *AtWork) Start() { a.works++ }
func (a *AtWork) End()   { a.works-- }

// Now reports whether the goroutine is at work.
func (a *AtWork) Now() bool { return a.works > 0 }

// Advance returns the time since the last call, or since Reset, in which no work
// began or ended.
func (a *AtWork) Advance(now model.Time) model.Time {
	d := now - a.since
	a.since = now
	return d
}

// Count makes d count, as a part of the state that the goroutine is in.
func (a *AtWork) Count(d model.Time) { a.inside += d }

// StateEnded returns what counts of a state that ended.
func (a *AtWork) StateEnded() model.Time {
	d := a.inside
	a.inside = 0
	return d
}
