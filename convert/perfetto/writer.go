package perfetto

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/trace2x/trace2x/model"
)

// Options say how a trace is written. The zero value writes a slice for every
// wait.
type Options struct {
	// MinBlock is the shortest wait that becomes a slice, with its stack. Shorter
	// ones are in the goroutine's states, with their reason, all the same.
	MinBlock time.Duration
	// Threads adds a track for each OS thread with what ran on it.
	Threads bool
	// LanePerGoroutine gives each goroutine a lane of its own.
	LanePerGoroutine bool
	// Selection limits the lanes of goroutines, and the tasks, to those that it names.
	// Other goroutines have lanes only for the runs in which they wake up one of these.
	// What the Ps run, the garbage collector and the counters stay whole. Goroutines
	// from before the trace have a lane from when the trace has told their start
	// function, if that matters.
	model.Selection
	// Version is the version of trace2x that the file names; may be empty.
	Version string
}

// DefaultMinBlock is the MinBlock that keeps a busy program's file small.
const DefaultMinBlock = 10 * time.Microsecond

// Convert reads a Go execution trace from r and writes it as a Perfetto trace
// to w. Errors are those of [model.Read] and of w. With a *[model.Damage] the
// summary is not nil, and what was written is a valid trace of what was read.
//
// For a part of a trace, see [NewWriter] and [model.ReadWindow].
func Convert(ctx context.Context, r io.Reader, w io.Writer, opts Options) (*model.Summary, error) {
	out := NewWriter(w, opts)
	defer out.Close()
	return model.Read(ctx, r, out)
}

// Writer is a [model.Sink] that writes a Perfetto trace, from goroutines of its
// own, one at a time. The trace is complete when End returns and Err returns nil.
type Writer struct {
	opts     Options
	minBlock model.Time
	trace    model.Trace
	focus    *focus // nil for everything

	packets  packets
	events   *events
	lanes    *lanes
	tasks    *tasks
	counters *stateCounters
	metrics  *metrics
	threads  *threads // nil if not asked for

	runtime    group
	gc, stw    lazyTrack
	procs      map[model.ProcID]*lazyTrack // for what a P does without a goroutine
	noLane     *lane                       // for samples without a goroutine
	goroutines model.BySlot[goroutine]
}

// goroutine is what the writer knows of a goroutine.
type goroutine struct {
	lane    *lane      // nil if the goroutine is not in focus
	since   model.Time // it has its lane
	edges   edges
	samples []model.Sample  // of a lane that is not described yet
	regions []*model.Region // that have a slice which has not ended, by their beginnings
	focus   goroutineFocus
}

var _ model.Sink = (*Writer)(nil)

// NewWriter returns a writer of a trace to w. It buffers; w need not.
func NewWriter(w io.Writer, opts Options) *Writer {
	return &Writer{
		focus:    newFocus(&opts.Selection),
		opts:     opts,
		minBlock: model.Time(opts.MinBlock),
		packets:  newPackets(w),
		procs:    make(map[model.ProcID]*lazyTrack),
	}
}

// Size returns the number of bytes written so far.
func (w *Writer) Size() int64 { return w.packets.file.bytesWritten() }

// Close waits until nothing is being written any more. Whoever gives up a trace
// before its End has to call it before the underlying writer is used for anything
// else; after End it does nothing.
func (w *Writer) Close() { w.packets.file.wait() }

// Found tells what there was of what the options limit the trace to, so far; all
// zero if they do not.
func (w *Writer) Found() model.Found {
	if w.focus == nil {
		return model.Found{}
	}
	return w.focus.found
}

// Err returns the first error of the underlying writer.
func (w *Writer) Err() error {
	if err := cmp.Or(w.packets.err, w.packets.file.failed()); err != nil {
		return fmt.Errorf("writing the Perfetto trace: %w", err)
	}
	return nil
}

