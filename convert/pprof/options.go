package pprof

import (
	"regexp"

	"github.com/trace2x/trace2x/model"
)

// Type says what a profile counts.
//
// Net, Sync, Syscall and Sched count only what ended in the trace, and only after the
// goroutine first ran in it, as go tool trace does. Wall has the rest too.
type Type int

const (
	// Net is the time that goroutines waited for the network, by the stack at which
	// they waited.
	Net Type = iota
	// Sync is the time that goroutines waited for each other: on channels, in select
	// and in package sync.
	Sync
	// Syscall is the time in system calls and in C code.
	Syscall
	// Sched is the time that goroutines were runnable and waited for a P, by what
	// made them runnable: the stack of the goroutine that woke them, or their own if
	// they yielded or were preempted. There is no stack if the scheduler woke them,
	// or if a system call ended.
	Sched
	// CPU is the samples of the CPU profiler, if the program ran it while it was
	// traced. Each counts as 10 ms, which is the profiler's default: a trace does not
	// have the rate.
	CPU
	// Wall is all the time of all goroutines, from the beginning of the trace to its
	// end. The labels are "state", in the words of the runtime; "reason", if the
	// goroutine waited; and "func", its start function. The stack is the goroutine's
	// own. A trace does not tell where a goroutine runs, so a running one has only
	// its start function.
	Wall
	// Critical is the time on the critical paths of units of work: why they took so
	// long. A [CriticalCollector] adds it up.
	Critical
)

var typeNames = [...]string{"net", "sync", "syscall", "sched", "cpu", "wall", "critical"}

// ParseType reads the name of a type.
func ParseType(s string) (t Type, ok bool) {
	for t, name := range typeNames {
		if s == name {
			return Type(t), true
		}
	}
	return 0, false
}

func (t Type) String() string { return typeNames[t] }

// sampleWeight is the CPU time that a sample stands for, in ns, at the Go profiler's
// default of 100 Hz.
const sampleWeight = 10_000_000

// Options say what a profile has. If there are several limits, all must hold.
type Options struct {
	Type Type
	// Selection limits the profile to some goroutines and to work for some tasks.
	model.Selection
	// Region limits it to the time in regions whose type matches.
	Region *regexp.Regexp

	// Spans, if not nil, divides the types CPU, Wall and Critical by the spans for which
	// goroutines work. The samples then have the labels "trace_id" and "span_id". It
	// cannot be used together with Region.
	Spans Spans
	// Wakers divides the waits of the type Wall by who ended them. The labels are
	// "waker", "goroutine" or "scheduler"; "waker_func", the start function of the
	// goroutine; and "waker_place", "waker_file" and "waker_line", where it did so.
	Wakers bool

	// CriticalOptions are for the type Critical.
	CriticalOptions
}

// byTime reports whether a goroutine's time is divided: into what counts and what does
// not, or by spans.
func (o *Options) byTime() bool { return o.ByTask() || o.Region != nil || o.Spans != nil }

// filtered reports whether only some goroutines, or some of their time, counts.
func (o *Options) filtered() bool { return !o.All() || o.Region != nil }

// Spans says for which spans goroutines work. Its methods return nil for none. What they
// return may change until the profile is made; the zero value is none, too.
type Spans interface {
	// Goroutine returns the span for which a goroutine works from now on. It is called
	// when the goroutine starts, and whenever its work changes.
	Goroutine(*model.Goroutine) *model.SpanContext
	// Task returns the span of a task that begins.
	Task(*model.Task) *model.SpanContext
}
