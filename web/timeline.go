package web

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/report"
	"github.com/trace2x/trace2x/report/series"
	"github.com/trace2x/trace2x/web/plot"
)

// timeline is several plots over one axis of time.
type timeline struct {
	Axis  plot.Axis
	Lanes []lane
	// Values is what the script shows of the moment under the mouse.
	Values values
}

// lane is one plot.
type lane struct {
	Title, Hint string
	Top, Bottom string // of its axis
	Legend      []legend
	SVG         template.HTML
	Class       string // of its height
}

type legend struct {
	Class, Name string
	Series      int // of values, -1 for none
}

// values are numbers over time: one list for each name of a legend.
type values struct {
	From   int64       `json:"from"`
	To     int64       `json:"to"`
	Step   int64       `json:"step"`
	Unit   []string    `json:"unit"` // of each list: "" or "B"
	Series [][]float64 `json:"series"`
}

// columns is how many columns of a plot there are at most.
const columns = 480

// emptyTimeline is a timeline of a series that has no lanes yet.
func emptyTimeline(s *series.Series) *timeline {
	return &timeline{
		Axis:   plot.Axis{From: s.Start, To: s.End},
		Values: values{From: int64(s.Start), To: int64(s.End)},
	}
}

// groupOf is how many buckets of a series are one column.
func groupOf(s *series.Series) int { return (s.Len() + columns - 1) / columns }

// lanes makes lanes of a series.
type lanes struct {
	s      *series.Series
	l      links
	group  int // buckets that are one column
	out    *timeline
	shades []plot.Shade
}

// newTimeline draws a series; units says which kind of units have points.
func newTimeline(s *series.Series, l links, kind *critical.Kind, types []*critical.Type, procs int) *timeline {
	t := emptyTimeline(s)
	b := &lanes{s: s, l: l, group: groupOf(s), out: t}
	t.Values.Step = int64(b.buckets().Step)
	for _, g := range s.Gaps {
		b.shades = append(b.shades, plot.Shade{Class: "gap", From: g.From, To: g.To, Title: "this part of the trace cannot be read"})
	}
	b.procs(procs)
	b.goroutines()
	b.runnable()
	if kind != nil {
		b.units(*kind, types)
	}
	b.gc()
	b.heap()
	return t
}

// means are how many there were on average in each column.
func (b *lanes) means(times []time.Duration) []float64 {
	var out []float64
	for i := 0; i < len(times); i += b.group {
		var sum, length time.Duration
		for j := i; j < min(i+b.group, len(times)); j++ {
			sum += times[j]
			length += b.s.Length(j)
		}
		out = append(out, float64(sum)/float64(max(length, 1)))
	}
	return out
}

// most is the most bytes in each column.
func (b *lanes) most(bytes []uint64) []float64 {
	var out []float64
	last := 0.0
	for i := 0; i < len(bytes); i += b.group {
		most := 0.0
		for j := i; j < min(i+b.group, len(bytes)); j++ {
			most = max(most, float64(bytes[j]))
		}
		if most == 0 {
			most = last // it is as it was
		}
		out, last = append(out, most), most
	}
	return out
}

func (b *lanes) buckets() plot.Buckets {
	return plot.Buckets{From: b.s.Start, Step: b.s.Step * time.Duration(b.group)}
}

// named is a layer with its name.
type named struct {
	class, name string
	values      []float64
}

func (b *lanes) legend(unit string, layers []named) (out []legend) {
	for _, l := range layers {
		out = append(out, legend{l.class, l.name, len(b.out.Values.Series)})
		rounded := make([]float64, len(l.values))
		for i, v := range l.values {
			rounded[i], _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
		}
		b.out.Values.Series = append(b.out.Values.Series, rounded)
		b.out.Values.Unit = append(b.out.Values.Unit, unit)
	}
	return out
}

// stacked adds a lane of layers that lie on top of each other, the first at the bottom.
func (b *lanes) stacked(title, hint, class string, top float64, layers []named) {
	var plotted []plot.Layer
	n := 0
	for _, l := range layers {
		n = len(l.values)
		plotted = append(plotted, plot.Layer{Class: l.class, Values: l.values})
	}
	if top == 0 {
		for i := range n {
			sum := 0.0
			for _, l := range layers {
				sum += l.values[i]
			}
			top = max(top, sum)
		}
		top = plot.Ceiling(top)
	}
	b.out.Lanes = append(b.out.Lanes, lane{
		Title: title, Hint: hint, Class: class, Top: plot.Number(top), Bottom: "0", Legend: b.legend("", layers),
		SVG: plot.Area(b.out.Axis, b.buckets(), plotted, top, b.shades),
	})
}

func (b *lanes) procs(gomaxprocs int) {
	of := fmt.Sprintf("of GOMAXPROCS %d", gomaxprocs)
	if gomaxprocs == 0 {
		of = "GOMAXPROCS is not known"
	}
	b.stacked("Ps in use", of, "", float64(gomaxprocs), []named{
		{"running", "goroutines", b.means(b.s.Goroutines)},
		{"syscall", "system calls", b.means(b.s.Syscalls)},
		{"gc", "GC", b.means(b.s.GC)},
		{"sched", "scheduler", b.means(b.s.Scheduler)},
	})
}

func (b *lanes) goroutines() {
	b.stacked("Goroutines", "how many are in each state", "", 0, []named{
		{"running", "running", b.means(b.s.Running)},
		{"runnable", "runnable", b.means(b.s.Runnable)},
		{"syscall", "system call", b.means(b.s.Syscall)},
		{"waiting", "waiting", b.means(b.s.Waiting)},
	})
}

func (b *lanes) runnable() {
	b.stacked("Runnable", "how many wait for a P", "low", 0, []named{{"runnable", "runnable", b.means(b.s.Runnable)}})
}

