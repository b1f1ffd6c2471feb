package model

import (
	"maps"
	"math"
	"slices"

	"github.com/trace2x/trace2x/internal/decode"
	"github.com/trace2x/trace2x/internal/idtable"
)

// builder is the event loop's state: it turns events into calls of the sink.
// It does not care how events were decoded: a generation that was decoded
// alone, whose statuses come out of nowhere, gives the same calls as one that
// was decoded after the others.
type builder struct {
	sink    Sink
	stop    func() error // why to stop, nil to go on
	trace   Trace
	summary Summary
	now     Time
	begun   bool // the sink knows of the trace
	muted   bool // the sink does nothing
	// since is when the trace began, or when the last gap ended: what is named
	// first later has been there since then.
	since Time
	gap   *Gap // that goes on
	// unseen is the border at which all goroutines are known that there were at
	// since: those that are still Unknown are gone.
	unseen int

	stacks  *stackTable
	names   map[string]string
	chunk   *decode.Chunk // that is being taken
	stack   []*Stack      // of the generation, by number
	reasons []string      // likewise

	goroutines idtable.Table[Goroutine] // by ID
	pool       goroutinePool
	left       GoState // that is being reported
	procs      []*proc

	tasks     map[TaskID]*Task
	taskOrder []*Task // open tasks by beginning, and some that ended
	firstTask TaskID  // smallest ID of a task that began in the trace
	endedOld  map[TaskID]bool
	signs     uint64 // signs of work so far

	endedWorks []*Work // to be used again

	openRegions openRegions

	ranges     map[rangeKey]*Range
	rangeOrder []rangeKey

	clocks clocks
	metric Metric // that is being reported
	syncs  int
}

func newBuilder(sink Sink, trace Trace) *builder {
	return &builder{
		sink:  sink,
		stop:  sink.Err,
		trace: trace,
		summary: Summary{
			Unknown:      make(map[string]int),
			Inconsistent: make(map[string]int),
			MaxProc:      NoProc,
			Misuse:       make(map[string]int),
		},
		stacks:    newStackTable(),
		stack:     []*Stack{nil},
		reasons:   []string{""},
		names:     make(map[string]string),
		tasks:     make(map[TaskID]*Task),
		firstTask: math.MaxUint64,
		unseen:    2,
		endedOld:  make(map[TaskID]bool),
		ranges:    make(map[rangeKey]*Range),
	}
}

// take takes the next events of the trace, or, if c is not nil, those that it takes.
func (b *builder) take(chunk *decode.Chunk, c *clip) {
	b.chunk = chunk
	b.summary.Missing += chunk.Missing
	if b.gap != nil {
		t := Time(chunk.Events[0].Time)
		if c != nil {
			c.cross(t)
		}
		b.resume(t)
	}
	if chunk.First {
		b.stack, b.reasons = append(b.stack[:0], nil), append(b.reasons[:0], "")
	}
	for _, h := range chunk.Stacks {
		b.stack = append(b.stack, b.stacks.intern(h))
	}
	for _, reason := range chunk.Reasons {
		b.reasons = append(b.reasons, b.name(reason))
	}
	for i := range chunk.Events {
		if e := &chunk.Events[i]; c == nil || Time(e.Time) <= c.plain && e.Detail == 0 || c.takes(e) {
			b.event(e)
		}
	}
}

// begin begins the trace.
func (b *builder) begin(t Time) {
	b.begun = true
	b.trace.Start, b.trace.Origin, b.since, b.now = t, t, t, t
	b.sink.Begin(&b.trace)
}

// detail returns what an event tells other than a transition.
func (b *builder) detail(e *decode.Event) *decode.Detail { return &b.chunk.Details[e.Detail-1] }

