package report

import (
	"slices"
	"time"

	"github.com/trace2x/trace2x/model/times"
)

// Times is what goroutines spent their time on, in nanoseconds.
type Times struct {
	// Total is how long the goroutines were in the trace. The next five add up to
	// it.
	Total time.Duration `json:"total_ns"`
	// Execution is running on a P.
	Execution time.Duration `json:"execution_ns"`
	// SchedWait is being runnable: waiting for a P.
	SchedWait time.Duration `json:"sched_wait_ns"`
	// Block is waiting for anything else, BlockByReason the same by the runtime's
	// reasons.
	Block         time.Duration            `json:"block_ns"`
	BlockByReason map[string]time.Duration `json:"block_by_reason_ns"`
	// Syscall is being in a system call, or in C, with a P; SyscallBlock without.
	Syscall      time.Duration `json:"syscall_ns"`
	SyscallBlock time.Duration `json:"syscall_block_ns"`
	// GCAssist is helping the GC to mark. It overlaps with the others: mostly it
	// is execution, but assists may block.
	GCAssist time.Duration `json:"gc_assist_ns"`
}

// timesOf is what times are for users.
func timesOf(t *times.Times, reasons *times.Reasons) Times {
	out := Times{
		Total:         time.Duration(t.Total()),
		Execution:     time.Duration(t.Execution),
		SchedWait:     time.Duration(t.SchedWait),
		Block:         time.Duration(t.Blocked()),
		BlockByReason: make(map[string]time.Duration),
		Syscall:       time.Duration(t.Syscall),
		SyscallBlock:  time.Duration(t.SyscallBlock),
		GCAssist:      time.Duration(t.GCAssist),
	}
	for reason, d := range t.Block {
		if d > 0 {
			out.BlockByReason[reasons.Name(reason)] = time.Duration(d)
		}
	}
	return out
}

// byTime returns the reasons, those with the most time first.
func byTime(m map[string]time.Duration) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return compare(m[b], m[a], a, b)
	})
	return names
}
