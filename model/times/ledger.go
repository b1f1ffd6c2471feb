package times

import "github.com/trace2x/trace2x/model"

// Ledger has the times of all goroutines that are alive. A sink passes on its calls of
// the same names to it, before it handles them itself. The zero value is ready to use.
type Ledger struct {
	Reasons Reasons
	entries model.BySlot[entry]
	ended   Times // the times of the last stint that ended
}

// entry is what the ledger knows of a goroutine.
type entry struct {
	times Times
	until model.Time // the end of the last state
}

// GoroutineStart begins a goroutine.
func (l *Ledger) GoroutineStart(g *model.Goroutine) {
	e := l.entries.Of(g)
	e.times.reset()
	e.until = g.Start
}

// GoroutineState adds a state that ended.
func (l *Ledger) GoroutineState(g *model.Goroutine, s *model.GoState) {
	e := l.entries.Of(g)
	e.times.state(s, s.Start, s.End, false, &l.Reasons)
	e.until = s.End
}

// Range adds a mark assist that ended; it ignores other ranges.
func (l *Ledger) Range(r *model.Range) {
	if r.Kind == model.MarkAssist && r.Goroutine != nil {
		l.entries.Of(r.Goroutine).times.GCAssist += r.End - r.Start
	}
}

// Times returns the times of a goroutine in the states and assists that have ended. They
// belong to the ledger: they are valid during the call of the sink, which must not
// change them.
func (l *Ledger) Times(g *model.Goroutine) *Times { return &l.entries.Of(g).times }

// Until returns the end of a goroutine's last state that ended, or else its start.
func (l *Ledger) Until(g *model.Goroutine) model.Time { return l.entries.Of(g).until }

// AddPart adds to t the part of a goroutine's state that lies in [from, to]. While the
// state lasts, onProc tells whether the goroutine holds a P.
func (l *Ledger) AddPart(t *Times, s *model.GoState, from, to model.Time, onProc bool) {
	t.state(s, from, to, onProc, &l.Reasons)
}

// at sets t to the times of a goroutine up to now, with the state and the assist that
// it is in.
func (l *Ledger) at(t *Times, g *model.Goroutine, now model.Time) {
	s := g.Current()
	l.in(&s, t, g, now)
}

// in is at for a goroutine that is in this state.
func (l *Ledger) in(s *model.GoState, t *Times, g *model.Goroutine, now model.Time) {
	e := l.entries.Of(g)
	t.Set(&e.times)
	if from := max(s.Start, e.until); from < now {
		t.state(s, from, now, g.OnProc(), &l.Reasons)
	}
	if since, ok := g.Assist(); ok {
		t.GCAssist += now - since
	}
}

// Stint is a part of a goroutine's life whose times are wanted: a region, or its work
// for a task. A stint that ended may begin again, in the memory that it has.
type Stint struct{ start Times }

// Begin begins the stint of g, now.
func (s *Stint) Begin(l *Ledger, g *model.Goroutine, now model.Time) { l.at(&s.start, g, now) }

// Finish is End for times that are kept: they are in the memory of the stint, and valid
// until it begins again.
func (s *Stint) Finish(l *Ledger, g *model.Goroutine, now model.Time) *Times {
	s.End(l, g, now)
	s.start, l.ended = l.ended, s.start
	return &s.start
}

// End ends the stint, now, and returns its times. They belong to the ledger, and are
// valid until the next stint ends.
func (s *Stint) End(l *Ledger, g *model.Goroutine, now model.Time) *Times {
	l.at(&l.ended, g, now)
	l.ended.sub(&s.start)
	return &l.ended
}
