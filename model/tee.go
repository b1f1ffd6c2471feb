package model

// Tee returns a sink that hands everything to several sinks, so that they read a
// trace together. Each call goes to them in their order. Err is the first error in
// that order.
//
// The sinks share what they get, under the rules of ownership that hold for one.
func Tee(sinks ...Sink) Sink { return tee(sinks) }

type tee []Sink

func (t tee) Begin(x *Trace) {
	for _, s := range t {
		s.Begin(x)
	}
}

func (t tee) GoroutineStart(g *Goroutine) {
	for _, s := range t {
		s.GoroutineStart(g)
	}
}

func (t tee) GoroutineState(g *Goroutine, x *GoState) {
	for _, s := range t {
		s.GoroutineState(g, x)
	}
}

func (t tee) GoroutineEnd(g *Goroutine) {
	for _, s := range t {
		s.GoroutineEnd(g)
	}
}

func (t tee) Run(x *Run) {
	for _, s := range t {
		s.Run(x)
	}
}

func (t tee) ProcState(x *ProcState) {
	for _, s := range t {
		s.ProcState(x)
	}
}

func (t tee) RegionStart(x *Region) {
	for _, s := range t {
		s.RegionStart(x)
	}
}

func (t tee) RegionEnd(x *Region) {
	for _, s := range t {
		s.RegionEnd(x)
	}
}

func (t tee) TaskStart(x *Task) {
	for _, s := range t {
		s.TaskStart(x)
	}
}

func (t tee) TaskEnd(x *Task) {
	for _, s := range t {
		s.TaskEnd(x)
	}
}

func (t tee) OldSpan(x *OldSpan) {
	for _, s := range t {
		s.OldSpan(x)
	}
}

func (t tee) Log(x *Log) {
	for _, s := range t {
		s.Log(x)
	}
}

func (t tee) WorkStart(x *Work) {
	for _, s := range t {
		s.WorkStart(x)
	}
}

func (t tee) WorkEnd(x *Work) {
	for _, s := range t {
		s.WorkEnd(x)
	}
}

func (t tee) Range(x *Range) {
	for _, s := range t {
		s.Range(x)
	}
}

func (t tee) Metric(x *Metric) {
	for _, s := range t {
		s.Metric(x)
	}
}

func (t tee) Sample(x *Sample) {
	for _, s := range t {
		s.Sample(x)
	}
}

func (t tee) Sync(x *Sync) {
	for _, s := range t {
		s.Sync(x)
	}
}

func (t tee) Gap(x *Gap) {
	for _, s := range t {
		s.Gap(x)
	}
}

func (t tee) End(x *Summary) {
	for _, s := range t {
		s.End(x)
	}
}

func (t tee) Err() error {
	for _, s := range t {
		if err := s.Err(); err != nil {
			return err
		}
	}
	return nil
}
