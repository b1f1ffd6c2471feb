package decode

import (
	"time"

	exptrace "golang.org/x/exp/trace"
)

// Event is an event of a trace. State transitions, which almost all of them are,
// are in it whole, without pointers; of others, Detail says where they are in
// their chunk.
type Event struct {
	Time int64 // ns on the trace clock
	// G was executing, on Thread and Proc; -1 for none.
	G, Thread int64
	// ID is the goroutine or P that changes its state, that a label or a range is
	// of, or the task that ends.
	ID   int64
	Proc int32
	// Stack is of G, Own of the goroutine that changes its state: numbers in the
	// generation's tables, 0 for none.
	Stack, Own uint32
	Detail     int32
	Reason     uint16 // number in the generation's table, 0 for none
	Kind       uint8  // exptrace.EventKind
	Resource   exptrace.ResourceKind
	From, To   exptrace.GoState // or ProcState
}

// Is reports whether the event is of a kind.
func (e *Event) Is(kind exptrace.EventKind) bool { return exptrace.EventKind(e.Kind) == kind }

// UnknownResource is the resource of a transition that x/exp/trace does not
// know: it does not check all states that it reads.
const UnknownResource = exptrace.ResourceKind(255)

// MaxProc is above every P that the runtime makes. Go 1.21 and earlier write
// larger numbers for what happens without a P.
const MaxProc = 1_000_000

// Detail is what an event tells other than a state transition.
type Detail struct {
	// Name is that of a metric, a range, or an experimental event, the type of a
	// task or a region, a label, or the category of a log.
	Name    string
	Message string // of a log
	Value   uint64 // of a metric
	// Task is that of the event, Parent the one of a task that begins; 0 for none.
	Task, Parent uint64
	// Swept and Reclaimed are bytes, of a range that ends.
	Swept, Reclaimed uint64
	Clock            *Clock // of a Sync, nil for none
	// Unknown has what x/exp/trace tells and this package does not know.
	Unknown []string
}

// Clock is a moment on several clocks.
type Clock struct {
	Trace int64  // ns on the trace clock
	Mono  uint64 // ns on the system's monotonic clock
	Wall  time.Time
}

// Stack is a call stack, the innermost call first.
type Stack []*exptrace.StackFrame

// Chunk is some events in a row, of one generation. Whoever has it may use it
// until it is filled again, but Stacks, Reasons and the strings for ever.
type Chunk struct {
	Events  []Event
	Details []Detail // by Event.Detail, from 1
	// Stacks and Reasons are those that the generation has for the first time in
	// this chunk: they get the next numbers, from 1 on if First is set.
	Stacks  []Stack
	Reasons []string
	First   bool
	Err     error // what came behind the events, io.EOF at the end
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
	c.Events, c.First, c.Err = c.Events[:0], false, nil
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
