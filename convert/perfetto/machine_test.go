package perfetto_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
)

// TestMachine: of several programs, each is what it is in a file of its own, except for
// the numbers that programs must not share, the names, and times that are later by Shift.
func TestMachine(t *testing.T) {
	const shift = 7 * time.Millisecond
	for _, name := range []string{"states", "damaged", "cpuprofile", "gc", "spanlink", "httpserver-go1.19", "flightrecorder"} {
		data := testtrace.Data(t, name)
		opts := perfetto.Options{Threads: true, Slowest: 10}
		alone := packetsOf(t, converttest.Perfetto(t, data, opts))
		for _, index := range []int{0, 2} {
			opts.Machine = &perfetto.Machine{Index: index, Of: 3, Name: "checkout", Shift: shift}
			got := packetsOf(t, converttest.Perfetto(t, data, opts))
			if len(got) != len(alone)+1 || got[0].GetSystemInfo().GetUtsname().GetSysname() != "checkout" {
				t.Errorf("%s: %d packets, %d alone; the first is %v", name, len(got), len(alone), got[0])
				continue
			}
			if got[0].GetMachineId() != uint32(index) {
				t.Errorf("%s: %v is of another machine", name, got[0])
			}
			var want []*perfettopb.TracePacket
			for _, p := range alone {
				p = proto.CloneOf(p)
				onMachine(p, index, shift)
				want = append(want, p)
			}
			got, want = bySequence(got[1:]), bySequence(want)
			for i, p := range got {
				if !proto.Equal(p, want[i]) {
					t.Errorf("%s, program %d: packet %d is\n%v\nwant\n%v", name, index, i, p, want[i])
					break
				}
			}
		}
	}
}

func packetsOf(t *testing.T, data []byte) []*perfettopb.TracePacket {
	t.Helper()
	var trace perfettopb.Trace
	if err := proto.Unmarshal(data, &trace); err != nil {
		t.Fatal(err)
	}
	return trace.Packet
}

// bySequence sorts packets by their sequence: how sequences mix depends on the numbers of
// bytes. So does when the names in scheduling data, which are few, are interned; they
// become one packet.
func bySequence(list []*perfettopb.TracePacket) []*perfettopb.TracePacket {
	slices.SortStableFunc(list, func(a, b *perfettopb.TracePacket) int {
		return cmp.Compare(a.GetTrustedPacketSequenceId(), b.GetTrustedPacketSequenceId())
	})
	names := &perfettopb.InternedData{}
	for _, p := range list {
		if p.GetFtraceEvents() != nil {
			proto.Merge(names, p.GetInternedData())
			p.InternedData = nil
		}
	}
	return append(list, &perfettopb.TracePacket{InternedData: names})
}

// onMachine changes a packet of a file of one program to what it is among three.
func onMachine(p *perfettopb.TracePacket, index int, shift time.Duration) {
	if index > 0 {
		p.MachineId = proto.Uint32(uint32(index))
	}
	p.TrustedPacketSequenceId = proto.Uint32(p.GetTrustedPacketSequenceId() + uint32(index*4))
	uuid := func(id **uint64) {
		if *id != nil && **id != 0 {
			*id = proto.Uint64(**id*3 + uint64(index))
		}
	}
	add := func(at **uint64) {
		if *at != nil {
			*at = proto.Uint64(**at + uint64(shift))
		}
	}
	const bootClock = 6
	if p.GetTimestampClockId() == bootClock {
		add(&p.Timestamp)
	}
	if e := p.GetTrackEvent(); e != nil {
		uuid(&e.TrackUuid)
	}
	if d := p.GetTrackDescriptor(); d != nil {
		uuid(&d.Uuid)
		uuid(&d.ParentUuid)
		if d.GetName() != "" && d.ParentUuid == nil {
			d.Name = proto.String("checkout: " + d.GetName())
		}
		if d.Process != nil {
			d.Process.ProcessName = proto.String("checkout: " + d.Process.GetProcessName())
		}
	}
	if c := p.GetClockSnapshot(); c != nil {
		for _, c := range c.Clocks {
			if c.GetClockId() == bootClock || c.GetIsIncremental() {
				add(&c.Timestamp)
			}
		}
	}
	if b := p.GetFtraceEvents(); b != nil {
		for _, e := range b.Event {
			add(&e.Timestamp)
		}
		for _, list := range [][]uint64{b.CompactSched.GetSwitchTimestamp(), b.CompactSched.GetWakingTimestamp()} {
			if len(list) > 0 {
				list[0] += uint64(shift)
			}
		}
	}
}
