package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/internal/histogram"
	"github.com/trace2x/trace2x/model"
)

// Blocking is all waits for one reason at one place.
type Blocking struct {
	// Reason is the runtime's, or "syscall" for system calls, and calls of C, that
	// lost their P: these count from then on.
	Reason string `json:"reason"`
	// Place is where the program blocks: the innermost call that is not in a
	// package like sync, time or net.
	Place Place `json:"place"`
	Count int64 `json:"count"`
	Spread
	// InUnits is how many of the waits were in units of work of the kind that
	// Report.Unit says, and InUnitsTime how long these were. The others are idle waits.
	// See within.
	InUnits     int64         `json:"in_units"`
	InUnitsTime time.Duration `json:"in_units_ns"`
	Longest     Moment        `json:"longest"`
	// System means that only goroutines of the runtime were concerned. These come
	// last.
	System bool `json:"system"`
	// EndedBy is who ended the waits, the most frequent first. It leaves out waits
	// that have not ended, and system calls.
	EndedBy []EndedBy `json:"ended_by"`
}

// Spread is how durations are spread, in nanoseconds.
type Spread struct {
	Total time.Duration `json:"total_ns"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	Max   time.Duration `json:"max_ns"`
}

func spread(h *histogram.Histogram, total, largest model.Time) Spread {
	return Spread{
		Total: time.Duration(total),
		P50:   h.Quantile(.5, largest),
		P90:   h.Quantile(.9, largest),
		P99:   h.Quantile(.99, largest),
		Max:   time.Duration(largest),
	}
}

// Moment is an interval of a goroutine to look at.
type Moment struct {
	// At is when it began, since the trace began.
	At       time.Duration `json:"at_ns"`
	Duration time.Duration `json:"duration_ns"`
	// Goroutine is its ID, 0 if unknown.
	Goroutine model.GoID `json:"goroutine"`
	// Func is the start function of the goroutine.
	Func string `json:"func"`
	// File is the trace that has it; "" for a report on one trace.
	File string `json:"file,omitempty"`
}

// EndedBy is who ended waits.
type EndedBy struct {
	// Place is where it was done; if the trace does not tell, only the start
	// function of the goroutine that did it is known.
	Place Place `json:"place"`
	// Scheduler means that the scheduler did it, by polling the network or by a timer,
	// and no goroutine.
	Scheduler bool  `json:"scheduler,omitempty"`
	Count     int64 `json:"count"`
	// Longest is the longest of the waits, and Goroutine the one that ended it, 0 for
	// none.
	Longest   Moment     `json:"longest"`
	Goroutine model.GoID `json:"goroutine,omitempty"`
}

// blocking has the waits by reason and place.
type blocking struct {
	sites       map[siteKey]*site
	unexplained int // waits from before the trace of unknown reason or place
}

type siteKey struct {
	reason int
	place  *Place
}

// site is the waits for one reason at one place.
type site struct {
	siteKey
	mutex      bool
	program    bool // a goroutine of the program was concerned
	total      model.Time
	spread     histogram.Histogram
	longest    longest
	endedBy    []*endedBy
	inTasks    waits // that ended in work for a task
	inRequests waits // of HTTP
	byFunc     []funcWaits
	// held is the time in which goroutines in system calls held their Ps, and
	// holds how often.
	held        model.Time
	holds       int64
	longestHold longest
}

// longest is the longest of some intervals.
type longest struct {
	at, duration model.Time
	goroutine    model.GoID
	fn           string
	stack        *model.Stack
	file         string // of several traces
}

func (l *longest) offer(g *model.Goroutine, at, d model.Time, stack *model.Stack) {
	if d > l.duration || l.goroutine == 0 {
		*l = longest{at: at, duration: d, goroutine: g.ID, fn: g.Func, stack: stack}
	}
}

func (l *longest) moment(b *Builder) Moment {
	return Moment{b.since(l.at), time.Duration(l.duration), l.goroutine, l.fn, l.file}
}

type endedBy struct {
	place     *Place
	scheduler bool
	fn        string // without a place
	count     int64
	longest   longest
	by        model.GoID // that ended the longest
}

// ofSyscalls stands for the reason of system calls.
const ofSyscalls = -1

// site returns the site of a wait.
func (b *Builder) site(bl *blocking, st *stack, reason int) *site {
	if bl != &b.share.blocking {
		return bl.site(siteKey{reason, st.place}, st.mutex)
	}
	for _, s := range st.sites {
		if s.reason == reason {
			return s
		}
	}
	s := bl.site(siteKey{reason, st.place}, st.mutex)
	st.sites = append(st.sites, s)
	return s
}

func (bl *blocking) site(key siteKey, mutex bool) *site {
	s := bl.sites[key]
	if s == nil {
		if bl.sites == nil {
			bl.sites = make(map[siteKey]*site)
		}
		s = &site{siteKey: key}
		bl.sites[key] = s
	}
	s.mutex = s.mutex || mutex
	return s
}

// merge adds later waits.
func (bl *blocking) merge(o *blocking) {
	bl.unexplained += o.unexplained
	for key, s := range o.sites {
		bl.site(key, s.mutex).merge(s)
	}
}

func (s *site) merge(o *site) {
	s.program = s.program || o.program
	if o.longest.duration > s.longest.duration || s.spread.N == 0 {
		s.longest = o.longest
	}
	s.total += o.total
	s.inTasks.add(o.inTasks)
	s.inRequests.add(o.inRequests)
	for _, f := range o.byFunc {
		s.waitsOf(f.fn).add(f.waits)
	}
	s.spread.Merge(&o.spread)
	for _, e := range o.endedBy {
		s.ender(e.place, e.scheduler, e.fn).add(e.count, &e.longest, e.by)
	}
	if o.longestHold.duration > s.longestHold.duration {
		s.longestHold = o.longestHold
	}
	s.held += o.held
	s.holds += o.holds
}

// addWait counts d of a wait that has ended.
func (b *Builder) addWait(s *site, g *model.Goroutine, gr *goroutine, st *stack, d model.Time) {
	s.total += d
	s.spread.Add(d)
	x := waits{1, d}
	if g.Work() != nil {
		s.inTasks.add(x)
	}
	if !st.idle && gr.handles(g) {
		s.inRequests.add(x)
	}
	if b.lives() {
		s.waitsOf(g.Func).add(x)
	}
}

// waited counts d of a wait that has ended.
func (b *Builder) waited(sh *share, g *model.Goroutine, gr *goroutine, s *model.GoState, d model.Time) {
	st := b.places.of(s.Stack)
	site := b.site(&sh.blocking, st, b.ledger.Reasons.Index(s.Reason))
	b.addWait(site, g, gr, st, d)
	if d > site.longest.duration || site.spread.N == 1 {
		site.longest.offer(g, s.Start, d, s.Stack)
	}
	site.program = site.program || !model.OfRuntime(g.Func)
	if s.Before && !model.OfRuntime(g.Func) && (s.Stack == nil || s.Reason == "unknown") {
		sh.blocking.unexplained++
	}
	switch {
	case s.Before && s.Open && d == s.Duration():
		b.leaks.add(g, s)
	case !s.Open && s.Next == model.Runnable:
		b.ended(site, &s.Waker, &longest{at: s.Start, duration: d, goroutine: g.ID, fn: g.Func})
	}
}

// ended counts who ended a wait.
func (b *Builder) ended(site *site, w *model.Waker, wait *longest) {
	var place *Place
	fn, by := "", model.GoID(0)
	if w.Goroutine != nil {
		by = w.Goroutine.ID
	}
	switch {
	case w.Stack != nil:
		place = b.places.of(w.Stack).place
	case w.Goroutine != nil:
		fn = w.Goroutine.Func
	}
	site.ender(place, by == 0 && w.Stack == nil, fn).add(1, wait, by)
}

// ender returns the waits that one place, or the scheduler, ended.
func (s *site) ender(place *Place, scheduler bool, fn string) *endedBy {
	for i, e := range s.endedBy {
		if e.place == place && e.scheduler == scheduler && e.fn == fn {
			if i > 0 { // the frequent ones are found first
				s.endedBy[i], s.endedBy[i-1] = s.endedBy[i-1], e
			}
			return e
		}
	}
	e := &endedBy{place: place, scheduler: scheduler, fn: fn}
	s.endedBy = append(s.endedBy, e)
	return e
}

// add counts n more waits; by ended the longest.
func (e *endedBy) add(n int64, longest *longest, by model.GoID) {
	if longest.duration > e.longest.duration || e.count == 0 {
		e.longest, e.by = *longest, by
	}
	e.count += n
}

// syscallEnded counts a system call as two things: as long as it held its P, and, for
// d, blocked from then on.
func (b *Builder) syscallEnded(sh *share, g *model.Goroutine, gr *goroutine, s *model.GoState, d model.Time) {
	st := b.places.of(s.Stack)
	site := b.site(&sh.blocking, st, ofSyscalls)
	if held := s.ProcLost - s.Start; held > 0 {
		site.held += held
		site.holds++
		if held > site.longestHold.duration {
			site.longestHold.offer(g, s.Start, held, s.Stack)
		}
	}
	if d > 0 {
		site.program = site.program || !model.OfRuntime(g.Func)
		b.addWait(site, g, gr, st, d)
		if d > site.longest.duration {
			site.longest.offer(g, s.ProcLost, d, s.Stack)
		}
	}
}

// blockings returns all waits, for units of the kind that why has.
func (b *Builder) blockings(why *Why) []Blocking {
	out := []Blocking{}
	kind, lives := unitsOf(why)
	for _, s := range b.share.blocking.sites {
		if s.spread.N == 0 {
			continue // only system calls that kept their Ps
		}
		x := Blocking{
			Reason:  "syscall",
			Place:   *s.place,
			Count:   s.spread.N,
			Spread:  spread(&s.spread, s.total, s.longest.duration),
			Longest: s.longest.moment(b),
			System:  !s.program,
			EndedBy: []EndedBy{},
		}
		in := s.within(kind, lives)
		x.InUnits, x.InUnitsTime = in.count, time.Duration(in.time)
		if s.reason != ofSyscalls {
			x.Reason = b.ledger.Reasons.Name(s.reason)
		}
		for _, e := range s.endedBy {
			by := EndedBy{Scheduler: e.scheduler, Count: e.count, Place: Place{Func: e.fn}, Longest: e.longest.moment(b), Goroutine: e.by}
			if e.place != nil {
				by.Place = *e.place
			}
			x.EndedBy = append(x.EndedBy, by)
		}
		slices.SortFunc(x.EndedBy, func(a, b EndedBy) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), a.Place.compare(b.Place))
		})
		out = append(out, x)
	}
	sortBlocking(out, "")
	return out
}

// blockingColumns are those by which waits can be sorted.
var blockingColumns = []struct {
	name string
	of   func(*Blocking) int64
}{
	{"count", func(b *Blocking) int64 { return b.Count }},
	{"total", func(b *Blocking) int64 { return int64(b.Total) }},
	{"p50", func(b *Blocking) int64 { return int64(b.P50) }},
	{"p99", func(b *Blocking) int64 { return int64(b.P99) }},
	{"max", func(b *Blocking) int64 { return int64(b.Max) }},
	{"units", func(b *Blocking) int64 { return int64(b.InUnitsTime) }},
}

// blockingColumn returns what a column has for waits. If there is none of that name it is
// their time in units of work, so that idle waits come last. That column is called by what
// the units are, too.
func blockingColumn(name string) (string, func(*Blocking) int64) {
	if name == "tasks" || name == "requests" {
		name = "units"
	}
	for _, c := range blockingColumns {
		if c.name == name {
			return name, c.of
		}
	}
	return blockingColumn("units")
}

// sortBlocking sorts by a column, the largest first, and the runtime's own waits last.
func sortBlocking(list []Blocking, name string) {
	_, of := blockingColumn(name)
	slices.SortFunc(list, func(a, b Blocking) int {
		return cmp.Or(compareBools(a.System, b.System), cmp.Compare(of(&b), of(&a)), cmp.Compare(b.Total, a.Total), cmp.Compare(b.Count, a.Count), strings.Compare(a.Reason, b.Reason), a.Place.compare(b.Place))
	})
}
