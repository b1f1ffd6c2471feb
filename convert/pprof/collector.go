package pprof

import (
	"context"
	"io"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/model"
)

// Convert reads a Go execution trace from r and writes its profile to w, compressed
// with gzip as the format requires. It returns the errors of [model.Read] and of w. With
// a *[model.Damage], w has the profile of what could be read. With any other error of
// Read nothing was written.
//
// For a part of a trace, see [NewCollector] and [model.ReadWindow].
func Convert(ctx context.Context, r io.Reader, w io.Writer, opts Options) (*model.Summary, error) {
	c := New(opts)
	sum, err := model.Read(ctx, r, c)
	if sum == nil {
		return nil, err
	}
	if err := c.Profile().Write(w); err != nil {
		return nil, err
	}
	return sum, err
}

// Profiler is a sink that adds a profile up.
type Profiler interface {
	model.Sink
	// Stats returns what the profile has, and Profile returns it. Both are complete
	// when the trace has ended.
	Stats() Stats
	Profile() *profile.Profile
}

// New returns the Profiler for opts: a [CriticalCollector] for the type Critical, else a
// [Collector].
func New(opts Options) Profiler {
	if opts.Type == Critical {
		return NewCriticalCollector(opts)
	}
	return NewCollector(opts)
}

// Stats says what a profile has, and how much of the trace its filters matched.
type Stats struct {
	// Stacks is the number of different stacks. Count, and Time in ns, are the sums
	// of the two values of the samples.
	Stacks      int
	Count, Time int64
	// Found is what there was of the selection, and Regions the number of regions
	// that matched. What the options do not limit may be 0.
	model.Found
	Regions int
	CriticalStats
}

// Collector is a [model.Sink] that adds a profile up.
type Collector struct {
	extent
	opts  Options
	stats Stats

	sums       sums
	reasons    names
	counted    map[string]bool // whether the type counts waits with a reason
	funcs      names
	goroutines model.BySlot[goroutine]
	tasks      *model.SelectedTasks
	regions    map[string]bool // whether a type matches
	wakers     wakers
}

// key is what times are added up by. Except for the type Wall, all fields but the stack
// and the span are zero. It has no padding between fields, which would make hashing slow.
type key struct {
	stack  *model.Stack       // nil if the trace does not have it
	span   *model.SpanContext // nil for none
	state  int32              // a model.StateKind
	reason int32              // of Collector.reasons
	fn     int32              // of Collector.funcs
	waker  int32              // of Collector.wakers
}

// value is a count and a time in ns.
type value struct{ count, time int64 }

type sums map[key]*value

func (s sums) add(k key, v value) {
	if sum := s[k]; sum != nil {
		sum.count += v.count
		sum.time += v.time
		return
	}
	s[k] = &value{v.count, v.time}
}

// goroutine is what the collector knows of a goroutine.
type goroutine struct {
	unwanted bool
	ran      bool // in the trace, before the state that it is in
	// fn is the start function, 0 while it is unknown. unnamed is what counts once it
	// is known: before that there is no label, and no filter can match.
	fn      int32
	unnamed sums
	// own is the stack of the state before the current one. If that was a wait, waker
	// is the stack at which another goroutine ended it.
	own, waker *model.Stack
	stints
}

var _ model.Sink = (*Collector)(nil)

// NewCollector returns a collector of the profile that opts describe. The type must not
// be Critical.
func NewCollector(opts Options) *Collector {
	c := &Collector{
		opts:    opts,
		sums:    make(sums),
		counted: make(map[string]bool),
		regions: make(map[string]bool),
	}
	c.tasks = model.NewSelectedTasks(&c.opts.Selection, &c.stats.Found)
	return c
}

// Stats returns what the profile has. It is complete when the trace has ended.
func (c *Collector) Stats() Stats {
	s := c.stats
	stacks := make(map[*model.Stack]bool)
	for k, v := range c.sums {
		stacks[k.stack] = true
		s.Count += v.count
		s.Time += v.time
	}
	s.Stacks = len(stacks)
	return s
}

func (c *Collector) GoroutineStart(g *model.Goroutine) {
	gr := c.goroutines.Of(g)
	*gr = goroutine{}
	selected, known := c.opts.Goroutine(g)
	if known && !selected {
		gr.unwanted = true
		return
	}
	if known && c.opts.Func == nil {
		c.stats.Goroutines++
	}
	if c.opts.byTime() {
		gr.stints.start(g, &c.opts)
	}
	if c.opts.Spans != nil {
		gr.span = c.opts.Spans.Goroutine(g)
	}
	c.learnFunc(gr, g)
}

