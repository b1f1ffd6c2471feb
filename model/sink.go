package model

import "time"

// A Sink receives the model of a trace from [Read], in the order and under the
// rules of ownership that the package comment states. All calls come from one
// goroutine.
type Sink interface {
	// Begin starts the trace.
	Begin(*Trace)

	// GoroutineStart announces a goroutine: created at g.Start, or, with
	// g.Before, existing since before the trace.
	GoroutineStart(g *Goroutine)
	// GoroutineState reports a state of g that ended. The states of a
	// goroutine follow each other without gaps.
	GoroutineState(g *Goroutine, s *GoState)
	// GoroutineEnd reports that g exited at g.End, or, with g.Open, that the
	// trace ended before it did.
	GoroutineEnd(g *Goroutine)

	// Run reports an interval in which a goroutine held a P.
	Run(*Run)
	// ProcState reports a state of a P that ended.
	ProcState(*ProcState)

	RegionStart(*Region)
	RegionEnd(*Region)
	TaskStart(*Task)
	TaskEnd(*Task)
	// OldSpan reports a span of OpenTelemetry that began before the trace and has
	// ended, right after the TaskEnd of its task, if it has one.
	OldSpan(*OldSpan)
	Log(*Log)

	// WorkStart reports that a goroutine is at work for a task from now on, and
	// WorkEnd that it is not any more: because of another task, or with the task
	// or the goroutine. A Work is valid until WorkEnd returns; then it may become
	// another one.
	WorkStart(*Work)
	WorkEnd(*Work)

	Range(*Range)
	Metric(*Metric)
	Sample(*Sample)

	// Sync reports a point up to which all that existed has been announced: the
	// borders of the generations of the trace.
	Sync(*Sync)

	// Gap reports a part of the trace that could not be read, before anything
	// behind it. What is open then goes on behind it, or has ended in it.
	Gap(*Gap)

	// End is called when everything has been reported.
	End(*Summary)

	// Err returns the first error of the sink, which stops the reading. Read checks
	// it before each chunk of events.
	Err() error
}

// NopSink ignores everything. Embed it to write a sink that wants only some of
// the calls.
type NopSink struct{}

func (NopSink) Begin(*Trace)                        {}
func (NopSink) GoroutineStart(*Goroutine)           {}
func (NopSink) GoroutineState(*Goroutine, *GoState) {}
func (NopSink) GoroutineEnd(*Goroutine)             {}
func (NopSink) Run(*Run)                            {}
func (NopSink) ProcState(*ProcState)                {}
func (NopSink) RegionStart(*Region)                 {}
func (NopSink) RegionEnd(*Region)                   {}
func (NopSink) TaskStart(*Task)                     {}
func (NopSink) TaskEnd(*Task)                       {}
func (NopSink) OldSpan(*OldSpan)                    {}
func (NopSink) Log(*Log)                            {}
func (NopSink) WorkStart(*Work)                     {}
func (NopSink) WorkEnd(*Work)                       {}
func (NopSink) Range(*Range)                        {}
func (NopSink) Metric(*Metric)                      {}
func (NopSink) Sample(*Sample)                      {}
func (NopSink) Sync(*Sync)                          {}
func (NopSink) Gap(*Gap)                            {}
func (NopSink) End(*Summary)                        {}
func (NopSink) Err() error                          { return nil }

// Trace is what is known about a trace when its first event is read.
type Trace struct {
	// Format is the version of the trace format, such as "Go 1.23": the first
	// Go release that wrote it. Later releases may write the same format.
	Format string
	// Start is the time of the first event, or when the window begins.
	Start Time
	// Origin is the time of the first event of the whole trace: moments that are
	// shown count from it, also in a window.
	Origin Time
	// Fingerprint identifies the trace: a hash of its first bytes, which have
	// times in them, so that it differs between recordings.
	Fingerprint [16]byte

	v1 bool // the format of Go 1.21 and earlier
}

// Sync is a border between generations of the trace.
type Sync struct {
	Time Time
	// N counts the borders from 1; the first begins the trace, the last ends it.
	N int
	// Clock is nil where the trace has no snapshot, or an impossible one: before Go
	// 1.25, at the end of the trace, and where the machine did not know the time.
	Clock *ClockSnapshot
}

// ClockSnapshot is a reading of three clocks at almost the same moment.
type ClockSnapshot struct {
	Trace Time
	// Mono is the system's monotonic clock, in nanoseconds.
	Mono uint64
	Wall time.Time
}

// Metric is a sample of one of the runtime's metrics.
type Metric struct {
	Time Time
	// Name is the name in package runtime/metrics, which ends in the unit:
	// [HeapObjects], [HeapGoal] or [GOMAXPROCS].
	Name  string
	Value uint64
}

// Sample is a sample of the CPU profiler, which the program ran while it was
// traced. The runtime takes samples apart from all other events: a sample may
// contradict the states around it by a little.
type Sample struct {
	Time Time
	// Goroutine is nil if none was running, or if it is not known any more.
	Goroutine *Goroutine
	Proc      ProcID
	Thread    ThreadID
	Stack     *Stack
}

// Log is a message of runtime/trace.Log, except those about spans: see [Task],
// [OldSpan].
type Log struct {
	Time      Time
	Goroutine *Goroutine
	// TaskID is BackgroundTask for a log without a task. Task is nil for such
	// a log, and for a task that has ended already.
	TaskID   TaskID
	Task     *Task
	Category string
	Message  string
	Stack    *Stack
}

// Summary says what was read.
type Summary struct {
	Trace
	// End is the time of the last event, or when the window ends.
	End Time
	// GoesOn says that the trace goes on after End, where a window ends.
	GoesOn bool
	// Events is the number of events in the trace.
	Events int64
	// Goroutines is the number of goroutines that the trace names, MaxAlive the
	// largest number of them that were alive at a time.
	Goroutines, MaxAlive int
	// Generations is the number of generations that were read; it is 1 for
	// traces of Go 1.21 and earlier.
	Generations int
	// LinkedSpans is the number of tasks that are spans of OpenTelemetry, and OldSpans
	// the number of spans from before the trace.
	LinkedSpans, OldSpans int
	// Unknown counts what this version of the model does not know, by name, and
	// Inconsistent what contradicts what came before. Both are left out of the
	// model.
	Unknown, Inconsistent map[string]int
	// ClockSteps is how often the time of day was set while the trace was recorded.
	// Clock snapshots have the time of day as it was before.
	ClockSteps int
	// BadClocks is how many clock snapshots cannot be true, and were left out: of a
	// machine that did not know the time, or damaged ones.
	BadClocks int
	// MaxProc is the largest number of a P, NoProc for none.
	MaxProc ProcID
	// Misuse counts, by name, what the program did wrong with regions and tasks:
	// ended them in another order, on other goroutines, or twice. The trace is
	// none the worse for it.
	Misuse map[string]int
	// ShortenedStacks is how often only the innermost call of a stack is kept,
	// because there are too many different ones.
	ShortenedStacks int
	// Missing is the number of references to stacks and strings that are not in
	// the trace. The events that make them have no stack, or an empty string.
	Missing int
	// Gaps are what could not be read, in order; the last one may be open.
	Gaps []*Gap
}

// IsPart reports whether a window left out some of the trace.
func (s *Summary) IsPart() bool { return s.GoesOn || s.Start > s.Origin }
