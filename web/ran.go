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
	copy(key[:], intervalsOf(waits))
	return t.worst.get(key, func() ([]instead, error) {
		return ranIn(waits, t.whole.rep.Overview.MaxGOMAXPROCS, func(sink model.Sink, w model.Window) (*model.Summary, error) {
			return t.readWindow(ctx, sink, w)
		})
	})
}

func intervalsOf(waits []report.SchedWait) []series.Interval {
	out := make([]series.Interval, len(waits))
	for i, w := range waits {
		out[i] = series.Interval{From: w.At, To: w.At + w.Duration}
	}
	return out
}

// ranIn says what held so many Ps in these waits of one trace. read reads a window of it.
func ranIn(waits []report.SchedWait, procs int, read func(model.Sink, model.Window) (*model.Summary, error)) ([]instead, error) {
	intervals, out := intervalsOf(waits), make([]instead, len(waits))
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
		_, err := read(sink, model.Window{From: model.Moment{Since: window.From}, To: model.Moment{Since: window.To}})
		if err != nil && !model.IsDamage(err) {
			return nil, err
		}
		for i, n := range near {
			out[n] = instead{sink.Of(i), procs}
		}
	}
	return out, nil
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

// ranInEach says what held the Ps in these waits of several traces. of says it of those of
// one trace, by its name.
func ranInEach(waits []report.SchedWait, of func(file string, waits []report.SchedWait) ([]instead, error)) ([]instead, error) {
	byFile := make(map[string][]int)
	for i, w := range waits {
		byFile[w.File] = append(byFile[w.File], i)
	}
	out := make([]instead, len(waits))
	for file, its := range byFile {
		list := make([]report.SchedWait, len(its))
		for i, n := range its {
			list[i] = waits[n]
		}
		ran, err := of(file, list)
		if err != nil {
			return nil, err
		}
		for i, n := range its {
			out[n] = ran[i]
		}
	}
	return out, nil
}

// ran says what held the Ps in these waits, each of one of the traces.
func (a *all) ran(ctx context.Context, waits []report.SchedWait) ([]instead, error) {
	names := a.names()
	return ranInEach(waits, func(file string, waits []report.SchedWait) ([]instead, error) {
		return a.traces[slices.Index(names, file)].ran(ctx, waits)
	})
}

// ReadAgain reads a window of one of several traces once more, by the name of its file, as
// [model.ReadWindow] does.
type ReadAgain func(ctx context.Context, file string, sink model.Sink, w model.Window) (*model.Summary, error)

// ran returns what says what held the Ps in waits of the traces.
func (t *Together) ran(again ReadAgain) ranFunc {
	if again == nil {
		return noneRan
	}
	return func(ctx context.Context, waits []report.SchedWait) ([]instead, error) {
		return ranInEach(waits, func(file string, waits []report.SchedWait) ([]instead, error) {
			return ranIn(waits, t.find(file).procs, func(sink model.Sink, w model.Window) (*model.Summary, error) {
				return again(ctx, file, sink, w)
			})
		})
	}
}
