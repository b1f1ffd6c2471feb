package report

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/histogram"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// PercentileError is the largest relative error of a percentile.
const PercentileError = histogram.MaxError

// Report sums up a trace. Lists are sorted, the most important first.
type Report struct {
	// Trace is what was read; nil in a Report that was read from JSON.
	Trace    *model.Summary `json:"-"`
	Overview Overview       `json:"overview"`
	// Why is what the units of work spent their time on; nil if Options.NoUnits is set,
	// and in a Report that was read from JSON.
	Why *Why `json:"-"`
	// Selected is what there was of Options.Selection; nil if everything is selected.
	Selected *Selected `json:"selected,omitempty"`
	Suspects []Suspect `json:"suspects"`
	// Goroutines are by start function.
	Goroutines []Group `json:"goroutines"`
	// Singles are single goroutines, see Options.Singles.
	Singles []Single `json:"singles,omitempty"`
	// Blocking is by reason and place.
	Blocking   []Blocking `json:"blocking"`
	Scheduling Scheduling `json:"scheduling"`
	GC         GC         `json:"gc"`
	// Tasks and Regions are by type.
	Tasks   []Annotation `json:"tasks"`
	Regions []Annotation `json:"regions"`
	// Unit is the kind of the units of work that have a critical path, see
	// [critical.Kind]; "" if there are none. Units has those that are neither tasks nor
	// regions: requests by handler, lives of goroutines by start function.
	Unit  string  `json:"unit"`
	Units []Units `json:"units"`
	// Latencies says of each type of the units how latencies are spread, if
	// Options.Selection limits anything.
	Latencies []Latencies `json:"latencies,omitempty"`
	// Goroutine is the one that Options.Goroutine asks for; nil if it is not in
	// the trace.
	Goroutine *Goroutine `json:"goroutine,omitempty"`
	// CannotTell has what the trace does not tell, as sentences.
	CannotTell []string `json:"cannot_tell"`
	// PercentileError is the largest relative error of all percentiles.
	PercentileError float64 `json:"percentile_error"`
}

// Options say what to report.
type Options struct {
	// Selection limits goroutines, blocking, scheduler latency, assists, tasks and
	// regions, and what is suspect of these, to some goroutines and to work for some
	// tasks. A region counts if the goroutine is at work when it begins. The overview,
	// the queue of runnable goroutines, GC cycles and pauses are the program's.
	model.Selection
	// Goroutine is reported alone too; 0 for none.
	Goroutine model.GoID
	// Units says which units of work to find; those of Selection are. The path is kept of
	// its TaskID, of the spans of its TraceID, and of those that Units.Keep wants. NoUnits
	// is for none.
	Units   critical.SumOptions
	NoUnits bool
	// Singles is how many of the selected goroutines are reported one by one, negative
	// for all: those with the most in the column SinglesBy, "" for exec; see Columns.
	Singles   int
	SinglesBy string
	// Worst is how many worst cases are kept where single ones are reported; 0
	// for 10.
	Worst int
	// MMULengths are the lengths of time for which the minimum mutator utilization is
	// computed; nil for lengths from 1 ms to 1 s.
	MMULengths []time.Duration
}

// Selected is what there was of a selection.
type Selected struct {
	// Goroutines is how many goroutines were selected, and at work for the tasks that
	// are selected, if any are.
	Goroutines int64 `json:"goroutines"`
	// Tasks is how many tasks the selection names, without their subtasks.
	Tasks int `json:"tasks"`
}

// Read reads a Go execution trace from r and reports on it. The report is nil if
// nothing could be read; errors are those of [model.Read]. With a
// *[model.Damage], the report is on what comes before it.
//
// For a part of a trace, see [New] and [model.ReadWindow].
func Read(ctx context.Context, r io.Reader, opts Options) (*Report, error) {
	b := New(opts)
	sum, err := model.Read(ctx, r, b)
	if sum == nil {
		return nil, err
	}
	return b.Report(), err
}

// Builder is the sink that sums up a trace.
type Builder struct {
	model.NopSink
	opts    Options
	trace   model.Trace
	summary *model.Summary

	goroutines model.BySlot[goroutine]
	ledger     times.Ledger
	places     places

	share         share
	selectedTasks *model.SelectedTasks
	found         model.Found

	procs     procs
	groups    groups
	singles   singles
	sched     scheduling
	gc        gc
	mmu       mmu
	running   running
	tasks     annotations
	regions   annotations
	taskTimes *times.Tasks
	begunBy   map[*model.Task]model.GoID // open tasks
	leaks     leaks
	growing   growing
	life      *life
	why       *why
	hadTask   bool // one has begun

	merged *merged // nil for one trace
}

