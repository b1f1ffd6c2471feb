package perfetto

import (
	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
)

const (
	// profileRate is the default rate of Go's CPU profiler, in Hz. The trace does
	// not have the rate, so a program that called runtime.SetCPUProfileRate gets
	// wrong weights.
	profileRate = 100
	// sampleWeight is the CPU time that a sample stands for, in ns. The UI adds it
	// up in its flamegraphs.
	sampleWeight = 1e9 / profileRate
)

func (w *Writer) Sample(s *model.Sample) {
	if w.slowest != nil {
		w.slowest.Sample(s)
	}
	if s.Goroutine == nil {
		if w.noLane == nil {
			w.noLane = w.lanes.newLane()
			w.lanes.describeAs(w.noLane, "(no goroutine)", "CPU samples")
		}
		w.sample(w.noLane, s)
		return
	}
	gr := w.goroutine(s.Goroutine)
	if gr.lane == nil {
		return // out of focus
	}
	w.lanes.describe(gr.lane, s.Goroutine, false)
	if gr.lane.function == nil {
		// A sample names its process, which cannot be changed later: wait until
		// it is known.
		own := gr.own()
		own.samples = append(own.samples, *s)
		return
	}
	w.sample(gr.lane, s)
}

func (w *Writer) sample(l *lane, s *model.Sample) {
	pid := w.lanes.pid(l)
	e := w.events
	e.packet(s.Time)
	b, mark := wire.Open(e.packets.part.buf, fPacketPerfSample)
	if s.Proc != model.NoProc && s.Proc < MaxCPUs {
		b = wire.AppendUint(b, fSampleCPU, uint64(s.Proc))
	}
	b = wire.AppendUint(b, fSamplePID, uint64(pid))
	b = wire.AppendUint(b, fSampleTID, uint64(l.tid))
	if s.Stack != nil {
		b = wire.AppendUint(b, fSampleCallstack, e.stacks.iid(&e.interned, s.Stack))
	}
	b = wire.AppendUint(b, fSampleMode, uint64(perfettopb.Profiling_MODE_USER))
	b = wire.AppendUint(b, fSampleTimebase, sampleWeight)
	e.packets.part.buf = wire.Close(b, mark)
	e.endPacket()
}
