package pprof

import (
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// stints is when a goroutine's time counts, if that is limited to tasks or regions.
type stints struct {
	// work is at work for the tasks that are selected, or, if none are, always.
	work    times.AtWork[*tentative]
	regions int // that are selected, and in which the goroutine is
	// past has what did not count of a goroutine from before the trace: it does
	// if the trace tells the end of a region that began before it. Else it is nil.
	past        *tentative
	pastCurrent model.Time // of the state that the goroutine is in
}

// tentative is what counts later or never.
type tentative struct{ sums sums }

func newTentative() *tentative { return &tentative{make(sums)} }

// Merge adds a later part.
func (t *tentative) Merge(o *tentative) {
	for k, v := range o.sums {
		t.sums.add(k, *v)
	}
}

func (st *stints) start(g *model.Goroutine, opts *Options) {
	st.work.Reset(g.Start)
	if !opts.ByTask() {
		st.work.Start()
	}
	if opts.Region != nil && g.Before {
		st.past = newTentative()
	}
}

// inRegion reports whether the goroutine is where its time counts.
func (c *Collector) inRegion(st *stints) bool { return st.regions > 0 || c.opts.Region == nil }

// advance assigns the time up to now, in which nothing began or ended. What is in a
// pause is not kept for a region from before the trace.
func (c *Collector) advance(gr *goroutine, now model.Time) {
	d := gr.work.Advance(now)
	if c.inRegion(&gr.stints) {
		gr.work.Count(d)
	} else if at, _, _ := gr.work.Now(); at && gr.past != nil {
		gr.pastCurrent += d
	}
}

// stateEnded adds up what of a state counts, or may later. A state of which
// something does is one, and not more, whatever becomes of its parts.
func (c *Collector) stateEnded(gr *goroutine, k key, counts bool) {
	count := int64(1)
	once := func(d model.Time) value {
		v := value{count, int64(d)}
		count = 0
		return v
	}
	gr.work.StateEnded(func(d model.Time) {
		if v := once(d); counts {
			c.add(gr, k, v)
		}
	}, func(t *tentative, d model.Time) {
		if v := once(d); counts {
			t.sums.add(k, v)
		}
	})
	if gr.pastCurrent > 0 {
		if counts {
			gr.past.sums.add(k, once(gr.pastCurrent))
		}
		gr.pastCurrent = 0
	}
}

func (c *Collector) sampled(gr *goroutine, k key, v value) {
	at, pause, paused := gr.work.Now()
	switch in := c.inRegion(&gr.stints); {
	case in && at:
		c.add(gr, k, v)
	case in && paused:
		pause.sums.add(k, v)
	case !in && at && gr.past != nil:
		gr.past.sums.add(k, v)
	}
}

// confirm makes what was tentative count.
func (c *Collector) confirm(gr *goroutine, t *tentative) {
	for k, v := range t.sums {
		c.add(gr, k, *v)
	}
	clear(t.sums)
}

func (c *Collector) TaskStart(t *model.Task) {
	if c.opts.ByTask() {
		c.tasks.Start(t)
	}
}

func (c *Collector) TaskEnd(t *model.Task) { c.tasks.End(t) }

// worker returns the goroutine whose work for a task is asked for, nil if it is
// not.
func (c *Collector) worker(w *model.Work) *goroutine {
	if !c.tasks.Has(w.Task) {
		return nil
	}
	gr := c.goroutines.Of(w.Goroutine)
	if gr.unwanted {
		return nil
	}
	return gr
}

func (c *Collector) WorkStart(w *model.Work) {
	if gr := c.worker(w); gr != nil {
		c.advance(gr, w.Start)
		gr.work.Start()
	}
}

func (c *Collector) WorkPause(w *model.Work) {
	if gr := c.worker(w); gr != nil {
		c.advance(gr, w.End)
		gr.work.Pause(w, newTentative())
	}
}

func (c *Collector) WorkResume(w *model.Work, now model.Time) {
	if gr := c.worker(w); gr != nil {
		c.advance(gr, now)
		gr.work.Resume(w, func(t *tentative) { c.confirm(gr, t) })
	}
}

func (c *Collector) WorkEnd(w *model.Work, now model.Time) {
	if gr := c.worker(w); gr != nil {
		c.advance(gr, now)
		gr.work.End(w)
	}
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
	gr := c.goroutines.Of(r.Goroutine)
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
		gr.work.CountLate(gr.pastCurrent)
		gr.pastCurrent = 0
	}
}
