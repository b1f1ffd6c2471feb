// Package modeltest has what tests of the model and of its sinks share: a
// [Validator] of the model's invariants, a [Record] of what a sink must reproduce, and
// a [Dump] as text for goldens. It is for tests: it keeps what it has seen, and is not
// made for long traces.
package modeltest

import (
	"fmt"
	"slices"

	"github.com/trace2x/trace2x/model"
)

// Validator is a sink that checks the invariants which package model promises,
// and passes everything on to the next sink.
type Validator struct {
	model.Sink
	// Errors has what was wrong, at most maxErrors of them.
	Errors []error

	trace      model.Trace
	now        model.Time
	begun      bool
	ended      bool
	syncs      int
	gapSync    int                 // the last Sync before the last gap
	edges      map[model.Time]bool // the beginning of the trace, and the ends of gaps
	announced  int
	slots      map[int]*goroutine
	ids        map[model.GoID]bool         // alive
	procs      map[model.ProcID]model.Time // end of the last run
	procStates map[model.ProcID]model.Time
	threads    map[model.ThreadID]model.Time
	tasks      map[*model.Task]bool
	taskIDs    map[model.TaskID]bool
	parents    map[model.TaskID]model.TaskID
	works      map[workKey]*model.Work
	linked     int
	old        int  // spans
	misused    bool // regions do not nest
}

type workKey struct {
	task *model.Task
	g    *model.Goroutine
}

type goroutine struct {
	g       *model.Goroutine
	end     model.Time // of the last state
	next    model.StateKind
	open    bool
	onProc  model.Time      // running, or in a system call with its P, by the states
	run     model.Time      // by the runs
	regions []*model.Region // by their beginnings
	works   []*model.Work   // likewise
	turned  model.Time      // when works changed last
}

const maxErrors = 20

// NewValidator returns a validator in front of next.
func NewValidator(next model.Sink) *Validator {
	return &Validator{
		Sink:       next,
		edges:      make(map[model.Time]bool),
		slots:      make(map[int]*goroutine),
		ids:        make(map[model.GoID]bool),
		procs:      make(map[model.ProcID]model.Time),
		procStates: make(map[model.ProcID]model.Time),
		threads:    make(map[model.ThreadID]model.Time),
		tasks:      make(map[*model.Task]bool),
		taskIDs:    make(map[model.TaskID]bool),
		parents:    make(map[model.TaskID]model.TaskID),
		works:      make(map[workKey]*model.Work),
	}
}

func (v *Validator) errorf(format string, args ...any) {
	if len(v.Errors) < maxErrors {
		v.Errors = append(v.Errors, fmt.Errorf("at %d: "+format, append([]any{v.now}, args...)...))
	}
}

// at checks the moment of a call: time never goes backwards.
func (v *Validator) at(t model.Time, what string) {
	if !v.begun || v.ended {
		v.errorf("%s outside of Begin and End", what)
	}
	if t < v.now {
		v.errorf("%s goes back to %d", what, t)
	}
	v.now = max(v.now, t)
}

// span checks an interval that ends at the moment of the call.
func (v *Validator) span(start, end model.Time, before, open bool, what string) {
	v.at(end, what)
	if start > end || start < v.trace.Start {
		v.errorf("%s from %d to %d", what, start, end)
	}
	if before && !v.edges[start] {
		v.errorf("%s from before the trace starts at %d", what, start)
	}
}

// alive finds what is known of a goroutine that a call names.
func (v *Validator) alive(g *model.Goroutine, what string) *goroutine {
	s := v.slots[g.Slot]
	if s == nil || s.g != g {
		v.errorf("%s of G%d, which is not alive", what, g.ID)
		return &goroutine{g: g}
	}
	return s
}

func (v *Validator) Begin(t *model.Trace) {
	if v.begun {
		v.errorf("Begin twice")
	}
	v.begun, v.trace, v.now = true, *t, t.Start
	v.edges[t.Start] = true
	v.Sink.Begin(t)
}

