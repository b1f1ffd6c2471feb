package web

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"time"

	"github.com/trace2x/trace2x/report"
	"github.com/trace2x/trace2x/web/plot"
)

// gc is the section of the garbage collector.
type gc struct {
	Facts    []fact
	Timeline *timeline
	Curve    template.HTML
	Lengths  []string // below the curve, from left to right
	MMU      *table
	Pauses   *table
	Assists  *table
}

// tableLengths are the lengths that the table has. The curve has more.
var tableLengths = []time.Duration{1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8, 2e8, 5e8, 1e9}

func newGC(v *view, l links) *gc {
	g := &v.rep.GC
	out := &gc{Facts: []fact{
		{"cycles", english.Sprintf("%d", g.Cycles), "mark phases, also those that the edges of the trace cut"}, {"marking", report.Duration(g.Mark.Total), ""}, {"longest", report.Duration(g.Mark.Max), "the longest mark phase"},
		{"most heap", report.Size(g.MaxHeap), "objects"}, {"largest goal", report.Size(g.MaxGoal), ""},
	}}
	if v.series != nil {
		whole := newTimeline(v.series, l, nil, nil, v.rep.Overview.MaxGOMAXPROCS)
		out.Timeline = &timeline{Axis: whole.Axis, Values: whole.Values}
		for _, x := range whole.Lanes {
			if x.Title == "Ps in use" || x.Title == "GC" || x.Title == "Heap" {
				out.Timeline.Lanes = append(out.Timeline.Lanes, x)
			}
		}
	}
	out.MMU = &table{ID: "mmu-table", Caption: "Minimum mutator utilization", Columns: []column{num("in any", "length of time"), num("at least", "share of the Ps that was left to the program"), num("worst at", "since the trace began")},
		Empty: "The trace does not tell GOMAXPROCS, so that the utilization is not known."}
	var xs, ys []float64
	var titles []string
	if us := g.Utilization; len(us) > 0 {
		low, high := float64(us[0].Length), float64(us[len(us)-1].Length)
		for _, u := range us {
			xs, ys = append(xs, math.Log(float64(u.Length)/low)/math.Log(max(high/low, 1.0001))), append(ys, u.MMU)
			titles = append(titles, fmt.Sprintf("in any %s, at least %.1f%% was left to the program; worst at %s", report.Duration(u.Length), 100*u.MMU, report.SecondsSince(u.At)))
			if !slices.Contains(tableLengths, u.Length) && u.Length != us[len(us)-1].Length {
				continue
			}
			out.MMU.Rows = append(out.MMU.Rows, row{Cells: []cell{dur(u.Length), percent(u.MMU), moment(u.At).sub(l.inFile(u.File)), openCell(l.in(u.File).Perfetto(u.At, u.Length, selectNone))}})
		}
		if len(us) > 1 { // else there is nothing to draw
			out.Lengths = []string{report.Duration(us[0].Length), report.Duration(us[len(us)/2].Length), report.Duration(us[len(us)-1].Length)}
		}
	}
	out.Curve = plot.Curve(xs, ys, titles)
	out.MMU.withPerfetto(l)

	out.Pauses = &table{ID: "pauses-table", Caption: "Stop-the-world pauses", Filter: "a reason", Empty: "No pauses.", Columns: []column{
		{Title: "reason", Wide: true}, num("count", ""), {Title: "total", Num: true, Sorted: true}, num("p50", ""), num("p99", ""), num("max", ""), num("longest at", "since the trace began"), num("goroutine", "that stopped the world for longest"),
	}}
	for i := range g.Pauses {
		p := &g.Pauses[i]
		out.Pauses.Rows = append(out.Pauses.Rows, row{Cells: []cell{
			text(p.Reason), number(p.Count), dur(p.Total), dur(p.P50), dur(p.P99), dur(p.Max), moment(p.Longest.At).sub(l.inFile(p.Longest.File)), l.in(p.Longest.File).goroutineCell(p.Longest.Goroutine), openCell(l.in(p.Longest.File).Perfetto(p.Longest.At, p.Longest.Duration, selectSlice, p.Longest.Goroutine)),
		}})
	}
	out.Pauses.withPerfetto(l)

	out.Assists = &table{ID: "assists-table", Caption: "GC assists by start function", Filter: "a function", Empty: "No goroutine had to help the GC.", Columns: []column{
		{Title: "start function", Wide: true}, num("count", ""), {Title: "total", Num: true, Sorted: true}, num("max", "the longest assist"), num("longest at", "since the trace began"), num("goroutine", "that had to help for longest"),
	}}
	for i := range g.Assists {
		a := &g.Assists[i]
		out.Assists.Rows = append(out.Assists.Rows, row{Cells: []cell{l.funcCell(a.Func), number(a.Count), dur(a.Total), dur(a.Max), moment(a.Longest.At).sub(l.inFile(a.Longest.File)), l.in(a.Longest.File).goroutineCell(a.Longest.Goroutine), openCell(l.in(a.Longest.File).Perfetto(a.Longest.At, a.Longest.Duration, selectSlice, a.Longest.Goroutine))}})
	}
	out.Assists.withPerfetto(l)
	return out
}
