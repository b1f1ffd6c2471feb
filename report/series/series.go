package series

import (
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/model"
)

// Series is a trace over time. All lists but Points and Gaps have one entry for each
// bucket.
type Series struct {
	// Start is when the first bucket begins, End when the trace ends, in the last one.
	// Step is the length of a bucket.
	Start, End, Step time.Duration

	// Running, Runnable, Waiting and Syscall are the time that goroutines were in each
	// state, all goroutines together: divided by the length of the bucket, how many were.
	Running, Runnable, Waiting, Syscall []time.Duration

	// Procs is the time of all Ps, and the others what they did in it, as in
	// [report.Procs]. Procs is 0 where the trace does not tell GOMAXPROCS.
	Procs, Goroutines, Syscalls, GC, Scheduler []time.Duration

	// Mark is the time in which the GC was marking.
	Mark []time.Duration
	// Pauses has the longest stop-the-world pause that began in the bucket, if any.
	Pauses []Pause
	// Heap is the most bytes of objects in the heap, and Goal the largest size at which
	// the GC wants to be done; 0 in buckets for which the trace does not tell them.
	Heap, Goal []uint64

	// Waits counts the waits for a P that began in the bucket, by length: see [WaitRow].
	Waits [][WaitRows]uint32

	// Points are latencies of units of work by when they ended: in each bucket the
	// slowest ones of each type.
	Points []Point
	// Gaps are the parts of the trace that could not be read.
	Gaps []Interval
}

// Interval is an interval of time.
type Interval struct{ From, To time.Duration }

// Pause is a stop-the-world pause.
type Pause struct {
	At, Duration time.Duration
	Reason       string
}

// Len returns the number of buckets.
func (s *Series) Len() int { return len(s.Running) }

// At returns when a bucket begins.
func (s *Series) At(bucket int) time.Duration { return s.Start + time.Duration(bucket)*s.Step }

// Length returns the length of a bucket. The last one is shorter than the others.
func (s *Series) Length(bucket int) time.Duration { return min(s.Step, s.End-s.At(bucket)) }

// Builder is the sink that samples a trace. Units of work are found elsewhere: whoever
// finds them passes each to Unit, before Series is called.
type Builder struct {
	model.NopSink
	grid   grid
	origin model.Time
	end    model.Time
	gaps   []*model.Gap

	// until is the end of the last state of each goroutine that was reported.
	until model.BySlot[model.Time]

	states  [model.Unknown + 1]*line
	procs   *line
	runs    *line // with a goroutine
	syscall *line // of these, in a system call
	workers *line // of these, of the GC
	assists *line // of these
	active  *line // not idle
	mark    *line

	max      model.Time // GOMAXPROCS
	maxSince model.Time
	known    bool

	heap, goal *list[uint64]
	pauses     *list[Pause]
	waits      *list[[WaitRows]uint32]
	// points have a grid of their own, as units may be found on another goroutine.
	points     *list[[]Point]
	pointsGrid grid
}

var _ model.Sink = (*Builder)(nil)

// New returns a sink that samples a whole trace.
func New() *Builder {
	b := &Builder{grid: grid{shift: firstShift}, pointsGrid: grid{shift: firstShift}}
	g := &b.grid
	for _, kind := range []model.StateKind{model.Running, model.Runnable, model.Waiting, model.Syscall} {
		b.states[kind] = g.newLine()
	}
	for _, l := range []**line{&b.procs, &b.runs, &b.syscall, &b.workers, &b.assists, &b.active, &b.mark} {
		*l = g.newLine()
	}
	larger := func(a, b uint64) uint64 { return max(a, b) }
	b.heap, b.goal = newList(g, larger), newList(g, larger)
	b.pauses = newList(g, longerPause)
	b.waits = newList(g, func(a, b [WaitRows]uint32) [WaitRows]uint32 {
		for i := range a {
			a[i] += b[i]
		}
		return a
	})
	b.points = newList(&b.pointsGrid, joinPoints)
	return b
}

func longerPause(a, b Pause) Pause {
	if b.Duration > a.Duration {
		return b
	}
	return a
}

// Begin is part of [model.Sink], as the other methods are, except Unit and Series.
func (b *Builder) Begin(t *model.Trace) {
	b.grid.start, b.pointsGrid.start, b.origin = t.Start, t.Start, t.Origin
}

func (b *Builder) GoroutineStart(g *model.Goroutine) { *b.until.Of(g) = g.Start }

