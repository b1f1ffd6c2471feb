package model

import (
	"fmt"
	"time"

	exptrace "golang.org/x/exp/trace"

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

// String gives the moment as a user would write it.
func (m Moment) String() string {
	if m.Wall.IsZero() {
		return m.Since.String()
	}
	return m.Wall.Format(time.RFC3339Nano)
}

// WindowError says that there is nothing of the trace in a window.
type WindowError struct{ Reason string }

func (e *WindowError) Error() string { return e.Reason }

// windowed is a window of the trace that is being read.
type windowed struct {
	Window
	// known says that the times are: when the trace begins, what is wanted of it,
	// and the window that is being read of that.
	known      bool
	start      Time
	begin, end Time
	from, to   Time
	// skipped is the number of generations that were not decoded.
	skipped int
	err     error
	// Split windows follow each other; next makes the sink of the one that
	// begins.
	every Time
	next  func(*Summary) (Sink, error)
}

// lead is how much earlier than it begins a generation may be needed: events of
// the last one can be that much later.
const lead = 10_000_000 // ns

// resolve finds the times of the window, in a trace that begins at start; clock
// is nil if it does not tell the time of day.
func (w *windowed) resolve(start Time, clock *ClockSnapshot) {
	if w.known {
		return
	}
	w.known, w.start = true, start
	at := func(m Moment, zero Time) Time {
		switch {
		case m.IsZero():
			return zero
		case m.Wall.IsZero():
			return start + Time(m.Since)
		case clock == nil:
			w.err = &WindowError{fmt.Sprintf("the trace does not tell the time of day: give %v as a time since the trace began", m)}
			return zero
		}
		return clock.Trace + Time(m.Wall.Sub(clock.Wall))
	}
	w.begin, w.end = max(at(w.From, start), start), at(w.To, 1<<62)
	w.from, w.to = w.begin, w.end
	if w.every > 0 {
		w.to = min(w.end, w.from+w.every)
	}
}

// check tells what is wrong with a window that does not open.
func (w *windowed) check(b *builder) error {
	switch {
	case w.err != nil:
		return w.err
	case w.to < w.from:
		return &WindowError{fmt.Sprintf("the window ends at %v, before it begins at %v", w.To, w.From)}
	case !b.opened:
		return &WindowError{fmt.Sprintf("the trace ends %v after it began, before the window begins (%v)", time.Duration(b.now-w.start), w.From)}
	}
	return nil
}

// inWindow opens the window when it begins, and reports whether an event is
// before its end.
func (b *builder) inWindow(e *decode.Event, t Time) bool {
	w := b.window
	if b.summary.Events == 0 && !b.opened {
		w.resolve(t, nil)
		b.muted, b.sink = b.sink, NopSink{}
		b.trace.Start = t
	}
	if w.err != nil {
		b.done = true
		return false
	}
	if !b.opened && t >= w.from && w.from <= w.to {
		b.open(e.Is(exptrace.EventSync) && t <= w.to)
	}
	for t > w.to && b.opened && w.to < w.end {
		if !b.nextWindow() {
			return false
		}
	}
	if t <= w.to {
		return true
	}
	// The rest of the generation tells of goroutines and Ps which did nothing
	// before that: their first event is their status.
	b.done = !b.opened || e.Is(exptrace.EventSync)
	if !b.done && e.Is(exptrace.EventStateTransition) && e.From == exptrace.GoUndetermined {
		switch e.Resource {
		case exptrace.ResourceGoroutine:
			if kind, ok := stateKind(e.To); ok && b.find(GoID(e.ID)) == nil {
				b.found(e, kind)
			}
		case exptrace.ResourceProc:
			b.transition(e, w.to)
		}
	}
	return false
}

// nextWindow ends a window and begins the one that follows.
func (b *builder) nextWindow() bool {
	w := b.window
	b.now = w.to
	sum := b.finish(nil)
	if w.err = b.sink.Err(); w.err == nil {
		b.muted, w.err = w.next(sum)
	}
	if w.err != nil {
		b.done = true
		return false
	}
	w.from, w.to = w.to, min(w.end, w.to+w.every)
	b.open(false)
	return true
}

// remember keeps the last value of a metric for the window.
func (b *builder) remember(m Metric) {
	if b.window == nil {
		return
	}
	for i := range b.metrics {
		if b.metrics[i].Name == m.Name {
			b.metrics[i] = m
			return
		}
	}
	b.metrics = append(b.metrics, m)
}

// open begins the trace for the sink: all that is there at this moment has been
// since before.
//
// The event at which it does may be a Sync, which then is the first one.
func (b *builder) open(sync bool) {
	from := b.window.from
	b.opened = true
	b.sink = b.muted
	b.trace.Start, b.now = from, from
	b.summary.Events, b.summary.LinkedSpans, b.summary.Generations = 0, 0, 0
	b.summary.Goroutines, b.summary.MaxAlive = len(b.goroutines), len(b.goroutines)
	clear(b.summary.Unknown)
	clear(b.summary.Inconsistent)
	b.syncs = 0
	b.sink.Begin(&b.trace)
	if !sync {
		b.syncs = 1
		b.sink.Sync(&Sync{Time: from, N: 1, Clock: b.clock})
	}
	for _, m := range b.metrics {
		m.Time = from
		b.sink.Metric(&m)
	}

	gs := bySlot(b.goroutines)
	for _, g := range gs {
		g.Start, g.Before, g.State = from, true, g.cur.Kind
		g.cur.Start, g.cur.Before, g.cur.ProcLost = from, true, max(g.cur.ProcLost, from)
		if g.assist != nil {
			g.assist.Start, g.assist.Before = from, true
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
	for _, g := range gs {
		for _, work := range g.works {
			work.Start, work.End = from, from
			b.sink.WorkStart(work)
			if work.reasons == 0 {
				b.sink.WorkPause(work)
			}
		}
		for _, r := range g.regions {
			r.Start, r.Before, r.Task = from, true, b.tasks[r.TaskID]
			b.sink.RegionStart(r)
			r.Task = nil
		}
	}
}
