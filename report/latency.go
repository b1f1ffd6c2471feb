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
	// Runnable is how many goroutines were runnable, over time.
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
}

// Timeline is a number over time.
type Timeline struct {
	// Step is how much time each of the numbers is for, from the beginning of the
	// trace on. The last is for what is left.
	Step time.Duration `json:"step_ns"`
	// Mean has the mean in each step.
	Mean []float64 `json:"mean"`
}

// scheduling adds up the waits for a P, and watches out for Ps that are idle
// meanwhile.
type scheduling struct {
	keep     int
	total    model.Time
	longest  model.Time
	waits    histogram.Histogram
	worst    []worst // the longest first
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
// began, of which that is known only now.
func (s *scheduling) foundRunnable() {
	s.now++
	s.most = max(s.most, s.now)
}

// waited counts a wait that has ended.
func (s *scheduling) waited(g *model.Goroutine, st *model.GoState, prev model.StateKind) {
	d := st.Duration()
	s.total += d
	s.longest = max(s.longest, d)
	s.waits.Add(d)
	s.runnable.add(st.Start, st.End)
	if len(s.worst) < s.keep || d > s.worst[len(s.worst)-1].duration {
		s.addWorst(g, st, prev)
	}
	s.now--
	s.changed(st.End, g)
}

func (s *scheduling) addWorst(g *model.Goroutine, st *model.GoState, prev model.StateKind) {
	w := worst{longest: longest{st.Start, st.Duration(), g.ID, g.Func, st.Stack}}
	switch {
	case st.Before:
		w.after = "before the trace"
	case st.Reason != "":
		w.after = st.Reason
	case prev == model.Waiting:
		w.after = "wait"
	case prev == model.Syscall:
		w.after = "syscall"
	case prev == model.NotExist:
		w.after = "created"
	default:
		w.after = prev.String()
	}
	i, _ := slices.BinarySearchFunc(s.worst, w, func(a, b worst) int {
		return cmp.Or(cmp.Compare(b.duration, a.duration), -1) // behind its equals
	})
	s.worst = slices.Insert(s.worst, i, w)
	s.worst = s.worst[:min(len(s.worst), s.keep)]
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

func (s *scheduling) report(sum *model.Summary) Scheduling {
	out := Scheduling{
		Count:       s.waits.N,
		Spread:      spread(&s.waits, s.total, s.longest),
		P999:        s.waits.Quantile(.999, s.longest),
		Worst:       []SchedWait{},
		Runnable:    s.runnable.report(sum.End),
		MaxRunnable: s.most,
	}
	for _, w := range s.worst {
		out.Worst = append(out.Worst, SchedWait{
			Moment{time.Duration(w.at - sum.Origin), time.Duration(w.duration), w.goroutine, w.fn}, w.after,
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
