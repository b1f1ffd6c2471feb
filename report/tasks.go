package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/model"
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
	sums       sums
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

// window is a part of a goroutine's life, of which the sums are wanted: they are
// those at its end less those at its start.
type window struct {
	work   *model.Work // nil for a region
	start  sums
	paused bool
	pause  sums // at the begin of the pause
}

// push adds a window, in the memory of one that has ended.
func push(ws []window) ([]window, *window) {
	if len(ws) < cap(ws) {
		ws = ws[:len(ws)+1]
	} else {
		ws = append(ws, window{})
	}
	w := &ws[len(ws)-1]
	w.work, w.paused = nil, false
	return ws, w
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
	gr := b.goroutine(w.Goroutine)
	ws, win := push(gr.works)
	gr.works = ws
	win.work = w
	b.sumsNow(&win.start, w.Goroutine, gr, w.Start)
}

func (b *Builder) WorkPause(w *model.Work) {
	gr := b.goroutine(w.Goroutine)
	if i := gr.work(w); i >= 0 {
		win := &gr.works[i]
		win.paused = true
		b.sumsNow(&win.pause, w.Goroutine, gr, w.End)
	}
}

// WorkResume makes the pause count: the goroutine was at work all the time.
func (b *Builder) WorkResume(w *model.Work, _ model.Time) {
	gr := b.goroutine(w.Goroutine)
	if i := gr.work(w); i >= 0 {
		gr.works[i].paused = false
	}
}

func (b *Builder) WorkEnd(w *model.Work, _ model.Time) {
	gr := b.goroutine(w.Goroutine)
	i := gr.work(w)
	if i < 0 {
		return
	}
	win := &gr.works[i]
	if !win.paused {
		b.sumsNow(&win.pause, w.Goroutine, gr, w.End)
	}
	win.pause.sub(&win.start)
	b.tasks.of(w.Task.Type).sums.add(&win.pause)
	last := len(gr.works) - 1
	gr.works[i], gr.works[last] = gr.works[last], gr.works[i] // which keeps its memory
	gr.works = gr.works[:last]
}

// work is the index of the window of a work, -1 if there is none.
func (gr *goroutine) work(w *model.Work) int {
	return slices.IndexFunc(gr.works, func(x window) bool { return x.work == w })
}

func (b *Builder) TaskStart(t *model.Task) {
	if g := t.Goroutine; g != nil {
		if b.begunBy == nil {
			b.begunBy = make(map[model.TaskID]model.GoID)
		}
		b.begunBy[t.ID] = g.ID
	}
}

func (b *Builder) TaskEnd(t *model.Task) {
	b.tasks.end(t.Type, t.Start, t.End, t.Before || t.Open, t.ID, b.begunBy[t.ID])
	delete(b.begunBy, t.ID)
}

func (b *Builder) RegionStart(r *model.Region) {
	if r.Before {
		return // it ends at once, and what its goroutine did in it is not known any more
	}
	gr := b.goroutine(r.Goroutine)
	ws, win := push(gr.regions)
	gr.regions = ws
	b.sumsNow(&win.start, r.Goroutine, gr, r.Start)
}

func (b *Builder) RegionEnd(r *model.Region) {
	b.regions.end(r.Type, r.Start, r.End, r.Before || r.Open, r.TaskID, r.Goroutine.ID)
	gr := b.goroutine(r.Goroutine)
	if r.Before || len(gr.regions) == 0 {
		return
	}
	win := &gr.regions[len(gr.regions)-1]
	gr.regions = gr.regions[:len(gr.regions)-1]
	b.sumsNow(&win.pause, r.Goroutine, gr, r.End)
	win.pause.sub(&win.start)
	b.regions.of(r.Type).sums.add(&win.pause)
}

func (as *annotations) report(reasons *reasons, start model.Time) []Annotation {
	out := []Annotation{}
	for typ, a := range as.byType {
		x := Annotation{
			Type: typ, Count: a.count, Cut: a.cut,
			Latency: a.latency.report(), Longest: a.longest, Times: a.sums.times(reasons),
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
