package perfetto

import (
	"encoding/hex"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
)

const (
	sliceBegin = uint64(perfettopb.TrackEvent_TYPE_SLICE_BEGIN)
	sliceEnd   = uint64(perfettopb.TrackEvent_TYPE_SLICE_END)
	instant    = uint64(perfettopb.TrackEvent_TYPE_INSTANT)
	counter    = uint64(perfettopb.TrackEvent_TYPE_COUNTER)
)

// events writes the track events and the CPU samples: one packet each, on a sequence
// of their own. The method event begins an event, the other methods add to it, and
// endEvent ends it.
type events struct {
	packets  *packets
	sequence byte
	interned interned // for the next packet
	names    textTable
	stacks   stackTable

	start     model.Time
	last      model.Time // of deltaClock
	eventMark int        // of the open track event
	argMark   int
}

func newEvents(p *packets, start model.Time) *events {
	e := &events{
		packets:  p,
		sequence: p.machine.sequence(eventSequence),
		names:    newTextTable(fInternedNames, maxNames),
		stacks:   newStackTable(),
		start:    start,
		last:     start,
	}
	clock := func(id uint32, t uint64, incremental bool) *perfettopb.ClockSnapshot_Clock {
		c := &perfettopb.ClockSnapshot_Clock{ClockId: proto.Uint32(id), Timestamp: proto.Uint64(t)}
		if incremental {
			c.IsIncremental = proto.Bool(true)
		}
		return c
	}
	words := &perfettopb.InternedData{}
	for iid, name := range categories[1:] {
		words.EventCategories = append(words.EventCategories, &perfettopb.EventCategory{Iid: proto.Uint64(uint64(iid + 1)), Name: proto.String(name)})
	}
	for iid, name := range argNames[1:] {
		words.DebugAnnotationNames = append(words.DebugAnnotationNames, &perfettopb.DebugAnnotationName{Iid: proto.Uint64(uint64(iid + 1)), Name: proto.String(name)})
	}
	p.putOn(eventSequence, &perfettopb.TracePacket{
		InternedData:          words,
		FirstPacketOnSequence: proto.Bool(true),
		SequenceFlags:         proto.Uint32(uint32(perfettopb.TracePacket_SEQ_INCREMENTAL_STATE_CLEARED)),
		TracePacketDefaults: &perfettopb.TracePacketDefaults{
			TimestampClockId: proto.Uint32(deltaClock),
			PerfSampleDefaults: &perfettopb.PerfSampleDefaults{Timebase: &perfettopb.PerfEvents_Timebase{
				Frequency: proto.Uint64(profileRate),
				Counter:   perfettopb.PerfEvents_SW_CPU_CLOCK.Enum(),
				Name:      proto.String("cpu-clock"),
			}},
		},
		Data: &perfettopb.TracePacket_ClockSnapshot{ClockSnapshot: &perfettopb.ClockSnapshot{
			Clocks: []*perfettopb.ClockSnapshot_Clock{
				clock(bootClock, p.machine.time(start), false),
				clock(deltaClock, p.machine.time(start), true),
				clock(offsetClock, 0, false),
			},
			PrimaryTraceClock: perfettopb.BuiltinClock_BUILTIN_CLOCK_BOOTTIME.Enum(),
		}},
	})
	return e
}

// Categories and names of arguments are few and fixed: all are interned with
// the first packet.
type (
	category uint64
	argName  uint64
)

const (
	catGoroutine category = 1 + iota
	catGo
	catWait
	catSyscall
	catRegion
	catLog
	catTask
	catGC
	catSTW
	catThread
	catDamage
	catRun
	catSlowest
	catWork
)

var categories = [...]string{
	catGoroutine: "goroutine",
	catGo:        "go",
	catWait:      "wait",
	catSyscall:   "syscall",
	catRegion:    "region",
	catLog:       "log",
	catTask:      "task",
	catGC:        "gc",
	catSTW:       "stw",
	catThread:    "thread",
	catDamage:    "damage",
	catRun:       "run",
	catSlowest:   "slowest",
	catWork:      "work",
}

