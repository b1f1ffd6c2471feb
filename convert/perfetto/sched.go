package perfetto

import (
	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
)

// schedEvent is something that happened on a P and is not encoded yet. It is small,
// since it goes from one core to another.
type schedEvent struct {
	start, end model.Time
	p          model.ProcID
	tid        int32 // the lane that ran, was woken, or is blocked
	// by is the lane that woke it, without a P, or the iid of the reason why it is
	// blocked.
	by   uint32
	kind schedKind
	// state is the prev_state in which a lane left the P.
	state byte
}

type schedKind uint8

const (
	// schedRun: a lane held a P from start to end.
	schedRun schedKind = iota
	// A lane became runnable at start. With schedWaking, a goroutine on a P made it
	// so; with schedInterrupt, the scheduler on a P; with schedOutside, the scheduler
	// without a P; with schedWakingBy, a lane without a P.
	schedWaking
	schedInterrupt
	schedOutside
	schedWakingBy
	// schedBlocked: a lane is blocked from start to end for a reason.
	schedBlocked
	// schedProcs: the number of Ps is this from now on.
	schedProcs
	// schedEnds: nothing follows.
	schedEnds
)

// schedSizes is how many bytes an event takes in the file, on average.
var schedSizes = [schedEnds + 1]int64{schedRun: 14, schedWaking: 8, schedInterrupt: 8, schedOutside: 8, schedWakingBy: 40, schedBlocked: 20}

// sched encodes what ran on the Ps as Perfetto's scheduling data: a bundle of
// switches and wakings per P, as the Linux kernel's ftrace gives them per CPU.
//
// A bundle may have events that are earlier than events of a bundle before it: the
// trace processor sorts them.
type sched struct {
	machine  *Machine
	buf      []byte   // of the part that is being encoded
	interned interned // for the next bundle
	start    model.Time
	cpus     []*cpu
	// outside is a CPU for wakings by the scheduler without a P. Nothing ever runs on
	// it. It is -1 if none is chosen, and otherwise at least procs, the largest
	// GOMAXPROCS so far.
	outside model.ProcID
	procs   model.ProcID
}

// encode appends the bundles that are complete with a part.
func (s *sched) encode(p *part) {
	s.buf = p.buf
	s.interned.pending = append(s.interned.pending, p.reasons.pending...)
	for i := range p.sched {
		switch e := &p.sched[i]; e.kind {
		case schedRun:
			s.run(e)
		case schedWaking, schedInterrupt:
			s.waking(e)
		case schedOutside:
			s.wakingFromOutside(e)
		case schedWakingBy:
			s.wakingBy(e)
		case schedBlocked:
			s.blocked(e)
		case schedProcs:
			s.procs = max(s.procs, e.p)
		case schedEnds:
			s.finish()
		}
	}
	p.buf = s.buf
}

// MaxCPUs is the number of CPUs that the trace processor knows. A Perfetto trace has
// what ran on Ps with larger numbers as slices only
// (kMaxCpus in src/trace_processor/importers/common/cpu_tracker.h).
const MaxCPUs = 1024

// cpu collects the next bundle of a P.
type cpu struct {
	switches, wakings   int
	switchTime          []byte // varints, as all that follow
	switchPrev          []byte
	switchNext          []byte
	wakingTime          []byte
	wakingPID           []byte
	wakingFlags         []byte
	lastSwitch, lastWak model.Time
	events              []byte // FtraceEvents
}

const (
	// bundleSize is the number of switches and wakings at which a bundle is
	// written.
	bundleSize = 4096
	// comm is the name that threads have in scheduling events. The names of the
	// track descriptors are stronger.
	comm = "goroutine"

	// priority is the priority of an ordinary Linux thread. The UI shows smaller
	// ones than 100 as real-time, with stripes.
	priority = 120

	idlePID = 0
	// fromInterrupt is TRACE_FLAG_SOFTIRQ, which a waking has in common_flags
	// if no thread did it.
	fromInterrupt = 0x10
)

// Values of prev_state in a switch, for the goroutine that leaves the P: the Linux
// kernel's TASK_ flags.
const (
	taskRunnable = 0  // R
	taskWaiting  = 1  // S, TASK_INTERRUPTIBLE
	taskSyscall  = 2  // D, TASK_UNINTERRUPTIBLE
	taskStopped  = 4  // T, TASK_STOPPED: nobody knows, in a gap
	taskDead     = 16 // X, EXIT_DEAD
)