func (c *Collector) GoroutineEnd(g *model.Goroutine) {
	gr := c.goroutines.Of(g)
	c.learnFunc(gr, g)
	if gr.fn == 0 && c.opts.Func == nil {
		c.count(gr.unnamed)
	}
	*gr = goroutine{}
}

// learnFunc takes note of the start function as soon as the trace tells it.
func (c *Collector) learnFunc(gr *goroutine, g *model.Goroutine) {
	if gr.unwanted || gr.fn != 0 || g.Func == "" || !c.needsFunc() {
		return
	}
	gr.fn = c.funcs.id(g.Func)
	if c.opts.Func != nil {
		if selected, _ := c.opts.Goroutine(g); !selected {
			*gr = goroutine{unwanted: true}
			return
		}
		c.stats.Goroutines++
	}
	unnamed := gr.unnamed
	gr.unnamed = nil
	for k, v := range unnamed {
		c.add(gr, k, *v)
	}
}

func (c *Collector) needsFunc() bool { return c.opts.Type == Wall || c.opts.Func != nil }

// add counts what is within the limits of time.
func (c *Collector) add(gr *goroutine, k key, v value) {
	switch {
	case !c.needsFunc():
	case gr.fn == 0:
		if gr.unnamed == nil {
			gr.unnamed = make(sums)
		}
		gr.unnamed.add(k, v)
		return
	case c.opts.Type == Wall:
		k.fn = gr.fn
	}
	c.sums.add(k, v)
}

func (c *Collector) count(s sums) {
	for k, v := range s {
		c.sums.add(k, *v)
	}
}

func (c *Collector) GoroutineState(g *model.Goroutine, s *model.GoState) {
	gr := c.goroutines.Of(g)
	c.learnFunc(gr, g)
	if gr.unwanted {
		return
	}
	k, counts := c.keyOf(gr, s)
	if !c.opts.byTime() {
		if d := s.Duration(); counts && d > 0 {
			c.add(gr, k, value{1, int64(d)})
		}
	} else {
		c.advance(gr, s.End)
		c.stateEnded(gr, k, counts)
	}

	gr.ran = gr.ran || s.Kind == model.Running || s.Next == model.Running
	gr.own, gr.waker = k.stack, s.Waker.Stack
}

// keyOf returns what a state counts as, if it counts.
func (c *Collector) keyOf(gr *goroutine, s *model.GoState) (k key, counts bool) {
	k.stack = s.Stack
	switch c.opts.Type {
	case Wall:
		k.state = int32(s.Kind)
		switch s.Kind {
		case model.Running:
			k.stack = nil
		case model.Waiting:
			k.reason = c.reasons.id(s.Reason)
			if c.opts.Wakers && !s.Open {
				k.waker = c.wakers.id(&s.Waker)
			}
		case model.Runnable:
			// It has not run since: it is where it was before.
			if k.stack == nil {
				k.stack = gr.own
			}
		}
		return k, true
	case Net, Sync:
		counts = s.Kind == model.Waiting && c.counts(s.Reason)
	case Syscall:
		counts = s.Kind == model.Syscall
	case Sched:
		if counts = s.Kind == model.Runnable; counts && k.stack == nil {
			k.stack = gr.waker
		}
	}
	return k, counts && gr.ran && !s.Open
}

// counts reports whether the profile's type counts waits with this reason.
func (c *Collector) counts(reason string) bool {
	counts, ok := c.counted[reason]
	if !ok {
		if c.opts.Type == Net {
			counts = reason == "network"
		} else {
			counts = strings.Contains(reason, "chan") || strings.Contains(reason, "sync") || strings.Contains(reason, "select")
		}
		c.counted[reason] = counts
	}
	return counts
}

func (c *Collector) Sample(s *model.Sample) {
	if c.opts.Type != CPU {
		return
	}
	v := value{1, sampleWeight}
	k := key{stack: s.Stack}
	if s.Goroutine == nil {
		if !c.opts.filtered() {
			c.sums.add(k, v)
		}
		return
	}
	gr := c.goroutines.Of(s.Goroutine)
	c.learnFunc(gr, s.Goroutine)
	switch {
	case gr.unwanted:
	case c.opts.byTime():
		k.span = gr.span
		c.sampled(gr, k, v)
	default:
		c.add(gr, k, v)
	}
}