func (w *Writer) Begin(t *model.Trace) {
	w.trace = *t
	p := &w.packets
	w.events = newEvents(p, t.Start)
	p.beginSched(t.Start)
	w.lanes = newLanes(p, t.Start, w.opts.LanePerGoroutine)
	w.runtime = group{lanes: w.lanes, name: "Go runtime"}
	w.gc.make = func() uint64 {
		return w.runtime.track("GC", "Concurrent mark phases of the garbage collector")
	}
	w.stw.make = func() uint64 {
		return w.runtime.track("Stop-the-world", "Pauses of all goroutines, from the wish to stop them to their restart")
	}
	w.gc.id()
	w.stw.id()
	w.metrics = &metrics{group: &w.runtime, tracks: make(map[string]uint64)}
	w.counters = newStateCounters(w.events, &w.runtime, t.Start)
	w.tasks = &tasks{
		lanes: w.lanes, events: w.events,
		group: &group{lanes: w.lanes, name: "Tasks"},
		open:  make(map[*model.Task]*taskTrack),
		types: make(map[string]bool),
	}
	if w.opts.Threads {
		w.threads = &threads{
			events: w.events,
			group:  &group{lanes: w.lanes, name: "OS threads"},
			tracks: make(map[model.ThreadID]uint64),
		}
	}
}

func (w *Writer) goroutine(g *model.Goroutine) *goroutine { return w.goroutines.Of(g) }

func (w *Writer) GoroutineStart(g *model.Goroutine) {
	gr := w.goroutine(g)
	if g.Before {
		w.counters.existing(g.State)
	} else {
		w.counters.turned(model.NotExist, g.State, g.Start)
	}
	if w.focus != nil {
		gr.focus.creator = g.Creator
		w.decide(g, gr, g.Start, g.Before)
		return
	}
	gr.lane, gr.since = w.lanes.take(g, g.Start), g.Start
	switch {
	case !g.Before:
		w.created(g, gr, g.Creator)
	case g.Start != w.trace.Start: // it is there since a gap
		w.beginLifetime(g, gr, g.Start, nil)
	} // else its lifetime is an edge, see GoroutineEnd
}

// created writes that a goroutine began, and the go statement that made it.
func (w *Writer) created(g *model.Goroutine, gr *goroutine, creator *model.Goroutine) {
	by := creator
	if by != nil && w.goroutine(by).lane == nil {
		by = nil // out of focus
	}
	if by != nil {
		e := w.events
		e.event(instant, w.goroutine(by).lane.track, g.Start)
		e.category(catGo)
		name := uint64(0)
		if p := gr.lane.process; p != nil {
			name = p.goIID(e)
		}
		if name != 0 {
			e.nameIID(name)
		} else {
			e.name("go")
		}
		e.stack(g.Creation)
		e.flow(gr.lane.tid)
		e.endEvent()
	}
	w.beginLifetime(g, gr, g.Start, by)
	if g.State == model.Runnable {
		w.wake(gr.lane, creator, g.CreatorProc, g.Start)
	}
}

func (w *Writer) beginLifetime(g *model.Goroutine, gr *goroutine, t model.Time, creator *model.Goroutine) {
	e := w.events
	e.event(sliceBegin, gr.lane.track, t)
	e.category(catGoroutine)
	e.uniqueName("G", int64(g.ID))
	e.stack(g.Creation)
	if g.Parent != model.NoGoroutine {
		e.arg(argParent, int64(g.Parent))
	}
	if g.Before {
		e.argBool(argBefore)
	}
	if creator != nil {
		e.terminatingFlow(gr.lane.tid)
	}
	e.endEvent()
}

// wake writes that a lane became runnable.
func (w *Writer) wake(l *lane, waker *model.Goroutine, p model.ProcID, t model.Time) {
	var by *lane
	if waker != nil {
		by = w.wakerLane(waker)
	}
	switch {
	case p != model.NoProc:
		kind := schedWaking
		if waker == nil {
			kind = schedInterrupt
		}
		w.packets.happened(schedEvent{kind: kind, p: p, tid: l.tid, start: t})
	case waker != nil:
		w.packets.happened(schedEvent{kind: schedWakingBy, by: uint32(by.tid), tid: l.tid, start: t})
	default:
		w.packets.happened(schedEvent{kind: schedOutside, tid: l.tid, start: t})
	}
}

