package web

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"time"

	"github.com/trace2x/trace2x/report"
	"github.com/trace2x/trace2x/report/series"
	"github.com/trace2x/trace2x/web/plot"
)

// scheduling is the section of waits for a P.
type scheduling struct {
	Facts    []fact
	Timeline *timeline
	Rows     []heatRow
	Worst    *table
}

// heatRow is a row of the histogram over time.
type heatRow struct {
	Label string
	Count string
	Bar   template.HTML
}

func newScheduling(v *view, l links, ran []instead) *scheduling {
	s := &v.rep.Scheduling
	out := &scheduling{Facts: []fact{
		{"times", english.Sprintf("%d", s.Count), "how often a goroutine became runnable and then ran"}, {"p50", report.Duration(s.P50), ""}, {"p90", report.Duration(s.P90), ""},
		{"p99", report.Duration(s.P99), ""}, {"p99.9", report.Duration(s.P999), ""}, {"max", report.Duration(s.Max), ""}, {"total", report.Duration(s.Total), ""},
		{"most at a time", english.Sprintf("%d", s.MaxRunnable), "goroutines that were runnable at a time"},
	}}
	switch {
	case v.series != nil:
		out.Timeline = newHeat(v.series, out)
	case v.waits != nil:
		out.Rows = heatRows(v.waits.Rows)
	}
	t := &table{
		ID: "worst-table", Caption: "The worst waits for a P", Filter: "a goroutine or a function", Empty: "No goroutine waited.",
		Columns: []column{{Title: "wait", Num: true, Sorted: true}, num("at", "since the trace began"), num("goroutine", ""), str("start function", ""), str("came from", "what made it runnable"), {Title: "what ran instead", Hint: "what held the Ps meanwhile", Wide: true}},
	}
	worst := worstWaits(v.rep)
	for i := range worst {
		w := &worst[i]
		its, from, instead := l.in(w.File), cell{Text: w.After, Value: w.After}, text("")
		if w.By > 0 {
			by := "by "
			if w.After == "wait" {
				by = "ended by "
			}
			from.By = []subPart{{Before: by, Text: fmt.Sprintf("G%d", w.By), Href: its.Goroutine(w.By)}}
		}
		if i < len(ran) {
			instead = ranCell(ran[i], float64(w.Duration))
		}
		t.Rows = append(t.Rows, row{Cells: []cell{
			dur(w.Duration), moment(w.At).sub(l.inFile(w.File)), its.goroutineCell(w.Goroutine), its.funcCell(w.Func), from, instead, openCell(its.Perfetto(w.At, w.Duration, selectState, w.Goroutine, w.By)),
		}})
	}
	if ran == nil {
		t.drop(5)
	}
	out.Worst = t.withPerfetto(l)
	return out
}

// ranCell says what held the Ps for a time.
func ranCell(x instead, of float64) cell {
	busy := 0.0
	for _, r := range x.ran {
		busy += float64(r.Time)
	}
	switch {
	case busy == 0:
		return text("nothing: all Ps were idle")
	case x.procs == 0 || of <= 0:
		return text(report.RanLine(x.ran))
	}
	share := 100 * busy / (of * float64(x.procs))
	return text(report.RanLine(x.ran)).sub(fmt.Sprintf("%.0f%% of the time of %d Ps", share, x.procs))
}

// newHeat draws how long waits were over time.
func newHeat(s *series.Series, out *scheduling) *timeline {
	t := emptyTimeline(s)
	group := groupOf(s)
	var totals [series.WaitRows]int64
	var counts [][series.WaitRows]int64
	most := int64(1)
	for i := 0; i < s.Len(); i += group {
		var c [series.WaitRows]int64
		for j := i; j < min(i+group, s.Len()); j++ {
			for r, n := range s.Waits[j] {
				c[r] += int64(n)
			}
		}
		for r, n := range c {
			totals[r] += n
			most = max(most, n)
		}
		counts = append(counts, c)
	}
	first, last := usedRows(totals)
	var cells []plot.Cell
	for r := first; r <= last; r++ {
		for i := 0; i < len(counts); i++ {
			level := heatLevel(counts[i][r], most)
			if level == 0 {
				continue
			}
			from, n := i, counts[i][r]
			for i+1 < len(counts) && heatLevel(counts[i+1][r], most) == level {
				i++
				n += counts[i][r]
			}
			cells = append(cells, plot.Cell{Row: r - first, From: from, To: i + 1, Level: level, Title: english.Sprintf("%d waits of %s", n, waitRange(r))})
		}
	}
	out.Rows = heatRows(totals)
	t.Lanes = []lane{{
		Title: "Waits for a P", Hint: "by length, over time", Class: "heat",
		SVG: plot.Heat(t.Axis, plot.Buckets{From: s.Start, Step: s.Step * time.Duration(group)}, last-first+1, cells),
	}}
	return t
}

// usedRows returns the first and the last row that has waits.
func usedRows(totals [series.WaitRows]int64) (first, last int) {
	last = series.WaitRows - 1
	for first < last && totals[first] == 0 {
		first++
	}
	for last > first && totals[last] == 0 {
		last--
	}
	return first, last
}

// heatRows are the waits by length, the longest first.
func heatRows(totals [series.WaitRows]int64) (out []heatRow) {
	highest := max(1, slices.Max(totals[:]))
	first, last := usedRows(totals)
	for r := last; r >= first; r-- {
		out = append(out, heatRow{
			Label: waitRange(r), Count: english.Sprintf("%d", totals[r]),
			Bar: plot.Stack([]plot.Part{{Class: "runnable", Value: math.Log1p(float64(totals[r]))}}, math.Log1p(float64(highest))),
		})
	}
	return out
}

// heatLevel is how dark a cell is, from 1 to 5, 0 for none.
func heatLevel(n, most int64) int {
	if n == 0 {
		return 0
	}
	return 1 + int(4*math.Log(float64(n))/math.Log(float64(max(most, 2)))+.5)
}

func waitRange(row int) string {
	switch {
	case row == 0:
		return "< " + report.Duration(series.WaitFrom(1))
	case row == series.WaitRows-1:
		return "≥ " + report.Duration(series.WaitFrom(row))
	}
	return report.Duration(series.WaitFrom(row)) + " – " + report.Duration(series.WaitFrom(row+1))
}
