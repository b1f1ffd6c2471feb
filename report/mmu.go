package report

import (
	"math"
	"slices"
	"time"

	"github.com/trace2x/trace2x/model"
)

// Utilization is the smallest share of the time of all Ps that was left to the
// program in any interval of this length. The rest went to stop-the-world pauses of the
// GC, to assists, and to its workers, except for those that only use idle Ps.
type Utilization struct {
	// Length is at most as long as the trace.
	Length time.Duration `json:"length_ns"`
	// MMU is the minimum mutator utilization, from 0 to 1, and At where the first
	// such interval begins, since the trace began.
	MMU float64       `json:"mmu"`
	At  time.Duration `json:"at_ns"`
	// File is the trace that has it; "" for a report on one trace.
	File string `json:"file,omitempty"`
}

var defaultLengths = []time.Duration{
	1 * time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond,
	10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second,
}

// mmu computes the minimum mutator utilization, as runtime/trace's own tools do
// (internal/trace, MutatorUtilizationV2), for intervals of some lengths and while the trace is
// read.
//
// The utilization is a step function of time. Its integral over an interval is least
// where one of its edges is at a step, so that only these intervals count. What lies
// behind all of them is forgotten.
//
// The sink learns what the GC does when it ends, but the steps must be in order. So
// changes wait until nothing that began before them can still end: until all
// goroutines that were running then have been taken off their Ps.
type mmu struct {
	known   bool
	start   model.Time // when GOMAXPROCS was known first: nothing before counts
	changes []change   // by time
	enough  int        // changes to advance

	procs, gc, stopped int // at front
	front              model.Time
	util               float64  // at front
	integral           float64  // of util, from start to front
	steps              []step   // the last one is where util began
	sliders            []slider // by length
}

// change is a change of how many Ps the GC has, of how many reasons to stop the
// world there are, or of GOMAXPROCS (0: none).
type change struct {
	at          model.Time
	gc, stopped int
	procs       int
}

// step is where the utilization becomes util, and its integral from the start.
type step struct {
	at       model.Time
	util     float64
	integral float64
}

// slider is an interval that slides over the steps.
type slider struct {
	length model.Time
	left   int // index of the last step at or before the left edge, or -1
	min    float64
	at     model.Time
	file   string
}

const fewChanges = 1024

// delay is by how much longer changes wait: a pause may go on after its goroutine
// has been taken off its P, when GOMAXPROCS is changed.
const delay = model.Time(100 * time.Millisecond)

func (m *mmu) init(lengths []time.Duration) {
	m.enough = fewChanges
	m.util = 1
	for _, w := range lengths {
		m.sliders = append(m.sliders, slider{length: model.Time(w), left: -1, min: math.Inf(1)})
	}
	slices.SortFunc(m.sliders, func(a, b slider) int { return int(a.length - b.length) })
}

func (m *mmu) setProcs(now model.Time, n int) {
	switch {
	case n <= 0:
	case m.known:
		m.insert(change{at: now, procs: n})
	default:
		m.known, m.start, m.front, m.procs = true, now, now, n
		m.steps = append(m.steps, step{now, 1, 0})
	}
}

// interval takes Ps from the program for a while: as many as gc says, or all if
// the world was stopped.
func (m *mmu) interval(from, to model.Time, gc, stopped int) {
	if from < to && m.known {
		m.insert(change{at: from, gc: gc, stopped: stopped})
		m.insert(change{at: to, gc: -gc, stopped: -stopped})
	}
}

func (m *mmu) insert(c change) {
	i := len(m.changes)
	for i > 0 && m.changes[i-1].at > c.at {
		i--
	}
	m.changes = slices.Insert(m.changes, i, c)
}

// advance goes on to the changes that are complete. It costs little if there are
// few; since is asked for the moment since which all goroutines that are running
// have been.
func (m *mmu) advance(since func() (model.Time, bool)) {
	if len(m.changes) < m.enough {
		return
	}
	until, ok := since()
	if last := m.changes[len(m.changes)-1].at; !ok || last < until {
		until = last
	}
	m.take(until - delay)
	m.enough = max(fewChanges, 2*len(m.changes))
}