func (w *Writer) GoroutineState(g *model.Goroutine, s *model.GoState) {
	gr := w.goroutine(g)
	if !s.Open || s.Next == model.Unknown {
		w.counters.turned(s.Kind, s.Next, s.End)
	}
	if w.focus != nil {
		gr.focus.creator = nil
		w.decide(g, gr, s.Start, true)
	}
	if gr.lane != nil {
		w.state(g, gr, s)
	}
}

func (w *Writer) state(g *model.Goroutine, gr *goroutine, s *model.GoState) {
	if s.Start < gr.since {
		part := *s
		part.Start, part.ProcLost = gr.since, max(s.ProcLost, gr.since)
		s = &part
	}
	w.lanes.describe(gr.lane, g, false)
	// A state that a goroutine begins with was not entered by a switch or a
	// waking, but for those of new runnable goroutines.
	first := (s.Start == g.Start || s.Before) && s.Start < s.End
	open := s.Open && s.Next != model.Unknown // to the end of the trace
	tid := gr.lane.tid
	switch s.Kind {
	case model.Unknown:
		w.packets.setState(tid, s.Start, stateUnknown)

	case model.Runnable:
		if first && (g.Before || s.Before) {
			w.packets.setState(tid, s.Start, stateRunnable)
		}
		if open && s.Start < s.End {
			w.packets.setState(tid, s.End, stateRunnable)
		}

	case model.Waiting:
		if first {
			w.packets.setState(tid, s.Start, stateWaiting)
		}
		w.packets.blocked(s.Proc, tid, s.Start, s.End, s.Reason)
		if s.Duration() >= w.minBlock {
			w.laneSlice(gr, slice{start: s.Start, end: s.End, open: open, name: s.Reason, category: catWait, stack: s.Stack})
		}
		switch {
		case open && s.Start < s.End:
			w.packets.setState(tid, s.End, stateWaiting)
		case !s.Open && s.Next == model.Runnable:
			w.wake(gr.lane, s.Waker.Goroutine, s.Waker.Proc, s.End)
		}

	case model.Syscall:
		w.syscall(g, gr, s, first, open)
	}
}

func (w *Writer) syscall(g *model.Goroutine, gr *goroutine, s *model.GoState, first, open bool) {
	tid := gr.lane.tid
	blocked := s.End - s.ProcLost
	w.laneSlice(gr, slice{
		start: s.Start, end: s.End, open: open, name: "syscall", category: catSyscall, stack: s.Stack,
		args: [2]arg{{argBlocked, int64(blocked)}},
	})
	if blocked == 0 {
		return // it is running, as far as the P is concerned
	}
	if w.threads != nil {
		w.threads.slice(s.Thread, g, "syscall", s.ProcLost, s.End, open, model.NoProc)
	}
	if first && s.ProcLost == s.Start {
		w.packets.setState(tid, s.Start, stateSyscall)
	}
	if blocked > 1 || s.Next != model.NotExist {
		// In 1 ns there is no room for the reason before the next blocked state.
		w.packets.blocked(s.Proc, tid, s.ProcLost, s.End, "syscall")
	}
	switch {
	case open:
		w.packets.setState(tid, s.End, stateSyscall)
	case s.Next == model.Unknown:
	case s.Next == model.NotExist:
		w.packets.setState(tid, s.End, stateGone)
	case s.Next == model.Syscall: // it goes on, out of focus
	default:
		w.packets.happened(schedEvent{kind: schedOutside, tid: tid, start: s.End})
	}
}

// laneSlice writes a slice on the lane of a goroutine, or keeps it if it began
// with the trace.
func (w *Writer) laneSlice(gr *goroutine, s slice) {
	if s.start == w.trace.Start {
		gr.edges = append(gr.edges, s)
		return
	}
	w.events.slice(gr.lane.track, &s)
}

func (w *Writer) GoroutineEnd(g *model.Goroutine) {
	gr := w.goroutine(g)
	w.giveBackWaker(g, gr)
	if gr.lane != nil {
		w.leaveLane(g, gr, g.End, g.Open)
	}
	*gr = goroutine{}
}

