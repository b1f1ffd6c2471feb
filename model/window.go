package model

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/trace2x/trace2x/internal/decode"
)

// Window is a part of a trace.
type Window struct {
	From, To Moment
}

// Moment is a time in a trace: since the trace began, or, if Wall is not zero, of
// the day. The zero Moment is the edge of the trace.
type Moment struct {
	Since time.Duration
	Wall  time.Time
}

// IsZero reports whether m is the edge of the trace.
func (m Moment) IsZero() bool { return m == Moment{} }

// String returns the moment as a user would write it.
func (m Moment) String() string {
	if m.Wall.IsZero() {
		return m.Since.String()
	}
	return m.Wall.Format(time.RFC3339Nano)
}

// WindowError says that there is nothing of the trace in a window.
type WindowError struct{ Reason string }

func (e *WindowError) Error() string { return e.Reason }

// clip stands in front of the builder and lets it report what is in a window, or in
// windows that follow each other. Until the window opens, the builder follows the
// trace and reports to nobody.
type clip struct {
	Window
	// Windows of this length follow each other; next makes the sink of the one that
	// begins.
	every Time
	next  func(*Summary) (Sink, error)

	b    *builder
	sink Sink // of the window

	// The times are known when the trace begins. If its first generation is damaged, that
	// is with its first event, and until then nothing tells which generations are wanted.
	resolved   sync.Once
	asked      bool
	late       bool
	start      Time // of the trace
	begins     Time // what is wanted of it
	ends       Time
	from, to   Time // the window that is being read
	err        error
	opened     bool
	done       bool // nothing more is wanted
	plain      Time // up to here, all transitions are taken
	clocks     clocks
	lastClock  *ClockSnapshot // before now
	lastValues []Metric       // before now, one of each name
}

// lead is how long before a window a generation may end and is still decoded: behind it,
// many goroutines have not had a stack again, which tells their start function.
const lead = 10_000_000 // ns

// begin mutes the builder, until the window opens.
func (c *clip) begin(b *builder) {
	c.b, c.sink, c.plain = b, b.sink, math.MinInt64
	b.sink, b.muted = NopSink{}, true
}

// resolve finds the times of the window, in a trace that begins at start; clock
// is nil if it does not tell the time of day.
func (c *clip) resolve(start Time, clock *ClockSnapshot) {
	c.resolved.Do(func() {
		at := func(m Moment, zero Time) Time {
			switch {
			case m.IsZero():
				return zero
			case m.Wall.IsZero():
				return start + Time(m.Since)
			case clock == nil:
				c.err = &WindowError{fmt.Sprintf("the trace does not tell the time of day: give %v as a time since the trace began", m)}
				return zero
			}
			return clock.Trace + Time(m.Wall.Sub(clock.Wall))
		}
		c.start = start
		c.begins, c.ends = max(at(c.From, start), start), at(c.To, 1<<62)
		c.from, c.to = c.begins, c.ends
		if c.every > 0 {
			c.to = min(c.ends, c.from+c.every)
		}
	})
}

// resolveBy is resolve with the first event of the trace.
func (c *clip) resolveBy(e *decode.Event) {
	var clock *ClockSnapshot
	if e.Kind == decode.Sync {
		clock, _ = new(clocks).snapshot(c.b.detail(e).Clock, Time(e.Time))
	}
	c.resolve(Time(e.Time), clock)
}

// want says which generations have to be decoded.
func (c *clip) want(e decode.Extent) decode.Verdict {
	if !c.asked {
		c.asked, c.late = true, !e.First
	}
	if c.late {
		return decode.Verdict{}
	}
	clock, _ := new(clocks).snapshot(e.Clock, Time(e.Start))
	c.resolve(Time(e.Start), clock)
	switch {
	case Time(e.End) <= c.begins-lead && Time(e.Last) < c.begins:
		return decode.Verdict{Skip: true}
	case Time(e.End) > c.ends:
		return decode.Verdict{Last: true, Until: int64(c.ends)}
	}
	return decode.Verdict{}
}

// check says what is wrong with a window that does not open.
func (c *clip) check() error {
	switch {
	case c.err != nil:
		return c.err
	case c.to < c.from:
		return &WindowError{fmt.Sprintf("the window ends at %v, before it begins at %v", c.To, c.From)}
	case !c.opened && c.b.gap != nil:
		return &WindowError{fmt.Sprintf("the window lies in a part of the trace that cannot be read: %v", c.b.gap.Damage)}
	case !c.opened:
		return &WindowError{fmt.Sprintf("the trace ends %v after it began, before the window begins (%v)", time.Duration(c.b.now-c.start), c.From)}
	}
	return nil
}

// takes opens the window when it begins, and reports whether an event is before
// its end.
func (c *clip) takes(e *decode.Event) bool {
	taken := c.look(e)
	switch {
	case !taken:
		c.plain = math.MinInt64
	case c.opened:
		c.plain = c.to
	default:
		c.plain = min(c.from-1, c.to)
	}
	return taken
}

// look is takes for an event that may not be plain.
func (c *clip) look(e *decode.Event) bool {
	t := Time(e.Time)
	c.resolveBy(e)
	if c.done = c.done || c.err != nil; c.done {
		return false
	}
	if !c.opened && t >= c.from && c.from <= c.to {
		c.open(e.Kind == decode.Sync && t <= c.to)
	}
	for t > c.to && c.opened && c.to < c.ends {
		if !c.nextWindow() {
			return false
		}
	}
	if t > c.to {
		c.b.summary.GoesOn = c.opened
		c.behind(e)
		return false
	}
	switch e.Kind {
	case decode.Sync:
		if clock, _ := c.clocks.snapshot(c.b.detail(e).Clock, t); clock != nil {
			c.lastClock = clock
		}
	case decode.Metric:
		d := c.b.detail(e)
		c.remember(Metric{Name: d.Name, Value: d.Value})
	}
	return true
}

