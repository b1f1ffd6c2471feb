package report

import (
	"slices"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

// Why is what the units of work of a trace spent their time on.
type Why struct {
	*critical.Report
	// Origin is the moment from which others are counted when they are shown.
	Origin model.Time
	// Spans is how many spans there are of the distributed trace that was asked for, also
	// those that are not whole in the trace and so have no path.
	Spans   int
	parents map[taskOf]taskOf
	// latencies has the units by latency, if only some are selected.
	latencies map[unitKey]latencies
	dir       string // the folder of all traces
	part      bool   // of a trace
}

// Units is all units of work of one type that are neither tasks nor regions.
type Units struct {
	Kind critical.Kind `json:"kind"`
	// Type is the handler of a request, or [critical.HandlerNotSeen], or the start function
	// of a goroutine; "" if the trace does not tell.
	Type string `json:"type"`
	// Count is how many there were, also those that are Cut: that began before the
	// trace or ended after it. These are in nothing else.
	Count        int64         `json:"count"`
	Cut          int64         `json:"cut"`
	Latency      Spread        `json:"latency"`
	Longest      Longest       `json:"longest"`
	CriticalPath *CriticalPath `json:"critical_path,omitempty"`
}

// CriticalPath is what units of work spent their time on: all of them, and the
// slowest hundredth, which is at least one.
type CriticalPath struct {
	All  PathSum `json:"all"`
	Tail PathSum `json:"tail"`
}

// PathSum is the sum of the critical paths of some units.
type PathSum struct {
	Units int64 `json:"units"`
	// Total is the sum of the latencies, and of the segments.
	Total    time.Duration `json:"total_ns"`
	Segments []Segment     `json:"segments"`
}

// Segment is the time on critical paths in which goroutines of one start function
// were in one state at one place.
type Segment struct {
	// State is "running", "runnable", "waiting", "syscall" or "unknown".
	State string `json:"state"`
	// Reason is why it waited, was runnable, is not known or, for "GC mark assist", ran.
	Reason string `json:"reason"`
	// Own says that the goroutine began or ended the unit.
	Own bool `json:"own"`
	// Function is the start function of the goroutine.
	Function string        `json:"function"`
	Place    Place         `json:"place"`
	Time     time.Duration `json:"ns"`
	// Units is how many paths have such segments.
	Units int64 `json:"units"`
}

// why finds the units of work and their critical paths.
type why struct {
	model.Sink // sums, or one that does nothing
	sums       *critical.Sums
	selection  *model.Selection
	selected   map[model.TaskID]bool // open tasks, if only some are
	// parents are those of the spans of the distributed trace that was asked for, and of
	// their subtasks.
	parents map[taskOf]taskOf
	// latencies has the units by latency, if only some are selected.
	latencies map[unitKey]latencies
}

// taskOf is a task of a trace; the file is "" for the only one.
type taskOf struct {
	file string
	id   model.TaskID
}

func newWhy(opts *Options) *why {
	if opts.NoUnits {
		return &why{Sink: model.NopSink{}}
	}
	units := opts.Units
	w := &why{selection: &opts.Selection, selected: make(map[model.TaskID]bool), parents: make(map[taskOf]taskOf)}
	if opts.ByTask() && units.Kinds == 0 {
		units.Kinds = critical.KindsOf(critical.Task)
	}
	if !opts.All() {
		only := units.Only
		w.latencies = make(map[unitKey]latencies)
		units.Only = func(u *critical.Unit) bool {
			if !w.selects(u) || only != nil && !only(u) {
				return false
			}
			w.countLatency(u)
			return true
		}
	}
	if keep := units.Keep; opts.TaskID != model.BackgroundTask || opts.TraceID != [16]byte{} {
		units.Keep = func(u *critical.Unit) bool {
			return (opts.TaskID == model.BackgroundTask || u.Task == opts.TaskID) && (opts.TraceID == [16]byte{} || u.Span != nil) || keep != nil && keep(u)
		}
	}
	units.Aside = units.Only == nil && units.Keep == nil // they are asked here
	w.sums = critical.NewSums(units)
	w.Sink = w.sums.Finder
	return w
}

// selects reports whether a unit that has just ended is selected.
func (w *why) selects(u *critical.Unit) bool {
	s := w.selection
	if s.ByTask() && !w.selected[u.Task] {
		return false
	}
	if u.Kind == critical.Task { // whoever began it
		return true
	}
	return (s.Goroutines == nil || slices.Contains(s.Goroutines, u.Goroutine)) && (s.Func == nil || u.Func != "" && s.Func.MatchString(u.Func))
}

func (w *why) taskStarted(t *model.Task, selected bool) {
	if selected && w.sums != nil && w.selection.ByTask() {
		w.selected[t.ID] = true
		if w.selection.TraceID != [16]byte{} {
			w.parents[taskOf{id: t.ID}] = taskOf{id: t.ParentID}
		}
	}
	w.TaskStart(t)
}

func (w *why) TaskEnd(t *model.Task) {
	w.Sink.TaskEnd(t)
	delete(w.selected, t.ID)
}

// report returns the result. spans is how many spans the selected distributed trace had.
func (w *why) report(origin model.Time, spans int) *Why {
	if w.sums == nil {
		return nil
	}
	why := &Why{Report: w.sums.Report(), Origin: origin, parents: w.parents, latencies: w.latencies}
	if w.selection.TraceID != [16]byte{} {
		why.Spans = spans
	}
	return why
}

// Sample is part of model.Sink.
func (b *Builder) Sample(s *model.Sample) { b.why.Sample(s) }

// addPaths adds the critical paths to what they are of.
func (r *Report) addPaths() {
	r.Units = []Units{}
	if r.Why == nil {
		return
	}
	if r.Why.Kinds != 0 {
		r.Unit = firstKind(r.Why.Kinds).String()
	}
	r.addLatencies()
	tasks, regions := annotationsByType(r.Tasks), annotationsByType(r.Regions)
	for _, t := range r.Why.Types {
		var path *CriticalPath
		if t.Count > 0 {
			path = &CriticalPath{pathSum(&t.All), pathSum(&t.Tail)}
		}
		switch t.Kind {
		case critical.Task, critical.Region:
			list := tasks
			if t.Kind == critical.Region {
				list = regions
			}
			// Of regions, a selection may take others, as it goes by their goroutines.
			if a := list[t.Name]; a != nil && a.Latency.Total == t.Total && a.Count-a.Cut == t.Count {
				a.CriticalPath = path
			}
		default:
			u := Units{
				Kind: t.Kind, Type: t.Name, Count: t.Count + t.Cut, Cut: t.Cut, CriticalPath: path,
				Latency: Spread{Total: t.Total, P50: t.P50, P90: t.P90, P99: t.P99, Max: t.Max},
			}
			if len(t.TailUnits) > 0 {
				u.Longest = r.Why.instance(&t.TailUnits[0])
			}
			r.Units = append(r.Units, u)
		}
	}
}

// annotationsByType has those whose type the program gave, and that were told apart.
func annotationsByType(list []Annotation) map[string]*Annotation {
	byType := make(map[string]*Annotation)
	for i := range list {
		if a := &list[i]; !a.TypeUnknown && !a.Other {
			byType[a.Type] = a
		}
	}
	return byType
}

func pathSum(s *critical.PathSum) PathSum {
	out := PathSum{Units: s.Units, Total: s.Total, Segments: make([]Segment, 0, len(s.Segments))}
	for i := range s.Segments {
		x := &s.Segments[i]
		out.Segments = append(out.Segments, Segment{
			State: x.State.String(), Reason: x.Reason, Own: x.Own, Function: x.Func,
			Place: framePlace(x.Place), Time: x.Time, Units: x.Units,
		})
	}
	return out
}

// framePlace is the place of a call, which may be nil.
func framePlace(f *model.Frame) Place {
	if f == nil {
		return Place{}
	}
	return placeOf(f)
}