func (b *builder) event(e *decode.Event) {
	t := Time(e.Time)
	if !b.begun {
		b.begin(t)
	}
	b.now = t
	b.summary.Events++
	switch e.Kind {
	case decode.GoTransition:
		b.goTransition(e, t)
		return
	case decode.ProcTransition:
		b.procTransition(e, t)
		return
	}

	d := b.detail(e)
	switch e.Kind {
	case decode.Sync:
		b.sync(d, t)
	case decode.Metric:
		b.metric = Metric{Time: t, Name: d.Name, Value: d.Value}
		b.sink.Metric(&b.metric)
	case decode.Label:
		b.label(e, d)
	case decode.Sample:
		b.sink.Sample(&Sample{
			Time:      t,
			Goroutine: b.find(GoID(e.G)),
			Proc:      ProcID(e.Proc),
			Thread:    ThreadID(e.Thread),
			Stack:     b.stack[e.Stack],
		})
	case decode.RangeBegin, decode.RangeActive, decode.RangeEnd:
		b.rangeEvent(e, d, t)
	case decode.TaskBegin:
		g := b.current(e)
		b.taskBegun(&Task{
			ID:        TaskID(d.Task),
			Type:      b.name(d.Name),
			ParentID:  TaskID(d.Parent),
			Goroutine: g,
			Stack:     b.stackOf(g, e.Stack),
			Start:     t,
		})
	case decode.TaskEnd:
		g := b.current(e)
		b.taskEnded(TaskID(e.ID), g, b.stackOf(g, e.Stack), t)
	case decode.RegionBegin:
		if g := b.current(e); g != nil {
			id := TaskID(d.Task)
			b.regionBegun(&Region{Goroutine: g, Type: b.name(d.Name), TaskID: id, Task: b.task(id), Stack: b.stackOf(g, e.Stack), Start: t})
		}
	case decode.RegionEnd:
		if g := b.current(e); g != nil {
			b.regionEnded(g, TaskID(d.Task), b.name(d.Name), b.stackOf(g, e.Stack), t)
		}
	case decode.Log:
		b.log(e, d, t)
	default:
		b.unknown(d.Name)
	}
}

// procTransition takes an event that changes the state of a P, or tells it.
func (b *builder) procTransition(e *decode.Event, t Time) {
	p := b.proc(ProcID(e.ID))
	if p == nil {
		return
	}
	running, thread := e.To == decode.Running, ThreadID(e.Thread)
	switch {
	case e.From == decode.Undetermined && p.state.Before:
		p.state.Running, p.state.Thread = running, thread
	case e.From == decode.NotExist && p.state.Before:
		// It was made, by a larger GOMAXPROCS, when the trace first names it.
		p.state = ProcState{Proc: p.id, Running: running, Thread: thread, Start: t}
	case running == p.state.Running:
		// The status of a P that is known.
	default:
		b.procTurned(p, running, thread, t)
	}
}

// goTransition takes an event that changes the state of a goroutine, or tells it.
func (b *builder) goTransition(e *decode.Event, t Time) {
	id, from := GoID(e.ID), e.From
	kind, ok := stateKind(e.To)
	if !ok {
		b.unknown("goroutine state " + e.To.String())
		return
	}
	g := b.goroutine(id, e.Proc)
	switch {
	case g != nil && from > decode.NotExist && from != e.To:
		b.goMoved(e, g, kind, t)
	case from == decode.NotExist:
		if g != nil {
			if g.cur.kind != Unknown { // it exited in a gap
				b.inconsistent("goroutine created twice")
			}
			b.exited(g, t)
		}
		b.created(e, kind, t)
	case g == nil:
		b.found(e, kind)
	case g.cur.kind == Unknown && from == decode.Undetermined && kind != NotExist:
		kind = b.possible(e, kind)
		b.regained(g, kind)
		b.settle(g, e, kind)
	default:
		// The status of a goroutine that is known.
		if g.cur.kind != kind {
			b.inconsistent("goroutine status differs from its state")
		}
		b.learnFunc(g, b.stack[e.Own])
	}
}

