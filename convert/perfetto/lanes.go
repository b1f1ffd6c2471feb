package perfetto

import (
	"container/heap"
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

	ids       int32  // the last pid or tid: they share their numbers, as on Linux
	tracks    uint64 // the last uuid of a track
	processes map[string]*process
	held      *heldLanes // nil if nobody asks
}

// process stands for a start function.
type process struct {
	pid  int32
	name string
	free laneHeap

	goName uint64 // iid, 0 until needed
}

// goIID returns the number of the name of go statements that start the function, 0 if
// there are too many names.
func (p *process) goIID(e *events) uint64 {
	if p.goName == 0 {
		p.goName = e.names.iid(&e.interned, "go "+model.ShortFunc(p.name))
	}
	return p.goName
}

// lane is a Perfetto thread with its track.
type lane struct {
	tid   int32
	track uint64
	// process is nil until the start function of the lane's goroutine is known. The
	// lane is described then. The trace processor reads all descriptors before any
	// event, so a descriptor may come late in the file.
	process *process
	until   model.Time // when its last goroutine left it
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
	// Numbers begin at 2: the UI colors what runs on a CPU by its process, and it
	// shows pid 1 in grey.
	return &lanes{packets: p, start: start, perGoroutine: perGoroutine, ids: 1, processes: make(map[string]*process)}
}

func (l *lanes) newID() int32 { l.ids++; return l.ids }

// newTrack returns the uuid of a new track.
func (l *lanes) newTrack() uint64 { l.tracks++; return l.tracks }

// take returns a lane for a goroutine from a moment on. The moment may be in the past,
// when another goroutine may have been on a lane that is free now. forWaking says that
// the goroutine is there only to wake others.
func (l *lanes) take(g *model.Goroutine, from model.Time, forWaking bool) *lane {
	ln := l.freeOrNew(g, from)
	l.held.take(g.ID, ln, from, forWaking)
	return ln
}

func (l *lanes) freeOrNew(g *model.Goroutine, from model.Time) *lane {
	if name := processName(g); name != "" {
		if p := l.processes[name]; p != nil && len(p.free) > 0 && p.free[0].until <= from {
			return heap.Pop(&p.free).(*lane)
		}
	}
	lane := &lane{tid: l.newID(), track: l.newTrack()}
	l.describe(lane, g, false)
	return lane
}

// describe writes the descriptor of a lane if its function is known; if last, also if
// it is not.
func (l *lanes) describe(ln *lane, g *model.Goroutine, last bool) {
	if ln.process != nil {
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
	if l.perGoroutine {
		name = "G" + strconv.FormatInt(int64(g.ID), 10) + " " + name
	}
	l.describeAs(ln, fn, name)
}

func (l *lanes) describeAs(ln *lane, fn, name string) {
	ln.process = l.process(fn)
	p := l.packets
	p.open()
	b := wire.AppendUint(p.part.buf, fPacketTimestamp, uint64(l.start))
	b = wire.AppendUint(b, fPacketSequenceID, rareSequence)
	b = wire.AppendUint(b, fPacketTimestampClock, bootClock)
	b, track := wire.Open(b, fPacketTrackDescriptor)
	b = wire.AppendUint(b, fTrackUUID, ln.track)
	b, thread := wire.Open(b, fTrackThread)
	b = wire.AppendUint(b, fThreadPID, uint64(ln.process.pid))
	b = wire.AppendUint(b, fThreadTID, uint64(ln.tid))
	b = wire.AppendString(b, fThreadName, name)
	p.part.buf = wire.Close(wire.Close(b, thread), track)
	p.close()
}

func (l *lanes) process(fn string) *process {
	p := l.processes[fn]
	if p == nil {
		p = &process{pid: l.newID(), name: fn}
		l.processes[fn] = p
		l.packets.putAt(l.start, &perfettopb.TracePacket{Data: &perfettopb.TracePacket_TrackDescriptor{TrackDescriptor: &perfettopb.TrackDescriptor{
			Uuid: proto.Uint64(l.newTrack()),
			Process: &perfettopb.ProcessDescriptor{
				Pid:         proto.Int32(p.pid),
				ProcessName: proto.String(wire.Text(fn)),
			},
		}}})
	}
	return p
}

// giveBack takes the lane of a goroutine that leaves it at t.
func (l *lanes) giveBack(g model.GoID, ln *lane, t model.Time) {
	l.held.leave(g, ln, t)
	ln.until = t
	if !l.perGoroutine {
		heap.Push(&ln.process.free, ln)
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
