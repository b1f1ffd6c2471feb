package report

import (
	"cmp"
	"context"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/histogram"
	"github.com/trace2x/trace2x/model"
)

// PercentileError is the largest relative error of a percentile.
const PercentileError = histogram.MaxError

// Report is what there is to tell of a trace. Lists are sorted, the most
// important first.
type Report struct {
	// Trace is what was read; nil in a Report that was read from JSON.
	Trace    *model.Summary `json:"-"`
	Overview Overview       `json:"overview"`
	// Why is what the units of work spent their time on; nil if Options.NoUnits is set,
	// and in a Report that was read from JSON.
	Why      *Why      `json:"-"`
	Suspects []Suspect `json:"suspects"`
	// Goroutines are by start function.
	Goroutines []Group `json:"goroutines"`
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
	// Window is the part of the trace that Read sums up.
	Window model.Window
	// Goroutine is reported alone too; 0 for none.
	Goroutine model.GoID
	// Units says which units of work to find, and of which to keep the path. NoUnits is
	// for none.
	Units critical.SumOptions
	// TaskID, Task and TraceID limit the units to some tasks: one, those whose type
	// matches, those that are spans of a distributed trace. The paths of one task, and
	// of the spans of one trace, are kept.
	TaskID  model.TaskID
	Task    *regexp.Regexp
	TraceID [16]byte
	NoUnits bool
	// Worst is how many worst cases are kept where single ones are reported; 0
	// for 10.
	Worst int
	// Windows are those of the minimum mutator utilization; nil for windows from
	// 1 ms to 1 s.
	Windows []time.Duration
}

// Read reads a Go execution trace from r and reports on it. The report is nil if
// nothing could be read; errors are those of [model.Read]. With a
// *[model.Damage], the report is on what comes before it.
func Read(ctx context.Context, r io.Reader, opts Options) (*Report, error) {
	b := New(opts)
	sum, err := model.ReadWindow(ctx, r, b, opts.Window)
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

	slots   []goroutine // by Goroutine.Slot
	reasons reasons
	places  places

	procs     procs
	groups    groups
	blocking  blocking
	sched     scheduling
	gc        gc
	mmu       mmu
	running   running
	tasks     annotations
	regions   annotations
	openTasks map[*model.Task]*openTask
	done      sums // of a part of a goroutine's life, while it is added
	leaks     leaks
	growing   growing
	one       *one
	why       why
}

var _ model.Sink = (*Builder)(nil)

// New returns a sink that reports when it has got a whole trace.
func New(opts Options) *Builder {
	if opts.Worst <= 0 {
		opts.Worst = 10
	}
	if opts.Windows == nil {
		opts.Windows = defaultWindows
	}
	b := &Builder{opts: opts, why: newWhy(&opts)}
	b.sched.keep = opts.Worst
	b.gc.keep = opts.Worst
	if opts.Goroutine != 0 {
		b.one = newOne(opts.Goroutine, opts.Worst)
	}
	return b
}

// goroutine is what is known of one that is alive.
type goroutine struct {
	sums sums
	// until is the end of the last state that was reported, and prev its kind.
	until model.Time
	prev  model.StateKind
	// running is one more than the index in Builder.running, 0 for none.
	running   int
	assists   int64
	maxAssist model.Time
	atWork    *atWork // nil if it never was
	regions   []sums  // at their beginnings, by Depth
}

func (b *Builder) goroutine(g *model.Goroutine) *goroutine {
	for g.Slot >= len(b.slots) {
		b.slots = append(b.slots, goroutine{})
	}
	return &b.slots[g.Slot]
}

func (b *Builder) Begin(t *model.Trace) {
	b.why.Begin(t)
	b.trace = *t
	b.sched.begin(t.Start)
	b.mmu.init(b.opts.Windows)
}

