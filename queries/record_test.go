package queries_test

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/model"
)

// record is a sink that keeps what the queries are about: what each goroutine did,
// and who made it do that.
type record struct {
	model.NopSink
	trace      model.Trace
	summary    model.Summary
	goroutines []*goroutine
	alive      map[*model.Goroutine]*goroutine
	runs       []run
	ranges     []rangeOf
	tasks      []*task
	open       map[*model.Task]*task
	regions    []region
	gomaxprocs []model.Metric
}

type goroutine struct {
	id           model.GoID
	function     string
	start, end   model.Time
	before, open bool
	creator      *goroutine
	place        string // of the go statement
	states       []state
}

type state struct {
	kind       model.StateKind
	start, end model.Time
	open       bool
	lost       model.Time // ProcLost
	reason     string
	place      string
	next       model.StateKind
	waker      *goroutine // of a wait
}

type run struct {
	proc       model.ProcID
	g          *goroutine
	start, end model.Time
	label      string
}

type rangeOf struct {
	kind       model.RangeKind
	name       string
	g          *goroutine
	start, end model.Time
}

type task struct {
	id, parent   model.TaskID
	typ          string
	start, end   model.Time
	before, open bool
	starter      *goroutine
	ender        *goroutine
}

type region struct {
	typ        string
	g          *goroutine
	start, end model.Time
	open       bool
}

func newRecord() *record {
	return &record{alive: make(map[*model.Goroutine]*goroutine), open: make(map[*model.Task]*task)}
}

const noStack = "(no stack)"

// place is what the queries call a place.
func place(s *model.Stack) string {
	at := s.Place()
	if at == nil {
		return noStack
	}
	return fmt.Sprintf("%s:%d", at.Func, at.Line)
}

func (r *record) of(g *model.Goroutine) *goroutine {
	if g == nil {
		return nil
	}
	return r.alive[g]
}

func (r *record) Begin(t *model.Trace) { r.trace = *t }

func (r *record) GoroutineStart(g *model.Goroutine) {
	k := &goroutine{id: g.ID, start: g.Start, before: g.Before, creator: r.of(g.Creator), place: place(g.Creation)}
	if g.State == model.Syscall && !g.Before {
		k.function = "(callbacks from C threads)"
	}
	r.alive[g] = k
	r.goroutines = append(r.goroutines, k)
}

func (r *record) GoroutineState(g *model.Goroutine, s *model.GoState) {
	k := r.alive[g]
	k.states = append(k.states, state{s.Kind, s.Start, s.End, s.Open, s.ProcLost, s.Reason, place(s.Stack), s.Next, r.of(s.Waker.Goroutine)})
}

func (r *record) GoroutineEnd(g *model.Goroutine) {
	k := r.alive[g]
	delete(r.alive, g)
	k.end, k.open = g.End, g.Open
	if k.function == "" {
		k.function = cmp.Or(g.Func, "(unknown start function)")
	}
}

func (r *record) Run(x *model.Run) {
	r.runs = append(r.runs, run{x.Proc, r.of(x.Goroutine), x.Start, x.End, x.Label})
}

func (r *record) Range(x *model.Range) {
	r.ranges = append(r.ranges, rangeOf{x.Kind, x.Name, r.of(x.Goroutine), x.Start, x.End})
}

func (r *record) TaskStart(t *model.Task) {
	r.open[t] = &task{id: t.ID, parent: t.ParentID, typ: cmp.Or(t.Type, "(task from before the trace)"), start: t.Start, before: t.Before, starter: r.of(t.Goroutine)}
	r.tasks = append(r.tasks, r.open[t])
}

func (r *record) TaskEnd(t *model.Task) {
	k := r.open[t]
	delete(r.open, t)
	k.end, k.open, k.ender = t.End, t.Open, r.of(t.EndGoroutine)
}

func (r *record) RegionEnd(x *model.Region) {
	r.regions = append(r.regions, region{x.Type, r.of(x.Goroutine), x.Start, x.End, x.Open})
}

func (r *record) Metric(m *model.Metric) {
	if m.Name == "/sched/gomaxprocs:threads" {
		r.gomaxprocs = append(r.gomaxprocs, *m)
	}
}

func (r *record) End(s *model.Summary) { r.summary = *s }

