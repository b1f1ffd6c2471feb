package perfetto

import (
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
)

// The packet sequences of the file. Interned data and the incremental clock
// are valid within one sequence only, so that the parts can be encoded
// independently of each other.
const (
	rareSequence  = 1 + iota // descriptors, snapshots, states set from outside
	eventSequence            // track events and CPU samples
	schedSequence            // scheduling bundles
	callSequence             // calls between programs

	sequences = callSequence // how many there are
)

// Clocks. Ftrace timestamps are in BOOTTIME, which is therefore the trace's
// clock; deltaClock and offsetClock are clocks of the event sequence that make
// its timestamps short.
const (
	bootClock   = 6
	deltaClock  = 64 // each timestamp is a delta to the last one
	offsetClock = 65 // timestamps count from the start of the trace
)

// packets collects the packets of a trace, and hands them over to be written.
type packets struct {
	machine *Machine
	file    *file
	part    *part // the part that is being collected
	mark    int   // where the open packet began
	err     error // why a packet could not be marshalled
	// size is about how many bytes there are: of scheduling events, which are encoded
	// later, what they take on average.
	size int64

	tracks  uint64      // how many there are
	reasons reasonTable // why and where lanes are blocked
}

func newPackets(w io.Writer, m *Machine) packets {
	f := newFile(w, m)
	return packets{machine: m, file: f, part: <-f.free, reasons: newReasonTable()}
}

// newTrack returns the uuid of a new track.
func (p *packets) newTrack() uint64 { p.tracks++; return p.machine.number(p.tracks) }

// open begins a packet in p.part.buf. Only one is open at a time.
func (p *packets) open() {
	p.part.buf, p.mark = wire.Open(p.part.buf, fTracePacket)
}

func (p *packets) close() {
	p.part.buf = wire.Close(p.machine.appendID(p.part.buf), p.mark)
	p.size += int64(len(p.part.buf) - p.mark)
	if len(p.part.buf) >= partSize {
		p.flush()
	}
}

// happened adds a scheduling event.
func (p *packets) happened(e schedEvent) {
	p.size += schedSizes[e.kind]
	if p.part.sched = append(p.part.sched, e); len(p.part.sched) == partEvents {
		p.flush()
	}
}

// blocked adds that a lane is blocked from start to end, for a reason, at the place of a
// stack, which may be nil.
func (p *packets) blocked(on model.ProcID, tid int32, start, end model.Time, reason string, at *model.Stack) {
	p.happened(schedEvent{kind: schedBlocked, p: on, tid: tid, start: start, end: end, by: p.reasons.iid(&p.part.reasons, reason, at)})
}

func (p *packets) flush() {
	p.file.write(p.part)
	p.part = <-p.file.free
}

// finish writes what is left.
func (p *packets) finish() {
	p.happened(schedEvent{kind: schedEnds})
	p.flush()
	p.file.wait()
}

// put writes a packet on the rare sequence.
func (p *packets) put(packet *perfettopb.TracePacket) {
	p.putOn(rareSequence, packet)
}

// putOn writes a packet on a sequence.
func (p *packets) putOn(sequence byte, packet *perfettopb.TracePacket) {
	packet.TrustedPacketSequenceId = proto.Uint32(uint32(p.machine.sequence(sequence)))
	if id := p.machine.id(); id != 0 {
		packet.MachineId = proto.Uint32(id)
	}
	p.marshal(packet)
}

// marshal writes a packet as it is.
func (p *packets) marshal(packet *perfettopb.TracePacket) {
	// Deterministic, so that each run writes the same bytes. Marshalling these
	// messages cannot fail.
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(packet)
	if err != nil && p.err == nil {
		p.err = err
	}
	p.part.buf = protowire.AppendTag(p.part.buf, fTracePacket, protowire.BytesType)
	p.part.buf = protowire.AppendBytes(p.part.buf, b)
	p.size += int64(len(b))
}

// putAt is put with a timestamp.
func (p *packets) putAt(t model.Time, packet *perfettopb.TracePacket) {
	p.stamp(t, packet)
	p.put(packet)
}

// stamp gives a packet its timestamp.
func (p *packets) stamp(t model.Time, packet *perfettopb.TracePacket) {
	packet.Timestamp = proto.Uint64(p.machine.time(t))
	packet.TimestampClockId = proto.Uint32(bootClock)
}
