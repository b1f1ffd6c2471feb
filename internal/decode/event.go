package decode

import "time"

// Event is an event of a trace. State transitions, which almost all of them are,
// are in it whole, without pointers; of others, Detail says where they are in
// their chunk.
type Event struct {
	Time int64 // ns on the trace clock
	// G was executing, on Thread and Proc; -1 for none.
	G, Thread int64
	// ID is the goroutine or P that changes its state, or has the label or the range,
	// or the task that ends.
	ID   int64
	Proc int32
	// Stack is of G, Own of the goroutine that changes its state: numbers in the
	// generation's tables, 0 for none.
	Stack, Own uint32
	Detail     int32  // index in Chunk.Details, from 1; 0 for transitions
	Reason     uint16 // number in the generation's table, 0 for none
	Kind       Kind
	Scope      Scope // of a range
	From, To   State // of a transition
}

// Kind says what an event is.
type Kind uint8

const (
	// Unknown is an event that this package does not know: Detail.Name describes it.
	Unknown Kind = iota
	// GoTransition is a goroutine that changes its state, or its status;
	// ProcTransition a P.
	GoTransition
	ProcTransition
	// Sync begins a generation, and ends the trace.
	Sync
	Metric
	Label // of the goroutine ID
	Sample
	RangeBegin
	RangeActive // has begun before
	RangeEnd
	TaskBegin
	TaskEnd
	RegionBegin
	RegionEnd
	Log
)

// State is what a goroutine or a P does.
type State uint8

const (
	// Undetermined is what it did before its state was first told.
	Undetermined State = iota
	NotExist
	Running
	// Idle is of a P only, the others of a goroutine only.
	Idle
	Runnable
	Waiting
	Syscall
	// Bad is a state that nobody knows.
	Bad
)

// String returns the name of the state as golang.org/x/exp/trace spells it.
func (s State) String() string {
	names := [...]string{"Undetermined", "NotExist", "Running", "Idle", "Runnable", "Waiting", "Syscall"}
	if int(s) < len(names) {
		return names[s]
	}
	return "Bad"
}

// Scope says whose range it is.
type Scope uint8

const (
	// Global is no goroutine's and no P's.
	Global Scope = iota
	OfGoroutine
	OfProc
)

// MaxProc is above every P that the runtime makes. Go 1.21 and earlier write
// larger numbers for what happens without a P.
const MaxProc = 1_000_000

// Names of ranges. StopTheWorld is followed by the reason and a parenthesis
// (golang.org/x/exp/trace, Event.Range).
const (
	MarkPhase    = "GC concurrent mark phase"
	MarkAssist   = "GC mark assist"
	Sweep        = "GC incremental sweep"
	StopTheWorld = "stop-the-world ("
)

// Detail is what an event tells other than a state transition.
type Detail struct {
	// Name is the name of a metric or a range, the type of a task or a region, a
	// label, the category of a log, or a description of what is not known.
	Name    string
	Message string // of a log
	Value   uint64 // of a metric
	// Task is the task of the event, Parent the parent of a task that begins; 0 for
	// none.
	Task, Parent uint64
	// Swept and Reclaimed are bytes, of a range that ends.
	Swept, Reclaimed uint64
	Clock            *Clock // of a Sync, nil for none
	// Unknown has what golang.org/x/exp/trace tells and this package does not know.
	Unknown []string
}

// Clock is a moment on several clocks.
type Clock struct {
	Trace int64  // ns on the trace clock
	Mono  uint64 // ns on the system's monotonic clock
	Wall  time.Time
}

// Frame is a call. It does not change.
type Frame struct {
	PC, Line   uint64
	Func, File string
}

// Stack is a call stack, the innermost call first.
type Stack []*Frame

// Chunk is some events in a row, of one generation. Whoever has it may use it
// until it is filled again; Stacks, Reasons and all strings may be kept.
type Chunk struct {
	Events  []Event
	Details []Detail // by Event.Detail, from 1
	// Stacks and Reasons are those that the generation has for the first time in
	// this chunk: they get the next numbers, from 1 on if First is set.
	Stacks  []Stack
	Reasons []string
	First   bool
	// Missing is how many references the events make to stacks and strings that
	// are not in the trace. Those events have no stack, or an empty string.
	Missing int

	err   error // what came behind the events, io.EOF at the end
	leaps bool  // an event may be more than a leap after the one before it
}

// ChunkSize is the number of events in a chunk. Each one that is handed over
// wakes up a goroutine, for which it takes the scheduler some 100 µs to run on
// another P: with 1024 events, that was a tenth of the time.
var ChunkSize = 8192 // a variable for tests

// NewChunk returns a chunk that can be filled.
func NewChunk() *Chunk { return &Chunk{Events: make([]Event, 0, max(ChunkSize, mostOfOne))} }

// mostOfOne is how many events one of the trace can become: GoSwitch does.
const mostOfOne = 3

func (c *Chunk) reset() {
	c.Events, c.First, c.Missing, c.err, c.leaps = c.Events[:0], false, 0, nil, false
	clear(c.Details)
	clear(c.Stacks)
	clear(c.Reasons)
	c.Details, c.Stacks, c.Reasons = c.Details[:0], c.Stacks[:0], c.Reasons[:0]
}

// detail gives an event its detail, to be filled in.
func (c *Chunk) detail(e *Event) *Detail {
	c.Details = append(c.Details, Detail{})
	e.Detail = int32(len(c.Details))
	return &c.Details[len(c.Details)-1]
}
