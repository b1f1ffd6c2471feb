package perfetto

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

// Options say how a trace is written. The zero value writes a slice for every
// wait and system call.
type Options struct {
	// MinBlock is the shortest wait or system call that becomes a slice, with its
	// stack. Shorter waits are only in the goroutine's states, with their reason, and so
	// is the time that shorter system calls had no P.
	MinBlock time.Duration
	// ShortWaits is how many waits and system calls shorter than 1 ms become slices, of
	// each start function: the first ones; 0 for all.
	ShortWaits int
	// Threads adds a track for each OS thread with what ran on it.
	Threads bool
	// LanePerGoroutine gives each goroutine a lane of its own.
	LanePerGoroutine bool
	// Selection limits the lanes of goroutines, and the tasks. Other goroutines have
	// lanes only for the runs in which they wake a selected one. What the Ps run, the
	// garbage collector and the counters stay whole. If Selection.Func is set, a
	// goroutine from before the trace has a lane only from when its start function is
	// known.
	model.Selection
	// Slowest is the number of the slowest units of work of each type, such as tasks,
	// that get a track with their critical path; 0 for none. Paths are found in the
	// whole trace, also with a Selection, which limits the units to those of selected
	// goroutines. Finding them takes a third of the time of a conversion without them.
	Slowest int
	// Show reports whether a unit gets such a track even if it is not among the slowest,
	// for some units; nil for none. The kind of the unit does not matter. The unit is
	// valid during the call.
	Show func(*critical.Unit) bool
	// Detail lowers the detail of the lanes of goroutines.
	Detail Detail
	// Budget ends the writing with [ErrBudget] as soon as the file has about so many bytes
	// at each detail; 0 for never.
	Budget int64
	// LeftOut is what the file says is not in it. It may be empty.
	LeftOut string
	// Machine makes the trace one of several programs in a file; nil for the only one.
	Machine *Machine
	// Version is the version of trace2x that the file names. It may be empty.
	Version string
}

// Defaults of Options that keep a busy program's file small.
const (
	DefaultMinBlock   = 10 * time.Microsecond
	DefaultShortWaits = 2000
)

// Convert reads a Go execution trace from r and writes it as a Perfetto trace to w. It
// returns the errors of [model.Read] and of w. With a *[model.Damage] the summary is
// not nil, and w has a valid trace of what was read.
//
// For a part of a trace, see [NewWriter] and [model.ReadWindow].
func Convert(ctx context.Context, r io.Reader, w io.Writer, opts Options) (*model.Summary, error) {
	out := NewWriter(w, opts)
	defer out.Close()
	return model.Read(ctx, r, out)
}

// Writer is a [model.Sink] that writes a Perfetto trace. It writes in goroutines of its
// own, one at a time. The trace is complete when End has returned and Err returns nil.
type Writer struct {
	opts  Options
	trace model.Trace
	focus *focus // nil for everything

	packets  packets
	events   *events
	lanes    *lanes
	tasks    *tasks
	calls    *calls // nil for a trace that is alone
	counters *stateCounters
	metrics  *metrics
	threads  *threads // nil if not asked for
	beyond   beyond
	slowest  *slowest // nil if not asked for
	meter    meter
	stopped  error // ErrBudget, or nil

	runtime    group
	gc, stw    lazyTrack
	procs      map[model.ProcID]*lazyTrack // for what a P does without a goroutine
	noLane     *lane                       // for samples without a goroutine
	goroutines model.BySlot[goroutine]
}

// goroutine is what the writer knows of a goroutine.
type goroutine struct {
	lane  *lane      // nil if the goroutine is not in focus
	since model.Time // it has its lane
	// edge is when the trace began for a goroutine that existed before, or when the
	// last gap ended. It is -1 for others.
	edge  model.Time
	bare  bool // without a slice of its lifetime
	*more      // nothing for most
}

