package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/trace2x/trace2x/internal/histogram"
	"github.com/trace2x/trace2x/model"
)

// Scheduling is how long goroutines wait for a P.
type Scheduling struct {
	// Count is how often goroutines became runnable and then ran, or waited until
	// the trace ended.
	Count int64 `json:"count"`
	Spread
	P999 time.Duration `json:"p999_ns"`
	// Worst has the longest waits.
	Worst []SchedWait `json:"worst"`
	// Runnable is how many goroutines were runnable, over time. It is empty for several
	// traces.
	Runnable Timeline `json:"runnable"`
	// MaxRunnable is the most that were runnable at a time.
	MaxRunnable int `json:"max_runnable"`
}

// SchedWait is a wait for a P.
type SchedWait struct {
	Moment
	// After is what made the goroutine runnable: "created", "wait" or "syscall"
	// for the end of one, "preempted" or another reason of the runtime's for one
	// that was running; "before the trace" if that is not known.
	After string `json:"after"`
	// By is the goroutine that created it or ended its wait, 0 if none did or if the
	// trace does not tell.
	By model.GoID `json:"by,omitempty"`
}

// Timeline is a number over time.
type Timeline struct {
	// Step is how much time each of the numbers is for, from the beginning of the
	// trace on. The last is for what is left.
	Step time.Duration `json:"step_ns"`
	// Mean has the mean in each step.
	Mean []float64 `json:"mean"`
}

// latency adds up waits for a P.
type latency struct {
	keep    int
	total   model.Time
	longest model.Time
	waits   histogram.Histogram
	worst   []worst // the longest first
}

// waited counts d of a wait that has ended; prev is the state before it, and waker ended
// that if it was a wait.
func (l *latency) waited(g *model.Goroutine, st *model.GoState, d model.Time, prev model.StateKind, waker model.GoID) {
	l.total += d
	l.longest = max(l.longest, d)
	l.waits.Add(d)
	if len(l.worst) < l.keep || d > l.worst[len(l.worst)-1].duration {
		w := worst{longest: longest{at: st.Start, duration: d, goroutine: g.ID, fn: g.Func, stack: st.Stack}, after: after(st, prev)}
		switch w.after {
		case afterWait:
			w.by = waker
		case afterCreation:
			w.by = max(g.Parent, 0)
		}
		l.insert(w)
	}
}

const (
	afterWait     = "wait"
	afterCreation = "created"
)

// after tells what made a goroutine runnable.
func after(st *model.GoState, prev model.StateKind) string {
	switch {
	case st.Before:
		return "before the trace"
	case st.Reason != "":
		return st.Reason
	case prev == model.Waiting:
		return afterWait
	case prev == model.Syscall:
		return "syscall"
	case prev == model.NotExist:
		return afterCreation
	}
	return prev.String()
}

// insert adds one to the worst, and drops the shortest of too many.
func (l *latency) insert(w worst) {
	i, _ := slices.BinarySearchFunc(l.worst, w, func(a, b worst) int {
		return cmp.Or(cmp.Compare(b.duration, a.duration), -1) // behind its equals
	})
	l.worst = slices.Insert(l.worst, i, w)
	l.worst = l.worst[:min(len(l.worst), l.keep)]
}

// merge adds later waits.
func (l *latency) merge(o *latency) {
	l.total += o.total
	l.longest = max(l.longest, o.longest)
	l.waits.Merge(&o.waits)
	for _, w := range o.worst {
		l.insert(w)
	}
}

// scheduling counts the goroutines that wait for a P, and watches out for Ps that are
// idle meanwhile.
type scheduling struct {
	runnable timeline

	now, most int // goroutines that are runnable
	procs     int // GOMAXPROCS
	idle      []bool
	idling    int
	wasted    wasted
}

type worst struct {
	longest
	after string
	by    model.GoID
}

// wasted is when goroutines were runnable although Ps were idle.
type wasted struct {
	since    model.Time
	on       bool
	queue    int // most runnable ones since then
	count    int64
	total    model.Time
	longest  longest
	maxQueue int // in the longest
}

// longWaste is the shortest time that a P may be idle, with a goroutine runnable,
// to be counted: waking up a P takes tens of microseconds.
const longWaste = model.Time(time.Millisecond)

