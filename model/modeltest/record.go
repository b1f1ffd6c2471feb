package modeltest

import (
	"github.com/trace2x/trace2x/model"
)

// Record is a sink that keeps what it gets, as flat values, and adds up the time by
// state. Tests compare the output of other sinks with it.
type Record struct {
	model.NopSink

	Trace   model.Trace
	Summary model.Summary

	// States has the time in each state, in ns. OnProc is the time in which
	// goroutines held a P: running, or in a system call that had not lost it;
	// Blocked that of system calls that had.
	States          map[model.StateKind]model.Time
	OnProc, Blocked model.Time
	// Reasons has the time of waits by their reason.
	Reasons map[string]model.Time

	Goroutines []Interval // by end; named "G12"
	Runs       []model.Run
	Waits      []Interval // named after their reasons
	Syscalls   []Interval
	Regions    []Interval
	Tasks      []Interval
	Ranges     []Interval
	Wakes      []Wake
	Logs       int
	Samples    int
	Creations  int // by a goroutine
	Clocks     []model.ClockSnapshot
	Metrics    map[string][]model.Metric
}

// Interval is something with a duration. Open means that the trace ended before it
// did; what a gap cuts ends with the gap's beginning.
type Interval struct {
	Start, End model.Time
	Open       bool
	Name       string
	Goroutine  model.GoID
	HasStack   bool
}

// Wake is a moment at which a goroutine became runnable.
type Wake struct {
	Time      model.Time
	Goroutine model.GoID
	Waker     model.GoID // NoGoroutine for none
}

// NewRecord returns an empty record.
func NewRecord() *Record {
	return &Record{
		States:  make(map[model.StateKind]model.Time),
		Reasons: make(map[string]model.Time),
		Metrics: make(map[string][]model.Metric),
	}
}

func id(g *model.Goroutine) model.GoID {
	if g == nil {
		return model.NoGoroutine
	}
	return g.ID
}

func (r *Record) Begin(t *model.Trace) { r.Trace = *t }

func (r *Record) GoroutineStart(g *model.Goroutine) {
	if g.Creator != nil {
		r.Creations++
	}
	if !g.Before && g.State == model.Runnable {
		r.Wakes = append(r.Wakes, Wake{g.Start, g.ID, id(g.Creator)})
	}
}

func (r *Record) GoroutineState(g *model.Goroutine, s *model.GoState) {
	d := s.Duration()
	r.States[s.Kind] += d
	open := s.Open && s.Next != model.Unknown // else a gap ends it
	in := Interval{s.Start, s.End, open, s.Reason, g.ID, s.Stack != nil}
	switch s.Kind {
	case model.Running:
		r.OnProc += d
	case model.Waiting:
		r.Reasons[s.Reason] += d
		r.Waits = append(r.Waits, in)
		if !s.Open && s.Next == model.Runnable {
			r.Wakes = append(r.Wakes, Wake{s.End, g.ID, id(s.Waker.Goroutine)})
		}
	case model.Syscall:
		r.OnProc += s.ProcLost - s.Start
		r.Blocked += s.End - s.ProcLost
		in.Name = "syscall"
		r.Syscalls = append(r.Syscalls, in)
		if !s.Open && s.Next == model.Runnable && s.ProcLost < s.End {
			r.Wakes = append(r.Wakes, Wake{s.End, g.ID, model.NoGoroutine})
		}
	}
}

func (r *Record) GoroutineEnd(g *model.Goroutine) {
	r.Goroutines = append(r.Goroutines, Interval{g.Start, g.End, g.Open, g.Func, g.ID, g.Creation != nil})
}

func (r *Record) Run(run *model.Run) {
	r.Runs = append(r.Runs, *run)
	r.Runs[len(r.Runs)-1].Goroutine = nil
}

func (r *Record) RegionEnd(x *model.Region) {
	r.Regions = append(r.Regions, Interval{x.Start, x.End, x.Open, x.Type, x.Goroutine.ID, x.Stack != nil})
}

func (r *Record) TaskEnd(t *model.Task) {
	r.Tasks = append(r.Tasks, Interval{t.Start, t.End, t.Open, t.Type, model.NoGoroutine, t.Stack != nil})
}

func (r *Record) Range(x *model.Range) {
	r.Ranges = append(r.Ranges, Interval{x.Start, x.End, x.Open, x.Name, id(x.Goroutine), x.Stack != nil})
}

func (r *Record) Log(*model.Log)       { r.Logs++ }
func (r *Record) Sample(*model.Sample) { r.Samples++ }

func (r *Record) Metric(m *model.Metric) { r.Metrics[m.Name] = append(r.Metrics[m.Name], *m) }

func (r *Record) Sync(s *model.Sync) {
	if s.Clock != nil {
		r.Clocks = append(r.Clocks, *s.Clock)
	}
}

func (r *Record) End(s *model.Summary) { r.Summary = *s }
