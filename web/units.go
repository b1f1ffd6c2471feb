package web

import (
	"bytes"
	"fmt"
	"html/template"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
	"github.com/trace2x/trace2x/report/series"
	"github.com/trace2x/trace2x/web/plot"
)

// units is the section of units of work.
type units struct {
	Types   []unitType
	More    int
	Kinds   []namedLink // other kinds to explain
	Kind    string      // "" if there are no units
	None    string      // why there are none
	Tasks   *table
	Regions *table
	// Single has the critical paths of the slowest, in a file.
	Single []*unit
}

// unitType is a type of units with the histogram of its latencies.
type unitType struct {
	whyType
	Histogram template.HTML
	Instances *table // of a bar
	Open      bool
	Brief     bool // the overview is in the same file, and has the rest
	P90       string
	Flames    []flameLink
}

// mostUnitTypes is how many types have a histogram, on the page of all.
const mostUnitTypes = 12

// filter says which instances a page shows.
type filter struct {
	kind  critical.Kind
	typ   string
	given bool
	least time.Duration // where the row of the histogram begins, negative for none
}

func newUnits(v *view, l links, f filter) *units {
	out := &units{}
	if kind := unitKind(v); kind != nil {
		out.Kind = report.UnitsName(*kind)
	}
	if !l.file {
		for _, k := range critical.AllKinds {
			if name := report.UnitsName(k); name != out.Kind {
				other := l
				other.unit = int(k) + 1
				out.Kinds = append(out.Kinds, namedLink{name, other.page("units")})
			}
		}
	}
	for _, t := range v.rep.Why.Types {
		if f.given && (t.Kind != f.kind || t.Name != f.typ) {
			continue
		}
		if len(out.Types) == mostUnitTypes {
			out.More++
			continue
		}
		out.Types = append(out.Types, newUnitType(v, t, l, f))
	}
	if len(out.Types) == 0 {
		out.None = noUnits(v)
	}
	if !f.given {
		out.Tasks = annotations(v.rep.Tasks, critical.Task, l)
		out.Regions = annotations(v.rep.Regions, critical.Region, l)
	}
	if l.file {
		for i, t := range v.rep.Why.Types {
			if i < 3 && len(t.Slowest) > 0 {
				out.Single = append(out.Single, newUnit(v, &t.Slowest[0], l))
			}
		}
	}
	return out
}

func newUnitType(v *view, t *critical.Type, l links, f filter) unitType {
	out := unitType{whyType: newWhyType(v, t, l), P90: report.Duration(t.P90), Brief: l.file}
	if t.Kind == critical.Task {
		out.Flames = flames(l, "task", t.Name)
	}
	rows := v.units.Rows(t.Kind, t.Name)
	var bars []plot.Bar
	every := max(len(rows)/7, 1)
	var chosen []series.Row
	for i, r := range rows {
		b := plot.Bar{
			Title: english.Sprintf("%d of %s to %s", r.Count, report.Duration(r.From), report.Duration(r.To)), Value: float64(r.Count), Class: "bar-unit",
			Href: l.Row(t.Kind, t.Name, r),
		}
		if i%every == 0 {
			b.Label = report.Duration(r.From)
		}
		switch {
		case f.given && f.least == r.From:
			b.Class += " chosen"
			chosen = append(chosen, r)
		case t.P99 < r.To:
			b.Class += " slow"
		}
		bars = append(bars, b)
	}
	if len(bars) > 0 {
		out.Histogram = plot.Histogram(bars, 90)
	}
	if f.given && f.least < 0 {
		for i := len(rows) - 1; i >= 0; i-- { // the slowest ones
			chosen = append(chosen, rows[i])
		}
	}
	if f.given {
		out.Open = true
		out.Instances = instances(t, chosen, v, l)
	}
	return out
}

// mostInstances is how many instances are shown.
const mostInstances = 200

