package critical

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/trace2x/trace2x/model"
)

// Ran is how long the goroutines of a start function held Ps.
type Ran struct {
	Func string
	Time time.Duration
}

// RanSum is the sum of what held the Ps while some units were runnable.
type RanSum struct {
	// Units is the number of units that were runnable, Runnable their time runnable.
	Units    int
	Runnable time.Duration
	// Ran is what held the Ps in that time, most time first. With n Ps, it may add up
	// to n times Runnable.
	Ran []Ran
}

func ranSum(units []Kept) (out RanSum) {
	sums := make(map[string]time.Duration)
	for i := range units {
		was := out.Runnable
		for _, s := range units[i].Path.Segments {
			if s.State != model.Runnable {
				continue
			}
			out.Runnable += time.Duration(s.End - s.Start)
			for _, r := range s.Ran {
				sums[r.Func] += r.Time
			}
		}
		if out.Runnable > was {
			out.Units++
		}
	}
	for fn, d := range sums {
		out.Ran = append(out.Ran, Ran{fn, d})
	}
	sortRan(out.Ran)
	return out
}

// runs keeps what held the Ps lately, to explain why a goroutine had to wait for a P.
type runs struct {
	last    []run // a ring in the order of the ends
	n       int   // of all runs
	running []int32
	looked  int // the number of runs that all calls of addRan have looked at
}

type run struct {
	start, end model.Time
	fn         int32
}

const (
	maxRuns = 1 << 16
	// lookedPerRun bounds how often a run is looked at, on average, so that the time
	// does not grow with the square of anything.
	lookedPerRun = 16
)

// running notes that a goroutine runs, and so holds a P until its run is reported.
func (h *history) running(gr *goroutine, slot int32, now model.Time) {
	h.runs.running = append(h.runs.running, slot)
	gr.running, gr.since = int32(len(h.runs.running)), now
}

func (h *history) run(e *event) {
	gr := h.slots.At(int(e.slot))
	rs := &h.runs
	x := run{model.Time(e.x), e.at, gr.fn}
	if len(rs.last) < maxRuns {
		rs.last = append(rs.last, x)
	} else {
		rs.last[rs.n%maxRuns] = x
	}
	rs.n++
	h.stopped(gr)
}

// stopped notes that a goroutine holds no P any more.
func (h *history) stopped(gr *goroutine) {
	if gr.running == 0 {
		return
	}
	list := h.runs.running
	last := len(list) - 1
	h.slots.At(int(list[last])).running = gr.running
	list[gr.running-1] = list[last]
	h.runs.running = list[:last]
	gr.running = 0
}

// addRan sets Ran of each segment in which a goroutine was runnable: what held the Ps
// meanwhile. It must be called when the unit is found: what ran long ago is forgotten.
func (h *history) addRan(segments []Segment) {
	var waits []*Segment
	for i := range segments {
		if s := &segments[i]; s.State == model.Runnable {
			waits = append(waits, s)
		}
	}
	rs := &h.runs
	if len(waits) == 0 || rs.looked > lookedPerRun*rs.n+maxRuns {
		return
	}
	sums := make([]map[int32]model.Time, len(waits))
	add := func(start, end model.Time, fn int32) {
		i := sort.Search(len(waits), func(i int) bool { return waits[i].End > start })
		for ; i < len(waits) && waits[i].Start < end; i++ {
			if sums[i] == nil {
				sums[i] = make(map[int32]model.Time)
			}
			sums[i][fn] += min(end, waits[i].End) - max(start, waits[i].Start)
		}
	}
	for i := rs.n - 1; i >= rs.n-len(rs.last); i-- {
		rs.looked++
		r := &rs.last[i%maxRuns]
		if r.end <= waits[0].Start {
			break // so did those that ended earlier
		}
		add(r.start, r.end, r.fn)
	}
	for _, slot := range rs.running {
		gr := h.slots.At(int(slot))
		add(gr.since, waits[len(waits)-1].End, gr.fn)
	}
	for i, s := range waits {
		s.Ran = h.ran(sums[i])
	}
}

// ran returns the sums of functions, most time first.
func (h *history) ran(sums map[int32]model.Time) []Ran {
	out := make([]Ran, 0, len(sums))
	for fn, d := range sums {
		out = append(out, Ran{h.funcs[fn], time.Duration(d)})
	}
	sortRan(out)
	return out
}

func sortRan(list []Ran) {
	slices.SortFunc(list, func(a, b Ran) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), strings.Compare(a.Func, b.Func))
	})
}

// samples keeps the last samples of the CPU profiler, by time.
type samples struct {
	last []sample
	n    int
}

type sample struct {
	time  model.Time
	goid  model.GoID
	stack int32
}

const maxSamples = 1 << 14

func (h *history) sample(e *event) {
	x, ss := sample{e.at, model.GoID(e.x), e.stack}, &h.samples
	if len(ss.last) < maxSamples {
		ss.last = append(ss.last, x)
	} else {
		ss.last[ss.n%maxSamples] = x
	}
	ss.n++
}

// divide divides the last segment, in which a goroutine ran, into parts, one around
// each sample of the CPU profiler.
func (h *history) divide(p *path) {
	last := len(p.segments) - 1
	seg := p.segments[last]
	p.segments = p.segments[:last]
	ss := &h.samples
	n := len(ss.last)
	at := func(i int) *sample { return &ss.last[(ss.n-n+i)%maxSamples] }
	i := sort.Search(n, func(i int) bool { return at(i).time >= seg.end }) - 1
	newer := model.Time(-1) // the time of the sample behind
	for ; i >= 0 && at(i).time >= seg.start; i-- {
		s := at(i)
		if s.goid != seg.goid {
			continue
		}
		if newer >= 0 {
			part := seg
			part.start = newer - (newer-s.time)/2
			if part.start < part.end {
				p.add(part)
				seg.end = part.start
			}
		}
		newer, seg.stack, seg.sampled = s.time, s.stack, true
	}
	if seg.start < seg.end {
		p.add(seg)
	}
}