// wait is a time in which a goroutine was blocked.
type wait struct {
	g             *goroutine
	start, end    model.Time
	reason, place string
}

func (w *wait) dur() model.Time { return w.end - w.start }

// waits are all of them, with the stack that a slice would show.
func (r *record) waits() (ws []wait) {
	for _, g := range r.goroutines {
		for _, s := range g.states {
			switch {
			case s.kind == model.Waiting && s.end > s.start:
				ws = append(ws, wait{g, s.start, s.end, s.reason, s.place})
			case s.kind == model.Syscall && s.end > s.lost:
				ws = append(ws, wait{g, s.lost, s.end, "syscall", s.place})
			}
		}
	}
	return ws
}

// hasSlice reports whether a wait or a system call is long enough for a slice.
func (s *state) hasSlice() bool { return s.end-s.start >= model.Time(perfetto.DefaultMinBlock) }

// woken is a moment from which a goroutine was runnable without having run
// just before.
type woken struct {
	g, by   *goroutine // by is nil for the scheduler
	ended   string
	waited  model.Time
	latency model.Time // -1 if it did not run any more
}

func (r *record) wakings() (ws []woken) {
	for _, g := range r.goroutines {
		for i, s := range g.states {
			if s.kind != model.Runnable {
				continue
			}
			w := woken{g: g, latency: -1}
			if !s.open && s.next == model.Running {
				w.latency = s.end - s.start
			}
			switch {
			case i == 0 && !g.before:
				w.by, w.ended = g.creator, "(go statement)"
			case i > 0 && g.states[i-1].kind == model.Waiting:
				last := g.states[i-1]
				w.by, w.ended, w.waited = last.waker, last.reason, last.end-last.start
			case i > 0 && g.states[i-1].kind == model.Syscall && g.states[i-1].lost < s.start:
				w.ended, w.waited = "syscall", s.start-g.states[i-1].lost
			default:
				continue
			}
			ws = append(ws, w)
		}
	}
	return ws
}

// piece is a part of a critical path.
type piece struct {
	g             *goroutine
	state, reason string
	dur           model.Time
}

// criticalPath gives what g did from start to end, with who it waited for in place
// of itself.
func criticalPath(g *goroutine, start, end model.Time) (path []piece) {
	if start >= end {
		return nil
	}
	if begin := min(g.start, end); start < begin {
		if g.creator != nil && begin < end {
			path = append(path, criticalPath(g.creator, start, begin)...)
		} else {
			path = append(path, piece{g, "not created yet", "", begin - start})
		}
		start = begin
	}
	add := func(from, to model.Time, state, reason string) {
		if from, to = max(from, start), min(to, end); from < to {
			path = append(path, piece{g, state, reason, to - from})
		}
	}
	first, _ := slices.BinarySearchFunc(g.states, start, func(s state, t model.Time) int { return cmp.Compare(s.end, t+1) })
	for _, s := range g.states[first:] {
		if s.start >= end {
			break
		}
		switch s.kind {
		case model.Running:
			add(s.start, s.end, "running", "")
		case model.Runnable:
			add(s.start, s.end, "runnable", "")
		case model.Unknown:
			add(s.start, s.end, "unknown", "")
		case model.Syscall:
			add(s.start, s.lost, "running", "")
			add(s.lost, s.end, "in a system call, without a P", "syscall")
		case model.Waiting:
			if s.waker != nil && !s.open && s.end < end {
				path = append(path, criticalPath(s.waker, max(s.start, start), s.end)...)
			} else {
				add(s.start, s.end, "waiting", s.reason)
			}
		}
	}
	return path
}

// onProc are the times at which goroutines held a P.
func onProc(runs []run) map[*goroutine][]run {
	m := make(map[*goroutine][]run)
	for _, r := range runs {
		m[r.g] = append(m[r.g], r)
	}
	return m
}

// within adds up how long the runs were in an interval; they are in order.
func within(runs []run, start, end model.Time) (sum model.Time) {
	first, _ := slices.BinarySearchFunc(runs, start, func(r run, t model.Time) int { return cmp.Compare(r.end, t) })
	for _, r := range runs[first:] {
		if r.start >= end {
			break
		}
		sum += max(0, min(r.end, end)-max(r.start, start))
	}
	return sum
}
