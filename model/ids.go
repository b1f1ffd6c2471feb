package model

import "fmt"

// Time is a moment on the trace clock, in nanoseconds. Only differences mean
// something by themselves: since Go 1.22 the clock is the system's monotonic
// clock (CLOCK_MONOTONIC on Linux), before that it starts with the trace. A
// [ClockSnapshot] relates it to wall-clock time.
type Time int64

// GoID is the runtime's number of a goroutine (its goid).
type GoID int64

// ProcID is the runtime's number of a P.
type ProcID int32

// ThreadID is the operating system's ID of the thread of an M.
type ThreadID int64

// TaskID is the number of a runtime/trace.Task.
type TaskID uint64

const (
	// NoGoroutine means that no goroutine is concerned, or that it is unknown.
	NoGoroutine = GoID(-1)
	// NoProc means that no P is concerned.
	NoProc = ProcID(-1)
	// NoThread means that the thread is unknown, as often before Go 1.22.
	NoThread = ThreadID(-1)
	// BackgroundTask is the task of regions and logs that were made without one.
	BackgroundTask = TaskID(0)
)

// StateKind says what a goroutine does, in the words of the Go scheduler.
type StateKind uint8

const (
	// NotExist is what follows the last state of a goroutine that ended.
	NotExist StateKind = iota
	// Runnable waits for a P.
	Runnable
	// Running executes on a P.
	Running
	// Waiting is blocked until something wakes it up.
	Waiting
	// Syscall is in a system call or in C code; it holds its P until
	// GoState.ProcLost.
	Syscall
	// Unknown is what the trace does not tell, in a Gap.
	Unknown
)

// String returns the name of the state as the Go runtime spells it.
func (k StateKind) String() string {
	switch k {
	case NotExist:
		return "not existing"
	case Runnable:
		return "runnable"
	case Running:
		return "running"
	case Waiting:
		return "waiting"
	case Syscall:
		return "syscall"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprintf("state %d", uint8(k))
}
