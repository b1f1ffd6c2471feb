package perfetto

import (
	"container/heap"
	"maps"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
)

// lanes gives each goroutine a lane, a Perfetto thread, in the process of its start
// function. A server makes a million goroutines in a minute, and a view of a million
// lanes is of no use. So when a goroutine exits, the next one of the same function gets
// its lane: a function has as many lanes as goroutines were alive at once.
type lanes struct {
	packets      *packets
	start        model.Time
	perGoroutine bool

	numbers   numbers
	functions map[string]*function
	runtime   *process // of all goroutines of the runtime, nil until there is one
	slowest   *slowest // nil if nobody asks who was on a lane
}

// function is a start function.
type function struct {
	name    string
	process *process
	free    laneHeap

	goName     uint64 // iid, 0 until needed
	goroutines int    // that began in the trace
	shortWaits int    // and system calls, that are long enough for slices
}

// process is a Perfetto process: a start function, or the runtime. It gets its number,
// which is its color in the UI, when its goroutines have run for busyEnough, or at the
// end of the trace: so the functions that use the CPU have different colors. Its lanes
// are described then.
type process struct {
	name    string
	pid     int32 // 0 until it is numbered
	ran     model.Time
	waiting []*lane // to be described
}

// RuntimeProcess is the process of the runtime's own goroutines: of package runtime, and
// of its tracer and profiler.
const RuntimeProcess = "runtime"

// busyEnough is the time in ns on a P after which a process gets its number.
const busyEnough = 1_000_000

// goIID returns the number of the name of go statements that start the function, 0 if
// there are too many names.
func (f *function) goIID(e *events) uint64 {
	if f.goName == 0 {
		f.goName = e.names.iid(&e.interned, "go "+model.ShortFunc(f.name))
	}
	return f.goName
}

// lane is a Perfetto thread with its track.
type lane struct {
	tid   int32
	track uint64
	// function is nil until the start function of the lane's goroutine is known. The
	// lane is described when, after that, the process has a number. The trace processor
	// reads all descriptors before any event, so a descriptor may come late in the file.
	function *function
	name     string     // until it is described
	until    model.Time // when its last goroutine left it
}

// cgoFunc is the process of goroutines that C code started, by calling Go on a thread
// of its own.
const cgoFunc = "(callbacks from C threads)"

// processName returns the name of the process that a goroutine belongs to, "" if it is
// not known yet.
func processName(g *model.Goroutine) string {
	if g.State == model.Syscall && !g.Before {
		return cgoFunc
	}
	return g.Func
}

func newLanes(p *packets, start model.Time, perGoroutine bool) *lanes {
	return &lanes{packets: p, start: start, perGoroutine: perGoroutine, functions: make(map[string]*function)}
}

func (l *lanes) newTrack() uint64 { return l.packets.newTrack() }

// take returns a lane for a goroutine from a moment on. The moment may be in the past,
// when another goroutine may have been on a lane that is free now. forWaking says that
// the goroutine is there only to wake others.
func (l *lanes) take(g *model.Goroutine, from model.Time, forWaking bool) *lane {
	ln := l.freeOrNew(g, from)
	l.slowest.tookLane(g.ID, ln, from, forWaking)
	return ln
}

func (l *lanes) freeOrNew(g *model.Goroutine, from model.Time) *lane {
	if name := processName(g); name != "" {
		if f := l.functions[name]; f != nil && len(f.free) > 0 && f.free[0].until <= from {
			return heap.Pop(&f.free).(*lane)
		}
	}
	ln := l.newLane()
	l.describe(ln, g, false)
	return ln
}

// orderProcesses writes that ranks of processes count, in the descriptor of the root of all
// tracks. Readers before Perfetto v57.0 do not know that.
func (l *lanes) orderProcesses() {
	l.packets.putAt(l.start, &perfettopb.TracePacket{Data: &perfettopb.TracePacket_TrackDescriptor{TrackDescriptor: &perfettopb.TrackDescriptor{
		Uuid:            proto.Uint64(0),
		ProcessOrdering: perfettopb.TrackDescriptor_PROCESS_ORDERING_EXPLICIT.Enum(),
	}}})
}

func (l *lanes) newLane() *lane { return &lane{tid: l.numbers.tid(), track: l.newTrack()} }

