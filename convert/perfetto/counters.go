package perfetto

import (
	"maps"
	"slices"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/model"
)

// stateCounters counts the goroutines by state.
//
// In a busy program a state changes every few hundred nanoseconds. Counters of every
// change would be as large as all states, so they are sampled. A change is written
// with the exact counts of its moment. After that nothing is written for some time (see
// countInterval); at the end of it, the counts of that moment are.
//
// The number of goroutines at the beginning is known at the end of the first
// generation, when all that existed have been announced. Until then the samples are
// held back.
type stateCounters struct {
	events *events
	start  model.Time
	tracks [len(countedStates)]uint64
	thread uint64

	initial [len(countedStates)]int64 // in the beginning
	change  [len(countedStates)]int64 // since then
	written [len(countedStates)]int64
	threads int64 // written
	known   bool  // initial is complete
	held    []countSample

	next  model.Time // when the next sample may be taken
	dirty bool       // a change has not been sampled
}

type countSample struct {
	time   model.Time
	change [4]int64
}

// countInterval returns the shortest time between two samples. A trace of more than a
// second is seen from farther away, and five counters of 10,000 samples a second would
// be a tenth of what is to be loaded.
func (c *stateCounters) countInterval(t model.Time) model.Time {
	if t-c.start < denseTime {
		return denseInterval
	}
	return laterInterval
}

// Times in ns between samples of counters: in the first denseTime of a trace, and later.
const (
	denseTime     = 1_000_000_000
	denseInterval = 100_000
	laterInterval = 1_000_000
)

var countedStates = [...]model.StateKind{model.Running, model.Runnable, model.Waiting, model.Syscall}

// countIndex has the index of each state in countedStates, -1 for none.
func countIndex(k model.StateKind) int {
	switch k {
	case model.Running:
		return 0
	case model.Runnable:
		return 1
	case model.Waiting:
		return 2
	case model.Syscall:
		return 3
	}
	return -1
}

func newStateCounters(e *events, g *group, start model.Time) *stateCounters {
	c := &stateCounters{events: e, start: start, next: start}
	for i, k := range countedStates {
		c.tracks[i] = g.counter("Goroutines "+countName(k), "Goroutines in this state, at most one sample every 100 µs, and every ms after the first second", "goroutines", perfettopb.CounterDescriptor_UNIT_COUNT, "goroutines")
		c.written[i] = -1
	}
	c.thread = g.counter("Threads in use", "OS threads that run a goroutine or are in a system call for one", "", perfettopb.CounterDescriptor_UNIT_COUNT, "threads")
	c.threads = -1
	return c
}

func countName(k model.StateKind) string {
	if k == model.Syscall {
		return "in syscall"
	}
	return k.String()
}

// existing counts a goroutine from before the trace, unless its state is not known,
// because the window begins in a gap.
func (c *stateCounters) existing(k model.StateKind) {
	if i := countIndex(k); i >= 0 {
		c.initial[i]++
	}
}

// turned counts that a goroutine went from one state to another at t;
// NotExist is none.
func (c *stateCounters) turned(from, to model.StateKind, t model.Time) {
	c.advance(t)
	if i := countIndex(from); i >= 0 {
		c.change[i]--
	}
	if i := countIndex(to); i >= 0 {
		c.change[i]++
	}
	c.dirty = true
	if t >= c.next {
		c.sample(t)
	}
}

// advance takes a sample at the end of the interval if that is before t.
func (c *stateCounters) advance(t model.Time) {
	if c.dirty && t > c.next {
		c.sample(c.next)
	}
}

func (c *stateCounters) sample(t model.Time) {
	c.dirty, c.next = false, t+c.countInterval(t)
	if !c.known {
		c.held = append(c.held, countSample{t, c.change})
		return
	}
	c.write(t, &c.change)
}

func (c *stateCounters) write(t model.Time, change *[4]int64) {
	var now [4]int64
	for i := range now {
		now[i] = c.initial[i] + change[i]
		if now[i] != c.written[i] {
			c.events.count(c.tracks[i], t, now[i])
		}
	}
	if threads := now[0] + now[3]; threads != c.threads {
		c.events.count(c.thread, t, threads)
		c.threads = threads
	}
	c.written = now
}

// complete says that all goroutines from before the trace are counted.
func (c *stateCounters) complete(start model.Time) {
	if c.known {
		return
	}
	c.known = true
	c.write(start, &[4]int64{})
	for i := range c.held {
		c.write(c.held[i].time, &c.held[i].change)
	}
	c.held = nil
}

// finish writes the last counts.
func (c *stateCounters) finish(start, end model.Time) {
	if c.dirty {
		c.sample(min(c.next, end))
	}
	c.complete(start)
}

// metrics writes the runtime's metrics as counters. A busy program has a new size of its
// heap every few hundred microseconds.
type metrics struct {
	events *events
	group  *group
	start  model.Time
	open   map[string]*metric
}

// metric is one counter. In the first second it has all samples. After that, it has the
// last one of each millisecond, and each that is larger or smaller than both the one
// before it and the one behind it: a sample that is left out lies between two that are
// written, and is soon followed by the second of them.
type metric struct {
	track       uint64
	written     metricSample // the last one
	held        metricSample // the last one, which may be left out
	any, isHeld bool         // written, held are set
}

type metricSample struct {
	time  model.Time
	value int64
}

func (m *metrics) sample(s *model.Metric) {
	c := m.open[s.Name]
	if c == nil {
		c = &metric{track: m.track(s.Name)}
		m.open[s.Name] = c
	}
	now := metricSample{s.Time, int64(s.Value)}
	if c.isHeld && (now.time-c.written.time >= laterInterval || c.held.isExtreme(c.written, now)) {
		m.write(c, c.held)
	}
	if c.any && now.time-m.start >= denseTime && now.time-c.written.time < laterInterval {
		c.held, c.isHeld = now, true
	} else {
		m.write(c, now)
	}
}

// isExtreme reports whether a sample is larger or smaller than both of its neighbors.
func (s metricSample) isExtreme(before, behind metricSample) bool {
	return s.value > max(before.value, behind.value) || s.value < min(before.value, behind.value)
}

func (m *metrics) write(c *metric, s metricSample) {
	m.events.count(c.track, s.time, s.value)
	c.written, c.any, c.isHeld = s, true, false
}

// finish writes the last samples.
func (m *metrics) finish() {
	for _, name := range slices.Sorted(maps.Keys(m.open)) {
		if c := m.open[name]; c.isHeld {
			m.write(c, c.held)
		}
	}
}

// track makes the track of a metric.
func (m *metrics) track(name string) uint64 {
	const thinned = ", all samples of the first second, and then one every ms, and peaks"
	switch name {
	case model.HeapObjects:
		return m.group.counter("Heap in use", "Memory occupied by live objects and dead ones not yet swept"+thinned, "heap", perfettopb.CounterDescriptor_UNIT_SIZE_BYTES, "")
	case model.HeapGoal:
		return m.group.counter("Heap goal", "Heap size at the end of the GC cycle that the pacer aims for", "heap", perfettopb.CounterDescriptor_UNIT_SIZE_BYTES, "")
	case model.GOMAXPROCS:
		return m.group.counter("GOMAXPROCS", "Number of Ps", "", perfettopb.CounterDescriptor_UNIT_COUNT, "Ps")
	}
	return m.group.counter(name, "A metric of runtime/metrics", "", perfettopb.CounterDescriptor_UNIT_COUNT, "")
}
