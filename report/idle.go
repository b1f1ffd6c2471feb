package report

import (
	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

// waits is a number of waits and their time.
type waits struct {
	count int64
	time  model.Time
}

func (w *waits) add(o waits) {
	w.count += o.count
	w.time += o.time
}

// funcWaits is waits of goroutines of a start function.
type funcWaits struct {
	fn string
	waits
}

// waitsOf returns the waits of goroutines of a start function.
func (s *site) waitsOf(fn string) *waits {
	for i := range s.byFunc {
		if f := &s.byFunc[i]; f.fn == fn {
			return &f.waits
		}
	}
	s.byFunc = append(s.byFunc, funcWaits{fn: fn})
	return &s.byFunc[len(s.byFunc)-1].waits
}

// within returns the waits in units of work, which are not idle:
//
//   - for tasks and regions, those that ended while the goroutine was at work for a
//     task;
//   - for HTTP requests, those of the goroutine that serves the connection, except for
//     waits for the next request, and those of the goroutines that it started;
//   - for lives of goroutines, those of all goroutines whose lives are units.
func (s *site) within(kind critical.Kind, lives map[string]bool) (in waits) {
	switch kind {
	case critical.HTTP:
		return s.inRequests
	case critical.GoroutineLife:
		for _, f := range s.byFunc {
			if lives[f.fn] {
				in.add(f.waits)
			}
		}
		return in
	}
	return s.inTasks
}

// unitsOf returns the kind of the units of a report, and the start functions of the
// goroutines whose lives are units.
func unitsOf(why *Why) (critical.Kind, map[string]bool) {
	lives := make(map[string]bool)
	if why == nil {
		return critical.Task, lives
	}
	kind := firstKind(why.Kinds)
	for _, t := range why.Types {
		if t.Kind == critical.GoroutineLife {
			lives[t.Name] = true
		}
	}
	return kind, lives
}

// firstKind returns the preferred one of some kinds, a task for none.
func firstKind(kinds critical.Kinds) critical.Kind {
	for _, k := range critical.AllKinds {
		if kinds.Has(k) {
			return k
		}
	}
	return critical.Task
}

// lives reports whether lives of goroutines may be units.
func (b *Builder) lives() bool {
	kinds := b.opts.Units.Kinds
	return !b.opts.NoUnits && (kinds.Has(critical.GoroutineLife) || kinds == 0 && !b.hadTask)
}

// handles reports whether a goroutine handles HTTP requests, or was started by one that
// does.
func (gr *goroutine) handles(g *model.Goroutine) bool {
	return gr.inRequest || critical.Serves(g.Func)
}

// startedInRequest notes whether a goroutine is at work for HTTP requests.
func (b *Builder) startedInRequest(g *model.Goroutine, gr *goroutine) {
	gr.inRequest = g.Creator != nil && b.goroutines.Of(g.Creator).handles(g.Creator) && !critical.WatchesConn(g.Func)
}
