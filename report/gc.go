package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/internal/histogram"
	"github.com/trace2x/trace2x/model"
)

// GC is what the garbage collector and stop-the-world pauses cost.
type GC struct {
	// Cycles is the number of mark phases, also those that the edges of the trace
	// cut; Mark is how long they took.
	Cycles int64  `json:"cycles"`
	Mark   Spread `json:"mark"`
	// MaxHeap is the most bytes of objects in the heap, and MaxGoal the largest
	// size at which the GC wants to be done; 0 if the trace does not tell.
	MaxHeap uint64 `json:"max_heap_bytes"`
	MaxGoal uint64 `json:"max_goal_bytes"`
	// Pauses are the stop-the-world pauses by reason, from the wish to stop the
	// world until it goes on.
	Pauses []Pause `json:"pauses"`
	// Assists are by start function of the goroutines that had to help.
	Assists []Assist `json:"assists"`
	// Utilization is the minimum mutator utilization by length of time; empty if the
	// trace does not tell GOMAXPROCS.
	Utilization []Utilization `json:"utilization"`
}

// Pause is all pauses for one reason.
type Pause struct {
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
	Spread
	Longest Moment `json:"longest"`
}

// Assist is all mark assists of goroutines with one start function.
type Assist struct {
	Func  string        `json:"func"`
	Count int64         `json:"count"`
	Total time.Duration `json:"total_ns"`
	// Max is how long the longest assist took, which Longest is.
	Max     time.Duration `json:"max_ns"`
	Longest Moment        `json:"longest"`
}

// gc adds up what the collector does, except for the mutator utilization.
type gc struct {
	keep    int
	mark    durations
	pauses  map[string]*pause
	maxHeap uint64
	maxGoal uint64
}

type durations struct {
	total, longest model.Time
	spread         histogram.Histogram
}

func (d *durations) add(x model.Time) {
	d.total += x
	d.longest = max(d.longest, x)
	d.spread.Add(x)
}

func (d *durations) report() Spread { return spread(&d.spread, d.total, d.longest) }

type pause struct {
	durations
	at   model.Time // of the longest, since the trace began
	g    model.GoID
	fn   string
	file string
}

func (c *gc) add(r *model.Range, start model.Time) {
	d := r.End - r.Start
	switch r.Kind {
	case model.GCMark:
		c.mark.add(d)
	case model.StopTheWorld:
		p := c.pause(r.Reason)
		if d > p.longest || p.spread.N == 0 {
			p.at, p.g, p.fn = r.Start-start, 0, ""
			if r.Goroutine != nil {
				p.g, p.fn = r.Goroutine.ID, r.Goroutine.Func
			}
		}
		p.add(d)
	}
}

func (c *gc) pause(reason string) *pause {
	p := c.pauses[reason]
	if p == nil {
		if c.pauses == nil {
			c.pauses = make(map[string]*pause)
		}
		p = &pause{}
		c.pauses[reason] = p
	}
	return p
}

func (c *gc) metric(m *model.Metric) {
	switch m.Name {
	case model.HeapObjects:
		c.maxHeap = max(c.maxHeap, m.Value)
	case model.HeapGoal:
		// While there is no goal, as before the first cycle with GOGC=off, it is
		// near the largest number.
		if m.Value < 1<<62 {
			c.maxGoal = max(c.maxGoal, m.Value)
		}
	}
}

// isMarkWorker reports whether a run with this label is the GC's at the cost of
// the program. Workers that only use idle Ps are not.
func isMarkWorker(label string) bool {
	return strings.HasPrefix(label, "GC ") && label != "GC (idle)"
}

// assisted takes the part of an assist that lies in a state, up to now, in which
// the goroutine was running.
func (b *Builder) assisted(gr *goroutine, s *model.GoState, since, now model.Time) {
	from := max(since, s.Start, gr.until)
	if from < now {
		b.procs.assists += now - from
		b.mmu.interval(from, now, 1, 0)
	}
}

func (b *Builder) assistEnded(r *model.Range) {
	g := r.Goroutine
	b.ledger.Range(r)
	gr := b.goroutines.Of(g)
	if s := b.byTask(gr); s != nil {
		b.assistedAtWork(s, r)
	}
	if b.counts(g) {
		gr.assists++
		if d := r.End - r.Start; d > gr.maxAssist {
			gr.maxAssist, gr.maxAssistAt = d, r.Start
		}
	}
	if s := g.Current(); s.Kind == model.Running {
		b.assisted(gr, &s, r.Start, r.End)
	}
}

func (b *Builder) gcReport() GC {
	c := &b.gc
	out := GC{
		Cycles:      c.mark.spread.N,
		Mark:        c.mark.report(),
		MaxHeap:     c.maxHeap,
		MaxGoal:     c.maxGoal,
		Pauses:      []Pause{},
		Assists:     []Assist{},
		Utilization: b.mmu.report(b.trace.Origin),
	}
	for reason, p := range c.pauses {
		out.Pauses = append(out.Pauses, Pause{reason, p.spread.N, p.report(), Moment{time.Duration(p.at), time.Duration(p.longest), p.g, p.fn, p.file}})
	}
	slices.SortFunc(out.Pauses, func(a, b Pause) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), strings.Compare(a.Reason, b.Reason))
	})
	for fn, g := range b.groups.byFunc {
		if g.assists > 0 {
			out.Assists = append(out.Assists, Assist{fn, g.assists, time.Duration(g.sum.GCAssist), time.Duration(g.maxAssist.duration), g.maxAssist.moment(b)})
		}
	}
	slices.SortFunc(out.Assists, func(a, b Assist) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), strings.Compare(a.Func, b.Func))
	})
	return out
}