func (v *Validator) GoroutineStart(g *model.Goroutine) {
	if g.Before {
		if !v.edges[g.Start] {
			v.errorf("G%d from before the trace starts at %d", g.ID, g.Start)
		}
		if v.syncs > v.gapSync+1 {
			v.errorf("G%d from before the trace announced after Sync %d", g.ID, v.syncs)
		}
	} else {
		v.at(g.Start, "GoroutineStart")
	}
	if v.slots[g.Slot] != nil {
		v.errorf("G%d has the slot of G%d", g.ID, v.slots[g.Slot].g.ID)
	}
	if v.ids[g.ID] {
		v.errorf("two goroutines G%d are alive", g.ID)
	}
	if g.Creator != nil {
		v.alive(g.Creator, "creation by")
	}
	v.ids[g.ID] = true
	v.announced++
	v.slots[g.Slot] = &goroutine{g: g, end: g.Start, next: g.State}
	v.Sink.GoroutineStart(g)
}

func (v *Validator) GoroutineState(g *model.Goroutine, s *model.GoState) {
	if s.Kind != model.Unknown { // which ends when a status tells what followed it
		v.span(s.Start, s.End, s.Before, s.Open, "state "+s.Kind.String())
	}
	k := v.alive(g, "state")
	if s.Start != k.end {
		v.errorf("G%d %v starts at %d, the last state ended at %d", g.ID, s.Kind, s.Start, k.end)
	}
	if s.Kind != k.next {
		v.errorf("G%d is %v, not %v", g.ID, s.Kind, k.next)
	}
	if k.open {
		v.errorf("G%d has a state after an open one", g.ID)
	}
	switch s.Kind {
	case model.Waiting:
		if s.Reason == "" {
			v.errorf("G%d waits without a reason", g.ID)
		}
		if s.Waker.Goroutine != nil && !s.Open {
			v.alive(s.Waker.Goroutine, "waking by")
		}
	case model.Running:
		if s.Proc == model.NoProc {
			v.errorf("G%d runs without a P", g.ID)
		}
		k.onProc += s.Duration()
	case model.Syscall:
		if s.ProcLost < s.Start || s.ProcLost > s.End {
			v.errorf("G%d loses its P at %d, in a system call from %d to %d", g.ID, s.ProcLost, s.Start, s.End)
		}
		k.onProc += s.ProcLost - s.Start
	case model.NotExist:
		v.errorf("G%d is %v", g.ID, s.Kind)
	}
	k.end, k.next, k.open = s.End, s.Next, s.Open && (s.Next != model.Unknown || s.Kind == model.Unknown)
	v.Sink.GoroutineState(g, s)
}

func (v *Validator) GoroutineEnd(g *model.Goroutine) {
	v.span(g.Start, g.End, g.Before, g.Open, "goroutine")
	k := v.alive(g, "end")
	if k.end != g.End {
		v.errorf("G%d ends at %d, its last state at %d", g.ID, g.End, k.end)
	}
	if k.open != g.Open || !g.Open && k.next != model.NotExist {
		v.errorf("G%d ends in the midst of its states", g.ID)
	}
	if k.onProc != k.run {
		v.errorf("G%d held a P for %d ns by its states, for %d ns by the runs", g.ID, k.onProc, k.run)
	}
	if len(k.regions) > 0 {
		v.errorf("G%d ends with %d open regions", g.ID, len(k.regions))
	}
	if len(k.works) > 0 || g.Work() != nil && !g.Open {
		v.errorf("G%d ends at work", g.ID)
	}
	v.Sink.GoroutineEnd(g)
	delete(v.slots, g.Slot)
	delete(v.ids, g.ID)
}

func (v *Validator) Run(r *model.Run) {
	v.span(r.Start, r.End, r.Before, r.Open, "run")
	if end, ok := v.procs[r.Proc]; ok && r.Start < end {
		v.errorf("P%d runs G%d from %d, and another until %d", r.Proc, r.Goroutine.ID, r.Start, end)
	}
	v.procs[r.Proc] = r.End
	if r.Thread != model.NoThread {
		if end, ok := v.threads[r.Thread]; ok && r.Start < end {
			v.errorf("thread %d runs G%d from %d, and another until %d", r.Thread, r.Goroutine.ID, r.Start, end)
		}
		v.threads[r.Thread] = r.End
	}
	v.alive(r.Goroutine, "run").run += r.End - r.Start
	v.Sink.Run(r)
}

func (v *Validator) ProcState(s *model.ProcState) {
	v.span(s.Start, s.End, s.Before, s.Open, "P state")
	if end, ok := v.procStates[s.Proc]; ok && end != s.Start {
		v.errorf("P%d has a state from %d, the last one ended at %d", s.Proc, s.Start, end)
	}
	v.procStates[s.Proc] = s.End
	v.Sink.ProcState(s)
}

