package report

import (
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// share is what is summed of the goroutines that are selected, while they are. What
// concerns the program as a whole is beside it, in [Builder].
type share struct {
	blocking blocking
	latency  latency
}

// Merge adds a later share.
func (sh *share) Merge(o *share) {
	sh.blocking.merge(&o.blocking)
	sh.latency.merge(&o.latency)
}

// selected is what is known of a goroutine because of [Options.Selection].
type selected struct {
	// in says that the goroutine is selected, known that this is known: it may depend
	// on the start function. Until then, untold has what will count if it is.
	in, known bool
	untold    *share
	// With tasks: the work for them, and what of the goroutine's time counts.
	work   times.AtWork
	times  times.Times
	worked bool
}

// selects finds out whether a goroutine is selected, as soon as that is known.
func (b *Builder) selects(g *model.Goroutine, gr *goroutine) {
	s := gr.selected
	if s.known {
		return
	}
	if s.in, s.known = b.opts.Selection.Goroutine(g); !s.known {
		if s.untold == nil {
			s.untold = b.newShare()
		}
		return
	}
	if s.in {
		b.found.Goroutines++
		if s.untold != nil {
			b.share.Merge(s.untold)
		}
	}
	s.untold = nil
}

func (b *Builder) newShare() *share { return &share{latency: latency{keep: b.opts.Worst}} }

// target returns where what a goroutine does at work is summed, nil for nowhere.
func (b *Builder) target(gr *goroutine) *share {
	switch s := gr.selected; {
	case s == nil, s.in:
		return &b.share
	case !s.known:
		return s.untold
	}
	return nil
}

// byTask returns what is known of a goroutine that may be at work for the tasks that
// are selected; nil if it cannot, or if none are.
func (b *Builder) byTask(gr *goroutine) *selected {
	if s := gr.selected; s != nil && b.opts.ByTask() && (s.in || !s.known) {
		return s
	}
	return nil
}

// advance assigns the time of a goroutine up to now, in which no work began or ended;
// st is the state that it is in.
func (b *Builder) advance(s *selected, g *model.Goroutine, st *model.GoState, onProc bool, now model.Time) {
	since, assists := g.Assist()
	b.assign(s, st, onProc, since, assists, now)
}

// assign is advance for a goroutine that assists the GC since a moment, if it does.
func (b *Builder) assign(s *selected, st *model.GoState, onProc bool, since model.Time, assists bool, now model.Time) {
	d := s.work.Advance(now)
	if !s.work.Now() {
		return
	}
	from := now - d
	b.ledger.AddPart(&s.times, st, from, now, onProc)
	if assists {
		s.times.GCAssist += now - max(since, from)
	}
	if st.Kind == model.Syscall {
		_, d = st.SyscallTimes(from, now, onProc)
	}
	s.work.Count(d)
}

func (b *Builder) advanceTo(s *selected, g *model.Goroutine, now model.Time) {
	st := g.Current()
	b.advance(s, g, &st, g.OnProc(), now)
}

// worker returns what is known of the goroutine of a work that counts, nil if it does
// not count.
func (b *Builder) worker(w *model.Work) *selected {
	if !b.selectedTasks.Has(w.Task) {
		return nil
	}
	return b.byTask(b.goroutines.Of(w.Goroutine))
}

func (b *Builder) workStarted(w *model.Work) {
	if s := b.worker(w); s != nil {
		b.advanceTo(s, w.Goroutine, w.Start)
		s.work.Start()
		s.worked = true
	}
}

func (b *Builder) workEnded(w *model.Work) {
	if s := b.worker(w); s != nil {
		b.advanceTo(s, w.Goroutine, w.End)
		s.work.End()
	}
}

// sumSelected sums up what counts of a state that ended.
func (b *Builder) sumSelected(g *model.Goroutine, gr *goroutine, s *model.GoState) {
	b.selects(g, gr)
	into := b.target(gr)
	if into == nil {
		return
	}
	sel := b.byTask(gr)
	if sel == nil {
		b.sumPart(into, g, gr, s, divided(s))
		return
	}
	b.advance(sel, g, s, false, s.End)
	// A system call that kept its P counts, too.
	if d := sel.work.StateEnded(); d > 0 || sel.work.Now() {
		b.sumPart(into, g, gr, s, d)
	}
}

// divided returns the time of a state that is summed up in [share]. For a system call,
// this is the time without a P.
func divided(s *model.GoState) model.Time {
	if s.Kind == model.Syscall {
		return s.End - s.ProcLost
	}
	return s.Duration()
}

// timesOf returns what of the time of a goroutine that ended counts, nil for nothing.
func (b *Builder) timesOf(g *model.Goroutine, gr *goroutine) *times.Times {
	s := gr.selected
	if s == nil {
		return b.ledger.Times(g)
	}
	switch b.selects(g, gr); {
	case !s.in:
		return nil
	case !b.opts.ByTask():
		return b.ledger.Times(g)
	case !s.worked:
		return nil
	}
	return &s.times
}

// assistedAtWork assigns the time up to the end of an assist.
func (b *Builder) assistedAtWork(s *selected, r *model.Range) {
	g := r.Goroutine
	st := g.Current()
	b.assign(s, &st, g.OnProc(), r.Start, true, r.End)
}

// in reports whether a goroutine is known to be selected.
func (b *Builder) in(g *model.Goroutine, gr *goroutine) bool {
	if gr.selected == nil {
		return true
	}
	b.selects(g, gr)
	return gr.selected.in
}

// counts reports whether what a goroutine does now counts: an assist, or what begins.
func (b *Builder) counts(g *model.Goroutine) bool {
	gr := b.goroutines.Of(g)
	return b.in(g, gr) && (!b.opts.ByTask() || gr.selected.work.Now())
}