// describe names a lane if its function is known; if last, also if it is not.
func (l *lanes) describe(ln *lane, g *model.Goroutine, last bool) {
	if ln.function != nil {
		return
	}
	fn := processName(g)
	if fn == "" {
		if !last {
			return
		}
		fn = model.UnknownFunc
	}
	name := model.ShortFunc(fn)
	if model.OfRuntime(fn) {
		name = fn // the process does not have it
	}
	switch {
	case l.perGoroutine:
		name = "G" + strconv.FormatInt(int64(g.ID), 10) + " " + name
	case !model.OfRuntime(fn):
		name += " lane" // so that it differs from the name of its process
	}
	l.describeAs(ln, fn, name)
}

// describeAs names a lane of a function.
func (l *lanes) describeAs(ln *lane, fn, name string) {
	ln.function, ln.name = l.function(fn), name
	if p := ln.function.process; p.pid == 0 {
		p.waiting = append(p.waiting, ln)
	} else {
		l.writeThread(ln)
	}
}

// ran adds to the time that a lane's goroutines were on a P.
func (l *lanes) ran(ln *lane, d model.Time) {
	if ln.function == nil {
		return
	}
	if p := ln.function.process; p.pid == 0 {
		if p.ran += d; p.ran >= busyEnough {
			l.number(p)
		}
	}
}

// pid returns the number of the process of a lane whose function is known.
func (l *lanes) pid(ln *lane) int32 {
	p := ln.function.process
	if p.pid == 0 {
		l.number(p)
	}
	return p.pid
}

// finish describes what is left.
func (l *lanes) finish() {
	for _, name := range slices.Sorted(maps.Keys(l.functions)) {
		if p := l.functions[name].process; p.pid == 0 {
			l.number(p)
		}
	}
}

// number gives a process its number, and describes it and its lanes.
func (l *lanes) number(p *process) {
	p.pid = l.numbers.pid(p == l.runtime)
	d := &perfettopb.TrackDescriptor{
		Uuid:    proto.Uint64(l.newTrack()),
		Process: &perfettopb.ProcessDescriptor{Pid: proto.Int32(p.pid), ProcessName: proto.String(wire.Text(l.packets.machine.title(p.name)))},
	}
	if p == l.runtime {
		d.SiblingOrderRank = proto.Int32(1) // behind the others, which have 0; see orderProcesses
	}
	l.packets.putAt(l.start, &perfettopb.TracePacket{Data: &perfettopb.TracePacket_TrackDescriptor{TrackDescriptor: d}})
	for _, ln := range p.waiting {
		l.writeThread(ln)
	}
	p.waiting = nil
}

// writeThread writes the descriptor of a lane.
func (l *lanes) writeThread(ln *lane) {
	p := l.packets
	p.open()
	b := wire.AppendUint(p.part.buf, fPacketTimestamp, p.machine.time(l.start))
	b = wire.AppendUint(b, fPacketSequenceID, uint64(p.machine.sequence(rareSequence)))
	b = wire.AppendUint(b, fPacketTimestampClock, bootClock)
	b, track := wire.Open(b, fPacketTrackDescriptor)
	b = wire.AppendUint(b, fTrackUUID, ln.track)
	b, thread := wire.Open(b, fTrackThread)
	b = wire.AppendUint(b, fThreadPID, uint64(ln.function.process.pid))
	b = wire.AppendUint(b, fThreadTID, uint64(ln.tid))
	b = wire.AppendString(b, fThreadName, ln.name)
	p.part.buf = wire.Close(wire.Close(b, thread), track)
	p.close()
	ln.name = ""
}

func (l *lanes) function(name string) *function {
	f := l.functions[name]
	if f == nil {
		f = &function{name: name}
		if !model.OfRuntime(name) {
			f.process = &process{name: name}
		} else {
			if l.runtime == nil {
				l.runtime = &process{name: RuntimeProcess}
				l.orderProcesses()
			}
			f.process = l.runtime
		}
		l.functions[name] = f
	}
	return f
}

// giveBack takes the lane of a goroutine that leaves it at t.
func (l *lanes) giveBack(g model.GoID, ln *lane, t model.Time) {
	l.slowest.leftLane(g, ln, t)
	ln.until = t
	if !l.perGoroutine {
		heap.Push(&ln.function.free, ln)
	}
}

// laneHeap orders free lanes by their numbers: the first ones are used most,
// and the last ones only when many goroutines are alive.
type laneHeap []*lane

func (h laneHeap) Len() int           { return len(h) }
func (h laneHeap) Less(i, j int) bool { return h[i].tid < h[j].tid }
func (h laneHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *laneHeap) Push(x any)        { *h = append(*h, x.(*lane)) }
func (h *laneHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
