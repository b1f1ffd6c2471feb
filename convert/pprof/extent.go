package pprof

import "github.com/trace2x/trace2x/model"

// extent is the sink for what every profile says of its trace: how long it is, and when
// it was recorded.
type extent struct {
	model.NopSink
	start, end model.Time
	clock      *model.ClockSnapshot // the first one
}

func (x *extent) Begin(t *model.Trace) { x.start, x.end = t.Start, t.Start }

func (x *extent) Sync(s *model.Sync) {
	if s.Clock != nil && x.clock == nil {
		clock := *s.Clock
		x.clock = &clock
	}
}

func (x *extent) End(s *model.Summary) { x.end = s.End }
