package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// Annotation is all tasks, or all regions, of one type.
type Annotation struct {
	// Type is "" for tasks from before the trace, whose type is not in it.
	Type string `json:"type"`
	// Count is how many there were. Of these, Cut began before the trace or ended
	// after it: their latencies are not known, and left out.
	Count int64 `json:"count"`
	Cut   int64 `json:"cut"`
	// Latency is from the begin to the end of those that are complete.
	Latency Spread  `json:"latency"`
	Longest Longest `json:"longest"`
	// Times is what the goroutines spent their time on that were at work for the
	// tasks, or in the regions. What began before the trace counts from when the
	// trace first names it; regions from before it do not count.
	Times Times `json:"times"`
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
	byType map[string]*annotation
	cut    int
}

type annotation struct {
	count, cut int64
	latency    durations
	longest    Longest // At on the clock of the trace
	times      times.Times
}

func (as *annotations) of(typ string) *annotation {
	a := as.byType[typ]
	if a == nil {
		if as.byType == nil {
			as.byType = make(map[string]*annotation)
		}
		a = &annotation{}
		as.byType[typ] = a
	}
	return a
}

// end counts a task or a region that has ended.
func (as *annotations) end(typ string, start, end model.Time, cut bool, task model.TaskID, g model.GoID) {
	a := as.of(typ)
	a.count++
	if cut {
		a.cut++
		as.cut++
		return
	}
	d := end - start
	if d > a.latency.longest || a.latency.spread.n == 0 {
		a.longest = Longest{time.Duration(start), time.Duration(d), task, g}
	}
	a.latency.add(d)
}

// workStint is the part of a goroutine's life in which it is at work for a task.
type workStint struct {
	work *model.Work
	times.Stint
}

// regionStint is the part of it that is in a region; counts says that it is selected.
type regionStint struct {
	counts bool
	times.Stint
}

// push adds a stint, in the memory of one that has ended.
func push[T any](stints []T) ([]T, *T) {
	if len(stints) < cap(stints) {
		stints = stints[:len(stints)+1]
	} else {
		var zero T
		stints = append(stints, zero)
	}
	return stints, &stints[len(stints)-1]
}

func (b *Builder) WorkStart(w *model.Work) {
	b.workStarted(w)
	gr := b.goroutines.Of(w.Goroutine)
	if b.target(gr) == nil || b.opts.ByTask() && !b.selectedTasks.Has(w.Task) {
		return
	}
	var st *workStint
	gr.works, st = push(gr.works)
	st.work = w
	st.Begin(&b.ledger, w.Goroutine, w.Start)
}

func (b *Builder) WorkPause(w *model.Work) {
	b.workPaused(w)
	gr := b.goroutines.Of(w.Goroutine)
	if i := gr.work(w); i >= 0 {
		gr.works[i].Pause(&b.ledger, w.Goroutine, w.End)
	}
}

// WorkResume makes the pause count: the goroutine was at work all the time.
func (b *Builder) WorkResume(w *model.Work, now model.Time) {
	b.workResumed(w, now)
	gr := b.goroutines.Of(w.Goroutine)
	if i := gr.work(w); i >= 0 {
		gr.works[i].Resume()
	}
}

func (b *Builder) WorkEnd(w *model.Work, now model.Time) {
	b.workEnded(w, now)
	gr := b.goroutines.Of(w.Goroutine)
	i := gr.work(w)
	if i < 0 {
		return
	}
	if gr.selected != nil {
		b.selects(w.Goroutine, gr)
	}
	if t := gr.works[i].End(&b.ledger, w.Goroutine, w.End); gr.selected == nil || gr.selected.in {
		b.tasks.of(w.Task.Type).times.Add(t)
	}
	last := len(gr.works) - 1
	gr.works[i], gr.works[last] = gr.works[last], gr.works[i] // which keeps its memory
	gr.works = gr.works[:last]
}

// work is the index of the stint of a work, -1 if there is none.
func (gr *goroutine) work(w *model.Work) int {
	return slices.IndexFunc(gr.works, func(x workStint) bool { return x.work == w })
}

func (b *Builder) TaskStart(t *model.Task) {
	if b.opts.ByTask() && !b.selectedTasks.Start(t) {
		return
	}
	if g := t.Goroutine; g != nil {
		if b.begunBy == nil {
			b.begunBy = make(map[model.TaskID]model.GoID)
		}
		b.begunBy[t.ID] = g.ID
	}
}

func (b *Builder) TaskEnd(t *model.Task) {
	if b.opts.ByTask() && !b.selectedTasks.End(t) {
		return
	}
	b.tasks.end(t.Type, t.Start, t.End, t.Before || t.Open, t.ID, b.begunBy[t.ID])
	delete(b.begunBy, t.ID)
}

func (b *Builder) RegionStart(r *model.Region) {
	if r.Before {
		return // it ends at once, and what its goroutine did in it is not known any more
	}
	gr := b.goroutines.Of(r.Goroutine)
	var st *regionStint
	gr.regions, st = push(gr.regions)
	if st.counts = b.counts(r.Goroutine); st.counts {
		st.Begin(&b.ledger, r.Goroutine, r.Start)
	}
}

func (b *Builder) RegionEnd(r *model.Region) {
	gr := b.goroutines.Of(r.Goroutine)
	end := func() {
		b.regions.end(r.Type, r.Start, r.End, r.Before || r.Open, r.TaskID, r.Goroutine.ID)
	}
	if r.Before {
		if b.counts(r.Goroutine) {
			end()
		}
		return
	}
	last := len(gr.regions) - 1
	if last < 0 {
		return
	}
	st := &gr.regions[last]
	gr.regions = gr.regions[:last]
	if st.counts {
		end()
		b.regions.of(r.Type).times.Add(st.End(&b.ledger, r.Goroutine, r.End))
	}
}

func (as *annotations) report(reasons *times.Reasons, start model.Time) []Annotation {
	out := []Annotation{}
	for typ, a := range as.byType {
		x := Annotation{
			Type: typ, Count: a.count, Cut: a.cut,
			Latency: a.latency.report(), Longest: a.longest, Times: timesOf(&a.times, reasons),
		}
		if x.Count > x.Cut {
			x.Longest.At -= time.Duration(start)
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Annotation) int {
		return cmp.Or(cmp.Compare(b.Latency.Total, a.Latency.Total), cmp.Compare(b.Count, a.Count), strings.Compare(a.Type, b.Type))
	})
	return out
}