const (
	argParent argName = 1 + iota
	argBefore
	argGoroutine
	argEndedBy
	argTask
	argParentTask
	argBlocked
	argSwept
	argReclaimed
	argMessage
	argProc
	argError
	argOffset
	argLost
	argTraceID
	argSpanID
	argDatadogSpanID
	argCut
	argStalled
)

var argNames = [...]string{
	argParent:     "parent",
	argBefore:     "began before the trace",
	argGoroutine:  "goroutine",
	argEndedBy:    "ended by goroutine",
	argTask:       "task",
	argParentTask: "parent task",
	argBlocked:    "blocked without a P (ns)",
	argSwept:      "swept (bytes)",
	argReclaimed:  "reclaimed (bytes)",
	argMessage:    "message",
	argProc:       "P",
	argError:      "error",
	argOffset:     "byte offset",
	argLost:       "bytes lost",
	argCut:        "goes on after the region around it",
	argStalled:    "whole process did not run (ns)",
	// The names are OpenTelemetry's (Logging, "trace context in non-OTLP log
	// formats"), and Datadog's for log correlation, without the dot, which the trace
	// processor does not take.
	argTraceID:       "trace_id",
	argSpanID:        "span_id",
	argDatadogSpanID: "dd_span_id",
}

// packet begins a packet of the sequence. Packets may be out of order; those in
// order have the shortest timestamps.
//
// SEQ_NEEDS_INCREMENTAL_STATE is left out, to save 2 bytes each. It tells readers to
// skip the packet if the first one of the sequence was lost. Within a file, that cannot
// happen.
func (e *events) packet(t model.Time) {
	e.packets.open()
	part := e.packets.part
	part.buf = append(e.appendTime(part.buf, t), byte(fPacketSequenceID<<3), e.sequence)
}

// appendTime appends the timestamp of a packet.
func (e *events) appendTime(b []byte, t model.Time) []byte {
	if t >= e.last {
		b = wire.AppendUint(b, fPacketTimestamp, uint64(t-e.last))
		e.last = t
		return b
	}
	b = wire.AppendUint(b, fPacketTimestamp, uint64(t-e.start))
	return wire.AppendUint(b, fPacketTimestampClock, offsetClock)
}

// endPacket ends the open packet, with the interned data that it needs.
func (e *events) endPacket() {
	part := e.packets.part
	part.buf = e.interned.appendTo(part.buf)
	e.packets.close()
}

// event begins a track event.
func (e *events) event(typ uint64, track uint64, t model.Time) {
	e.packets.open()
	part := e.packets.part
	// Fields with numbers below 16, of less than 128: a byte each, which are appended at
	// once. Of all that is written here, this is written most often.
	b := append(e.appendTime(part.buf, t),
		byte(fPacketSequenceID<<3), e.sequence,
		byte(fPacketTrackEvent<<3|wire.Message), 0,
		byte(fEventType<<3), byte(typ),
		byte(fEventTrack<<3))
	e.eventMark = len(b) - 3
	part.buf = wire.AppendVarint(b, track)
}

func (e *events) endEvent() {
	e.packets.part.buf = wire.Close(e.packets.part.buf, e.eventMark)
	e.endPacket()
}

// number appends a field to the open track event.
func (e *events) number(num wire.Number, v uint64) {
	e.packets.part.buf = wire.AppendUint(e.packets.part.buf, num, v)
}

func (e *events) category(c category) { e.number(fEventCategory, uint64(c)) }

// name names the open event. It interns the name, unless there are too many.
func (e *events) name(s string) {
	if iid := e.names.iid(&e.interned, s); iid != 0 {
		e.nameIID(iid)
	} else {
		e.packets.part.buf = wire.AppendString(e.packets.part.buf, fEventName, s)
	}
}