// more is what the writer knows of some goroutines only. It is read-only in nothing,
// which all others share.
type more struct {
	edges   edges           // the slices that begin at the edge
	cut     model.Time      // when a gap cut its last run, if one did
	samples []model.Sample  // waiting until the lane is described
	regions []*model.Region // with a slice that has not ended, by their beginnings
	focus   goroutineFocus
}

var nothing = &more{}

// own returns what is known of the goroutine alone, to be changed.
func (gr *goroutine) own() *more {
	if gr.more == nothing {
		gr.more = &more{}
	}
	return gr.more
}

var _ model.Sink = (*Writer)(nil)

// NewWriter returns a Writer that writes to w. It buffers, so w need not.
func NewWriter(w io.Writer, opts Options) *Writer {
	machine := &one
	if opts.Machine != nil {
		machine = opts.Machine
	}
	out := &Writer{
		focus:   newFocus(&opts.Selection),
		opts:    opts,
		packets: newPackets(w, machine),
		procs:   make(map[model.ProcID]*lazyTrack),
	}
	out.slowest = newSlowest(out, &opts)
	return out
}

// Size returns the number of bytes written so far.
func (w *Writer) Size() int64 { return w.packets.file.bytesWritten() }

// Close waits until nothing is being written any more. After giving up a trace before
// its End, the caller must call Close before using the underlying writer for anything
// else. After End it does nothing.
func (w *Writer) Close() { w.packets.file.wait() }

// Found returns what there was of Options.Selection so far. It is zero without a
// selection.
func (w *Writer) Found() model.Found {
	if w.focus == nil {
		return model.Found{}
	}
	return w.focus.found
}

// Paths returns the critical paths that the file has, after End.
func (w *Writer) Paths() []Path {
	if w.slowest == nil {
		return nil
	}
	return w.slowest.paths
}

// Err returns the first error of the underlying writer.
func (w *Writer) Err() error {
	if err := cmp.Or(w.packets.err, w.packets.file.failed()); err != nil {
		return fmt.Errorf("writing the Perfetto trace: %w", err)
	}
	return w.stopped
}

func (w *Writer) Begin(t *model.Trace) {
	w.trace = *t
	p := &w.packets
	w.meter.packets = p
	p.machine.describe(p)
	w.events = newEvents(p, t.Start)
	p.beginSched(t.Start)
	w.lanes = newLanes(p, t.Start, w.opts.LanePerGoroutine)
	if w.slowest != nil {
		w.slowest.Begin(t)
		w.lanes.slowest = w.slowest
	}
	w.runtime = group{lanes: w.lanes, name: "Go runtime"}
	w.gc.make = func() uint64 {
		return w.runtime.track("GC", "Concurrent mark phases of the garbage collector")
	}
	w.stw.make = func() uint64 {
		return w.runtime.track("Stop-the-world", "Pauses of all goroutines, from the wish to stop them to their restart")
	}
	w.gc.id()
	w.stw.id()
	w.metrics = &metrics{events: w.events, group: &w.runtime, start: t.Start, open: make(map[string]*metric)}
	w.counters = newStateCounters(w.events, &w.runtime, t.Start)
	w.tasks = &tasks{
		lanes: w.lanes, events: w.events,
		group: &group{lanes: w.lanes, name: "Tasks"},
		open:  make(map[*model.Task]*openTask),
		types: make(map[string]*taskType),
	}
	w.calls = newCalls(p, t.Start)
	w.beyond = beyond{events: w.events, group: &group{lanes: w.lanes, name: beyondGroup}, tracks: make(map[model.ProcID]uint64)}
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
	if w.slowest != nil {
		w.slowest.GoroutineStart(g)
	}
	*gr = goroutine{edge: -1, more: nothing}
	if g.Before {
		gr.edge = g.Start
	}
	if gr.edge == w.trace.Start {
		w.counters.existing(g.State)
	} else {
		w.counters.turned(model.NotExist, g.State, g.Start)
	}
	if w.focus != nil {
		gr.own().focus.creator = g.Creator
		w.decide(g, gr, g.Start, g.Before)
		return
	}
	gr.lane, gr.since = w.lanes.take(g, g.Start, false), g.Start
	if g.Before {
		return // its lifetime is an edge, see GoroutineEnd
	}
	w.created(g, gr, g.Creator)
}

