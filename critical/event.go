package critical

import "github.com/trace2x/trace2x/model"

// event is a call of the model as a history takes it: without pointers to what changes,
// so that the history may take it later, and small, as there are millions.
type event struct {
	at model.Time
	// x is what only some ops have, see there.
	x int64
	// slot is of the goroutine, by of the one that created it or woke it up; -1 for none.
	slot, by int32
	// stack is where the goroutine was, byStack where the other one was; 0 if unknown.
	stack, byStack int32
	reason         uint16
	op             op
	// kind is the state that ended or that the goroutine was created in, next the one
	// that follows.
	kind, next model.StateKind
	// edge says that an edge of the trace, or of a gap, cut what began or ended.
	edge bool
	ran  bool
}

// op says what happened.
type op uint8

const (
	opStart    op = iota // of a goroutine; x is its ID, byStack its start function
	opFunc               // its start function became known: x
	opState              // ended; with ran, also a run that began at x
	opSeen               // a goroutine that serves a connection is at a stack
	opWasSeen            // it was, at a moment that may be before events that were told already
	opWait               // began at a moment before this event, of a goroutine that serves a connection
	opAssist             // the goroutine has been assisting the garbage collector since then
	opAssisted           // from x on
	opEnd                // of a goroutine
	opUnit               // ended: number x in batch.units
	opWork               // for another task: x
	opRun                // ended; it began at x
	opSample             // of goroutine x
	opGap                // ended
	opTasks              // from now on, only tasks are wanted
	opThen               // number x in batch.then is called
)

// batch is some events, and what they are the first to name.
type batch struct {
	events         []event
	units          []Unit
	then           []func()
	stacks         []*model.Stack
	funcs, reasons []string
}

const batchSize = 2048

func newBatch() *batch { return &batch{events: make([]event, 0, batchSize)} }

func (b *batch) reset() {
	clear(b.units)
	clear(b.then)
	clear(b.stacks)
	b.then = b.then[:0]
	b.events, b.units, b.stacks, b.funcs, b.reasons = b.events[:0], b.units[:0], b.stacks[:0], b.funcs[:0], b.reasons[:0]
}
