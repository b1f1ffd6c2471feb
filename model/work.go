package model

import "slices"

// Work is a goroutine at work for a task.
//
// It is if it began the task, from then until the task ends; if it has a region
// or a log of the task, from the first to the last of them; or if a goroutine at
// work started it while the task was open, until it exits or the task ends.
// Goroutines of the runtime are not started for tasks.
type Work struct {
	Task      *Task
	Goroutine *Goroutine
	Start     Time
	// End is the last moment at which the goroutine was at work. It is valid in
	// WorkPause and WorkEnd.
	End Time

	// reasons is the number of reasons why the goroutine is at work now: that it
	// began the task or was started for it, and each open region. While there is
	// none, it is a pause.
	reasons int
	index   int // in Task.works
}

// work makes a goroutine be at work for a task, for one more reason.
func (b *builder) work(t *Task, g *Goroutine, now Time) *Work {
	var w *Work
	for _, x := range g.works {
		if x.Task == t {
			w = x
			break
		}
	}
	if w == nil {
		w = &Work{Task: t, Goroutine: g, Start: now, index: len(t.works)}
		t.works = append(t.works, w)
		g.works = append(g.works, w)
		b.sink.WorkStart(w)
	} else if w.reasons == 0 {
		b.sink.WorkResume(w, now)
	}
	w.reasons++
	return w
}

// pause takes a reason away.
func (b *builder) pause(w *Work, now Time) {
	if w.reasons--; w.reasons == 0 {
		w.End = now
		b.sink.WorkPause(w)
	}
}

// inherit makes a goroutine be at work for what its creator is.
func (b *builder) inherit(g, creator *Goroutine, now Time) {
	if creator == nil || g.System() {
		return
	}
	for _, w := range creator.works {
		if w.reasons > 0 {
			b.work(w.Task, g, now)
		}
	}
}

// leftRegion ends what the begin of a region was a reason for.
func (b *builder) leftRegion(g *Goroutine, id TaskID, now Time) {
	for _, w := range g.works {
		if w.Task.ID == id && w.reasons > 0 {
			b.pause(w, now)
			return
		}
	}
}

func (b *builder) workEnded(w *Work, now Time) {
	t, g := w.Task, w.Goroutine
	last := len(t.works) - 1
	t.works[w.index] = t.works[last]
	t.works[w.index].index = w.index
	t.works[last] = nil
	t.works = t.works[:last]
	if i := slices.Index(g.works, w); i >= 0 {
		g.works = slices.Delete(g.works, i, i+1)
	}
	if w.reasons > 0 {
		w.End = now
	}
	b.sink.WorkEnd(w, now)
}

// endWork ends all work for a task, or of a goroutine.
func (b *builder) endWork(works *[]*Work, now Time) {
	for len(*works) > 0 {
		b.workEnded((*works)[len(*works)-1], now)
	}
}
