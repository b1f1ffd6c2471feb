package series

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

// Ran is a sink that adds up what held the Ps in some intervals.
type Ran struct {
	model.NopSink
	origin    model.Time
	intervals []Interval
	sums      []map[string]time.Duration
}

// NewRan returns a sink for these intervals, which may overlap. It looks at each for each
// run, so that there should not be many.
func NewRan(intervals []Interval) *Ran {
	r := &Ran{intervals: intervals, sums: make([]map[string]time.Duration, len(intervals))}
	for i := range r.sums {
		r.sums[i] = make(map[string]time.Duration)
	}
	return r
}

// Begin is part of [model.Sink], as Run is.
func (r *Ran) Begin(t *model.Trace) { r.origin = t.Origin }

func (r *Ran) Run(run *model.Run) {
	from, to := time.Duration(run.Start-r.origin), time.Duration(run.End-r.origin)
	for i, x := range r.intervals {
		if d := min(to, x.To) - max(from, x.From); d > 0 {
			r.sums[i][run.Goroutine.Func] += d
		}
	}
}

// Of returns what held the Ps in an interval by start function, the most first.
func (r *Ran) Of(i int) []critical.Ran {
	out := make([]critical.Ran, 0, len(r.sums[i]))
	for fn, d := range r.sums[i] {
		out = append(out, critical.Ran{Func: fn, Time: d})
	}
	slices.SortFunc(out, func(a, b critical.Ran) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), strings.Compare(a.Func, b.Func))
	})
	return out
}
