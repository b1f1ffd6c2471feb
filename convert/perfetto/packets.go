package perfetto

import (
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/model"
)

// The packet sequences of the file. Interned data and the incremental clock
// are valid within one sequence only, so that the parts can be encoded
// independently of each other.
const (
	rareSequence  = 1 + iota // descriptors, snapshots, states set from outside
	eventSequence            // track events and CPU samples
	schedSequence            // scheduling bundles
)

// Clocks. Ftrace timestamps are in BOOTTIME, which is therefore the trace's
// clock; deltaClock and offsetClock are clocks of the event sequence that make
// its timestamps short.
const (
	bootClock   = 6
	deltaClock  = 64 // each timestamp is a delta to the last one
	offsetClock = 65 // timestamps count from the start of the trace
)

// flushSize is how many bytes of packets are collected before they are written.
const flushSize = 128 << 10

// packets collects the packets of a trace and writes them out.
type packets struct {
	w    io.Writer
	buf  []byte
	mark int   // of the packet that is open
	size int64 // bytes written
	err  error // the first error of w
}

// open begins a packet, to p.buf. Only one is open at a time.
func (p *packets) open() {
	p.buf, p.mark = openMessage(p.buf, fTracePacket)
}

func (p *packets) close() {
	p.buf = closeMessage(p.buf, p.mark)
	if len(p.buf) >= flushSize {
		p.flush()
	}
}

func (p *packets) flush() {
	if p.err == nil {
		n, err := p.w.Write(p.buf)
		p.size += int64(n)
		p.err = err
	}
	p.buf = p.buf[:0]
}

// put writes a packet that there are few of, on the rare sequence.
func (p *packets) put(packet *perfettopb.TracePacket) {
	packet.TrustedPacketSequenceId = proto.Uint32(rareSequence)
	p.putOn(packet)
}

func (p *packets) putOn(packet *perfettopb.TracePacket) {
	// Deterministic for the same bytes in every run; there is nothing in these
	// messages whose marshalling can fail.
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(packet)
	if err != nil && p.err == nil {
		p.err = err
	}
	p.buf = protowire.AppendTag(p.buf, fTracePacket, protowire.BytesType)
	p.buf = protowire.AppendBytes(p.buf, b)
}

// putAt is put with a timestamp.
func (p *packets) putAt(t model.Time, packet *perfettopb.TracePacket) {
	packet.Timestamp = proto.Uint64(uint64(t))
	packet.TimestampClockId = proto.Uint32(bootClock)
	p.put(packet)
}