func (b *Builder) GoroutineStart(g *model.Goroutine) {
	b.why.GoroutineStart(g)
	gr := b.goroutine(g)
	gr.sums.reset()
	*gr = goroutine{sums: gr.sums, until: g.Start, regions: gr.regions}
	switch g.State {
	case model.Runnable:
		if !g.Before {
			b.sched.enqueued(g.Start)
		} else {
			b.sched.foundRunnable()
		}
	case model.Running:
		b.running.add(b.slots, g, g.Start)
	}
	if b.one != nil && g.ID == b.one.id {
		b.one.start(g)
	}
}

func (b *Builder) GoroutineState(g *model.Goroutine, s *model.GoState) {
	b.why.GoroutineState(g, s)
	gr := b.goroutine(g)
	gr.sums.addState(s, s.Start, s.End, false, &b.reasons)
	switch s.Kind {
	case model.Running:
		if since, ok := g.Assist(); ok {
			b.assisted(gr, s, since, s.End)
		}
	case model.Runnable:
		b.sched.waited(g, s, gr.prev)
	case model.Waiting:
		b.waited(g, s)
	case model.Syscall:
		b.syscallEnded(g, s)
	}
	if !s.Open {
		switch s.Next {
		case model.Runnable:
			b.sched.enqueued(s.End)
		case model.Running:
			b.running.add(b.slots, g, s.End)
		}
	}
	gr.until, gr.prev = s.End, s.Kind
	if b.one != nil && g.ID == b.one.id {
		b.one.state(g, s)
	}
}

func (b *Builder) GoroutineEnd(g *model.Goroutine) {
	b.why.GoroutineEnd(g)
	b.running.remove(b.slots, g)
	gr := b.goroutine(g)
	b.groups.add(g, gr)
	b.growing.add(b, g)
	if b.one != nil && g.ID == b.one.id {
		b.one.end(g, gr)
	}
}

func (b *Builder) Run(r *model.Run) {
	b.why.Run(r)
	b.procs.run(r)
	if isMarkWorker(r.Label) {
		b.mmu.interval(r.Start, r.End, 1, 0)
	}
	b.running.remove(b.slots, r.Goroutine)
	b.mmu.advance(b.running.since)
}

func (b *Builder) ProcState(s *model.ProcState) {
	b.procs.state(s)
	b.sched.proc(s)
}

// maxProcs is above every GOMAXPROCS but those that damage makes.
const maxProcs = 1 << 20

func (b *Builder) Metric(m *model.Metric) {
	switch m.Name {
	case "/sched/gomaxprocs:threads":
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
	b.gc.add(r, b.trace.Start)
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

func (b *Builder) End(s *model.Summary) {
	sum := *s
	b.summary = &sum
	b.sched.end(s.End)
	b.procs.end(s.End)
	b.mmu.end(s.End)
}

// Report is the report of the trace that has ended.
func (b *Builder) Report() *Report {
	r := &Report{
		Trace:           b.summary,
		Overview:        b.overview(),
		Goroutines:      b.groups.report(&b.reasons),
		Blocking:        b.blockings(),
		Scheduling:      b.sched.report(b.summary),
		GC:              b.gcReport(),
		Tasks:           b.tasks.report(&b.reasons, b.trace.Origin),
		Regions:         b.regions.report(&b.reasons, b.trace.Origin),
		CannotTell:      b.cannotTell(),
		PercentileError: PercentileError,
	}
	r.Why = b.why.report(b.trace.Origin)
	r.Suspects = b.suspects(r.Why, &r.Overview.Procs)
	r.addPaths()
	if b.one != nil {
		r.Goroutine = b.one.report(b)
	}
	return r
}

// since is a moment as users see it: the time since the trace began.
func (b *Builder) since(t model.Time) time.Duration { return time.Duration(t - b.trace.Origin) }

// Limit shortens all lists to their first n entries.
func (r *Report) Limit(n int) {
	r.Suspects = first(r.Suspects, n)
	r.Goroutines = first(r.Goroutines, n)
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
