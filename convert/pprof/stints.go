package pprof

import (
	"slices"

	"github.com/trace2x/trace2x/model"
)

// windows is when a goroutine's time counts, if that is limited to tasks or
// regions. A state is reported when it ends, so its time is added up as windows
// open and close.
type windows struct {
	tasks, regions int // for which the goroutine is at work, and in which it is

	// pauses has the tasks to which the goroutine may come back, by when it left
	// them. What it does meanwhile counts when it comes back.
	pauses []pause
	// past has what did not count of a goroutine from before the trace: it does
	// if the trace tells the end of a region that began before it. Else it is nil.
	past *tentative

	since  model.Time // up to which the time has been assigned
	inside model.Time // of the state that the goroutine is in, what counts
}

// pause is a break in the work for a task.
type pause struct {
	work *model.Work
	*tentative
}

// tentative is what counts later or never.
type tentative struct {
	sums    sums
	current model.Time // of the state that the goroutine is in
}

func newTentative() *tentative { return &tentative{sums: make(sums)} }

func (w *windows) start(g *model.Goroutine, regions bool) {
	w.since = g.Start
	if regions && g.Before {
		w.past = newTentative()
	}
}

// in reports whether the goroutine's time counts now, or else where it is kept,
// nil for nowhere: as for a pause in what may be a region from before the trace.
func (c *Collector) in(w *windows) (now bool, later *tentative) {
	task := w.tasks > 0 || !c.opts.tasks()
	region := w.regions > 0 || c.opts.Region == nil
	switch {
	case task && region:
		return true, nil
	case region && len(w.pauses) > 0:
		return false, w.pauses[len(w.pauses)-1].tentative
	case task:
		return false, w.past
	}
	return false, nil
}

// advance assigns the time up to now, in which nothing opened or closed.
func (c *Collector) advance(gr *goroutine, now model.Time) {
	d := now - gr.since
	gr.since = now
	if in, later := c.in(&gr.windows); in {
		gr.inside += d
	} else if later != nil {
		later.current += d
	}
}

// stateEnded adds up what of a state counts, or may later. A state of which
// something does is one, and not more, whatever becomes of its parts.
func (c *Collector) stateEnded(gr *goroutine, k key, counts bool) {
	count := int64(1)
	if gr.inside > 0 {
		if counts {
			c.add(gr, k, value{count, int64(gr.inside)})
		}
		gr.inside, count = 0, 0
	}
	keep := func(t *tentative) {
		if t.current > 0 {
			if counts {
				t.sums.add(k, value{count, int64(t.current)})
			}
			t.current, count = 0, 0
		}
	}
	// The last pause is not counted without those before it.
	for _, p := range slices.Backward(gr.pauses) {
		keep(p.tentative)
	}
	if gr.past != nil {
		keep(gr.past)
	}
}

func (c *Collector) sampled(gr *goroutine, k key, v value) {
	if in, later := c.in(&gr.windows); in {
		c.add(gr, k, v)
	} else if later != nil {
		later.sums.add(k, v)
	}
}

// confirm makes what was tentative count.
func (c *Collector) confirm(gr *goroutine, t *tentative) {
	for k, v := range t.sums {
		c.add(gr, k, *v)
	}
	clear(t.sums)
	gr.inside += t.current
	t.current = 0
}

func (c *Collector) TaskStart(t *model.Task) {
	if !c.opts.tasks() {
		return
	}
	match := c.tasks[t.Parent] ||
		c.opts.TaskID != model.BackgroundTask && t.ID == c.opts.TaskID ||
		c.opts.Task != nil && c.opts.Task.MatchString(t.Type)
	if match {
		c.tasks[t] = true
		c.stats.Tasks++
	}
}

func (c *Collector) TaskEnd(t *model.Task) { delete(c.tasks, t) }

// worker returns the goroutine whose work for a task is asked for, nil if it is
// not.
func (c *Collector) worker(w *model.Work) *goroutine {
	if !c.tasks[w.Task] {
		return nil
	}
	gr := &c.goroutines[w.Goroutine.Slot]
	if gr.unwanted {
		return nil
	}
	return gr
}

func (c *Collector) WorkStart(w *model.Work) {
	if gr := c.worker(w); gr != nil {
		c.advance(gr, w.Start)
		gr.tasks++
	}
}

func (c *Collector) WorkPause(w *model.Work) {
	if gr := c.worker(w); gr != nil {
		c.advance(gr, w.End)
		gr.tasks--
		gr.pauses = append(gr.pauses, pause{w, newTentative()})
	}
}

func (c *Collector) WorkResume(w *model.Work, now model.Time) {
	gr := c.worker(w)
	if gr == nil {
		return
	}
	c.advance(gr, now)
	i := gr.pauseOf(w)
	for _, p := range gr.pauses[i:] {
		c.confirm(gr, p.tentative)
	}
	gr.pauses = slices.Delete(gr.pauses, i, i+1)
	gr.tasks++
}

func (c *Collector) WorkEnd(w *model.Work, now model.Time) {
	gr := c.worker(w)
	if gr == nil {
		return
	}
	c.advance(gr, now)
	i := gr.pauseOf(w)
	if i < 0 {
		gr.tasks--
		return
	}
	if i > 0 { // the goroutine may come back to the task before it
		t, before := gr.pauses[i].tentative, gr.pauses[i-1].tentative
		for k, v := range t.sums {
			before.sums.add(k, *v)
		}
		before.current += t.current
	}
	gr.pauses = slices.Delete(gr.pauses, i, i+1)
}

func (w *windows) pauseOf(work *model.Work) int {
	return slices.IndexFunc(w.pauses, func(p pause) bool { return p.work == work })
}

// region returns the goroutine of a region that is asked for, nil if it is not.
func (c *Collector) region(r *model.Region) *goroutine {
	if c.opts.Region == nil {
		return nil
	}
	match, ok := c.regions[r.Type]
	if !ok {
		match = c.opts.Region.MatchString(r.Type)
		c.regions[r.Type] = match
	}
	gr := &c.goroutines[r.Goroutine.Slot]
	if !match || gr.unwanted {
		return nil
	}
	return gr
}

func (c *Collector) RegionStart(r *model.Region) {
	gr := c.region(r)
	if gr == nil {
		return
	}
	c.stats.Regions++
	if !r.Before {
		c.advance(gr, r.Start)
		gr.regions++
	}
}

func (c *Collector) RegionEnd(r *model.Region) {
	gr := c.region(r)
	if gr == nil {
		return
	}
	c.advance(gr, r.End)
	switch {
	case !r.Before:
		gr.regions--
	case gr.past != nil:
		c.confirm(gr, gr.past)
	}
}