var _ model.Sink = (*Builder)(nil)

// New returns a sink that reports when it has got a whole trace.
func New(opts Options) *Builder {
	if opts.Worst <= 0 {
		opts.Worst = 10
	}
	if opts.MMULengths == nil {
		opts.MMULengths = defaultLengths
	}
	b := &Builder{opts: opts, why: newWhy(&opts)}
	b.share = *b.newShare()
	b.taskTimes, b.begunBy = times.NewTasks(&b.ledger), make(map[*model.Task]model.GoID)
	b.selectedTasks = model.NewSelectedTasks(&b.opts.Selection, &b.found)
	b.gc.keep = opts.Worst
	b.singles = singles{by: cmp.Or(opts.SinglesBy, "exec"), keep: opts.Singles}
	if opts.Goroutine != 0 {
		b.life = newLife(opts.Goroutine, opts.Worst)
	}
	return b
}

// Found tells what there was of the selection. What the options do not limit may be 0.
func (b *Builder) Found() model.Found { return b.found }

// goroutine is what is known of one that is alive.
type goroutine struct {
	// until is the end of the last state that was reported, and prev its kind.
	until model.Time
	prev  model.StateKind
	waker model.GoID // that ended it, if it was a wait; 0 for none
	// inRequest says that it was started to handle an HTTP request.
	inRequest bool
	// running is one more than the index in Builder.running, 0 for none.
	running   int
	assists   int64
	maxAssist model.Time
	// maxAssistAt is when the longest assist began.
	maxAssistAt model.Time
	regions     []regionStint // by Depth
	selected    *selected     // nil if everything is
}

func (b *Builder) Begin(t *model.Trace) {
	b.why.Begin(t)
	b.trace = *t
	b.sched.begin(t.Start)
	b.mmu.init(b.opts.MMULengths)
}

func (b *Builder) GoroutineStart(g *model.Goroutine) {
	b.why.GoroutineStart(g)
	b.ledger.GoroutineStart(g)
	gr := b.goroutines.Of(g)
	*gr = goroutine{until: g.Start, regions: gr.regions}
	b.startedInRequest(g, gr)
	if !b.opts.All() {
		gr.selected = &selected{}
		gr.selected.work.Reset(g.Start)
		b.selects(g, gr)
	}
	switch g.State {
	case model.Runnable:
		if !g.Before {
			b.sched.enqueued(g.Start)
		} else {
			b.sched.foundRunnable()
		}
	case model.Running:
		b.running.add(gr, g.Slot, g.Start)
	}
	if b.life != nil && g.ID == b.life.id {
		b.life.start(g)
	}
}

func (b *Builder) GoroutineState(g *model.Goroutine, s *model.GoState) {
	b.why.GoroutineState(g, s)
	b.ledger.GoroutineState(g, s)
	gr := b.goroutines.Of(g)
	switch s.Kind {
	case model.Running:
		if since, ok := g.Assist(); ok {
			b.assisted(gr, s, since, s.End)
		}
	case model.Runnable:
		b.sched.waited(g, s)
	}
	switch {
	case gr.selected != nil:
		b.sumSelected(g, gr, s)
	case s.Kind != model.Running:
		b.sumPart(&b.share, g, gr, s, divided(s))
	}
	if !s.Open {
		switch s.Next {
		case model.Runnable:
			b.sched.enqueued(s.End)
		case model.Running:
			b.running.add(gr, g.Slot, s.End)
		}
	}
	gr.until, gr.prev = s.End, s.Kind
	if gr.waker = 0; s.Waker.Goroutine != nil {
		gr.waker = s.Waker.Goroutine.ID
	}
	if b.life != nil && g.ID == b.life.id {
		b.life.state(g, s)
	}
}

// sumPart sums up d of a state.
func (b *Builder) sumPart(sh *share, g *model.Goroutine, gr *goroutine, s *model.GoState, d model.Time) {
	switch s.Kind {
	case model.Runnable:
		sh.latency.waited(g, s, d, gr.prev, gr.waker)
	case model.Waiting:
		b.waited(sh, g, gr, s, d)
	case model.Syscall:
		b.syscallEnded(sh, g, gr, s, d)
	}
}

func (b *Builder) GoroutineEnd(g *model.Goroutine) {
	b.why.GoroutineEnd(g)
	gr := b.goroutines.Of(g)
	b.running.remove(&b.goroutines, gr)
	b.leaks.signals = b.leaks.signals || g.Func == signalLoop
	b.groups.all.Add(b.ledger.Times(g))
	if t := b.timesOf(g, gr); t != nil {
		b.groups.add(g, gr, t)
		b.singles.add(b, g, t)
		b.growing.add(b, g)
	}
	if b.life != nil && g.ID == b.life.id {
		b.life.end(g, b.ledger.Times(g))
	}
}

