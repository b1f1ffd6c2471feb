package decode

import "encoding/binary"

// The types of events in a trace of Go 1.22 or later, each with the arguments
// that follow it as uvarints (internal/trace/tracev2/events.go). In front of the
// arguments of timed events are the ticks since the event before.
const (
	evEventBatch        = 1 // generation, M, ticks, size; the batch
	evStacks            = 2 // of a batch: stacks follow
	evStack             = 3 // ID, frames; of each: PC, function, file, line
	evStrings           = 4 // of a batch: strings follow
	evString            = 5 // ID, size; the string
	evCPUSamples        = 6 // of a batch: samples follow
	evCPUSample         = 7 // ticks, M, P, G, stack
	evFrequency         = 8 // ticks for each second
	evExperimentalBatch = 49
	evSync              = 50 // of a batch: frequency and clock snapshot follow
	evClockSnapshot     = 51 // ticks, monotonic ns, wall clock: seconds, ns in the second
	evEndOfGeneration   = 52

	evProcsChange         = 9  // GOMAXPROCS, stack
	evProcStart           = 10 // P, its sequence
	evProcStop            = 11
	evProcSteal           = 12 // P, its sequence, the M that loses it
	evProcStatus          = 13 // P, status
	evGoCreate            = 14 // new G, its stack, stack
	evGoCreateSyscall     = 15 // new G
	evGoStart             = 16 // G, its sequence
	evGoDestroy           = 17
	evGoDestroySyscall    = 18
	evGoStop              = 19 // reason, stack
	evGoBlock             = 20 // reason, stack
	evGoUnblock           = 21 // G, its sequence, stack
	evGoSyscallBegin      = 22 // sequence of the P, stack
	evGoSyscallEnd        = 23
	evGoSyscallEndBlocked = 24
	evGoStatus            = 25 // G, M, status
	evSTWBegin            = 26 // kind, stack
	evSTWEnd              = 27
	evGCActive            = 28 // sequence
	evGCBegin             = 29 // sequence, stack
	evGCEnd               = 30 // sequence
	evGCSweepActive       = 31 // P
	evGCSweepBegin        = 32 // stack
	evGCSweepEnd          = 33 // bytes swept, reclaimed
	evGCMarkAssistActive  = 34 // G
	evGCMarkAssistBegin   = 35 // stack
	evGCMarkAssistEnd     = 36
	evHeapAlloc           = 37 // bytes
	evHeapGoal            = 38 // bytes
	evGoLabel             = 39 // label
	evUserTaskBegin       = 40 // task, parent, type, stack
	evUserTaskEnd         = 41 // task, stack
	evUserRegionBegin     = 42 // task, type, stack
	evUserRegionEnd       = 43 // task, type, stack
	evUserLog             = 44 // task, category, message, stack
	evGoSwitch            = 45 // G, its sequence
	evGoSwitchDestroy     = 46 // G, its sequence
	evGoCreateBlocked     = 47 // new G, its stack, stack
	evGoStatusStack       = 48 // G, M, status, stack
)

// arguments has the number of arguments of timed events behind their ticks, -1
// for what is no timed event that is known here.
var arguments = [256]int8{
	evProcsChange: 2, evProcStart: 2, evProcStop: 0, evProcSteal: 3, evProcStatus: 2,
	evGoCreate: 3, evGoCreateSyscall: 1, evGoStart: 2, evGoDestroy: 0, evGoDestroySyscall: 0,
	evGoStop: 2, evGoBlock: 2, evGoUnblock: 3,
	evGoSyscallBegin: 2, evGoSyscallEnd: 0, evGoSyscallEndBlocked: 0,
	evGoStatus: 3, evSTWBegin: 2, evSTWEnd: 0,
	evGCActive: 1, evGCBegin: 2, evGCEnd: 1, evGCSweepActive: 1, evGCSweepBegin: 1, evGCSweepEnd: 2,
	evGCMarkAssistActive: 1, evGCMarkAssistBegin: 1, evGCMarkAssistEnd: 0, evHeapAlloc: 1, evHeapGoal: 1,
	evGoLabel: 1, evUserTaskBegin: 4, evUserTaskEnd: 2, evUserRegionBegin: 3, evUserRegionEnd: 3, evUserLog: 4,
	evGoSwitch: 2, evGoSwitchDestroy: 2, evGoCreateBlocked: 3, evGoStatusStack: 4,
}

func init() {
	for typ := range arguments {
		if typ < evProcsChange || typ > evGoStatusStack {
			arguments[typ] = -1
		}
	}
}

// Limits of the format.
const (
	maxBatchSize   = 64 << 10
	maxBatchHeader = 2 + 4*binary.MaxVarintLen64
	maxStringSize  = 1 << 10
	maxFrames      = 128
)

// The status of a goroutine or P.
const (
	goRunnable = 1
	goRunning  = 2
	goSyscall  = 3
	goWaiting  = 4

	procRunning = 1
	procIdle    = 2
	procSyscall = 3
	// procAbandoned is a P that was lost in a system call which the generation
	// does not tell of.
	procAbandoned = 4
)

// goStates has the state of each status of a goroutine.
var goStates = [...]State{goRunnable: Runnable, goRunning: Running, goSyscall: Syscall, goWaiting: Waiting}

// bytesLeft reads uvarints and bytes, and says at the end whether all of them
// were there.
type bytesLeft struct {
	b   []byte
	bad bool
}

func (r *bytesLeft) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *bytesLeft) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *bytesLeft) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}
