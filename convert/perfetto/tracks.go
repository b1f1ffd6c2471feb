package perfetto

import (
	"maps"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
)

// track describes a track below parent, 0 for a top-level one.
func (l *lanes) track(parent uint64, d *perfettopb.TrackDescriptor) uint64 {
	uuid := l.newTrack()
	d.Uuid = proto.Uint64(uuid)
	if parent != 0 {
		d.ParentUuid = proto.Uint64(parent)
	}
	l.packets.putAt(l.start, &perfettopb.TracePacket{Data: &perfettopb.TracePacket_TrackDescriptor{TrackDescriptor: d}})
	return uuid
}

// group makes a top-level group. Its tracks stand in the order in which they are made.
type group struct {
	lanes *lanes
	name  string
	uuid  uint64
	ranks int32
}

// track makes a track of the group, and the group with its first one.
func (g *group) track(name, description string) uint64 {
	return g.add(&perfettopb.TrackDescriptor{Name: proto.String(wire.Text(name)), Description: proto.String(description)})
}

// counter makes a counter track. Counters with the same axis share their scale.
func (g *group) counter(name, description, axis string, unit perfettopb.CounterDescriptor_Unit, unitName string) uint64 {
	c := &perfettopb.CounterDescriptor{}
	if unitName != "" {
		c.UnitName = proto.String(unitName)
	} else {
		c.Unit = unit.Enum()
	}
	if axis != "" {
		c.YAxisShareKey = proto.String(axis)
	}
	return g.add(&perfettopb.TrackDescriptor{Name: proto.String(wire.Text(name)), Description: proto.String(description), Counter: c})
}

func (g *group) add(d *perfettopb.TrackDescriptor) uint64 {
	g.ranks++
	d.SiblingOrderRank = proto.Int32(g.ranks)
	return g.lanes.track(g.id(), d)
}

// id returns the track of the group itself.
func (g *group) id() uint64 {
	if g.uuid == 0 {
		g.uuid = g.lanes.track(0, &perfettopb.TrackDescriptor{
			Name:          proto.String(wire.Text(g.lanes.packets.machine.title(g.name))),
			ChildOrdering: perfettopb.TrackDescriptor_EXPLICIT.Enum(),
		})
	}
	return g.uuid
}

// lazyTrack is a track that is described when it is first needed.
type lazyTrack struct {
	uuid uint64
	make func() uint64
}

func (t *lazyTrack) id() uint64 {
	if t.uuid == 0 {
		t.uuid = t.make()
	}
	return t.uuid
}

// clockSnapshot relates the clock of the trace to the clocks of the system.
func (p *packets) clockSnapshot(c *model.ClockSnapshot) {
	clock := func(id perfettopb.BuiltinClock, t uint64) *perfettopb.ClockSnapshot_Clock {
		return &perfettopb.ClockSnapshot_Clock{ClockId: proto.Uint32(uint32(id)), Timestamp: proto.Uint64(t)}
	}
	p.put(&perfettopb.TracePacket{Data: &perfettopb.TracePacket_ClockSnapshot{ClockSnapshot: &perfettopb.ClockSnapshot{
		Clocks: []*perfettopb.ClockSnapshot_Clock{
			clock(perfettopb.BuiltinClock_BUILTIN_CLOCK_BOOTTIME, p.machine.time(c.Trace)),
			clock(perfettopb.BuiltinClock_BUILTIN_CLOCK_MONOTONIC, c.Mono),
			clock(perfettopb.BuiltinClock_BUILTIN_CLOCK_REALTIME, uint64(c.Wall.UnixNano())),
		},
		PrimaryTraceClock: perfettopb.BuiltinClock_BUILTIN_CLOCK_BOOTTIME.Enum(),
	}}})
}

// attributes writes what is known of the trace as a whole, which the UI shows
// on its overview page.
func (p *packets) attributes(opts *Options, s *model.Summary) {
	var list []*perfettopb.TraceAttributes_Attribute
	text := func(key, value string) {
		list = append(list, &perfettopb.TraceAttributes_Attribute{Key: proto.String(key), Value: &perfettopb.TraceAttributes_Attribute_StringValue{StringValue: wire.Text(value)}})
	}
	number := func(key string, value int64) {
		list = append(list, &perfettopb.TraceAttributes_Attribute{Key: proto.String(key), Value: &perfettopb.TraceAttributes_Attribute_LongValue{LongValue: value}})
	}
	text("trace2x.version", opts.Version)
	if opts.LeftOut != "" {
		text("trace2x.left_out", opts.LeftOut)
	}
	text("go.trace.format", s.Format)
	number("go.trace.events", s.Events)
	number("go.trace.goroutines", int64(s.Goroutines))
	number("go.trace.generations", int64(s.Generations))
	for _, what := range slices.Sorted(maps.Keys(s.Misuse)) {
		number("go.trace.misuse."+what, int64(s.Misuse[what]))
	}
	if note := Beyond(s); note != "" {
		text("go.trace.ps_without_cpu", note)
	}
	for i, gap := range s.Gaps {
		key := "go.trace.damage"
		if i > 0 {
			key += "." + strconv.Itoa(i+1)
		}
		text(key, gap.Damage.Error())
	}
	for _, key := range slices.Sorted(maps.Keys(p.machine.Attributes)) {
		text(key, p.machine.Attributes[key])
	}
	p.put(&perfettopb.TracePacket{Data: &perfettopb.TracePacket_TraceAttributes{TraceAttributes: &perfettopb.TraceAttributes{Attribute: list}}})
}
