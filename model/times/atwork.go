package times

import "github.com/trace2x/trace2x/model"

// AtWork divides the time of one goroutine into what counts and what does not. It is for
// a sink that takes only the time at work for some tasks. The model reports a state when
// it ends, so AtWork adds up what counts of it as work begins and ends.
type AtWork struct {
	works  int        // more than 0 while the goroutine is at work
	since  model.Time // the time before this has been assigned
	inside model.Time // the part of the current state that counts
}

// Reset begins a goroutine's life.
func (a *AtWork) Reset(start model.Time) { *a = AtWork{since: start} }

// Start begins work, and End ends it. Call Advance first.
func (a *AtWork) Start() { a.works++ }
func (a *AtWork) End()   { a.works-- }

// Now reports whether the goroutine is at work.
func (a *AtWork) Now() bool { return a.works > 0 }

// Advance returns the time since the last call or since Reset. No work may have begun or
// ended in between.
func (a *AtWork) Advance(now model.Time) model.Time {
	d := now - a.since
	a.since = now
	return d
}

// Count makes d count as a part of the current state.
func (a *AtWork) Count(d model.Time) { a.inside += d }

// StateEnded returns what counts of a state that ended.
func (a *AtWork) StateEnded() model.Time {
	d := a.inside
	a.inside = 0
	return d
}