// leaveLane ends the slices of a goroutine and takes its lane back.
func (w *Writer) leaveLane(g *model.Goroutine, gr *goroutine, t model.Time, open bool) {
	w.lanes.describe(gr.lane, g, true)
	if g.Before && gr.since == w.trace.Start {
		w.beginLifetime(g, gr, gr.since, nil)
		gr.edges.write(w.events, gr.lane.track)
		gr.edges = nil
	}
	if !open {
		for range gr.regions {
			w.events.end(gr.lane.track, t)
		}
		w.events.end(gr.lane.track, t)
	}
	for i := range gr.samples {
		w.sample(gr.lane, &gr.samples[i])
	}
	gr.samples = nil
	w.lanes.giveBack(gr.lane, t)
	gr.lane, gr.regions = nil, nil
}

func (w *Writer) Run(r *model.Run) {
	gr := w.goroutine(r.Goroutine)
	end := byte(taskRunnable)
	open := r.Open && r.Next != model.Unknown
	switch {
	case r.Open && !open:
		end = taskStopped
	case !r.Open:
		switch r.Next {
		case model.Waiting:
			end = taskWaiting
		case model.Syscall:
			end = taskSyscall
		case model.NotExist:
			end = taskDead
		}
	}
	if w.focus != nil {
		w.focusedRun(r, gr, end)
	} else {
		w.ran(r.Proc, gr.lane.tid, r.Start, r.End, end)
	}
	if r.Label != "" && gr.lane != nil {
		w.laneSlice(gr, slice{start: max(r.Start, gr.since), end: r.End, open: open, name: r.Label, category: catGC})
	}
	if w.threads != nil {
		w.threads.slice(r.Thread, r.Goroutine, model.ShortFunc(r.Goroutine.Func), r.Start, r.End, open, r.Proc)
	}
}

// ran writes that a lane held a P, and the prev_state in which it left it.
func (w *Writer) ran(p model.ProcID, tid int32, start, end model.Time, state byte) {
	w.packets.happened(schedEvent{kind: schedRun, p: p, tid: tid, start: start, end: end, state: state})
}

func (w *Writer) ProcState(*model.ProcState) {} // sched has what ran; the rest is idle

func (w *Writer) RegionStart(r *model.Region) {
	gr := w.goroutine(r.Goroutine)
	if r.Start == w.trace.Start || gr.lane == nil {
		return // an edge, when it ends; or out of focus
	}
	gr.regions = append(gr.regions, r)
	e := w.events
	e.event(sliceBegin, gr.lane.track, r.Start)
	e.category(catRegion)
	e.name(nameOr(r.Type))
	e.stack(r.Stack)
	if r.TaskID != model.BackgroundTask {
		e.arg(argTask, int64(r.TaskID))
	}
	e.endEvent()
}

func (w *Writer) RegionEnd(r *model.Region) {
	gr := w.goroutine(r.Goroutine)
	if gr.lane == nil || r.Start < gr.since {
		return
	}
	switch {
	case r.Start == w.trace.Start:
		w.laneSlice(gr, slice{start: r.Start, end: r.End, open: r.Open, name: nameOr(r.Type), category: catRegion, stack: r.Stack, args: [2]arg{{argTask, int64(r.TaskID)}}})
	case !r.Open:
		w.endRegion(gr, r)
	}
}

// endRegion ends the slice of a region. Slices of one track nest: if a program ends a
// region before one inside it, the slice of that one ends too, and says so.
func (w *Writer) endRegion(gr *goroutine, r *model.Region) {
	i, ok := slices.BinarySearchFunc(gr.regions, r.Start, func(x *model.Region, start model.Time) int {
		return cmp.Compare(x.Start, start)
	})
	if !ok || gr.regions[i] != r {
		return // it was cut, or began out of focus
	}
	e := w.events
	for range gr.regions[i+1:] {
		e.event(sliceEnd, gr.lane.track, r.End)
		e.argBool(argCut)
		e.endEvent()
	}
	e.end(gr.lane.track, r.End)
	clear(gr.regions[i:])
	gr.regions = gr.regions[:i]
}

