package pprof

import (
	"cmp"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/model"
)

// Profile returns the profile of what has been read. It has the wall-clock time
// at which the trace begins if the trace tells that.
func (c *Collector) Profile() *profile.Profile {
	e := encoder{
		Collector: c,
		locations: make(map[*model.Frame]*profile.Location),
		functions: make(map[funcKey]*profile.Function),
		starts:    make(map[string]*profile.Location),
		p: &profile.Profile{
			PeriodType: &profile.ValueType{Type: "trace", Unit: "count"},
			Period:     1,
			SampleType: []*profile.ValueType{
				{Type: c.opts.Type.counts(), Unit: "count"},
				{Type: c.opts.Type.measures(), Unit: "nanoseconds"},
			},
			DurationNanos: int64(c.end - c.start),
			// What has a name needs no binary to look one up in.
			Mapping: []*profile.Mapping{{ID: 1, HasFunctions: true, HasFilenames: true, HasLineNumbers: true}},
		},
	}
	if c.opts.Type == CPU {
		e.p.PeriodType, e.p.Period = e.p.SampleType[1], sampleWeight
	}
	if c.clock != nil {
		e.p.TimeNanos = c.clock.Wall.UnixNano() - int64(c.clock.Trace-c.start)
	}
	keys := make([]key, 0, len(c.sums))
	for k := range c.sums {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(
			cmp.Compare(stackID(a.stack), stackID(b.stack)),
			cmp.Compare(c.funcs.name(a.fn), c.funcs.name(b.fn)),
			cmp.Compare(a.state, b.state),
			cmp.Compare(c.reasons.name(a.reason), c.reasons.name(b.reason)),
		)
	})
	for _, k := range keys {
		e.sample(k, c.sums[k])
	}
	return e.p
}

// counts and measures name the two values of a profile's samples.
func (t Type) counts() string {
	switch t {
	case CPU:
		return "samples"
	case Wall:
		return "states"
	}
	return "contentions"
}

func (t Type) measures() string {
	switch t {
	case CPU:
		return "cpu"
	case Wall:
		return "wall"
	}
	return "delay"
}

func stackID(s *model.Stack) int {
	if s == nil {
		return 0
	}
	return s.ID
}

// encoder puts sums into a profile.
type encoder struct {
	*Collector
	p         *profile.Profile
	locations map[*model.Frame]*profile.Location
	functions map[funcKey]*profile.Function
	starts    map[string]*profile.Location // of start functions
}

type funcKey struct{ name, file string }

func (e *encoder) sample(k key, v *value) {
	s := &profile.Sample{Value: []int64{v.count, v.time}}
	if k.stack != nil {
		s.Location = make([]*profile.Location, len(k.stack.Frames))
		for i, f := range k.stack.Frames {
			s.Location[i] = e.frame(f)
		}
	}
	if e.opts.Type == Wall {
		fn := e.funcs.name(k.fn)
		if k.stack == nil {
			s.Location = []*profile.Location{e.start(fn)}
		}
		s.Label = map[string][]string{"state": {model.StateKind(k.state).String()}}
		if k.reason != 0 {
			s.Label["reason"] = []string{e.reasons.name(k.reason)}
		}
		if fn != "" {
			s.Label["func"] = []string{fn}
		}
	}
	e.p.Sample = append(e.p.Sample, s)
}

func (e *encoder) frame(f *model.Frame) *profile.Location {
	l := e.locations[f]
	if l == nil {
		l = e.location(profile.Line{Function: e.function(f.Func, f.File), Line: int64(f.Line)})
		l.Address = f.PC
		e.locations[f] = l
	}
	return l
}

// start returns the location of a goroutine of which only the start function is
// known.
func (e *encoder) start(fn string) *profile.Location {
	l := e.starts[fn]
	if l == nil {
		l = e.location(profile.Line{Function: e.function(model.FuncName(fn), "")})
		e.starts[fn] = l
	}
	return l
}

func (e *encoder) location(line profile.Line) *profile.Location {
	l := &profile.Location{ID: uint64(len(e.p.Location) + 1), Mapping: e.p.Mapping[0], Line: []profile.Line{line}}
	e.p.Location = append(e.p.Location, l)
	return l
}

func (e *encoder) function(name, file string) *profile.Function {
	k := funcKey{name, file}
	f := e.functions[k]
	if f == nil {
		f = &profile.Function{ID: uint64(len(e.p.Function) + 1), Name: name, SystemName: name, Filename: file}
		e.p.Function = append(e.p.Function, f)
		e.functions[k] = f
	}
	return f
}