func (e *events) nameIID(iid uint64) { e.number(fEventNameIID, iid) }

// uniqueName names the open event with a name that hardly any other event has.
func (e *events) uniqueName(prefix string, n int64) {
	var digits [24]byte
	b := strconv.AppendInt(append(digits[:0], prefix...), n, 10)
	e.packets.part.buf = wire.AppendBytes(e.packets.part.buf, fEventName, b)
}

func (e *events) stack(s *model.Stack) {
	if s != nil {
		e.number(fEventCallstack, e.stacks.iid(&e.interned, s))
	}
}

// arg adds a number. The IDs of goroutines are given as the names of their slices, which
// the UI finds.
func (e *events) arg(name argName, value int64) {
	switch name {
	case argParent, argGoroutine, argEndedBy:
		var digits [24]byte
		e.closeArg(wire.AppendBytes(e.openArg(name), fAnnotationString, strconv.AppendInt(append(digits[:0], 'G'), value, 10)))
		return
	}
	e.closeArg(wire.AppendUint(e.openArg(name), fAnnotationInt, uint64(value)))
}

func (e *events) argBool(name argName) {
	e.closeArg(wire.AppendUint(e.openArg(name), fAnnotationBool, 1))
}

// argText adds a text.
func (e *events) argText(name argName, value string) {
	e.closeArg(wire.AppendString(e.openArg(name), fAnnotationString, value))
}

// argSpan adds the IDs of a span, unless it is nil.
func (e *events) argSpan(s *model.SpanContext) {
	if s != nil {
		e.argText(argTraceID, hex.EncodeToString(s.TraceID[:]))
		e.argText(argSpanID, hex.EncodeToString(s.SpanID[:]))
	}
}

// flow leads from the event to the one with terminatingFlow for the same lane. Both
// are at the same time, so the lane's next flow can have the same number. A file with
// few numbers compresses well.
func (e *events) flow(tid int32) { e.numberedFlow(fEventFlow, uint64(tid)) }

func (e *events) terminatingFlow(tid int32) { e.numberedFlow(fEventTerminatingFlow, uint64(tid)) }

// Where numbers of flows begin. Smaller ones are for lanes. A number is used once.
const (
	pathFlow = 1 << 32 // from critical paths
	workFlow = 1 << 62 // from tasks
	callFlow = 1 << 63 // from calls
)

// numberedFlow adds a flow to the event. With fEventFlow it begins with the event, or goes
// on, with fEventTerminatingFlow it ends.
func (e *events) numberedFlow(field wire.Number, n uint64) {
	e.packets.part.buf = wire.AppendFixed64(e.packets.part.buf, field, n)
}

// openArg begins an argument and returns the buffer that its value is appended to.
func (e *events) openArg(name argName) []byte {
	b, mark := wire.Open(e.packets.part.buf, fEventAnnotation)
	e.argMark = mark
	return wire.AppendUint(b, fAnnotationNameIID, uint64(name))
}

func (e *events) closeArg(b []byte) { e.packets.part.buf = wire.Close(b, e.argMark) }

// end ends a slice: the innermost one on the track. It is what event and endEvent would
// write: of all packets, almost half are these, and their lengths are a byte each.
func (e *events) end(track uint64, t model.Time) {
	e.packets.open()
	part := e.packets.part
	b := append(e.appendTime(part.buf, t),
		byte(fPacketSequenceID<<3), e.sequence,
		byte(fPacketTrackEvent<<3|wire.Message), 0,
		byte(fEventType<<3), byte(sliceEnd),
		byte(fEventTrack<<3))
	mark := len(b) - 3
	b = wire.AppendVarint(b, track)
	b[mark-1] = byte(len(b) - mark)
	part.buf = b
	e.packets.close()
}

// count gives a counter a value.
func (e *events) count(track uint64, t model.Time, value int64) {
	e.event(counter, track, t)
	e.number(fEventCounterValue, uint64(value))
	e.endEvent()
}