// instances is a table of units, the slowest first.
func instances(t *critical.Type, rows []series.Row, v *view, l links) *table {
	out := &table{ID: "instances-table", Caption: "Instances", Filter: "an ID", Empty: "There are none.", Columns: []column{
		{Title: "latency", Num: true, Sorted: true}, num("began at", "since the trace began"), num("task", "its ID"), num("goroutine", "that began it"), str("critical path", ""),
	}}
	total := int64(0)
	for _, r := range rows {
		total += r.Count
		for _, e := range r.Examples {
			if len(out.Rows) == mostInstances {
				break
			}
			task := text("–")
			if e.Task != 0 {
				task = number(uint64(e.Task))
				task.Text = fmt.Sprint(uint64(e.Task))
			}
			start := time.Duration(e.Start - v.rep.Why.Origin)
			out.Rows = append(out.Rows, row{Cells: []cell{
				dur(e.Latency), moment(start).sub(l.inFile(e.File)), task, l.in(e.File).goroutineCell(e.Goroutine), text("show").link(l.in(e.File).Unit(t.Kind, e.ID, e.Latency)),
				openCell(l.in(e.File).PerfettoUnit(t.Kind, e.ID, start, e.Latency)),
			}})
		}
	}
	out.More = int(total) - len(out.Rows)
	return out.withPerfetto(l)
}

// annotations is the table of all tasks, or regions, by type.
func annotations(list []report.Annotation, kind critical.Kind, l links) *table {
	if len(list) == 0 {
		return nil
	}
	what := report.UnitsName(kind)
	t := &table{ID: what + "-table", Caption: "All " + what + " by type", Filter: "a type", Columns: []column{
		{Title: "type", Wide: true}, num("count", ""), num("cut", "by the edges of the trace: their latencies are not known"), {Title: "total", Num: true, Sorted: true, Hint: "the sum of the latencies"}, num("p50", ""), num("p90", ""), num("p99", ""), num("max", ""),
		num("exec", "of the goroutines at work for them"), num("wait", "for a P"), num("block", ""),
	}}
	for i := range list {
		a := &list[i]
		c := code(report.UnitType(kind, a.Type))
		switch {
		case a.TypeUnknown:
			c = text(model.UnknownTask)
		case a.Other:
			c = text("(other)")
		}
		if !a.TypeUnknown && !a.Other {
			its := l
			if a.CriticalPath == nil { // of the other kind
				its.unit = int(kind) + 1
			}
			c = c.link(its.page("units", "kind", kind.String(), "type", a.Type))
		}
		t.Rows = append(t.Rows, row{Cells: []cell{
			c, number(a.Count), number(a.Cut), dur(a.Latency.Total), dur(a.Latency.P50), dur(a.Latency.P90), dur(a.Latency.P99), dur(a.Latency.Max),
			dur(a.Times.Execution), dur(a.Times.SchedWait), dur(a.Times.Block), openCell(l.in(a.Longest.File).Perfetto(a.Longest.At, a.Longest.Duration, selectSlice, a.Longest.Goroutine)),
		}})
	}
	return t.withPerfetto(l)
}

// unit is the page of one unit of work.
type unit struct {
	Title, ID string
	Facts     []fact
	Picture   template.HTML
	Axis      template.HTML
	Lanes     []pathLane
	Text      string
	Perfetto  string
	Goroutine namedLink
	Type      namedLink
	Flames    []flameLink
}

// pathLane is a goroutine on a critical path.
type pathLane struct {
	Name, Href, Time string
}

// mostLanes is how many goroutines of a path have a lane of their own.
const mostLanes = 24

