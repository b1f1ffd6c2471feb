package pprof

import (
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// stints says when a goroutine's time counts, if the options limit it to tasks or
// regions.
type stints struct {
	// work says when the goroutine is at work for the selected tasks; always, if none
	// are selected.
	work    times.AtWork
	regions int // number of selected regions that the goroutine is in
	// past has the time so far that did not count, of a goroutine from before the
	// trace. It counts after all if a selected region ends that began before the
	// trace. It is nil for other goroutines.
	past *tentative
	// span is the one that the goroutine works for, nil for none, and parts what the
	// current state is divided into by spans.
	span  *model.SpanContext
	parts []part
}

// tentative is time that counts later or never.
type tentative struct {
	sums    sums
	current model.Time // the part of the current state
}

func (st *stints) start(g *model.Goroutine, opts *Options) {
	st.work.Reset(g.Start)
	if !opts.ByTask() {
		st.work.Start()
	}
	if opts.Region != nil && g.Before {
		st.past = &tentative{sums: make(sums)}
	}
}

// in reports whether the goroutine's time counts now. If it does not, but may be in a
// region from before the trace, in also returns where it is kept.
func (c *Collector) in(st *stints) (now bool, later *tentative) {
	switch region := st.regions > 0 || c.opts.Region == nil; {
	case !st.work.Now():
		return false, nil
	case region:
		return true, nil
	}
	return false, st.past
}

// advance assigns the time up to now, in which nothing began or ended.
func (c *Collector) advance(gr *goroutine, now model.Time) {
	d := gr.work.Advance(now)
	if in, later := c.in(&gr.stints); in {
		gr.work.Count(d)
		if c.opts.Spans != nil {
			gr.stints.count(d)
		}
	} else if later != nil {
		later.current += d
	}
}

// stateEnded adds up what counts of a state, or may count later. A state counts as one,
// into however many parts it is divided.
func (c *Collector) stateEnded(gr *goroutine, k key, counts bool) {
	count := int64(1)
	switch d := gr.work.StateEnded(); {
	case d == 0:
	case c.opts.Spans != nil:
		for _, p := range gr.parts {
			if counts {
				k.span = p.span
				c.add(gr, k, value{count, int64(p.time)})
			}
			count = 0
		}
		k.span = nil
		gr.parts = gr.parts[:0]
	default:
		if counts {
			c.add(gr, k, value{count, int64(d)})
		}
		count = 0
	}
	if t := gr.past; t != nil && t.current > 0 {
		if counts {
			t.sums.add(k, value{count, int64(t.current)})
		}
		t.current = 0
	}
}

func (c *Collector) sampled(gr *goroutine, k key, v value) {
	if in, later := c.in(&gr.stints); in {
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
	gr.work.Count(t.current)
	t.current = 0
}

func (c *Collector) TaskStart(t *model.Task) {
	if c.opts.ByTask() {
		c.tasks.Start(t)
	}
}

func (c *Collector) TaskEnd(t *model.Task) { c.tasks.End(t) }

// worker returns the goroutine of a work, nil if the task is not selected.
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
	c.turn(w.Goroutine, w.Start)
}

func (c *Collector) WorkEnd(w *model.Work) {
	if gr := c.worker(w); gr != nil {
		c.advance(gr, w.End)
		gr.work.End()
	}
	c.turn(w.Goroutine, w.End)
}

// maxTypes is the number of types of regions for which it is kept whether they match.
const maxTypes = 10_000

// region returns the goroutine of a region, nil if the region is not selected.
func (c *Collector) region(r *model.Region) *goroutine {
	if c.opts.Region == nil {
		return nil
	}
	match, ok := c.regions[r.Type]
	if !ok {
		match = c.opts.Region.MatchString(r.Type)
		if len(c.regions) < maxTypes {
			c.regions[r.Type] = match
		}
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
	}
}