// goMoved takes an event that changes the state of a goroutine that is known.
func (b *builder) goMoved(e *decode.Event, g *Goroutine, kind StateKind, t Time) {
	known, ok := stateKind(e.From)
	if !ok || known != g.cur.kind {
		b.inconsistent("goroutine leaves a state that it is not in")
		return
	}
	if kind == NotExist {
		b.exited(g, t)
		return
	}
	switch known {
	case Runnable:
		if kind != Running {
			break
		}
		if p := b.proc(ProcID(e.Proc)); p != nil {
			b.started(g, p, ThreadID(e.Thread), t)
		} else {
			b.inconsistent("goroutine runs without a P")
		}
		return
	case Running:
		if kind == Syscall {
			b.syscallBegun(g, b.stackOf(g, e.Own), t)
		} else {
			b.stopped(g, kind, b.reason(e.Reason, kind), b.stackOf(g, e.Own), t)
		}
		return
	case Waiting:
		if kind != Runnable {
			break
		}
		waker := b.current(e)
		b.unblocked(g, Waker{
			Goroutine: waker,
			Proc:      ProcID(e.Proc),
			Thread:    ThreadID(e.Thread),
			Stack:     b.stackOf(waker, e.Stack),
		}, t)
		return
	case Syscall:
		if kind == Running && g.proc == nil {
			b.inconsistent("goroutine runs without a P")
			kind = Runnable
		}
		b.syscallEnded(g, kind, t)
		return
	}
	b.unknown("goroutine state transition " + e.From.String() + " to " + e.To.String())
	b.leave(g, t, kind)
	b.release(g, t, kind)
	g.enter(kind, t)
}

// created makes a goroutine that a go statement, or a call from C, began.
func (b *builder) created(e *decode.Event, kind StateKind, t Time) {
	creator := b.current(e)
	creation := b.stackOf(creator, e.Stack)
	start := b.stack[e.Own]
	g := b.announce(GoID(e.ID), t, kind, func(g *Goroutine) {
		if creator != nil {
			g.Parent = creator.ID
		}
		g.Creator, g.CreatorProc, g.Creation = creator, ProcID(e.Proc), creation
		if start != nil {
			g.Func = startFuncName(start.Frames[0].Func)
		}
	})
	switch kind {
	case Waiting:
		g.cur.reason = coroutine
	case Syscall:
		g.cur.thread = ThreadID(e.Thread)
	}
}

// found makes a goroutine from before the trace, which the trace names for the
// first time with its status.
func (b *builder) found(e *decode.Event, kind StateKind) {
	if kind == NotExist {
		b.inconsistent("unknown goroutine exited")
		return
	}
	if b.syncs >= b.unseen {
		// The first generation names all goroutines that are there.
		b.inconsistent("goroutine that was never created: events are missing")
	}
	kind = b.possible(e, kind)
	b.settle(b.existing(GoID(e.ID), kind), e, kind)
}

// possible returns the state of a goroutine from before the trace, or from a gap:
// the one that its status tells, if it can be.
func (b *builder) possible(e *decode.Event, kind StateKind) StateKind {
	if p := b.proc(ProcID(e.Proc)); kind == Running && (p == nil || p.run.Goroutine != nil) {
		// It cannot have run since then.
		b.inconsistent("goroutine runs without a P")
		return Waiting
	}
	return kind
}

// settle completes the state that a goroutine has been in since the trace began, or
// since a gap, from its status.
func (b *builder) settle(g *Goroutine, e *decode.Event, kind StateKind) {
	stack := b.stack[e.Own]
	p := b.proc(ProcID(e.Proc))
	b.learnFunc(g, stack)
	switch kind {
	case Waiting:
		g.cur.stack = stack
		if g.cur.reason = stack.waitReason(); g.cur.reason == "" {
			g.cur.reason = unknownReason
		}
	case Running:
		b.runOn(g, p, ThreadID(e.Thread), b.since)
		g.cur.before, p.run.Before = true, true
	case Syscall:
		g.cur.stack = stack
		g.cur.thread = ThreadID(e.Thread)
		// The goroutine holds a P only if its own thread tells its status, right
		// after that of the P. Another thread does it while it runs a goroutine
		// of its own, and never for a goroutine with a P.
		if p != nil && p.run.Goroutine == nil && p.state.Running && GoID(e.G) == NoGoroutine {
			g.cur.proc = p.id
			b.acquire(p, g, g.cur.thread, b.since)
			p.run.Before = true
		}
	}
}

func (b *builder) log(e *decode.Event, d *decode.Detail, t Time) {
	g := b.current(e)
	id := TaskID(d.Task)
	if b.link(g, id, d.Name, d.Message, t) {
		return
	}
	task := b.task(id)
	if task != nil && g != nil {
		b.sign(g, task, t)
	}
	b.sink.Log(&Log{Time: t, Goroutine: g, TaskID: id, Task: task, Category: d.Name, Message: d.Message, Stack: b.stackOf(g, e.Stack)})
}

