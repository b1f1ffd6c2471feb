package pprof

import (
	"regexp"

	"github.com/trace2x/trace2x/model"
)

// Type says what a profile counts.
//
// Net, Sync, Syscall and Sched count what has ended when the trace does, and of
// each goroutine what comes after it first ran in the trace: go tool trace has
// it so. What they leave out is in Wall.
type Type int

const (
	// Net is the time that goroutines waited for the network, by where they did.
	Net Type = iota
	// Sync is the time that they waited for one another, on channels, in select
	// and on what package sync has.
	Sync
	// Syscall is the time in system calls and in C code.
	Syscall
	// Sched is the time that goroutines were ready to run and waited for a P, by
	// what made them so: the stack of the goroutine that woke them up, or their
	// own if they yielded or were preempted. There is no stack if it was the
	// scheduler that woke them up, or that a system call ended.
	Sched
	// CPU is the samples of the CPU profiler, if the program ran it while it was
	// traced. Each stands for 10 ms: a trace does not tell the profiler's rate,
	// and this is the one that it has if it was not told another.
	CPU
	// Wall is all the time of all goroutines, from the trace's begin to its end,
	// with labels: "state" in the words of the runtime; "reason" if it waited;
	// "func", the function that it was started with. The stack is the goroutine's
	// own. While it runs, a trace does not tell where: there is only the function
	// that it was started with.
	Wall
)

var typeNames = [...]string{"net", "sync", "syscall", "sched", "cpu", "wall"}

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

// sampleWeight is the CPU time that a sample stands for, in ns: that of the Go
// profiler's 100 Hz.
const sampleWeight = 10_000_000

// Options say what a profile is of. Of several limits, all must hold.
type Options struct {
	Type Type
	// Selection limits the profile to some goroutines and to work for some tasks.
	model.Selection
	// Region limits it to the time in regions whose type matches.
	Region *regexp.Regexp
}

// byTime reports whether only some of a goroutine's time may count.
func (o *Options) byTime() bool { return o.ByTask() || o.Region != nil }

// filtered reports whether only some goroutines, or some of their time, counts.
func (o *Options) filtered() bool { return !o.All() || o.Region != nil }