func newUnit(v *view, k *critical.Kept, l links) *unit {
	w := v.rep.Why
	start := time.Duration(k.Start - w.Origin)
	out := &unit{
		Title: report.UnitType(k.Kind, k.Type), ID: w.UnitID(&k.Unit), Perfetto: l.in(k.File).PerfettoUnit(k.Kind, unitID(&k.Unit), start, k.Duration()),
		Type: namedLink{report.UnitType(k.Kind, k.Type), l.page("units", "kind", k.Kind.String(), "type", k.Type)},
	}
	if k.Goroutine > 0 {
		out.Goroutine = namedLink{fmt.Sprintf("G%d", k.Goroutine), l.in(k.File).Goroutine(k.Goroutine)}
	}
	if k.Kind == critical.Task {
		out.Flames = flames(l, "task-id", fmt.Sprint(uint64(k.Task)))
	}
	times := make(map[model.StateKind]time.Duration)
	for i := range k.Path.Segments {
		s := &k.Path.Segments[i]
		times[s.State] += time.Duration(s.End - s.Start)
	}
	out.Facts = []fact{{"latency", report.Duration(k.Duration()), english.Sprintf("%d ns", int64(k.Duration()))}, {"began", report.SecondsSince(start), ""}}
	for _, x := range []struct {
		kind model.StateKind
		name string
	}{{model.Running, "running"}, {model.Runnable, "runnable"}, {model.Waiting, "waiting"}, {model.Syscall, "system calls"}, {model.Unknown, "unknown"}} {
		if d := times[x.kind]; d > 0 {
			out.Facts = append(out.Facts, fact{x.name, fmt.Sprintf("%s (%.0f%%)", report.Duration(d), 100*float64(d)/float64(max(k.Duration(), 1))), ""})
		}
	}
	out.draw(w, k, l)
	var b bytes.Buffer
	report.PathText(&b, w, k, v.rep.Overview.MaxGOMAXPROCS, report.TextOptions{Top: 1, Width: 110})
	out.Text = b.String()
	return out
}

// draw draws the path: a lane for each goroutine that takes part, in the order in which
// they begin to. A thin line is a wait whose end another one brought about.
func (u *unit) draw(w *report.Why, k *critical.Kept, l links) {
	lanes := make(map[model.GoID]int)
	var names []pathLane
	var times []time.Duration
	lane := func(g model.GoID, fn string) int {
		n, known := lanes[g]
		if !known {
			n = min(len(names), mostLanes)
			lanes[g] = n
			switch {
			case n == len(names) && n < mostLanes:
				names = append(names, pathLane{Name: fmt.Sprintf("G%d %s", g, report.ShortFunc(fn)), Href: l.Goroutine(g)})
				if g <= 0 {
					names[n] = pathLane{Name: "unknown"}
				}
				times = append(times, 0)
			case n == mostLanes && len(names) == mostLanes:
				names, times = append(names, pathLane{Name: "other goroutines"}), append(times, 0)
			}
		}
		return n
	}
	at := func(t model.Time) time.Duration { return time.Duration(t - w.Origin) }
	var spans []plot.Span
	for i := range k.Path.Waits {
		x := &k.Path.Waits[i]
		spans = append(spans, plot.Span{Row: lane(x.Goroutine, x.Func), From: at(x.Start), To: at(x.End), Class: "waiting", Thin: true,
			Title: fmt.Sprintf("G%d %s %s, %s", x.Goroutine, report.ShortFunc(x.Func), report.WaitText(x.Reason, x.Stack), report.Duration(x.End-x.Start))})
	}
	for i := range k.Path.Segments {
		s := &k.Path.Segments[i]
		row := lane(s.Goroutine, s.Func)
		times[row] += time.Duration(s.End - s.Start)
		name := report.SegmentName(s.State, s.Reason)
		if at := s.Stack.Place(); at != nil {
			name += "\n" + report.Place{Func: at.Func, File: at.File, Line: at.Line}.Short()
		}
		spans = append(spans, plot.Span{Row: row, From: at(s.Start), To: at(s.End), Class: stateClass(s.State),
			Title: fmt.Sprintf("%s at %s, G%d %s\n%s", report.Duration(s.End-s.Start), report.SecondsSince(at(s.Start)), s.Goroutine, report.ShortFunc(s.Func), name)})
	}
	for i := range names {
		names[i].Time = report.Duration(times[i])
	}
	axis := plot.Axis{From: at(k.Start), To: at(k.End)}
	u.Lanes, u.Picture, u.Axis = names, plot.Rows(axis, len(names), spans), axis.Labels()
}
