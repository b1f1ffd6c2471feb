package profiles

import (
	"time"

	"github.com/google/pprof/profile"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/otel/attribute"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/model"
)

// Options say what becomes profiles. The zero value is everything.
type Options struct {
	// Selection limits the profiles to some goroutines and to work for some tasks.
	model.Selection
	// OwnSpans links samples also to the spans that package otel sends for tasks which
	// are no spans of the program. It is for those who send these, too.
	OwnSpans bool
	// WallStart is the wall-clock time at which a trace begins that does not tell.
	WallStart time.Time
	// Resource are the attributes of the program that was traced.
	Resource []attribute.KeyValue
	// Version is the version of trace2x, in the instrumentation scope.
	Version string
	// MaxSamples is the most samples of a message; 0 for a default, with which messages
	// stay below a megabyte.
	MaxSamples int
}

const defaultMaxSamples = 10_000

// Collector is a [model.Sink] that turns a trace into profiles.
type Collector struct {
	model.Sink // all of these
	wall, cpu  *pprof.Collector
	critical   *pprof.CriticalCollector

	opts     Options
	out      func(pprofile.Profiles) error
	err      error // the first one of out
	trace    model.Trace
	clock    otel.WallClock
	from     model.Time // since when the samples of wall and cpu are not handed out
	now      model.Time
	messages int
	spans    *spans
}

var _ model.Sink = (*Collector)(nil)

// New returns a collector of the profiles of one trace. It calls out with each message,
// during the calls of the sink. The message belongs to out, which may block. If out
// returns an error, that is the error of the sink, and out is not called again.
func New(opts Options, out func(pprofile.Profiles) error) *Collector {
	if opts.MaxSamples <= 0 {
		opts.MaxSamples = defaultMaxSamples
	}
	c := &Collector{opts: opts, out: out}
	c.spans = newSpans(&c.opts)
	of := func(t pprof.Type) pprof.Options {
		return pprof.Options{Type: t, Selection: opts.Selection, Spans: c.spans, Wakers: t == pprof.Wall}
	}
	c.wall, c.cpu = pprof.NewCollector(of(pprof.Wall)), pprof.NewCollector(of(pprof.CPU))
	c.critical = pprof.NewCriticalCollector(of(pprof.Critical))
	c.Sink = model.Tee(c.wall, c.cpu, c.critical)
	return c
}

func (c *Collector) Begin(t *model.Trace) {
	c.trace, c.from, c.now = *t, t.Start, t.Start
	c.clock = otel.NewWallClock(c.opts.WallStart, t.Start)
	c.spans.begin(t)
	c.Sink.Begin(t)
}

func (c *Collector) Sync(s *model.Sync) {
	c.clock.Sync(s)
	c.Sink.Sync(s)
}

func (c *Collector) TaskStart(t *model.Task) {
	c.spans.taskStarted(t)
	c.Sink.TaskStart(t)
}

func (c *Collector) TaskEnd(t *model.Task) {
	c.Sink.TaskEnd(t)
	c.spans.taskEnded(t)
	if c.critical.Len() >= c.opts.MaxSamples || c.critical.Full() {
		c.send(c.trace.Start, kinds{{critical, c.critical.Flush(), ""}})
	}
}

func (c *Collector) OldSpan(s *model.OldSpan) {
	c.spans.oldSpan(s)
	c.Sink.OldSpan(s)
}

func (c *Collector) GoroutineStart(g *model.Goroutine) {
	c.spans.goroutineStarted(g)
	c.Sink.GoroutineStart(g)
}

func (c *Collector) WorkStart(w *model.Work) {
	c.spans.workStarted(w)
	c.Sink.WorkStart(w)
}

func (c *Collector) GoroutineState(g *model.Goroutine, s *model.GoState) {
	c.now = max(c.now, s.End)
	c.Sink.GoroutineState(g, s)
	if c.wall.Len()+c.cpu.Len() >= c.opts.MaxSamples {
		c.flush()
	}
}

func (c *Collector) End(s *model.Summary) {
	c.now = s.End
	c.Sink.End(s)
	c.flush()
	c.send(c.trace.Start, kinds{{critical, c.critical.Profile(), ""}})
}

// Found returns what there was of the selection.
func (c *Collector) Found() model.Found { return c.wall.Stats().Found }

// Err returns the first error of out.
func (c *Collector) Err() error { return c.err }

// flush hands out what has been added up by states and by CPU samples.
func (c *Collector) flush() {
	wall := c.wall.Flush()
	c.send(c.from, kinds{
		{cpu, c.cpu.Flush(), ""},
		{offCPU, wall, model.Waiting.String()},
		{runnable, wall, model.Runnable.String()},
		{syscall, wall, model.Syscall.String()},
	})
	c.from = c.now
}

// kinds are the profiles of a message: the samples in a state of what package pprof added
// up, or all of them.
type kinds []struct {
	kind
	*profile.Profile
	state string
}

// send hands out profiles of the time from a moment until now.
func (c *Collector) send(from model.Time, ks kinds) {
	e := c.newEncoder(from)
	for _, k := range ks {
		for _, s := range k.Sample {
			if k.state != "" && s.Label["state"][0] != k.state {
				continue
			}
			if e.samples == c.opts.MaxSamples {
				c.handOut(e)
				e = c.newEncoder(from)
			}
			e.sample(&k.kind, s)
		}
	}
	c.handOut(e)
}

func (c *Collector) handOut(e *encoder) {
	if e.samples == 0 || c.err != nil {
		return
	}
	c.messages++
	c.err = c.out(e.out)
}