func (s *scheduling) begin(start model.Time) { s.runnable.start = start }

func (s *scheduling) enqueued(now model.Time) {
	s.now++
	s.most = max(s.most, s.now)
	s.changed(now, nil)
}

// foundRunnable counts a goroutine that was runnable already when the trace
// began; that is known only now.
func (s *scheduling) foundRunnable() {
	s.now++
	s.most = max(s.most, s.now)
}

// waited takes a wait that has ended.
func (s *scheduling) waited(g *model.Goroutine, st *model.GoState) {
	s.runnable.add(st.Start, st.End)
	s.now--
	s.changed(st.End, g)
}

func (s *scheduling) setProcs(n int, now model.Time) {
	s.procs = n
	s.countIdle(now)
}

// proc takes the state of a P that has ended. A P is taken to be idle only after
// it is known to be.
func (s *scheduling) proc(st *model.ProcState) {
	for int(st.Proc) >= len(s.idle) {
		s.idle = append(s.idle, false)
	}
	if idle := st.Running && !st.Open; idle != s.idle[st.Proc] {
		s.idle[st.Proc] = idle
		s.countIdle(st.End)
	}
}

func (s *scheduling) countIdle(now model.Time) {
	s.idling = 0
	for _, idle := range s.idle[:min(len(s.idle), s.procs)] {
		if idle {
			s.idling++
		}
	}
	s.changed(now, nil)
}

// changed looks whether runnable goroutines wait although Ps are idle; g ceased
// to be runnable.
func (s *scheduling) changed(now model.Time, g *model.Goroutine) {
	w := &s.wasted
	switch on := s.now > 0 && s.idling > 0; {
	case on && !w.on:
		w.on, w.since, w.queue = true, now, s.now
	case on:
		w.queue = max(w.queue, s.now)
	case w.on:
		w.on = false
		d := now - w.since
		if d < longWaste {
			return
		}
		w.count++
		w.total += d
		if d > w.longest.duration {
			w.longest = longest{at: w.since, duration: d}
			if g != nil {
				w.longest.goroutine, w.longest.fn = g.ID, g.Func
			}
			w.maxQueue = w.queue
		}
	}
}

func (s *scheduling) end(now model.Time) {
	s.idling = 0
	s.changed(now, nil)
}

func (s *scheduling) report(sum *model.Summary, l *latency) Scheduling {
	out := Scheduling{
		Count:       l.waits.N,
		Spread:      spread(&l.waits, l.total, l.longest),
		P999:        l.waits.Quantile(.999, l.longest),
		Worst:       []SchedWait{},
		Runnable:    s.runnable.report(sum.End),
		MaxRunnable: s.most,
	}
	for _, w := range l.worst {
		out.Worst = append(out.Worst, SchedWait{
			Moment{time.Duration(w.at - sum.Origin), time.Duration(w.duration), w.goroutine, w.fn, w.file}, w.after, w.by,
		})
	}
	return out
}

// timeline adds up how many there are of something, over time, in a number of
// steps that become longer while the trace goes on.
type timeline struct {
	start model.Time
	shift uint // of the step, a power of 2
	steps [maxSteps]model.Time
}

const maxSteps = 256

// add counts one from a moment to another.
func (t *timeline) add(from, to model.Time) {
	from, to = max(from-t.start, 0), to-t.start
	for to>>t.shift >= maxSteps {
		for i := range maxSteps / 2 {
			t.steps[i] = t.steps[2*i] + t.steps[2*i+1]
		}
		clear(t.steps[maxSteps/2:])
		t.shift++
	}
	for i := from >> t.shift; from < to; i++ {
		next := min((i+1)<<t.shift, to)
		t.steps[i] += next - from
		from = next
	}
}

func (t *timeline) report(end model.Time) Timeline {
	// Time goes on after the last one.
	t.add(end, end)
	step := model.Time(1) << t.shift
	out := Timeline{Step: time.Duration(step), Mean: []float64{}}
	for from := model.Time(0); from < end-t.start; from += step {
		width := min(step, end-t.start-from)
		out.Mean = append(out.Mean, float64(t.steps[from>>t.shift])/float64(width))
	}
	return out
}