// States that a goroutine got without a switch or a waking.
const (
	stateRunnable = uint64(perfettopb.GenericKernelTaskStateEvent_TASK_STATE_RUNNABLE)
	stateWaiting  = uint64(perfettopb.GenericKernelTaskStateEvent_TASK_STATE_INTERRUPTIBLE_SLEEP)
	stateSyscall  = uint64(perfettopb.GenericKernelTaskStateEvent_TASK_STATE_UNINTERRUPTIBLE_SLEEP)
	stateStopped  = uint64(perfettopb.GenericKernelTaskStateEvent_TASK_STATE_STOPPED)
	// stateUnknown is for the time of a gap. The trace processor does not take
	// TASK_STATE_UNKNOWN.
	stateUnknown = stateStopped
	// stateGone is for a goroutine that ended outside of any P. The states for
	// the dead would end the thread, but its lane goes on.
	stateGone = stateStopped
)

// beginSched begins the sequence of bundles.
func (p *packets) beginSched(start model.Time) {
	p.file.sched.start = start
	p.putOn(schedSequence, &perfettopb.TracePacket{
		FirstPacketOnSequence: proto.Bool(true),
		SequenceFlags:         proto.Uint32(uint32(perfettopb.TracePacket_SEQ_INCREMENTAL_STATE_CLEARED)),
	})
}

// cpu returns the collector for a P; what happens without a P goes to the first.
func (s *sched) cpu(id model.ProcID) *cpu {
	switch id {
	case model.NoProc:
		id = 0
	case s.outside:
		s.outside = -1 // there is such a P after all
	}
	return s.collector(id)
}

func (s *sched) collector(id model.ProcID) *cpu {
	for int(id) >= len(s.cpus) {
		s.cpus = append(s.cpus, nil)
	}
	c := s.cpus[id]
	if c == nil {
		c = &cpu{}
		c.startBundle(s.machine)
		s.cpus[id] = c
		// The first switch on a CPU only establishes what runs.
		c.switchTo(s.start, taskRunnable, idlePID)
	}
	return c
}

// startBundle begins a bundle, in which the first times count from 0.
func (c *cpu) startBundle(m *Machine) {
	c.lastSwitch, c.lastWak = -model.Time(m.Shift), -model.Time(m.Shift)
}

func (c *cpu) switchTo(t model.Time, prevState uint64, next int32) {
	c.switchTime = wire.AppendVarint(c.switchTime, uint64(t-c.lastSwitch))
	c.switchPrev = wire.AppendVarint(c.switchPrev, prevState)
	c.switchNext = wire.AppendVarint(c.switchNext, uint64(next))
	c.lastSwitch = t
	c.switches++
}

func (s *sched) run(e *schedEvent) {
	c := s.cpu(e.p)
	c.switchTo(e.start, taskRunnable, e.tid)
	c.switchTo(e.end, uint64(e.state), idlePID)
	s.full(e.p, c)
}

func (s *sched) waking(e *schedEvent) {
	c := s.cpu(e.p)
	c.wake(e.tid, e.start, e.kind == schedInterrupt)
	s.full(e.p, c)
}

func (s *sched) wakingFromOutside(e *schedEvent) {
	id := s.outside
	if id < 0 {
		id = max(s.procs, model.ProcID(len(s.cpus)))
		if s.outside = id; id >= MaxCPUs {
			// There is no CPU without a P: as an interrupt, it can be on any.
			s.outside, id = -1, 0
		}
	}
	c := s.collector(id)
	c.wake(e.tid, e.start, true)
	s.full(id, c)
}

func (c *cpu) wake(tid int32, t model.Time, interrupt bool) {
	c.wakingTime = wire.AppendVarint(c.wakingTime, uint64(t-c.lastWak))
	c.wakingPID = wire.AppendVarint(c.wakingPID, uint64(tid))
	flags := byte(0)
	if interrupt {
		flags = fromInterrupt
	}
	c.wakingFlags = append(c.wakingFlags, flags)
	c.lastWak = t
	c.wakings++
}

// wakingBy encodes a waking by a lane without a P. In a compact waking the waker is what
// runs on the CPU, so this is a whole event. It cannot say that it was an interrupt: the
// trace processor reads common_flags only in compact wakings.
func (s *sched) wakingBy(e *schedEvent) {
	c := s.cpu(model.NoProc)
	b, mark := c.openEvent(s.machine.time(e.start), int32(e.by))
	b, inner := wire.Open(b, fFtraceWaking)
	b = wire.AppendString(b, fWakingEventComm, comm)
	b = wire.AppendUint(b, fWakingEventPID, uint64(e.tid))
	b = wire.AppendUint(b, fWakingEventPrio, priority)
	b = wire.AppendUint(b, fWakingEventSuccess, 1)
	b = wire.AppendUint(b, fWakingEventCPU, 0)
	b = wire.Close(b, inner)
	c.events = wire.Close(b, mark)
	s.full(0, c)
}

