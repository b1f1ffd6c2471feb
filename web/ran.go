package web

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
	"github.com/trace2x/trace2x/report/series"
)

// mostWorst is how many of the worst waits for a P are shown.
const mostWorst = 12

// worstWaits are the waits for a P that are shown.
func worstWaits(r *report.Report) []report.SchedWait {
	return r.Scheduling.Worst[:min(len(r.Scheduling.Worst), mostWorst)]
}

// instead is what held the Ps of a trace, how many there are, in a wait for one.
type instead struct {
	ran   []critical.Ran
	procs int
}

// ranFunc says what held the Ps in some waits, nil if nobody knows. There are at most
// mostWorst.
type ranFunc func(context.Context, []report.SchedWait) ([]instead, error)

func noneRan(context.Context, []report.SchedWait) ([]instead, error) { return nil, nil }

// worstKey tells the waits of a page from those of others.
type worstKey [mostWorst]series.Interval

// ran says what held the Ps in these waits of the trace.
func (t *Trace) ran(ctx context.Context, waits []report.SchedWait) ([]instead, error) {
	var key worstKey
	intervals := key[:len(waits)]
	for i, w := range waits {
		intervals[i] = series.Interval{From: w.At, To: w.At + w.Duration}
	}
	return t.worst.get(key, func() ([]instead, error) {
		out := make([]instead, len(intervals))
		for _, near := range neighbours(intervals) {
			var window series.Interval
			var in []series.Interval
			for i, n := range near {
				x := intervals[n]
				in = append(in, x)
				if i == 0 {
					window = x
				}
				window.To = max(window.To, x.To)
			}
			sink := series.NewRan(in)
			_, err := t.readWindow(ctx, sink, model.Window{From: model.Moment{Since: window.From}, To: model.Moment{Since: window.To}})
			if err != nil && !model.IsDamage(err) {
				return nil, err
			}
			for i, n := range near {
				out[n] = instead{sink.Of(i), t.whole.rep.Overview.MaxGOMAXPROCS}
			}
		}
		return out, nil
	})
}

// nearby is the time between two intervals that are read in one: about that of a
// generation, which is read from its beginning anyway.
const nearby = time.Second

// neighbours groups intervals that are near each other, by their indexes, in the order of
// their beginnings.
func neighbours(list []series.Interval) (groups [][]int) {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(list[a].From, list[b].From) })
	var end time.Duration
	for _, n := range order {
		if len(groups) == 0 || list[n].From > end+nearby {
			groups, end = append(groups, nil), 0
		}
		last := &groups[len(groups)-1]
		*last, end = append(*last, n), max(end, list[n].To)
	}
	return groups
}

// ran says what held the Ps in these waits, each of one of the traces.
func (a *all) ran(ctx context.Context, waits []report.SchedWait) ([]instead, error) {
	out := make([]instead, len(waits))
	for n, name := range a.names() {
		var its []int
		var of []report.SchedWait
		for i, w := range waits {
			if w.File == name {
				its, of = append(its, i), append(of, w)
			}
		}
		if len(its) == 0 {
			continue
		}
		ran, err := a.traces[n].ran(ctx, of)
		if err != nil {
			return nil, err
		}
		for i, at := range its {
			out[at] = ran[i]
		}
	}
	return out, nil
}
