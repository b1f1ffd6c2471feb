package metrics

import (
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// Options describe the program that was traced, as those of package otel do.
type Options struct {
	// WallStart is the wall-clock time at which a trace begins that does not tell.
	WallStart time.Time
	// Resource are the attributes of the program that was traced.
	Resource []attribute.KeyValue
	// Version is the version of trace2x, in the instrumentation scope.
	Version string
}

// MaxTypes is the number of types of tasks, and of regions, that have time series of
// their own. The others have one together, with the attribute otel.metric.overflow.
const MaxTypes = 1000

// Collector is a [model.Sink] that adds metrics up.
type Collector struct {
	*sums
	opts  Options
	clock otel.WallClock

	latency               exponential // of the scheduler
	marks                 exponential
	gcPauses, otherPauses durations // by reason
	tasks, regions        types

	cycles            int64                    // of the GC that ended
	alive             [model.Unknown + 1]int64 // goroutines at the end, by state
	procs, heap, goal metric
}

// sums adds up all that is a sum.
type sums = report.Builder

// metric is the latest value of a metric of the runtime.
type metric struct {
	value uint64
	known bool
}

var _ model.Sink = (*Collector)(nil)

// New returns a collector of the metrics of one trace.
func New(opts Options) *Collector {
	return &Collector{
		sums:        report.New(report.Options{NoUnits: true, Worst: 1}),
		opts:        opts,
		gcPauses:    make(durations),
		otherPauses: make(durations),
		tasks:       types{known: make(durations)},
		regions:     types{known: make(durations)},
	}
}

func (c *Collector) Begin(t *model.Trace) {
	c.clock = otel.NewWallClock(c.opts.WallStart, t.Start)
	c.sums.Begin(t)
}

func (c *Collector) Sync(s *model.Sync) {
	c.clock.Sync(s)
	c.sums.Sync(s)
}

func (c *Collector) GoroutineState(g *model.Goroutine, s *model.GoState) {
	if s.Kind == model.Runnable {
		c.latency.add(s.Duration())
	}
	c.sums.GoroutineState(g, s)
}

func (c *Collector) GoroutineEnd(g *model.Goroutine) {
	if g.Open {
		c.alive[g.Current().Kind]++
	}
	c.sums.GoroutineEnd(g)
}

func (c *Collector) Range(r *model.Range) {
	switch r.Kind {
	case model.GCMark:
		c.marks.add(r.End - r.Start)
		if !r.Open {
			c.cycles++
		}
	case model.StopTheWorld:
		pauses := c.otherPauses
		if strings.HasPrefix(r.Reason, "GC ") {
			pauses = c.gcPauses
		}
		pauses.of(r.Reason).add(r.End - r.Start)
	}
	c.sums.Range(r)
}

func (c *Collector) TaskEnd(t *model.Task) {
	if !t.Before && !t.Open {
		c.tasks.of(t.Type).add(t.End - t.Start)
	}
	c.sums.TaskEnd(t)
}

func (c *Collector) RegionEnd(r *model.Region) {
	if !r.Before && !r.Open {
		c.regions.of(r.Type).add(r.End - r.Start)
	}
	c.sums.RegionEnd(r)
}

func (c *Collector) Metric(m *model.Metric) {
	switch m.Name {
	case model.GOMAXPROCS:
		c.procs = metric{m.Value, true}
	case model.HeapObjects:
		c.heap = metric{m.Value, true}
	case model.HeapGoal:
		// While there is no goal, as before the first cycle with GOGC=off, it is near the
		// largest number.
		c.goal = metric{m.Value, 0 < m.Value && m.Value < 1<<62}
	}
	c.sums.Metric(m)
}

// durations are distributions by name.
type durations map[string]*exponential

func (d durations) of(name string) *exponential {
	e := d[name]
	if e == nil {
		e = &exponential{}
		d[name] = e
	}
	return e
}

// types has the latencies of units of work by type, and those of the types beyond
// MaxTypes together.
type types struct {
	known  durations
	others exponential
}

func (t *types) of(name string) *exponential {
	name = wire.Text(name)
	if len(t.known) >= MaxTypes && t.known[name] == nil {
		return &t.others
	}
	return t.known.of(name)
}
