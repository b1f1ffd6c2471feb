package perfetto

import (
	"fmt"

	"github.com/trace2x/trace2x/model"
)

// beyond writes what ran on Ps whose numbers are too large for a CPU: as slices, on a
// track for each P. The lanes of the goroutines are stopped meanwhile: the trace
// processor has nothing else for a thread that runs without a CPU.
type beyond struct {
	events *events
	group  *group
	tracks map[model.ProcID]uint64
}

// beyondGroup is the name of the group of these tracks.
var beyondGroup = fmt.Sprintf("Ps from %d on", MaxCPUs)

func (b *beyond) run(r *model.Run, name string) {
	track, ok := b.tracks[r.Proc]
	if !ok {
		track = b.group.track(fmt.Sprintf("P%d", r.Proc), "What ran on this P: a CPU of this number is more than Perfetto knows")
		b.tracks[r.Proc] = track
	}
	e := b.events
	e.event(sliceBegin, track, r.Start)
	e.category(catRun)
	e.name(name)
	e.arg(argGoroutine, int64(r.Goroutine.ID))
	e.endEvent()
	e.end(track, r.End)
}

// ranBeyond gives a lane the states of a run on such a P, and of what follows it.
func (p *packets) ranBeyond(tid int32, start, end model.Time, endState byte) {
	p.setState(tid, start, stateStopped)
	after := stateGone
	switch endState {
	case taskRunnable:
		after = stateRunnable
	case taskWaiting:
		after = stateWaiting
	case taskSyscall:
		after = stateSyscall
	}
	p.setState(tid, end, after)
}

// Beyond returns a sentence that says that the trace has Ps with numbers from [MaxCPUs]
// on, and where to find what they ran; "" if it has none.
func Beyond(s *model.Summary) string {
	if s.MaxProc < MaxCPUs {
		return ""
	}
	return fmt.Sprintf("Perfetto knows %d CPUs: what ran on P%d to P%d is in the group %q, as slices", MaxCPUs, MaxCPUs, s.MaxProc, beyondGroup)
}