func (v *Validator) RegionStart(r *model.Region) {
	if r.Before {
		if !v.edges[r.Start] && r.Start != r.Goroutine.Start {
			v.errorf("region %q from before the trace starts at %d", r.Type, r.Start)
		}
	} else {
		v.at(r.Start, "RegionStart")
	}
	k := v.alive(r.Goroutine, "region")
	if n := len(k.regions); r.Before && n > 0 && !k.regions[n-1].Before && v.gapSync == 0 {
		v.errorf("region %q from before the trace is inside %q", r.Type, k.regions[len(k.regions)-1].Type)
	}
	if r.Task != nil {
		if !v.tasks[r.Task] {
			v.errorf("region %q of a task that is not open", r.Type)
		}
		if w := r.Goroutine.Work(); !r.Before && (w == nil || w.Task != r.Task) {
			v.errorf("G%d enters a region of task %d, but is not at work for it", r.Goroutine.ID, r.TaskID)
		}
	}
	for _, o := range k.regions {
		if o.Depth == r.Depth {
			v.errorf("regions %q and %q have the same depth", o.Type, r.Type)
		}
	}
	k.regions = append(k.regions, r)
	v.Sink.RegionStart(r)
}

func (v *Validator) RegionEnd(r *model.Region) {
	v.span(r.Start, r.End, r.Before, r.Open, "region")
	k := v.alive(r.Goroutine, "region")
	switch i := slices.Index(k.regions, r); {
	case i < 0:
		v.errorf("region %q ends, which is not open", r.Type)
	default:
		v.misused = v.misused || i < len(k.regions)-1
		k.regions = slices.Delete(k.regions, i, i+1)
	}
	v.Sink.RegionEnd(r)
}

func (v *Validator) TaskStart(t *model.Task) {
	if !t.Before {
		v.at(t.Start, "TaskStart")
	} else if !v.edges[t.Start] {
		v.errorf("task %d from before the trace starts at %d", t.ID, t.Start)
	}
	if t.Parent != nil && !v.tasks[t.Parent] {
		v.errorf("task %d has a parent that is not open", t.ID)
	}
	if v.taskIDs[t.ID] {
		v.errorf("task %d starts twice", t.ID)
	}
	v.tasks[t], v.taskIDs[t.ID] = true, true
	v.parents[t.ID] = t.ParentID
	if t.Span != nil {
		v.linked++
	}
	v.Sink.TaskStart(t)
}

func (v *Validator) TaskEnd(t *model.Task) {
	v.span(t.Start, t.End, t.Before, t.Open, "task")
	if !v.tasks[t] {
		v.errorf("task %d ends, which is not open", t.ID)
	}
	if p := t.Parent; p != nil && (!v.tasks[p] || !v.within(t, p)) {
		v.errorf("task %d ends in task %d, which is not open or no ancestor", t.ID, p.ID)
	}
	v.Sink.TaskEnd(t)
	delete(v.tasks, t)
}

func (v *Validator) OldSpan(s *model.OldSpan) {
	v.at(s.End, "OldSpan")
	v.alive(s.Goroutine, "old span")
	if s.Start > s.End {
		v.errorf("span %x starts at %d and ends at %d", s.SpanID, s.Start, s.End)
	}
	if id := s.TaskID; id != model.BackgroundTask && !v.taskIDs[id] {
		v.errorf("span %x is task %d, which never started", s.SpanID, id)
	}
	v.old++
	v.Sink.OldSpan(s)
}

func (v *Validator) Log(l *model.Log) {
	v.at(l.Time, "log")
	v.Sink.Log(l)
}

func (v *Validator) WorkStart(w *model.Work) {
	v.at(w.Start, "WorkStart")
	k := v.alive(w.Goroutine, "work")
	v.rests(k)
	if !v.tasks[w.Task] {
		v.errorf("G%d is at work for task %d, which is not open", w.Goroutine.ID, w.Task.ID)
	}
	key := workKey{w.Task, w.Goroutine}
	if v.works[key] != nil {
		v.errorf("G%d is at work for task %d twice", w.Goroutine.ID, w.Task.ID)
	}
	if w.Goroutine.Work() != w {
		v.errorf("new work of G%d is not the innermost", w.Goroutine.ID)
	}
	v.works[key] = w
	k.works = append(k.works, w)
	v.Sink.WorkStart(w)
}

