package model

// Work is a goroutine at work for a task, and so for the tasks that this one is
// part of.
//
// At one moment a goroutine works for one task and that task's ancestors. Its
// latest sign tells for which: it began the task, it has a region or a log of it,
// or a goroutine that worked for it started this one.
//
//   - A sign of another task ends the work, except for a parent, which goes on
//     while the goroutine works for its subtask.
//   - A region is a sign from its beginning to its end. Then the goroutine goes on
//     with what it did before the region, unless there was a later sign.
//   - When the task ends, the goroutine goes on for the parent of the task. If
//     there is none, for the task of the region that it is in, or else for none
//     until its next sign.
//
// A handler begins a task, does the work and ends it:
//
//	handler     ──begin A─────begin B──────end B──────end A──
//	works for           A            B (and A)    A
//
// A dispatcher begins a task for each message and hands it over. It works for each
// only until it begins the next one:
//
//	dispatcher  ──begin A──go worker 1──begin B──go worker 2──…
//	works for           A                       B
//	worker 1              └─A───────────────end A──
//	worker 2                                      └─B──────end B──
//
// A fan-out starts goroutines for parts of a task. A goroutine of a pool, which
// existed before, shows with a region that it works for it:
//
//	handler     ──begin A──go part──send to pool──────────────wait──end A──
//	works for           A
//	part                    └─A───────────exit
//	pool        ──────────────────────region of A──end of it──────
//	works for   none                  A                   none
//
// Goroutines of the runtime are not started for tasks. The time of a goroutine
// belongs to the task that it works for most recently, [Goroutine.Work]: a sink
// that sums it up for that task alone, and adds the sum of a task to its parent's
// when it ends (Task.Parent in TaskEnd), has all of each task. What is done for a
// subtask that outlives its parent is not part of this parent, but of the next
// ancestor that is open when the subtask ends.
type Work struct {
	Task      *Task
	Goroutine *Goroutine
	// Start and End are the first and the last moment; End is valid in WorkEnd.
	Start, End Time

	sign         uint64 // number of the sign for it
	outer, inner *Work  // of the goroutine: for a parent, and for a subtask
	index        int    // in Task.works
}

// Work returns what the goroutine is at work for, nil for nothing. If it works for
// a task and some of its ancestors, it is the work for the task.
func (g *Goroutine) Work() *Work { return g.work }

// sign makes g be at work for a task, and reports whether it was for another.
func (b *builder) sign(g *Goroutine, t *Task, now Time) bool {
	if g.work != nil && g.work.Task == t {
		return false
	}
	b.signs++
	b.turn(g, t, b.signs, now)
	return true
}

// turn makes g be at work for a task, nil for none, because of a sign. New work
// starts before the old one ends: there is no gap between them.
func (b *builder) turn(g *Goroutine, t *Task, sign uint64, now Time) {
	// What goes on is the work for the task itself, or for its parent. That for
	// others that are as deep or deeper ends, so that each is passed only once.
	var goesOn *Work
	if t != nil {
		parent := t.parent()
		goesOn = g.work
		for goesOn != nil && goesOn.Task != t && (parent == nil || goesOn.Task.depth > parent.depth) {
			goesOn = goesOn.outer
		}
		if goesOn != nil && goesOn.Task != t && goesOn.Task != parent {
			goesOn = nil
		}
	}
	old := g.work
	if goesOn != nil && goesOn.Task == t {
		goesOn.sign = sign
	} else if t != nil {
		b.workStarted(g, t, sign, now)
	}
	for old != goesOn {
		outer := old.outer
		b.workEnded(old, now)
		old = outer
	}
}

func (b *builder) workStarted(g *Goroutine, t *Task, sign uint64, now Time) {
	w := b.newWork()
	w.Task, w.Goroutine, w.Start, w.sign, w.outer, w.index = t, g, now, sign, g.work, len(t.works)
	if g.work != nil {
		g.work.inner = w
	}
	g.work = w
	if t.works == nil {
		t.works = t.few[:0]
	}
	t.works = append(t.works, w)
	b.sink.WorkStart(w)
}

// newWork returns a Work that is in no use, maybe one that has ended.
func (b *builder) newWork() *Work {
	last := len(b.endedWorks) - 1
	if last < 0 {
		return new(Work)
	}
	w := b.endedWorks[last]
	b.endedWorks = b.endedWorks[:last]
	return w
}

func (b *builder) workEnded(w *Work, now Time) {
	if w.outer != nil {
		w.outer.inner = w.inner
	}
	if w.inner != nil {
		w.inner.outer = w.outer
	} else {
		w.Goroutine.work = w.outer
	}
	works := w.Task.works
	last := len(works) - 1
	works[w.index] = works[last]
	works[w.index].index = w.index
	works[last] = nil
	w.Task.works = works[:last]
	w.End = now
	b.sink.WorkEnd(w)
	*w = Work{}
	b.endedWorks = append(b.endedWorks, w)
}

// inherit makes a goroutine be at work for what its creator is.
func (b *builder) inherit(g, creator *Goroutine, now Time) {
	if creator != nil && creator.work != nil && !g.System() {
		b.sign(g, creator.work.Task, now)
	}
}

// endWork ends all work for a task that has ended.
func (b *builder) endWork(t *Task, now Time) {
	for len(t.works) > 0 {
		w := t.works[len(t.works)-1]
		if g := w.Goroutine; g.work == w && w.outer == nil {
			if parent := t.parent(); parent != nil {
				b.workStarted(g, parent, w.sign, now)
			} else if r := g.inRegion(); r != nil {
				b.workStarted(g, r.task, r.sign, now)
			}
		}
		b.workEnded(w, now)
	}
}

// enteredRegion makes the beginning of a region a sign.
func (b *builder) enteredRegion(r *Region) {
	g := r.Goroutine
	if g.work != nil {
		r.back, r.backSign = g.work.Task, g.work.sign
	}
	if b.sign(g, r.task, r.Start) {
		r.sign = g.work.sign
	}
}

// leftRegion makes the goroutine of a region go on with what it did before, if the
// region is its latest sign.
func (b *builder) leftRegion(r *Region, now Time) {
	g := r.Goroutine
	if r.sign != 0 && (g.work == nil || g.work.sign == r.sign) {
		b.turn(g, r.back.open(), r.backSign, now)
	}
}

// inRegion returns the innermost region of a task that a goroutine is in, nil for
// none.
func (g *Goroutine) inRegion() *Region {
	if len(g.regions) == 0 {
		return nil
	}
	r := g.regions[len(g.regions)-1].ofTask
	if r == nil || r.ended || r.task.ended {
		return nil
	}
	return r
}

// stillAtWork reports the work of a goroutine that goes on when the trace ends.
func (b *builder) stillAtWork(g *Goroutine, now Time) {
	innermost := g.work
	for w := innermost; w != nil; w = w.outer {
		g.work, w.End = w.outer, now
		b.sink.WorkEnd(w)
	}
	g.work = innermost
}

// atWorkBefore reports the work of a goroutine that goes on when a window begins.
func (b *builder) atWorkBefore(g *Goroutine, from Time) {
	innermost := g.work
	if innermost == nil {
		return
	}
	w := innermost
	for w.outer != nil {
		w = w.outer
	}
	for ; w != nil; w = w.inner {
		g.work, w.Start = w, from
		b.sink.WorkStart(w)
	}
}