func (w *Writer) TaskStart(t *model.Task) {
	if w.focus == nil || w.focus.tasks.Start(t) {
		w.tasks.start(t)
	}
}

func (w *Writer) TaskEnd(t *model.Task) {
	if w.focus == nil || w.focus.tasks.End(t) {
		w.tasks.end(t)
	}
}

func (w *Writer) Log(l *model.Log) {
	if l.Goroutine == nil || w.goroutine(l.Goroutine).lane == nil {
		return
	}
	e := w.events
	e.event(instant, w.goroutine(l.Goroutine).lane.track, l.Time)
	e.category(catLog)
	if l.Category != "" {
		e.name(l.Category)
		e.argWord(argLogCategory, l.Category)
	} else {
		e.name("log")
	}
	e.argText(argMessage, l.Message)
	if l.TaskID != model.BackgroundTask {
		e.arg(argTask, int64(l.TaskID))
	}
	e.stack(l.Stack)
	e.endEvent()
}

func (w *Writer) Range(r *model.Range) {
	s := slice{start: r.Start, end: r.End, open: r.Open, name: r.Name, category: catGC, stack: r.Stack}
	switch r.Kind {
	case model.GCMark:
		w.events.slice(w.gc.id(), &s)
	case model.StopTheWorld:
		s.category = catSTW
		if r.Goroutine != nil {
			s.args = [2]arg{{argGoroutine, int64(r.Goroutine.ID)}}
		}
		w.events.slice(w.stw.id(), &s)
	case model.Sweep, model.MarkAssist:
		if r.Kind == model.Sweep {
			s.args = [2]arg{{argSwept, int64(r.Swept)}, {argReclaimed, int64(r.Reclaimed)}}
		}
		if r.Goroutine != nil {
			if gr := w.goroutine(r.Goroutine); gr.lane != nil && s.end > gr.since {
				s.start = max(s.start, gr.since)
				w.laneSlice(gr, s)
			}
			break
		}
		w.events.slice(w.proc(r.Proc), &s)
	default:
		w.events.slice(w.proc(r.Proc), &s)
	}
}

// proc returns the track for what a P, or none, does without a goroutine.
func (w *Writer) proc(p model.ProcID) uint64 {
	t := w.procs[p]
	if t == nil {
		t = &lazyTrack{make: func() uint64 {
			if p == model.NoProc {
				return w.runtime.track("Without a P", "What the runtime does outside of goroutines and Ps")
			}
			return w.runtime.track(fmt.Sprintf("P%d", p), "What the runtime does on this P outside of goroutines")
		}}
		w.procs[p] = t
	}
	return t.id()
}

func (w *Writer) Metric(m *model.Metric) {
	if m.Name == model.GOMAXPROCS {
		w.packets.happened(schedEvent{kind: schedProcs, p: model.ProcID(m.Value)})
	}
	w.events.count(w.metrics.track(m.Name), m.Time, int64(m.Value))
}

func (w *Writer) Sync(s *model.Sync) {
	if s.Clock != nil {
		w.packets.clockSnapshot(s.Clock)
	}
	if s.N > 1 {
		w.counters.complete(w.trace.Start)
	}
}

func (w *Writer) End(s *model.Summary) {
	w.counters.finish(w.trace.Start, s.End)
	w.packets.attributes(w.opts.Version, s)
	w.packets.finish()
}

// Gap marks a part of the trace that could not be read: with a slice, or, if
// nothing behind it could be read, with an instant.
func (w *Writer) Gap(g *model.Gap) {
	e := w.events
	track := w.runtime.track("Damage", "What of the trace could not be read")
	kind := sliceBegin
	if g.Open {
		kind = instant
	}
	e.event(kind, track, g.Start)
	e.category(catDamage)
	switch {
	case g.Damage.Truncated:
		e.name("The trace is truncated here")
	case g.Open:
		e.name("The trace is damaged here")
	default:
		e.name("Lost: the trace is damaged here")
	}
	e.argText(argError, g.Damage.Error())
	e.arg(argOffset, g.Damage.Offset)
	e.arg(argLost, g.Damage.Lost)
	e.endEvent()
	if !g.Open {
		e.end(track, g.End)
	}
}
