package perfetto

import (
	"encoding/hex"

	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
)

// CallsGroup is the group with the calls from one program to another.
const CallsGroup = "Calls"

// calls writes the tasks that take part in calls between programs once more, on tracks
// that are of no program: the trace processor keeps a flow only if both of its ends are on
// one machine (FlowTracker is per machine, in trace_processor_context.h). All tracks of a
// program have its name, so that the UI shows them as one.
type calls struct {
	machine *Machine
	packets *packets
	start   model.Time
	ready   bool // the group is described
	free    []uint64
	open    map[*model.Task]uint64
}

// callsUUID is the track of the group, which all programs share. Their own tracks have
// larger numbers (Machine.number).
const callsUUID = 1

// newCalls returns nil for a trace that is alone.
func newCalls(p *packets, start model.Time) *calls {
	if p.machine.Of < 2 {
		return nil
	}
	return &calls{machine: p.machine, packets: p, start: start, open: make(map[*model.Task]uint64)}
}

// flows returns the numbers of the flows of a span: one for each call.
func (c *calls) flows(s *model.SpanContext) (list []uint64) {
	for _, call := range c.machine.Calls[s.SpanID] {
		list = append(list, callFlow+uint64(call))
	}
	return list
}

// taskStart writes that a task began, if it takes part in a call.
func (c *calls) taskStart(t *model.Task) {
	if c == nil || t.Span == nil || t.Before {
		return
	}
	flows := c.flows(t.Span)
	if len(flows) == 0 {
		return
	}
	track := c.track()
	c.open[t] = track
	text := func(name, value string) *perfettopb.DebugAnnotation {
		return &perfettopb.DebugAnnotation{
			NameField: &perfettopb.DebugAnnotation_Name{Name: name},
			Value:     &perfettopb.DebugAnnotation_StringValue{StringValue: wire.Text(value)},
		}
	}
	number := func(name string, value int64) *perfettopb.DebugAnnotation {
		return &perfettopb.DebugAnnotation{
			NameField: &perfettopb.DebugAnnotation_Name{Name: name},
			Value:     &perfettopb.DebugAnnotation_IntValue{IntValue: value},
		}
	}
	args := []*perfettopb.DebugAnnotation{
		text("program", c.machine.Name),
		number(argNames[argTask], int64(t.ID)),
		text(argNames[argTraceID], hex.EncodeToString(t.Span.TraceID[:])),
		text(argNames[argSpanID], hex.EncodeToString(t.Span.SpanID[:])),
	}
	if t.Goroutine != nil {
		args = append(args, number(argNames[argGoroutine], int64(t.Goroutine.ID)))
	}
	c.event(t.Start, &perfettopb.TrackEvent{
		Type:             perfettopb.TrackEvent_TYPE_SLICE_BEGIN.Enum(),
		TrackUuid:        proto.Uint64(track),
		NameField:        &perfettopb.TrackEvent_Name{Name: wire.Text(typeName(t))},
		DebugAnnotations: args,
		FlowIds:          flows, // the trace processor takes the earlier side as the beginning
	})
}

// taskEnd writes the end of a task.
func (c *calls) taskEnd(t *model.Task) {
	if c == nil {
		return
	}
	track, ok := c.open[t]
	if !ok {
		return
	}
	delete(c.open, t)
	if t.Open {
		return
	}
	c.event(t.End, &perfettopb.TrackEvent{Type: perfettopb.TrackEvent_TYPE_SLICE_END.Enum(), TrackUuid: proto.Uint64(track)})
	c.free = append(c.free, track)
}

// track returns a track without a task.
func (c *calls) track() uint64 {
	if n := len(c.free); n > 0 {
		track := c.free[n-1]
		c.free = c.free[:n-1]
		return track
	}
	if !c.ready {
		c.ready = true
		c.describe(&perfettopb.TrackDescriptor{
			Uuid: proto.Uint64(callsUUID), Name: proto.String(CallsGroup),
			Description:   proto.String("Tasks that call another program, or serve a call of one"),
			ChildOrdering: perfettopb.TrackDescriptor_EXPLICIT.Enum(),
		})
	}
	uuid := c.packets.newTrack()
	c.describe(&perfettopb.TrackDescriptor{
		Uuid: proto.Uint64(uuid), ParentUuid: proto.Uint64(callsUUID), Name: proto.String(wire.Text(c.machine.Name)),
		SiblingOrderRank: proto.Int32(int32(c.machine.Index)),
	})
	return uuid
}

func (c *calls) describe(d *perfettopb.TrackDescriptor) {
	c.put(c.start, &perfettopb.TracePacket{Data: &perfettopb.TracePacket_TrackDescriptor{TrackDescriptor: d}})
}

func (c *calls) event(t model.Time, e *perfettopb.TrackEvent) {
	c.put(t, &perfettopb.TracePacket{Data: &perfettopb.TracePacket_TrackEvent{TrackEvent: e}})
}

func (c *calls) put(t model.Time, packet *perfettopb.TracePacket) {
	c.packets.stamp(t, packet)
	packet.TrustedPacketSequenceId = proto.Uint32(uint32(c.machine.sequence(callSequence)))
	c.packets.marshal(packet)
}