// created writes that a goroutine began, and the go statement that made it.
func (w *Writer) created(g *model.Goroutine, gr *goroutine, creator *model.Goroutine) {
	by := creator
	if by != nil && w.goroutine(by).lane == nil {
		by = nil // out of focus
	}
	n := 0
	if f := gr.lane.function; f != nil {
		f.goroutines++
		n = f.goroutines
	}
	detail := &details[w.opts.Detail]
	first := n <= detail.goStatements
	if !first {
		by = nil
	}
	if gr.bare = n > detail.lifetimes; !gr.bare {
		before := w.packets.size
		w.writeCreated(g, gr, by, first)
		w.meter.lifetime(n, w.packets.size-before+endSize)
	}
	if g.State == model.Runnable {
		w.wake(gr.lane, creator, g.CreatorProc, g.Start)
	}
}

// writeCreated writes the go statement, if by is not nil, and the begin of the lifetime.
func (w *Writer) writeCreated(g *model.Goroutine, gr *goroutine, by *model.Goroutine, withParent bool) {
	if by != nil {
		e := w.events
		e.event(instant, w.goroutine(by).lane.track, g.Start)
		e.category(catGo)
		name := uint64(0)
		if f := gr.lane.function; f != nil {
			name = f.goIID(e)
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
	w.beginLifetime(g, gr, g.Start, by, withParent)
}

func (w *Writer) beginLifetime(g *model.Goroutine, gr *goroutine, t model.Time, creator *model.Goroutine, withParent bool) {
	e := w.events
	e.event(sliceBegin, gr.lane.track, t)
	e.category(catGoroutine)
	e.uniqueName("G", int64(g.ID))
	e.stack(g.Creation)
	if withParent && g.Parent != model.NoGoroutine {
		e.arg(argParent, int64(g.Parent))
	}
	if g.Before && g.Start == w.trace.Start {
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
	case p != model.NoProc && p < MaxCPUs:
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
	if w.slowest != nil {
		w.slowest.GoroutineState(g, s)
	}
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
	// A goroutine's first state was not entered by a switch or a waking, except when
	// the goroutine is new and runnable.
	first := (s.Start == g.Start || s.Before) && s.Start < s.End
	open := s.Open && s.Next != model.Unknown // to the end of the trace
	tid := gr.lane.tid
	switch s.Kind {
	case model.Unknown:
		w.passGap(g, gr, s.End)
		if gr.cut != s.Start { // else its run has it
			w.packets.setState(tid, s.Start, stateUnknown)
		}
		switch {
		case s.Open && s.Start < s.End:
			w.packets.setState(tid, s.End, stateUnknown)
		case s.Next == model.NotExist:
			w.packets.setState(tid, s.End, stateGone)
		}

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
		w.packets.blocked(s.Proc, tid, s.Start, s.End, s.Reason, s.Stack)
		if w.hasSlice(gr.lane, s.Duration()) {
			w.interval(gr, slice{start: s.Start, end: s.End, open: open, name: s.Reason, category: catWait, stack: s.Stack})
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
	if w.hasSlice(gr.lane, s.Duration()) {
		w.interval(gr, slice{
			start: s.Start, end: s.End, open: open, name: "syscall", category: catSyscall, stack: s.Stack,
			args: [2]arg{{argBlocked, int64(blocked)}},
		})
	}
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
		w.packets.blocked(s.Proc, tid, s.ProcLost, s.End, "syscall", s.Stack)
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

// shortWait is the duration in ns from which all waits and system calls have slices.
const shortWait = 1_000_000

// hasSlice reports whether a wait or system call on a lane has a slice. It is asked once
// for each. The n-th short one is the same at each detail, so that the meter is right.
func (w *Writer) hasSlice(l *lane, d model.Time) bool {
	if d < model.Time(w.opts.MinBlock) {
		return false
	}
	if f := l.function; f != nil && d < shortWait {
		if f.shortWaits++; w.opts.ShortWaits > 0 && f.shortWaits > w.opts.ShortWaits {
			return false
		}
	}
	return d >= details[w.opts.Detail].shortest
}

// interval writes a slice of a wait or a system call.
func (w *Writer) interval(gr *goroutine, s slice) {
	before := w.packets.size
	w.laneSlice(gr, s)
	w.meter.interval(s.end-s.start, w.packets.size-before)
}

// laneSlice writes a slice on the lane of a goroutine, or keeps it if it began
// before the trace.
func (w *Writer) laneSlice(gr *goroutine, s slice) {
	if s.start == gr.edge {
		own := gr.own()
		own.edges = append(own.edges, s)
		return
	}
	w.events.slice(gr.lane.track, &s)
}

func (w *Writer) GoroutineEnd(g *model.Goroutine) {
	gr := w.goroutine(g)
	if w.slowest != nil {
		w.slowest.GoroutineEnd(g)
	}
	w.giveBackWaker(g, gr)
	if gr.lane != nil {
		w.leaveLane(g, gr, g.End, g.Open)
	}
	*gr = goroutine{more: nothing}
}

// passGap writes what began at the edge of a goroutine. From now on, the goroutine's
// edge is the end of the gap.
func (w *Writer) passGap(g *model.Goroutine, gr *goroutine, end model.Time) {
	if gr.since == gr.edge {
		w.beginLifetime(g, gr, gr.since, nil, true)
	}
	gr.edge = end
	if len(gr.edges) > 0 {
		gr.edges.write(w.events, gr.lane.track)
		gr.edges = nil
	}
}

// leaveLane ends the slices of a goroutine and takes its lane back.
func (w *Writer) leaveLane(g *model.Goroutine, gr *goroutine, t model.Time, open bool) {
	w.lanes.describe(gr.lane, g, true)
	w.passGap(g, gr, -1)
	if !open {
		for range gr.regions {
			w.events.end(gr.lane.track, t)
		}
		if !gr.bare {
			w.events.end(gr.lane.track, t)
		}
	}
	for i := range gr.samples {
		w.sample(gr.lane, &gr.samples[i])
	}
	w.lanes.giveBack(g.ID, gr.lane, t)
	gr.bare = false
	gr.lane = nil
	if gr.more != nothing {
		gr.samples, gr.regions = nil, nil
	}
}

func (w *Writer) Run(r *model.Run) {
	if w.slowest != nil {
		w.slowest.Run(r)
	}
	gr := w.goroutine(r.Goroutine)
	end := byte(taskRunnable)
	open := r.Open && r.Next != model.Unknown
	switch {
	case r.Open && !open:
		end = taskStopped
		gr.own().cut = r.End
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
		w.ran(r.Proc, gr.lane, r.Start, r.End, end)
	}
	if r.Label != "" && gr.lane != nil {
		w.laneSlice(gr, slice{start: max(r.Start, gr.since), end: r.End, open: open, name: r.Label, category: catGC})
	}
	if w.threads != nil || r.Proc >= MaxCPUs {
		w.ranOn(r, open)
	}
}

// ranOn writes a run on the tracks of its P and thread, if there are such tracks.
func (w *Writer) ranOn(r *model.Run, open bool) {
	name := model.ShortFunc(r.Goroutine.Func)
	if r.Proc >= MaxCPUs {
		w.beyond.run(r, name)
	}
	if w.threads != nil {
		w.threads.slice(r.Thread, r.Goroutine, name, r.Start, r.End, open, r.Proc)
	}
}

// ran writes that a lane held a P, and the prev_state with which it left.
func (w *Writer) ran(p model.ProcID, l *lane, start, end model.Time, state byte) {
	w.lanes.ran(l, end-start)
	tid := l.tid
	if p >= MaxCPUs {
		w.packets.ranBeyond(tid, start, end, state)
		return
	}
	w.packets.happened(schedEvent{kind: schedRun, p: p, tid: tid, start: start, end: end, state: state})
}

func (w *Writer) ProcState(*model.ProcState) {} // sched has what ran; the rest is idle

func (w *Writer) RegionStart(r *model.Region) {
	if w.slowest != nil {
		w.slowest.RegionStart(r)
	}
	gr := w.goroutine(r.Goroutine)
	if r.Start == gr.edge || gr.lane == nil {
		return // an edge, when it ends; or out of focus
	}
	own := gr.own()
	own.regions = append(own.regions, r)
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
	if w.slowest != nil {
		w.slowest.RegionEnd(r)
	}
	gr := w.goroutine(r.Goroutine)
	if gr.lane == nil || r.Start < gr.since {
		return
	}
	switch {
	case r.Start == gr.edge:
		w.laneSlice(gr, slice{start: r.Start, end: r.End, open: r.Open, name: nameOr(r.Type), category: catRegion, stack: r.Stack, args: [2]arg{{argTask, int64(r.TaskID)}}})
	case !r.Open:
		w.endRegion(gr, r)
	}
}

// endRegion ends the slice of a region. The slices of a track nest: if a program ends a
// region before an inner one, the slice of the inner one ends too, and says so.
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
	if w.slowest != nil {
		w.slowest.TaskStart(t)
	}
	if w.focus == nil || w.focus.tasks.Start(t) {
		w.tasks.start(t)
		w.calls.taskStart(t)
	}
}

func (w *Writer) TaskEnd(t *model.Task) {
	in := w.focus == nil || w.focus.tasks.End(t)
	if w.slowest != nil {
		w.slowest.taskEnded(t, in)
	}
	if in {
		w.calls.taskEnd(t)
		w.tasks.end(t)
	}
}

// OldSpan has no effect: the slice of the task, if there is one, has been written.
func (w *Writer) OldSpan(*model.OldSpan) {}

func (w *Writer) Log(l *model.Log) {
	if w.slowest != nil {
		w.slowest.Log(l)
	}
	if l.Goroutine == nil || w.goroutine(l.Goroutine).lane == nil {
		return
	}
	e := w.events
	e.event(instant, w.goroutine(l.Goroutine).lane.track, l.Time)
	e.category(catLog)
	if l.Category != "" {
		e.name(l.Category)
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
	if w.slowest != nil {
		w.slowest.Range(r)
	}
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

// proc returns the track for what a P does without a goroutine. NoProc has a track too.
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
	w.metrics.sample(m)
}

func (w *Writer) Sync(s *model.Sync) {
	if w.slowest != nil {
		w.slowest.Sync(s)
	}
	if s.Clock != nil {
		w.packets.clockSnapshot(s.Clock)
	}
	w.meter.sync(s.Time)
	if w.opts.Budget > 0 && w.meter.sizes()[leastDetail] > w.opts.Budget {
		w.stopped = ErrBudget
	}
	if s.N > 1 {
		w.counters.complete(w.trace.Start)
	}
}

func (w *Writer) End(s *model.Summary) {
	w.counters.finish(w.trace.Start, s.End)
	w.metrics.finish()
	if w.slowest != nil {
		w.slowest.End(s)
		w.slowest.write()
	}
	w.lanes.finish()
	w.meter.sync(s.End)
	w.packets.attributes(&w.opts, s)
	w.packets.finish()
}

// Gap marks a part of the trace that could not be read: with a slice, or with an
// instant if nothing behind it could be read.
func (w *Writer) Gap(g *model.Gap) {
	if w.slowest != nil {
		w.slowest.Gap(g)
	}
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