func (b *builder) label(e *decode.Event, d *decode.Detail) {
	if g := b.find(GoID(e.ID)); g != nil && g.proc != nil {
		g.proc.run.Label = b.name(d.Name)
	}
}

func (b *builder) rangeEvent(e *decode.Event, d *decode.Detail, t Time) {
	var g *Goroutine
	var p *proc
	key := rangeKey{name: d.Name, goid: NoGoroutine, proc: NoProc}
	switch e.Scope {
	case decode.OfGoroutine:
		key.goid = GoID(e.ID)
		g = b.find(key.goid)
	case decode.OfProc:
		key.proc = ProcID(e.ID)
		p = b.proc(key.proc)
	}

	if e.Kind != decode.RangeEnd {
		r := newRange(d.Name)
		active := e.Kind == decode.RangeActive
		if slot := rangeSlot(r.Kind, g, p); active && (slot != nil && *slot != nil || slot == nil && b.ranges[key] != nil) {
			return // told again at the border of a generation
		}
		r.Start, r.Goroutine = t, g
		if p != nil {
			r.Proc, r.Goroutine = p.id, p.g
		}
		if active {
			r.Start, r.Before = b.since, true
		} else {
			if r.Goroutine == nil {
				r.Goroutine = b.current(e)
			}
			r.Proc = ProcID(e.Proc)
			r.Stack = b.stackOf(r.Goroutine, e.Stack)
		}
		b.rangeBegun(r, key, g, p)
		return
	}

	r := b.rangeEnded(rangeKind(d.Name), key, g, p)
	if r == nil { // begun before the trace
		r = newRange(d.Name)
		r.Start, r.Before, r.Proc = b.since, true, ProcID(e.Proc)
		if r.Goroutine = g; g == nil {
			r.Goroutine = b.current(e)
		}
		if r.Goroutine != nil {
			r.goid = r.Goroutine.ID
			// A range that begins before its goroutine was another's.
			r.Start = max(r.Start, r.Goroutine.Start)
		}
	}
	r.Swept, r.Reclaimed = d.Swept, d.Reclaimed
	for _, what := range d.Unknown {
		b.unknown(what)
	}
	b.rangeClosed(r, t)
}

func (b *builder) sync(d *decode.Detail, t Time) {
	for _, what := range d.Unknown {
		b.unknown(what)
	}
	clock, stepped := b.clocks.snapshot(d.Clock, t)
	if stepped {
		b.summary.ClockSteps++
	}
	if d.Clock != nil && clock == nil {
		b.summary.BadClocks++
	}
	b.border(&Sync{Time: t, Clock: clock})
	if b.syncs == b.unseen {
		b.dropUnseen(t)
	}
}

// border reports a border between generations.
func (b *builder) border(s *Sync) {
	b.syncs++
	s.N = b.syncs
	b.summary.Generations = max(b.summary.Generations, b.syncs-1)
	b.sink.Sync(s)
}

// finish ends the trace for the sink: what is open is reported as such. The
// builder stays as it is, to go on with another sink. The summary is nil if it was
// stopped.
func (b *builder) finish() *Summary {
	if !b.begun {
		b.begin(b.trace.Start)
	}
	now := b.now
	if b.gap != nil {
		b.sink.Gap(b.gap)
	}
	for _, key := range b.rangeOrder {
		b.stillOpen(b.ranges[key])
	}
	for _, p := range b.procs {
		if p != nil && p.sweep != nil {
			b.stillOpen(p.sweep)
		}
	}
	for g := range b.pool.all() {
		if g.Slot%1024 == 1023 && b.stop() != nil {
			return nil
		}
		s := &b.left
		g.cur.fill(s)
		s.End, s.Next, s.Open = now, s.Kind, true
		if s.Kind == Syscall && g.proc != nil {
			s.ProcLost = now
		}
		b.sink.GoroutineState(g, s)
		if g.proc != nil {
			r := g.proc.run
			r.End, r.Next, r.Open = now, s.Kind, true
			b.sink.Run(&r)
		}
		g.End, g.Open = now, true
		for _, r := range slices.Backward(g.regions) {
			if r.ended {
				continue
			}
			r.End, r.EndStack, r.Open = now, nil, true
			b.sink.RegionEnd(r)
			r.Open = false
		}
		b.stillAtWork(g, now)
		if g.assist != nil {
			b.stillOpen(g.assist)
		}
		b.sink.GoroutineEnd(g)
		g.Open = false
	}
	for _, t := range slices.Backward(b.taskOrder) { // subtasks before their parents
		if b.tasks[t.ID] == t {
			t.End, t.Open, t.Parent = now, true, t.parent()
			b.sink.TaskEnd(t)
			t.Open, t.Parent = false, nil
		}
	}
	for _, p := range b.procs {
		if p == nil {
			continue
		}
		s := p.state
		s.End, s.Open = now, true
		b.sink.ProcState(&s)
	}
	b.summary.Trace, b.summary.End = b.trace, now
	b.summary.ShortenedStacks = b.stacks.shortened
	sum := b.summary
	sum.Unknown, sum.Inconsistent, sum.Misuse = maps.Clone(sum.Unknown), maps.Clone(sum.Inconsistent), maps.Clone(sum.Misuse)
	b.sink.End(&sum)
	return &sum
}