func (v *Validator) WorkEnd(w *model.Work) {
	v.span(w.Start, w.End, false, false, "work")
	k := v.alive(w.Goroutine, "work")
	v.rests(k)
	key := workKey{w.Task, w.Goroutine}
	if v.works[key] != w {
		v.errorf("G%d is not at work for task %d", w.Goroutine.ID, w.Task.ID)
	}
	delete(v.works, key)
	if i := slices.Index(k.works, w); i >= 0 {
		k.works = slices.Delete(k.works, i, i+1)
	}
	var innermost *model.Work
	if n := len(k.works); n > 0 {
		innermost = k.works[n-1]
	}
	if w.Goroutine.Work() != innermost {
		v.errorf("G%d is not at work for what it began last and has not ended", w.Goroutine.ID)
	}
	v.Sink.WorkEnd(w)
}

// rests checks what a goroutine worked for since its works changed last: one task
// and ancestors of it. Works that start and end at the same moment may overlap.
func (v *Validator) rests(k *goroutine) {
	if k.turned < v.now {
		for i := 1; i < len(k.works); i++ {
			if outer, inner := k.works[i-1].Task, k.works[i].Task; !v.within(inner, outer) {
				v.errorf("G%d was at work for tasks %d and %d at once", k.g.ID, outer.ID, inner.ID)
			}
		}
	}
	k.turned = v.now
}

// within reports whether a task is an ancestor of another one.
func (v *Validator) within(t, ancestor *model.Task) bool {
	for id := t.ParentID; id != model.BackgroundTask; id = v.parents[id] {
		if id == ancestor.ID {
			return true
		}
	}
	return false
}

func (v *Validator) Range(r *model.Range) {
	v.span(r.Start, r.End, r.Before, r.Open, "range "+r.Name)
	if r.Goroutine != nil {
		v.alive(r.Goroutine, "range")
	}
	v.Sink.Range(r)
}

func (v *Validator) Metric(m *model.Metric) {
	v.at(m.Time, "metric")
	v.Sink.Metric(m)
}

func (v *Validator) Sample(s *model.Sample) {
	v.at(s.Time, "sample")
	if s.Goroutine != nil {
		v.alive(s.Goroutine, "sample")
	}
	v.Sink.Sample(s)
}

func (v *Validator) Sync(s *model.Sync) {
	v.at(s.Time, "sync")
	if v.syncs++; s.N != v.syncs {
		v.errorf("Sync %d is the %dth", s.N, v.syncs)
	}
	v.Sink.Sync(s)
}

func (v *Validator) Gap(g *model.Gap) {
	v.at(g.Start, "gap")
	if v.now = max(v.now, g.End); g.Damage == nil || g.End < g.Start || g.Open && g.End != g.Start {
		v.errorf("gap %+v", *g)
	}
	if !g.Open {
		for _, k := range v.slots {
			if k.next != model.Unknown {
				v.errorf("G%d is %v in a gap", k.g.ID, k.next)
			}
		}
		v.edges[g.End], v.gapSync = true, v.syncs
		clear(v.procStates)
		clear(v.taskIDs) // one may have ended in the gap, and be named later
		for t := range v.tasks {
			v.taskIDs[t.ID] = true
		}
	}
	v.Sink.Gap(g)
}

func (v *Validator) End(s *model.Summary) {
	v.at(s.End, "End")
	v.ended = true
	if len(v.slots) > 0 {
		v.errorf("%d goroutines without an end", len(v.slots))
	}
	if len(v.tasks) > 0 {
		v.errorf("%d tasks without an end", len(v.tasks))
	}
	if len(v.works) > 0 {
		v.errorf("%d goroutines at work without an end", len(v.works))
	}
	if s.OldSpans != v.old {
		v.errorf("%d old spans counted, %d reported", s.OldSpans, v.old)
	}
	if s.LinkedSpans != v.linked {
		v.errorf("%d linked spans counted, %d announced", s.LinkedSpans, v.linked)
	}
	if s.Goroutines != v.announced {
		v.errorf("%d goroutines counted, %d announced", s.Goroutines, v.announced)
	}
	if v.misused && len(s.Misuse) == 0 {
		v.errorf("regions do not nest, and no misuse is counted")
	}
	for what, n := range s.Inconsistent {
		v.errorf("inconsistent: %s, %d times", what, n)
	}
	v.Sink.End(s)
}