func (b *Builder) GoroutineState(g *model.Goroutine, s *model.GoState) {
	*b.until.Of(g) = s.End
	if l := b.states[s.Kind]; l != nil {
		l.add(s.Start, s.End, 1)
	}
	switch s.Kind {
	case model.Running:
		if since, ok := g.Assist(); ok {
			b.assists.add(max(since, s.Start), s.End, 1)
		}
	case model.Runnable:
		b.grid.bucket(s.End)
		b.waits.of[b.grid.bucket(s.Start)][WaitRow(time.Duration(s.Duration()))]++
	case model.Syscall:
		b.syscall.add(s.Start, s.ProcLost, 1)
	}
}

func (b *Builder) Run(r *model.Run) {
	b.runs.add(r.Start, r.End, 1)
	if strings.HasPrefix(r.Label, "GC ") {
		b.workers.add(r.Start, r.End, 1)
	}
}

func (b *Builder) ProcState(s *model.ProcState) {
	if s.Running {
		b.active.add(s.Start, s.End, 1)
	}
}

func (b *Builder) Range(r *model.Range) {
	switch r.Kind {
	case model.GCMark:
		b.mark.add(r.Start, r.End, 1)
	case model.StopTheWorld:
		b.grid.bucket(r.End)
		at := &b.pauses.of[b.grid.bucket(r.Start)]
		*at = longerPause(*at, Pause{b.since(r.Start), time.Duration(r.End - r.Start), r.Reason})
	case model.MarkAssist:
		// What of it was in states that have ended is counted there.
		if g := r.Goroutine; g != nil && g.Current().Kind == model.Running {
			b.assists.add(max(r.Start, g.Current().Start, *b.until.Of(g)), r.End, 1)
		}
	}
}

// noGoal is the smallest value of the heap goal that says that there is none.
const noGoal = 1 << 62

func (b *Builder) Metric(m *model.Metric) {
	switch m.Name {
	case model.GOMAXPROCS:
		b.addProcs(m.Time)
		b.max, b.maxSince, b.known = model.Time(min(m.Value, 1<<20)), m.Time, true
	case model.HeapObjects:
		at := &b.heap.of[b.grid.bucket(m.Time)]
		*at = max(*at, m.Value)
	case model.HeapGoal:
		if at := &b.goal.of[b.grid.bucket(m.Time)]; m.Value < noGoal {
			*at = max(*at, m.Value)
		}
	}
}

// addProcs counts the time of the Ps up to now.
func (b *Builder) addProcs(now model.Time) {
	if b.known {
		b.procs.add(b.maxSince, now, b.max)
	}
	b.maxSince = now
}

func (b *Builder) Gap(g *model.Gap) {
	b.addProcs(g.Start)
	b.maxSince = g.End
	gap := *g
	b.gaps = append(b.gaps, &gap)
}

func (b *Builder) End(s *model.Summary) {
	b.addProcs(s.End)
	b.end = s.End
	b.grid.bucket(s.End)
}

func (b *Builder) since(t model.Time) time.Duration { return time.Duration(t - b.origin) }

// Series is what there was in the trace that has ended.
func (b *Builder) Series() *Series {
	n := b.grid.bucket(b.end) + 1
	b.pointsGrid.bucket(b.end) // as many
	if n > 1 && b.grid.start+model.Time(n-1)<<b.grid.shift == b.end {
		n-- // nothing is in the last one
	}
	s := &Series{
		Start: b.since(b.grid.start), End: b.since(b.end), Step: time.Duration(b.grid.width()),
		Running: b.states[model.Running].times(n), Runnable: b.states[model.Runnable].times(n),
		Waiting: b.states[model.Waiting].times(n), Syscall: b.states[model.Syscall].times(n),
		Procs: b.procs.times(n), Syscalls: b.syscall.times(n), Mark: b.mark.times(n),
		Goroutines: make([]time.Duration, n), GC: make([]time.Duration, n), Scheduler: make([]time.Duration, n),
		Heap: slices.Clone(b.heap.of[:n]), Goal: slices.Clone(b.goal.of[:n]),
		Pauses: slices.Clone(b.pauses.of[:n]), Waits: slices.Clone(b.waits.of[:n]),
	}
	runs, workers, assists, active := b.runs.times(n), b.workers.times(n), b.assists.times(n), b.active.times(n)
	for i := range n {
		s.GC[i] = workers[i] + assists[i]
		s.Goroutines[i] = max(runs[i]-s.Syscalls[i]-s.GC[i], 0)
		s.Scheduler[i] = max(active[i]-runs[i], 0)
	}
	for _, points := range b.points.of[:n] {
		s.Points = append(s.Points, points...)
	}
	for i := range s.Points {
		s.Points[i].At -= time.Duration(b.origin)
	}
	for _, g := range b.gaps {
		s.Gaps = append(s.Gaps, Interval{b.since(g.Start), b.since(g.End)})
	}
	return s
}