// stillOpen reports a range that goes on when the trace ends.
func (b *builder) stillOpen(r *Range) {
	x := *r
	x.End, x.Open = b.now, true
	if x.Goroutine != nil && b.find(x.goid) != x.Goroutine {
		x.Goroutine = nil
	}
	b.sink.Range(&x)
}

// current returns the goroutine that was executing when the event happened,
// nil for none.
func (b *builder) current(e *decode.Event) *Goroutine {
	if GoID(e.G) != NoGoroutine {
		return b.goroutine(GoID(e.G), e.Proc)
	}
	return nil
}

// goroutine returns a goroutine that an event on a P names, nil if it is not
// known. Mostly it is the one on the P.
func (b *builder) goroutine(id GoID, p int32) *Goroutine {
	if p >= 0 && int(p) < len(b.procs) {
		if p := b.procs[p]; p != nil && p.g != nil && p.g.ID == id {
			return p.g
		}
	}
	return b.find(id)
}

// find returns a goroutine, nil if it is not known.
func (b *builder) find(id GoID) *Goroutine { return b.goroutines.Find(int64(id)) }

// stackOf returns a stack of the generation, which is one of g.
func (b *builder) stackOf(g *Goroutine, n uint32) *Stack {
	s := b.stack[n]
	b.learnFunc(g, s)
	return s
}

func (b *builder) learnFunc(g *Goroutine, s *Stack) {
	if g != nil && g.Func == "" {
		g.Func = s.startFunc()
	}
}

const (
	// coroutine is the reason of goroutines that wait in iter.Pull; the runtime
	// has this word for it but does not record it.
	coroutine     = "coroutine"
	unknownReason = "unknown"
)

// reason returns a reason of the generation.
func (b *builder) reason(n uint16, kind StateKind) string {
	switch {
	case n != 0 || kind != Waiting:
		return b.reasons[n]
	case b.trace.v1:
		return "unspecified" // as later versions call it
	}
	return coroutine
}

// name interns a string of the trace.
func (b *builder) name(s string) string {
	if known, ok := b.names[s]; ok {
		return known
	}
	if len(b.names) < maxNames {
		b.names[s] = s
	}
	return s
}

// maxNames is how many names are interned. Programs that give each task a name of
// its own have more. A later name is in memory once for each use.
const maxNames = 100_000

func (b *builder) unknown(what string)      { b.summary.Unknown[what]++ }
func (b *builder) inconsistent(what string) { b.summary.Inconsistent[what]++ }
func (b *builder) misuse(what string)       { b.summary.Misuse[what]++ }

// stateKinds has the states of goroutines. Unknown stands for what is none.
var stateKinds = [...]StateKind{
	decode.Undetermined: Unknown,
	decode.NotExist:     NotExist,
	decode.Running:      Running,
	decode.Idle:         Unknown,
	decode.Runnable:     Runnable,
	decode.Waiting:      Waiting,
	decode.Syscall:      Syscall,
	decode.Bad:          Unknown,
}

func stateKind(s decode.State) (kind StateKind, ok bool) {
	if int(s) >= len(stateKinds) {
		return Unknown, false
	}
	kind = stateKinds[s]
	return kind, kind != Unknown
}
