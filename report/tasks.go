package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
)

// Annotation is all tasks, or all regions, of one type.
type Annotation struct {
	// Type is the name that the program gave. It is "" also with TypeUnknown, of
	// tasks from before the trace, whose type is not in it, and with Other, of all
	// whose type is not one of the first 10,000.
	Type        string `json:"type"`
	TypeUnknown bool   `json:"type_unknown,omitempty"`
	Other       bool   `json:"other,omitempty"`
	// Count is how many there were. Of these, Cut began before the trace or ended
	// after it: their latencies are not known, and left out.
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

// Longest is the longest task or region of a type that is complete.
type Longest struct {
	// At is when it began, since the trace began.
	At       time.Duration `json:"at_ns"`
	Duration time.Duration `json:"duration_ns"`
	// Task is the ID of the task, or of that of the region; 0 for none.
	Task model.TaskID `json:"task"`
	// Goroutine began it; 0 if unknown.
	Goroutine model.GoID `json:"goroutine"`
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

// maxTypes is how many types of tasks, and of regions, are told apart: a program
// that gives each task a name of its own has millions. All that come later are one.
const maxTypes = 10_000

type annotation struct {
	count, cut int64
	latency    durations
	longest    Longest // At on the clock of the trace
	sums       sums
}

func (as *annotations) of(typ typeKey) *annotation {
	a := as.byType[typ]
	if a == nil && len(as.byType) >= maxTypes {
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
		a.longest = Longest{time.Duration(start), time.Duration(d), task, g}
	}
	a.latency.add(d)
}

// openTask is a task that has not ended, with what goroutines have spent their time
// on for it and for its subtasks that have ended.
type openTask struct {
	begunBy model.GoID // 0 if unknown
	sums    sums
}

// atWork is the task that a goroutine works for, nil for none, and what it had spent
// its time on when that began.
type atWork struct {
	task  *openTask
	given sums
}

// sumsNow sets s to what a goroutine has spent its time on up to now, with the
// state and the assist that it is in.
func (b *Builder) sumsNow(s *sums, g *model.Goroutine, gr *goroutine, now model.Time) {
	s.set(&gr.sums)
	cur := g.Current()
	if from := max(cur.Start, gr.until); from < now {
		s.addState(cur, from, now, g.OnProc(), &b.reasons)
	}
	if since, ok := g.Assist(); ok {
		s.gcAssist += now - since
	}
}

func (b *Builder) WorkStart(w *model.Work) {
	b.why.WorkStart(w)
	b.turn(w.Goroutine, w.Start)
}

func (b *Builder) WorkEnd(w *model.Work) {
	b.why.WorkEnd(w)
	b.turn(w.Goroutine, w.End)
}

// turn gives the time of a goroutine up to now to the task that it worked for.
func (b *Builder) turn(g *model.Goroutine, now model.Time) {
	gr := b.goroutine(g)
	if gr.atWork == nil {
		gr.atWork = &atWork{}
	}
	at := gr.atWork
	if at.task != nil {
		b.sumsNow(&b.done, g, gr, now)
		b.done.sub(&at.given)
		at.task.sums.add(&b.done)
	}
	at.task = nil
	if w := g.Work(); w != nil {
		at.task = b.openTasks[w.Task]
		b.sumsNow(&at.given, g, gr, now)
	}
}

func (b *Builder) TaskStart(t *model.Task) {
	b.why.TaskStart(t)
	if b.openTasks == nil {
		b.openTasks = make(map[*model.Task]*openTask)
	}
	open := &openTask{}
	if t.Goroutine != nil {
		open.begunBy = t.Goroutine.ID
	}
	b.openTasks[t] = open
}

func (b *Builder) TaskEnd(t *model.Task) {
	b.why.TaskEnd(t)
	open := b.openTasks[t]
	delete(b.openTasks, t)
	a := b.tasks.of(typeKey{name: t.Type, unknown: t.TypeUnknown})
	b.tasks.end(a, t.Start, t.End, t.Before || t.Open, t.ID, open.begunBy)
	a.sums.add(&open.sums)
	if parent := b.openTasks[t.Parent]; parent != nil {
		parent.sums.add(&open.sums)
	}
}

func (b *Builder) RegionStart(r *model.Region) {
	if r.Before {
		return // it ends at once, and what its goroutine did in it is not known any more
	}
	gr := b.goroutine(r.Goroutine)
	for r.Depth >= len(gr.regions) {
		gr.regions = append(gr.regions, sums{})
	}
	b.sumsNow(&gr.regions[r.Depth], r.Goroutine, gr, r.Start)
}

func (b *Builder) RegionEnd(r *model.Region) {
	b.why.RegionEnd(r)
	a := b.regions.of(typeKey{name: r.Type})
	b.regions.end(a, r.Start, r.End, r.Before || r.Open, r.TaskID, r.Goroutine.ID)
	if r.Before {
		return
	}
	gr := b.goroutine(r.Goroutine)
	b.sumsNow(&b.done, r.Goroutine, gr, r.End)
	b.done.sub(&gr.regions[r.Depth])
	a.sums.add(&b.done)
}

func (as *annotations) report(reasons *reasons, start model.Time) []Annotation {
	out := []Annotation{}
	for typ, a := range as.byType {
		x := Annotation{
			Type: typ.name, TypeUnknown: typ.unknown, Other: typ.other, Count: a.count, Cut: a.cut,
			Latency: a.latency.report(), Longest: a.longest, Times: a.sums.times(reasons),
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