// blocked gives the reason why a lane is blocked.
//
// The trace processor takes it for the last blocked state that began, until the lane
// runs again. It may read events of the same timestamp in any order if they are of
// different types. So the reason comes 1 ns after the beginning.
func (s *sched) blocked(e *schedEvent) {
	if e.start == e.end {
		return
	}
	p := e.p
	if p >= MaxCPUs {
		p = 0
	}
	c := s.cpu(p)
	b, mark := c.openEvent(s.machine.time(e.start+1), e.tid)
	b, inner := wire.Open(b, fFtraceBlockedReason)
	b = wire.AppendUint(b, fBlockedPID, uint64(e.tid))
	b = wire.AppendUint(b, fBlockedCaller, uint64(e.by))
	b = wire.Close(b, inner)
	c.events = wire.Close(b, mark)
	s.full(p, c)
}

func (c *cpu) openEvent(t uint64, pid int32) (b []byte, mark int) {
	b, mark = wire.Open(c.events, fBundleEvent)
	b = wire.AppendUint(b, fFtraceTimestamp, t)
	return wire.AppendUint(b, fFtracePID, uint64(pid)), mark
}

// setState puts a lane into a state at t, apart from any P.
func (p *packets) setState(tid int32, t model.Time, state uint64) {
	p.open()
	b := wire.AppendUint(p.part.buf, fPacketTimestamp, p.machine.time(t))
	b = wire.AppendUint(b, fPacketTimestampClock, bootClock)
	b = wire.AppendUint(b, fPacketSequenceID, uint64(p.machine.sequence(rareSequence)))
	b, mark := wire.Open(b, fPacketTaskState)
	b = wire.AppendUint(b, fTaskStateTID, uint64(tid))
	b = wire.AppendUint(b, fTaskStateState, state)
	p.part.buf = wire.Close(b, mark)
	p.close()
}

// full writes the bundle of a P if it is large.
func (s *sched) full(p model.ProcID, c *cpu) {
	if c.switches+c.wakings >= bundleSize || len(c.events) >= 8*bundleSize {
		s.bundle(max(p, 0), c)
	}
}

// finish writes what is left.
func (s *sched) finish() {
	for p, c := range s.cpus {
		if c != nil {
			s.bundle(model.ProcID(p), c)
		}
	}
}

func (s *sched) bundle(p model.ProcID, c *cpu) {
	if c.switches+c.wakings+len(c.events) == 0 {
		return
	}
	b, packet := wire.Open(s.buf, fTracePacket)
	b = wire.AppendUint(b, fPacketSequenceID, uint64(s.machine.sequence(schedSequence)))
	b = wire.AppendUint(b, fPacketSequenceFlags, uint64(perfettopb.TracePacket_SEQ_NEEDS_INCREMENTAL_STATE))
	b = s.interned.appendTo(b)
	b, bundle := wire.Open(b, fPacketFtraceEvents)
	b = wire.AppendUint(b, fBundleCPU, uint64(p))
	b, compact := wire.Open(b, fBundleCompact)
	b = wire.AppendBytes(b, fSwitchTimestamp, c.switchTime)
	b = wire.AppendBytes(b, fSwitchPrevState, c.switchPrev)
	b = wire.AppendBytes(b, fSwitchNextPID, c.switchNext)
	b = appendSame(b, fSwitchNextPrio, priority, c.switches)
	b = wire.AppendString(b, fCompactComms, comm)
	b = appendSame(b, fSwitchNextComm, 0, c.switches)
	b = wire.AppendBytes(b, fWakingTimestamp, c.wakingTime)
	b = wire.AppendBytes(b, fWakingPID, c.wakingPID)
	b = appendSame(b, fWakingTargetCPU, 0, c.wakings)
	b = appendSame(b, fWakingPrio, priority, c.wakings)
	b = appendSame(b, fWakingComm, 0, c.wakings)
	b = wire.AppendBytes(b, fWakingFlags, c.wakingFlags)
	b = wire.Close(b, compact)
	b = append(b, c.events...)
	b = wire.Close(b, bundle)
	s.buf = wire.Close(s.machine.appendID(b), packet)

	*c = cpu{
		switchTime: c.switchTime[:0], switchPrev: c.switchPrev[:0], switchNext: c.switchNext[:0],
		wakingTime: c.wakingTime[:0], wakingPID: c.wakingPID[:0], wakingFlags: c.wakingFlags[:0],
		events: c.events[:0],
	}
	c.startBundle(s.machine)
}

// appendSame appends a packed field of n varints that are all v, which is less
// than 128.
func appendSame(b []byte, num wire.Number, v byte, n int) []byte {
	b = wire.AppendLength(b, num, n)
	for range n {
		b = append(b, v)
	}
	return b
}
