package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// Annotation is all tasks, or all regions, of one type.
type Annotation struct {
	// Type is the name that the program gave. It is "" also with TypeUnknown, of
	// tasks from before the trace, whose type is not in it, and with Other, of all
	// whose type is not one of the first 10,000.
	Type        string `json:"type"`
	TypeUnknown bool   `json:"type_unknown,omitempty"`
	Other       bool   `json:"other,omitempty"`
	// Count is how many there were. Cut is how many of them began before the trace or
	// ended after it: their latencies are not known, and left out.
	Count int64 `json:"count"`
	Cut   int64 `json:"cut"`
	// Latency is from the begin to the end of those that are complete.
	Latency Spread  `json:"latency"`
	Longest Longest `json:"longest"`
	// Times is what the goroutines spent their time on that were at work for the
	// tasks and for their subtasks, see [model.Work], or in the regions. What began
	// before the trace counts from when the trace first names it; regions from
	// before it do not count.
	Times Times `json:"times"`
	// CriticalPath is where the latencies come from; nil if these are not the units
	// of work that were looked at, or if none is complete.
	CriticalPath *CriticalPath `json:"critical_path,omitempty"`
}

// Longest is the longest task or region of a type that is complete, or another unit of
// work to look at.
type Longest struct {
	// At is when it began, since the trace began.
	At       time.Duration `json:"at_ns"`
	Duration time.Duration `json:"duration_ns"`
	// Task is the ID of the task, or of the region's task; 0 for none.
	Task model.TaskID `json:"task"`
	// Goroutine began it; 0 if unknown.
	Goroutine model.GoID `json:"goroutine"`
	// File is the trace that has it; "" for a report on one trace.
	File string `json:"file,omitempty"`
}

// longest says which task or region took longest, "" if none is complete.
func (a *Annotation) longest(dir string) string {
	l := &a.Longest
	if a.Count == a.Cut {
		return ""
	}
	task, g := "", ""
	if l.Task != model.BackgroundTask {
		task = fmt.Sprintf("task %d", l.Task)
	}
	if l.Goroutine != 0 {
		g = fmt.Sprintf("G%d", l.Goroutine)
	}
	return "max: " + joined(" ", joined(", ", task, g), "at "+moment(l.At)) + inFile(dir, l.File)
}

// annotations are tasks, or regions, by type.
type annotations struct {
	byType map[typeKey]*annotation
	cut    int
}

// typeKey is a type. Beside a name that the program gave, "" too, there are two
// that are none.
type typeKey struct {
	name    string
	unknown bool // from before the trace
	other   bool // all that are too many
}

type annotation struct {
	count, cut int64
	latency    durations
	longest    Longest // At on the clock of the trace
	times      times.Times
}

func (as *annotations) of(typ typeKey) *annotation {
	a := as.byType[typ]
	if a == nil && len(as.byType) >= critical.MaxTypes {
		typ = typeKey{other: true}
		a = as.byType[typ]
	}
	if a == nil {
		if as.byType == nil {
			as.byType = make(map[typeKey]*annotation)
		}
		a = &annotation{}
		as.byType[typ] = a
	}
	return a
}

// types returns the types in the order of their names.
func (as *annotations) types() []typeKey {
	return slices.SortedFunc(maps.Keys(as.byType), func(a, b typeKey) int {
		return cmp.Or(strings.Compare(a.name, b.name), compareBools(a.unknown, b.unknown), compareBools(a.other, b.other))
	})
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// end counts a task or a region that has ended.
func (as *annotations) end(a *annotation, start, end model.Time, cut bool, task model.TaskID, g model.GoID) {
	a.count++
	if cut {
		a.cut++
		as.cut++
		return
	}
	d := end - start
	if d > a.latency.longest || a.latency.spread.N == 0 {
		a.longest = Longest{At: time.Duration(start), Duration: time.Duration(d), Task: task, Goroutine: g}
	}
	a.latency.add(d)
}

// regionStint is the part of a goroutine's life that is in a region; counts says that
// it is selected.
type regionStint struct {
	counts bool
	times.Stint
}

func (b *Builder) WorkStart(w *model.Work) {
	b.why.WorkStart(w)
	b.workStarted(w)
	b.turn(w.Goroutine, w.Start)
}

func (b *Builder) WorkEnd(w *model.Work) {
	b.why.WorkEnd(w)
	b.workEnded(w)
	b.turn(w.Goroutine, w.End)
}

// turn gives the time of a goroutine up to now to the task that it worked for.
func (b *Builder) turn(g *model.Goroutine, now model.Time) {
	b.taskTimes.Turn(g, now, b.in(g, b.goroutines.Of(g)))
}

func (b *Builder) TaskStart(t *model.Task) {
	b.hadTask = true
	selected := !b.opts.ByTask() || b.selectedTasks.Start(t)
	b.why.taskStarted(t, selected)
	if !selected {
		return
	}
	b.taskTimes.Start(t)
	if t.Goroutine != nil {
		b.begunBy[t] = t.Goroutine.ID
	}
}

func (b *Builder) TaskEnd(t *model.Task) {
	b.why.TaskEnd(t)
	if b.opts.ByTask() && !b.selectedTasks.End(t) {
		return
	}
	a := b.tasks.of(typeKey{name: t.Type, unknown: t.TypeUnknown})
	b.tasks.end(a, t.Start, t.End, t.Before || t.Open, t.ID, b.begunBy[t])
	delete(b.begunBy, t)
	a.times.Add(b.taskTimes.End(t))
}

func (b *Builder) RegionStart(r *model.Region) {
	b.why.RegionStart(r)
	if r.Before {
		return // it ends at once, and what its goroutine did in it is not known any more
	}
	gr := b.goroutines.Of(r.Goroutine)
	for r.Depth >= len(gr.regions) {
		gr.regions = append(gr.regions, regionStint{})
	}
	st := &gr.regions[r.Depth]
	if st.counts = b.counts(r.Goroutine); st.counts {
		st.Begin(&b.ledger, r.Goroutine, r.Start)
	}
}

func (b *Builder) RegionEnd(r *model.Region) {
	b.why.RegionEnd(r)
	var st *regionStint // nil for one from before the trace
	if !r.Before {
		st = &b.goroutines.Of(r.Goroutine).regions[r.Depth]
	}
	if st != nil && !st.counts || st == nil && !b.counts(r.Goroutine) {
		return
	}
	a := b.regions.of(typeKey{name: r.Type})
	b.regions.end(a, r.Start, r.End, r.Before || r.Open, r.TaskID, r.Goroutine.ID)
	if st != nil {
		a.times.Add(st.End(&b.ledger, r.Goroutine, r.End))
	}
}

func (as *annotations) report(reasons *times.Reasons, start model.Time) []Annotation {
	out := []Annotation{}
	for typ, a := range as.byType {
		x := Annotation{
			Type: typ.name, TypeUnknown: typ.unknown, Other: typ.other, Count: a.count, Cut: a.cut,
			Latency: a.latency.report(), Longest: a.longest, Times: timesOf(&a.times, reasons),
		}
		if x.Count > x.Cut {
			x.Longest.At -= time.Duration(start)
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Annotation) int {
		return cmp.Or(cmp.Compare(b.Latency.Total, a.Latency.Total), cmp.Compare(b.Count, a.Count), strings.Compare(a.label(), b.label()))
	})
	return out
}

// label is what to call the type.
func (a *Annotation) label() string {
	switch {
	case a.TypeUnknown:
		return "(from before the trace)"
	case a.Other:
		return "(other)"
	case a.Type == "":
		return "(no name)"
	}
	return address.Name(a.Type)
}