// take takes the changes before a moment.
func (m *mmu) take(until model.Time) {
	n := 0
	for n < len(m.changes) && m.changes[n].at < until {
		// All changes at one moment are one step.
		at := m.changes[n].at
		for ; n < len(m.changes) && m.changes[n].at == at; n++ {
			c := &m.changes[n]
			m.gc += c.gc
			m.stopped += c.stopped
			if c.procs > 0 {
				m.procs = c.procs
			}
		}
		util := 1 - float64(min(m.gc, m.procs))/float64(m.procs)
		if m.stopped > 0 {
			util = 0
		}
		if at = max(at, m.front); util != m.util {
			m.slide(at)
			if at == m.start {
				m.steps = m.steps[:0]
			}
			m.steps = append(m.steps, step{at, util, m.integral})
			m.util = util
		}
	}
	m.changes = slices.Delete(m.changes, 0, n)
	m.forget()
}

// slide moves the right edge of all intervals to a moment, up to which the
// utilization is what it is now.
func (m *mmu) slide(to model.Time) {
	at := func(t model.Time) float64 { return m.integral + m.util*float64(t-m.front) }
	for i := range m.sliders {
		w := &m.sliders[i]
		// The left edge passes steps, then the right one is at its step.
		for w.left+1 < len(m.steps) && m.steps[w.left+1].at+w.length <= to {
			w.left++
			s := &m.steps[w.left]
			w.offer(s.at, at(s.at+w.length)-s.integral)
		}
		if left := to - w.length; left >= m.start {
			s := &m.steps[w.left]
			w.offer(left, at(to)-(s.integral+s.util*float64(left-s.at)))
		}
	}
	m.integral, m.front = at(to), to
}

// offer offers an interval that begins at a moment, with its integral.
func (w *slider) offer(at model.Time, integral float64) {
	if u := integral / float64(w.length); u < w.min {
		w.min, w.at = u, at
	}
}

// forget drops the steps that all intervals have passed.
func (m *mmu) forget() {
	passed := len(m.steps)
	for i := range m.sliders {
		passed = min(passed, m.sliders[i].left)
	}
	if passed < fewChanges || passed < len(m.steps)/2 || len(m.sliders) == 0 {
		return
	}
	m.steps = slices.Delete(m.steps, 0, passed)
	for i := range m.sliders {
		m.sliders[i].left -= passed
	}
}

// end ends the trace. Intervals that are longer are shortened to it.
func (m *mmu) end(now model.Time) {
	if !m.known {
		return
	}
	m.take(math.MaxInt64)
	m.slide(max(now, m.front))
	for i := range m.sliders {
		if w := &m.sliders[i]; w.length > m.front-m.start {
			w.length = m.front - m.start
			if w.length > 0 {
				w.offer(m.start, m.integral)
			}
		}
	}
	m.sliders = slices.CompactFunc(m.sliders, func(a, b slider) bool { return a.length == b.length })
}

func (m *mmu) report(start model.Time) []Utilization {
	out := []Utilization{}
	for _, w := range m.sliders {
		if m.known && w.length > 0 && !math.IsInf(w.min, 1) {
			out = append(out, Utilization{time.Duration(w.length), min(max(w.min, 0), 1), time.Duration(w.at - start), w.file})
		}
	}
	return out
}

// running is the goroutines that have a P, since when they are running.
type running []runningSince

type runningSince struct {
	slot  int
	since model.Time
}

// add adds a goroutine, unless it is there.
func (r *running) add(gr *goroutine, slot int, since model.Time) {
	if gr.running == 0 {
		*r = append(*r, runningSince{slot, since})
		gr.running = len(*r)
	}
}

// remove removes a goroutine, if it is there.
func (r *running) remove(slots *model.BySlot[goroutine], gr *goroutine) {
	if gr.running == 0 {
		return
	}
	last := len(*r) - 1
	moved := (*r)[last]
	(*r)[gr.running-1] = moved
	slots.At(moved.slot).running = gr.running
	*r = (*r)[:last]
	gr.running = 0
}

// since is the moment since which all of them have been running, false if none
// is.
func (r running) since() (since model.Time, ok bool) {
	for i, x := range r {
		if i == 0 || x.since < since {
			since = x.since
		}
	}
	return since, len(r) > 0
}