// mostTypes is how many types of units have colours of their own.
const mostTypes = 5

// units adds a lane with the latencies of units as points.
func (b *lanes) units(kind critical.Kind, types []*critical.Type) {
	classes := make(map[string]int)
	var legends []legend
	for i, t := range types {
		if t.Kind == kind && i < mostTypes {
			classes[t.Name] = i + 1
			legends = append(legends, legend{fmt.Sprintf("type%d", i+1), report.UnitType(kind, t.Name), -1})
		}
	}
	if len(types) > mostTypes {
		legends = append(legends, legend{"type0", "others", -1})
	}
	low, high := time.Duration(math.MaxInt64), time.Duration(0)
	for i := range b.s.Points {
		if p := &b.s.Points[i]; p.Kind == kind {
			low, high = min(low, p.Latency), max(high, p.Latency)
		}
	}
	if high == 0 {
		return
	}
	bottom, top := logBelow(low), logAbove(high)
	var dots []plot.Dot
	taken := make(map[[2]int]bool) // a dot hides those behind it
	for _, p := range series.Longest(b.s.Points) {
		cell := [2]int{int(160 * b.out.Axis.X(p.At)), int(24 * plot.LogY(float64(p.Latency), float64(bottom), float64(top)))}
		if p.Kind != kind || taken[cell] {
			continue
		}
		taken[cell] = true
		dots = append(dots, plot.Dot{
			Class: fmt.Sprintf("type%d", classes[p.Type]), At: p.At, Y: plot.LogY(float64(p.Latency), float64(bottom), float64(top)),
			Title: fmt.Sprintf("%s, %s, ended at %s", report.UnitType(kind, p.Type), report.Duration(p.Latency), report.SecondsSince(p.At)),
			Href:  b.l.Unit(kind, p.Unit, p.Latency),
		})
	}
	b.out.Lanes = append(b.out.Lanes, lane{
		Title: "Latency", Hint: report.UnitsName(kind) + ", where they end; the slowest of each moment", Class: "high",
		Top: report.Duration(top), Bottom: report.Duration(bottom), Legend: legends, SVG: plot.Dots(b.out.Axis, dots, b.shades),
	})
}

// logBelow and logAbove are the next powers of 10, the latter above a latency.
func logBelow(d time.Duration) time.Duration {
	x := time.Duration(1)
	for x <= d/10 {
		x *= 10
	}
	return x
}

func logAbove(d time.Duration) time.Duration {
	x := time.Duration(10)
	for x <= d && x < math.MaxInt64/10 {
		x *= 10
	}
	return x
}

// gc adds a lane with the pauses as points, above the mark phases.
func (b *lanes) gc() {
	any := false
	mark := b.means(b.s.Mark)
	var dots []plot.Dot
	high := time.Duration(0)
	for _, p := range b.s.Pauses {
		high = max(high, p.Duration)
	}
	bottom, top := time.Microsecond, max(logAbove(high), 100*time.Microsecond)
	for _, p := range b.s.Pauses {
		if p.Duration > 0 {
			any = true
			dots = append(dots, plot.Dot{
				Class: "pause", At: p.At, Y: plot.LogY(float64(p.Duration), float64(bottom), float64(top)),
				Title: fmt.Sprintf("stop the world, %s: %s at %s", p.Reason, report.Duration(p.Duration), report.SecondsSince(p.At)),
			})
		}
	}
	shades := append([]plot.Shade(nil), b.shades...)
	step := b.buckets().Step
	for i := 0; i < len(mark); i++ {
		if mark[i] == 0 {
			continue
		}
		any = true
		from := i
		for i+1 < len(mark) && mark[i+1] > 0 {
			i++
		}
		shades = append(shades, plot.Shade{
			Class: "mark", From: b.s.Start + time.Duration(from)*step, To: b.s.Start + time.Duration(i+1)*step, Title: "the GC marks",
		})
	}
	if !any {
		return
	}
	legends := b.legend("", []named{{"mark", "marking", mark}})
	legends = append(legends, legend{"pause", "pauses", -1})
	b.out.Lanes = append(b.out.Lanes, lane{
		Title: "GC", Hint: "cycles, and stop-the-world pauses", Class: "low", Top: report.Duration(top), Bottom: report.Duration(bottom),
		Legend: legends, SVG: plot.Dots(b.out.Axis, dots, shades),
	})
}

func (b *lanes) heap() {
	heap, goal := b.most(b.s.Heap), b.most(b.s.Goal)
	top := 0.0
	for i := range heap {
		top = max(top, heap[i], goal[i])
	}
	if top == 0 {
		return
	}
	ceiling := plot.Ceiling(top)
	b.out.Lanes = append(b.out.Lanes, lane{
		Title: "Heap", Hint: "objects, and the goal of the GC", Top: report.Size(uint64(ceiling)), Bottom: "0",
		Legend: b.legend("B", []named{{"heap", "objects", heap}, {"goal", "goal", goal}}),
		SVG:    plot.Lines(b.out.Axis, b.buckets(), []plot.Layer{{Class: "heap", Values: heap}, {Class: "goal", Values: goal}}, ceiling, b.shades),
	})
}

// strip is the timeline of the whole trace in one low lane, where a range is chosen.
func newStrip(s *series.Series, procs int) *timeline {
	t := emptyTimeline(s)
	b := &lanes{s: s, group: groupOf(s), out: t}
	b.procs(procs)
	t.Lanes[0].Title, t.Lanes[0].Hint, t.Lanes[0].Class, t.Lanes[0].Legend = "Whole trace", "drag to choose a range", "strip", nil
	t.Values.Series, t.Values.Unit = nil, nil // there is no legend
	return t
}