func (b *Builder) Run(r *model.Run) {
	b.why.Run(r)
	b.procs.run(r)
	if isMarkWorker(r.Label) {
		b.mmu.interval(r.Start, r.End, 1, 0)
	}
	b.running.remove(&b.goroutines, b.goroutines.Of(r.Goroutine))
	b.mmu.advance(b.running.since)
}

func (b *Builder) ProcState(s *model.ProcState) {
	b.procs.state(s)
	b.sched.proc(s)
}

// maxProcs is above every GOMAXPROCS, except for those that damage makes.
const maxProcs = 1 << 20

func (b *Builder) Metric(m *model.Metric) {
	switch m.Name {
	case model.GOMAXPROCS:
		n := int(min(m.Value, maxProcs))
		b.procs.setMax(m.Time, n)
		b.sched.setProcs(n, m.Time)
		b.mmu.setProcs(m.Time, n)
	default:
		b.gc.metric(m)
	}
}

func (b *Builder) Range(r *model.Range) {
	b.why.Range(r)
	b.gc.add(r, b.trace.Origin)
	switch r.Kind {
	case model.StopTheWorld:
		if strings.Contains(r.Name, "GC") {
			b.mmu.interval(r.Start, r.End, 0, 1)
		}
	case model.MarkAssist:
		if r.Goroutine != nil {
			b.assistEnded(r)
		}
	}
}

func (b *Builder) Log(l *model.Log) { b.why.Log(l) }

func (b *Builder) End(s *model.Summary) {
	sum := *s
	b.summary = &sum
	b.sched.end(s.End)
	b.procs.end(s.End)
	b.mmu.end(s.End)
	b.leaks.end(s)
}

// Report is the report of the trace that has ended.
func (b *Builder) Report() *Report {
	r := &Report{
		Trace:           b.summary,
		Overview:        b.overview(),
		Goroutines:      b.groups.report(b),
		Scheduling:      b.sched.report(b.summary, &b.share.latency),
		GC:              b.gcReport(),
		Tasks:           b.tasks.report(&b.ledger.Reasons, b.trace.Origin),
		Regions:         b.regions.report(&b.ledger.Reasons, b.trace.Origin),
		CannotTell:      b.cannotTell(),
		PercentileError: PercentileError,
	}
	if b.merged != nil {
		r.Scheduling.Runnable = Timeline{Mean: []float64{}}
	}
	if !b.opts.All() {
		r.Selected = &Selected{Tasks: b.found.Tasks}
		for _, g := range r.Goroutines {
			r.Selected.Goroutines += g.Count
		}
	}
	b.singles.cut()
	r.Singles = slices.Clone(b.singles.list)
	r.Why = b.why.report(b.trace.Origin, b.found.Spans)
	if r.Why != nil {
		r.Why.part = b.summary.IsPart()
	}
	if b.merged != nil && r.Why != nil {
		r.Why.dir = commonFolder(b.merged.files)
	}
	r.Blocking = b.blockings(r.Why)
	r.Suspects = b.suspects(r.Why, &r.Overview.Procs)
	r.addPaths()
	if b.life != nil {
		r.Goroutine = b.life.report(b)
	}
	return r
}

// since is a moment as users see it: the time since the trace began.
func (b *Builder) since(t model.Time) time.Duration { return time.Duration(t - b.trace.Origin) }

// Limit shortens all lists to their first n entries.
func (r *Report) Limit(n int) {
	r.Suspects = first(r.Suspects, n)
	r.Goroutines = first(r.Goroutines, n)
	r.Singles = first(r.Singles, n)
	r.Blocking = first(r.Blocking, n)
	for i := range r.Blocking {
		r.Blocking[i].EndedBy = first(r.Blocking[i].EndedBy, n)
	}
	r.Scheduling.Worst = first(r.Scheduling.Worst, n)
	r.GC.Pauses = first(r.GC.Pauses, n)
	r.GC.Assists = first(r.GC.Assists, n)
	r.Tasks = first(r.Tasks, n)
	r.Regions = first(r.Regions, n)
	r.Units = first(r.Units, n)
	if g := r.Goroutine; g != nil {
		g.Waits, g.Longest = first(g.Waits, n), first(g.Longest, n)
	}
}

func first[T any](list []T, n int) []T { return list[:min(n, len(list))] }

// compare orders by numbers, and what has the same number by name.
func compare[T cmp.Ordered](a, b T, nameA, nameB string) int {
	return cmp.Or(cmp.Compare(a, b), strings.Compare(nameA, nameB))
}
