package perfetto_test

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// FuzzConvert converts any bytes without a panic, to a file that is right in itself.
func FuzzConvert(f *testing.F) {
	testtrace.SeedStructure(f)
	f.Fuzz(func(t *testing.T, data []byte, change uint64) {
		data = testtrace.Mutate(data, change)
		opts := perfetto.Options{Threads: change%2 == 0, LanePerGoroutine: change%3 == 1, Slowest: int(change % 7)}
		if change%5 == 1 {
			opts.MinBlock = perfetto.DefaultMinBlock
		}
		var out bytes.Buffer
		sum, err := perfetto.Convert(t.Context(), bytes.NewReader(data), &out, opts)
		if sum == nil {
			if out.Len() > 0 {
				t.Errorf("%v, and %d bytes", err, out.Len())
			}
			return
		}
		if err != nil && !model.IsDamage(err) {
			t.Fatal(err)
		}
		checkFile(t, out.Bytes(), sum)
	})
}

// checkFile reads a file with the generated code, and returns the number of its
// packets. Each packet is one that Perfetto knows, what is interned or described is
// so before it is used, on each track no more slices end than have begun, and all
// times are in the trace. sum is nil if that is not known.
func checkFile(t *testing.T, file []byte, sum *model.Summary) (packets int) {
	t.Helper()
	var trace perfettopb.Trace
	if err := proto.Unmarshal(file, &trace); err != nil {
		t.Fatal(err)
	}
	noUnknownFields(t, trace.ProtoReflect())
	begin, end := int64(0), int64(math.MaxInt64)
	if sum != nil {
		begin, end = int64(sum.Start), int64(sum.End)
	}
	sequences := make(map[uint32]*interned)
	clocks := make(map[uint32]uint64) // incremental ones
	offsets := make(map[uint32]uint64)
	tracks := make(map[uint64]bool)
	events := make(map[uint64][]trackEvent)
	for i, p := range trace.Packet {
		s := sequences[p.GetTrustedPacketSequenceId()]
		if s == nil {
			s = newInterned()
			sequences[p.GetTrustedPacketSequenceId()] = s
		}
		s.add(t, p.GetInternedData())
		if c := p.GetClockSnapshot(); c != nil {
			first := c.Clocks[0].GetTimestamp()
			for _, c := range c.Clocks {
				if c.GetClockId() < 64 {
					continue
				}
				if c.GetIsIncremental() {
					clocks[c.GetClockId()] = c.GetTimestamp()
				} else {
					offsets[c.GetClockId()] = first - c.GetTimestamp()
				}
			}
		}
		if p.Timestamp != nil {
			now := p.GetTimestamp()
			clock := p.GetTimestampClockId()
			if p.TimestampClockId == nil {
				clock = 64 // the default of the sequence of events
			}
			if last, ok := clocks[clock]; ok {
				now += last
				clocks[clock] = now
			} else {
				now += offsets[clock]
			}
			if int64(now) < begin || int64(now) > end {
				t.Errorf("packet %d is at %d, the trace from %d to %d: %v", i, int64(now), begin, end, p)
			}
			if e := p.GetTrackEvent(); e != nil {
				events[e.GetTrackUuid()] = append(events[e.GetTrackUuid()], trackEvent{now, e.GetType()})
			}
		}
		if d := p.GetTrackDescriptor(); d != nil {
			tracks[d.GetUuid()] = true
			if d.ParentUuid != nil && !tracks[d.GetParentUuid()] {
				t.Errorf("packet %d describes a track below one that is not described: %v", i, d)
			}
		}
		if e := p.GetTrackEvent(); e != nil {
			s.checkEvent(t, i, e)
		}
		if e := p.GetPerfSample(); e != nil && e.CallstackIid != nil {
			s.check(t, i, "callstack", s.stacks, e.GetCallstackIid())
		}
		if b := p.GetFtraceEvents(); b != nil {
			s.checkBundle(t, i, b)
			checkTimes(t, i, b.CompactSched.SwitchTimestamp, begin, end)
			checkTimes(t, i, b.CompactSched.WakingTimestamp, begin, end)
			for _, e := range b.Event {
				checkTimes(t, i, []uint64{e.GetTimestamp()}, begin, end)
			}
		}
	}
	for uuid, list := range events {
		if !tracks[uuid] {
			t.Errorf("%d events of a track %d that is not described", len(list), uuid)
		}
		slices.SortStableFunc(list, func(a, b trackEvent) int { return cmp.Compare(a.time, b.time) })
		depth := 0
		for _, e := range list {
			switch e.typ {
			case perfettopb.TrackEvent_TYPE_SLICE_BEGIN:
				depth++
			case perfettopb.TrackEvent_TYPE_SLICE_END:
				depth--
			}
			if depth < 0 {
				t.Errorf("track %d: at %d a slice ends that has not begun", uuid, e.time)
				break
			}
		}
	}
	return len(trace.Packet)
}

type trackEvent struct {
	time uint64
	typ  perfettopb.TrackEvent_Type
}

// checkTimes checks times. Each of them counts from the one before.
func checkTimes(t *testing.T, packet int, deltas []uint64, begin, end int64) {
	t.Helper()
	now := uint64(0)
	for _, d := range deltas {
		if now += d; int64(now) < begin || int64(now) > end {
			t.Errorf("packet %d has a scheduling event at %d, the trace is from %d to %d", packet, int64(now), begin, end)
			return
		}
	}
}

// TestDamaged: the files of traces of all versions that are cut or overwritten are
// right in themselves.
func TestDamaged(t *testing.T) {
	for name, data := range testtrace.Damaged(t, 200) {
		var out bytes.Buffer
		sum, err := perfetto.Convert(t.Context(), bytes.NewReader(data), &out, perfetto.Options{})
		if sum != nil {
			checkFile(t, out.Bytes(), sum)
		}
		if t.Failed() {
			t.Fatalf("%s: %v", name, err)
		}
	}
}
