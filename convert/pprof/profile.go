package pprof

import (
	"cmp"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/model"
)

// Profile returns the profile of what has been read. It has the wall-clock time at
// which the trace begins, if the trace has it.
func (c *Collector) Profile() *profile.Profile {
	c.joinSpans()
	e := newEncoder(c.opts.Type, &c.extent)
	keys := make([]key, 0, len(c.sums))
	for k := range c.sums {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, c.compare)
	for _, k := range keys {
		c.sample(e, k, c.sums[k])
	}
	return e.p
}

// compare orders the samples of a profile.
func (c *Collector) compare(a, b key) int {
	if order := cmp.Or(
		cmp.Compare(stackID(a.stack), stackID(b.stack)),
		strings.Compare(c.funcs.value(a.fn), c.funcs.value(b.fn)),
		cmp.Compare(a.state, b.state),
		strings.Compare(c.reasons.value(a.reason), c.reasons.value(b.reason)),
	); order != 0 {
		return order
	}
	if a.waker != b.waker {
		return c.wakers.value(a.waker).compare(c.wakers.value(b.waker))
	}
	return compareSpans(a.span, b.span)
}

// sample adds a sum to a profile.
func (c *Collector) sample(e *encoder, k key, v *value) {
	s := &profile.Sample{Value: []int64{v.count, v.time}}
	s.Location = e.stack(nil, k.stack)
	if c.opts.Type == Wall {
		fn := c.funcs.value(k.fn)
		if k.stack == nil {
			s.Location = []*profile.Location{e.start(fn)}
		}
		s.Label = map[string][]string{"state": {model.StateKind(k.state).String()}}
		if k.reason != 0 {
			s.Label["reason"] = []string{c.reasons.value(k.reason)}
		}
		if fn != "" {
			s.Label["func"] = []string{fn}
		}
		if k.waker != 0 {
			c.wakers.value(k.waker).label(s)
		}
	}
	labelSpan(s, k.span)
	e.p.Sample = append(e.p.Sample, s)
}

// newEncoder returns an encoder of a profile of a trace, without samples yet.
func newEncoder(t Type, x *extent) *encoder {
	e := &encoder{
		locations: make(map[*model.Frame]*profile.Location),
		functions: make(map[funcKey]*profile.Function),
		starts:    make(map[string]*profile.Location),
		p: &profile.Profile{
			PeriodType: &profile.ValueType{Type: "trace", Unit: "count"},
			Period:     1,
			SampleType: []*profile.ValueType{
				{Type: t.counts(), Unit: "count"},
				{Type: t.measures(), Unit: "nanoseconds"},
			},
			DurationNanos: int64(x.end - x.start),
			// The functions have names, so that no binary is needed to find
			// them.
			Mapping: []*profile.Mapping{{ID: 1, HasFunctions: true, HasFilenames: true, HasLineNumbers: true}},
		},
	}
	if t == CPU {
		e.p.PeriodType, e.p.Period = e.p.SampleType[1], sampleWeight
	}
	if x.clock != nil {
		e.p.TimeNanos = x.clock.Wall.UnixNano() - int64(x.clock.Trace-x.start)
	}
	return e
}

// counts and measures name the two values of a profile's samples.
func (t Type) counts() string {
	switch t {
	case CPU:
		return "samples"
	case Wall:
		return "states"
	case Critical:
		return "segments"
	}
	return "contentions"
}

func (t Type) measures() string {
	switch t {
	case CPU:
		return "cpu"
	case Wall:
		return "wall"
	case Critical:
		return "critical"
	}
	return "delay"
}

func stackID(s *model.Stack) int {
	if s == nil {
		return 0
	}
	return s.ID
}

// encoder makes a profile.
type encoder struct {
	p         *profile.Profile
	locations map[*model.Frame]*profile.Location
	functions map[funcKey]*profile.Function
	starts    map[string]*profile.Location // of start functions
}

type funcKey struct{ name, file string }

// stack appends the frames of a stack, which may be nil.
func (e *encoder) stack(to []*profile.Location, s *model.Stack) []*profile.Location {
	if s != nil {
		to = slices.Grow(to, len(s.Frames))
		for _, f := range s.Frames {
			to = append(to, e.frame(f))
		}
	}
	return to
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

// start returns a location for a goroutine with no known stack: its start function.
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