// cross begins and ends the windows that do so in a gap, which ends at t.
func (c *clip) cross(t Time) {
	b, gap := c.b, c.b.gap
	c.plain = math.MinInt64
	c.resolveBy(&b.chunk.Events[0])
	border := func(at Time) {
		b.resume(at)
		b.now = at
	}
	if !c.opened && c.err == nil && gap.Start < c.from && c.from < t && c.from <= c.to {
		border(c.from)
		c.open(false)
		b.lose(gap.Damage)
	}
	for c.opened && c.to < t && c.to < c.ends {
		border(c.to)
		if !c.nextWindow() {
			break
		}
		b.lose(gap.Damage)
	}
	if c.opened && c.to < t {
		border(c.to)
		c.done, b.summary.GoesOn = true, true
		b.lose(gap.Damage)
	}
}

// behind takes an event behind the window. Goroutines and Ps that did nothing before
// are named only now: their first event is their status.
func (c *clip) behind(e *decode.Event) {
	if c.done = !c.opened || e.Kind == decode.Sync; c.done || e.From != decode.Undetermined {
		return
	}
	switch e.Kind {
	case decode.GoTransition:
		if kind, ok := stateKind(e.To); ok && c.b.find(GoID(e.ID)) == nil {
			c.b.found(e, kind)
		}
	case decode.ProcTransition:
		c.b.procTransition(e, c.to)
	}
}

// open begins the window. The event at which it does may be a Sync, which then is
// the first one.
func (c *clip) open(sync bool) {
	c.opened = true
	c.b.trace.Origin = c.start
	c.b.restart(c.sink, c.from)
	if !sync {
		c.b.border(&Sync{Time: c.from, Clock: c.lastClock})
	}
	for _, m := range c.lastValues {
		m.Time = c.from
		c.sink.Metric(&m)
	}
	c.b.announceAll()
}

// nextWindow ends a window and begins the one that follows.
func (c *clip) nextWindow() bool {
	c.b.now, c.b.summary.GoesOn = c.to, true
	sum := c.b.finish()
	if c.err = c.b.sink.Err(); sum == nil {
		c.err = c.b.stop()
	}
	if c.err == nil {
		c.sink, c.err = c.next(sum)
	}
	if c.err != nil {
		c.done = true
		return false
	}
	c.from, c.to = c.to, min(c.ends, c.to+c.every)
	c.open(false)
	return true
}

// remember keeps the last value of a metric.
func (c *clip) remember(m Metric) {
	for i := range c.lastValues {
		if c.lastValues[i].Name == m.Name {
			c.lastValues[i] = m
			return
		}
	}
	c.lastValues = append(c.lastValues, m)
}

// restart begins the trace again for another sink, at a moment. All that is there
// has been since before; announceAll tells the sink.
func (b *builder) restart(sink Sink, from Time) {
	b.sink, b.muted, b.begun = sink, false, true
	b.trace.Start, b.since, b.now = from, max(b.since, from), from
	b.summary.Events, b.summary.LinkedSpans, b.summary.OldSpans, b.summary.Generations, b.summary.GoesOn = 0, 0, 0, 0, false
	b.summary.Goroutines, b.summary.MaxAlive = b.goroutines.Len(), b.goroutines.Len()
	clear(b.summary.Unknown)
	clear(b.summary.Inconsistent)
	clear(b.summary.Misuse)
	b.summary.Missing, b.summary.ClockSteps, b.summary.BadClocks, b.summary.Gaps = 0, 0, 0, nil
	b.syncs, b.unseen = 0, 2
	b.sink.Begin(&b.trace)
}

// announceAll announces everything that is there, as from before the trace.
func (b *builder) announceAll() {
	from := b.trace.Start
	for g := range b.pool.all() {
		g.Start, g.Before, g.State = from, true, g.cur.kind
		g.cur.start, g.cur.before, g.cur.procLost = from, true, max(g.cur.procLost, from)
		if g.assist != nil {
			g.assist.Start, g.assist.Before = from, true
		}
		if g.owns() {
			g.ended.before = false // not in this window
		}
		b.sink.GoroutineStart(g)
	}
	for _, p := range b.procs {
		if p == nil {
			continue
		}
		p.state.Start, p.state.Before = from, true
		if p.g != nil {
			p.run.Start, p.run.Before = from, true
		}
		if p.sweep != nil {
			p.sweep.Start, p.sweep.Before = from, true
		}
	}
	for _, key := range b.rangeOrder {
		r := b.ranges[key]
		r.Start, r.Before = from, true
	}
	for _, t := range b.taskOrder {
		if b.tasks[t.ID] != t {
			continue
		}
		if t.Span != nil {
			b.summary.LinkedSpans++
		}
		t.Start, t.Before, t.Parent = from, true, b.tasks[t.ParentID]
		b.sink.TaskStart(t)
		t.Parent = nil
	}
	for g := range b.pool.all() {
		b.atWorkBefore(g, from)
		for _, r := range g.regions {
			if r.ended {
				continue
			}
			r.Start, r.Before, r.Task = from, true, b.tasks[r.TaskID]
			b.sink.RegionStart(r)
			r.Task = nil
		}
	}
}
