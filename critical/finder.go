package critical

import (
	"github.com/trace2x/trace2x/internal/inturn"
	"github.com/trace2x/trace2x/model"
)

// Options say what to find.
type Options struct {
	// Kinds are the kinds of units to find. None means the first of [AllKinds] that
	// the trace has. Then units of other kinds may be found too, before the first
	// unit of that kind.
	Kinds Kinds
	// States is the number of states that are kept, to walk back in; 0 for 1<<19,
	// which take 32 MB. It is rounded up to a power of 2. A wait, the time runnable
	// after it and the run after that count as one state.
	States int
	// Aside has other goroutines find the units while the trace is read. Then units are
	// found, one after the other and in the same order, some time after they ended and
	// before End returns.
	Aside bool
}

// Finder is a [model.Sink] that finds the units of work of a trace and, as each
// ends, its critical path.
//
// It only notes what happens. A history takes the notes, in batches.
type Finder struct {
	model.NopSink
	history *history
	kinds   Kinds
	auto    bool

	batch *batch
	ends  bool // the batch may have the end of a unit
	// With Options.Aside: free are the batches that are not in use, and line takes those
	// that were handed over.
	free   chan *batch
	line   inturn.Line
	handed int // batches so far

	slots   model.BySlot[known]
	unnamed int    // goroutines whose start function is not known
	conns   int    // goroutines that serve connections
	stacks  []bool // those that are known to the history, by ID
	funcs   names
	reasons names
	recent  [64]recentReason // by length
	tasks   map[model.TaskID]begun
	// blocked is a goroutine of a connection that has begun to wait, if that has not
	// been told yet: where it waits is known only after the call that says so.
	blocked *model.Goroutine
}

// known is what the history knows of a goroutine that is alive.
type known struct {
	task  model.TaskID
	named bool
	conn  bool // it serves a connection
}

// recentReason is a reason and its number.
type recentReason struct {
	name string
	id   uint16
}

// begun is what is known of a task while it is open.
type begun struct {
	g     model.GoID
	stack *model.Stack
}

// batchesAhead is the number of batches that may wait for the history.
const batchesAhead = 8

// NewFinder returns a sink that calls found for each unit when it ends, so in the order
// of the ends. The unit is only valid during the call.
func NewFinder(opts Options, found func(*Unit)) *Finder {
	f := &Finder{kinds: opts.Kinds, auto: opts.Kinds == 0, batch: newBatch(), tasks: make(map[model.TaskID]begun)}
	if f.auto {
		f.kinds = KindsOf(AllKinds[:]...)
	}
	f.history = newHistory(opts.States, f.kinds, found)
	for _, r := range f.history.reasons {
		f.reasons.id(r)
	}
	f.funcs.id("")
	if opts.Aside {
		f.free = make(chan *batch, batchesAhead)
		for range batchesAhead - 1 {
			f.free <- newBatch()
		}
	}
	return f
}

// note adds an event to the batch, for the caller to complete at once.
func (f *Finder) note(op op, at model.Time, slot int) *event {
	n := len(f.batch.events)
	if n == batchSize {
		f.hand()
		n = 0
	}
	f.batch.events = f.batch.events[:n+1]
	e := &f.batch.events[n]
	// One by one, as for a turn.
	e.at, e.x, e.slot, e.by, e.stack, e.byStack = at, 0, int32(slot), -1, 0, 0
	e.reason, e.op, e.kind, e.next, e.edge, e.ran = 0, op, 0, 0, false, false
	return e
}

// hand hands the batch over to the history.
func (f *Finder) hand() {
	b := f.batch
	f.ends = false
	f.handed++
	if f.free == nil {
		f.history.take(b)
		return
	}
	f.line.Go(func() {
		f.history.take(b)
		f.free <- b
	})
	f.batch = <-f.free
}

// Flush has the units found that have ended, without waiting for that.
func (f *Finder) Flush() { f.hand() }

// Batch returns the number of the batch that what the finder gets next may be part of.
// Flush ends it. With Options.Aside, units are found a batch at a time.
func (f *Finder) Batch() int { return f.handed }

// told hands over what may have the end of a unit, unless that is done aside.
func (f *Finder) told() {
	if f.ends && f.free == nil {
		f.hand()
	}
}

// finish hands everything over, and waits until all units have been found.
func (f *Finder) finish() {
	f.hand()
	f.line.Wait()
}

// Then has f called when the finder has taken what it got before: after the call of found
// for the units that ended before, and before that for the units that end later. With
// Options.Aside, that is on the goroutine that finds the units. It is for what whoever
// gets the units has to know of the same moment.
func (f *Finder) Then(do func()) {
	e := f.note(opThen, 0, -1)
	e.x = int64(len(f.batch.then))
	f.batch.then = append(f.batch.then, do)
}

// Begin is part of [model.Sink], as the other methods are, except Then, Flush and Batch.
func (f *Finder) Begin(t *model.Trace) { f.note(opGap, t.Start, -1) }

// End is part of [model.Sink].
func (f *Finder) End(*model.Summary) { f.finish() }

// GoroutineStart is part of [model.Sink].
func (f *Finder) GoroutineStart(g *model.Goroutine) {
	*f.slots.Of(g) = known{task: model.BackgroundTask}
	f.unnamed++
	if g.Creator != nil {
		f.assists(g.Creator)
		f.serves(g.Creator)
	}
	e := f.note(opStart, g.Start, g.Slot)
	e.x, e.stack, e.kind, e.edge = int64(g.ID), f.stack(g.Creation), g.State, g.Before
	if g.Creator != nil {
		e.by = int32(g.Creator.Slot)
	}
	if g.Func != "" {
		e.byStack = f.fn(g.Func)
		f.learned(g)
	}
	f.told()
}

// learned notes that the start function of a goroutine is known.
func (f *Finder) learned(g *model.Goroutine) {
	k := f.slots.Of(g)
	k.named = true
	f.unnamed--
	if f.kinds.Has(HTTP) && Serves(g.Func) {
		k.conn = true
		f.conns++
	}
}

// serves reports whether a goroutine serves a connection. Then what it does may end a
// request.
func (f *Finder) serves(g *model.Goroutine) bool {
	if f.conns == 0 || !f.slots.Of(g).conn {
		return false
	}
	f.ends = true
	return true
}

// learn tells the start function of a goroutine, when it became known later.
func (f *Finder) learn(g *model.Goroutine) {
	if f.unnamed > 0 && g.Func != "" && !f.slots.Of(g).named {
		f.note(opFunc, 0, g.Slot).x = int64(f.fn(g.Func))
		f.learned(g)
	}
}

// GoroutineState is part of [model.Sink].
func (f *Finder) GoroutineState(g *model.Goroutine, s *model.GoState) {
	if f.blocked != nil {
		f.waits()
	}
	conn := false
	if f.unnamed > 0 || f.conns > 0 { // else nothing is to be learned from this
		k := f.slots.Of(g)
		if !k.named && g.Func != "" {
			f.learn(g)
		}
		conn = k.conn
	}
	f.assists(g)
	w := s.Waker.Goroutine
	if w != nil && (w == g || s.Kind != model.Waiting) {
		w = nil
	}
	if w != nil {
		f.assists(w)
	}
	e := f.note(opState, s.End, g.Slot)
	e.kind, e.next, e.edge = s.Kind, s.Next, s.Open
	if s.Reason != "" {
		e.reason = f.reason(s.Reason)
	}
	if s.Stack != nil {
		e.stack = f.stack(s.Stack)
	}
	if w != nil {
		e.by, e.byStack = int32(w.Slot), f.stack(s.Waker.Stack)
		f.serves(w)
	}
	if conn {
		f.ends = true
		if s.Next == model.Waiting && !s.Open {
			f.blocked = g
		}
	}
	f.told()
}

// waits tells for what a goroutine of a connection has begun to wait.
func (f *Finder) waits() {
	g := f.blocked
	f.blocked = nil
	if s := g.Current(); s.Kind == model.Waiting {
		e := f.note(opWait, s.Start, g.Slot)
		e.reason, e.stack = f.reason(s.Reason), f.stack(s.Stack)
		f.ends = true
		f.told()
	}
}

// assists tells that a goroutine is assisting the garbage collector, if it is.
func (f *Finder) assists(g *model.Goroutine) {
	if since, ok := g.Assist(); ok {
		f.note(opAssist, since, g.Slot)
	}
}

// Range is part of [model.Sink].
func (f *Finder) Range(r *model.Range) {
	if r.Goroutine == nil || r.Open {
		return
	}
	if r.Stack != nil && f.serves(r.Goroutine) {
		f.note(opWasSeen, r.Start, r.Goroutine.Slot).stack = f.stack(r.Stack)
	}
	if r.Kind != model.MarkAssist {
		return
	}
	e := f.note(opAssisted, r.End, r.Goroutine.Slot)
	e.x, e.stack = int64(r.Start), f.stack(r.Stack)
}

// seen tells that a goroutine was at a stack. For one that serves a connection, that says
// which handler is at work.
func (f *Finder) seen(g *model.Goroutine, at model.Time, stack *model.Stack) {
	if g != nil && stack != nil && f.serves(g) {
		f.note(opSeen, at, g.Slot).stack = f.stack(stack)
		f.told()
	}
}

// Log is part of [model.Sink].
func (f *Finder) Log(l *model.Log) { f.seen(l.Goroutine, l.Time, l.Stack) }

// RegionStart is part of [model.Sink].
func (f *Finder) RegionStart(r *model.Region) {
	if !r.Before {
		f.seen(r.Goroutine, r.Start, r.Stack)
	}
}

// GoroutineEnd is part of [model.Sink].
func (f *Finder) GoroutineEnd(g *model.Goroutine) {
	if f.blocked == g {
		f.blocked = nil
	}
	f.learn(g)
	f.note(opEnd, g.End, g.Slot).edge = g.Open
	if k := f.slots.Of(g); !k.named {
		f.unnamed--
	}
	if f.serves(g) {
		f.conns--
	}
	f.ends = f.ends || f.kinds.Has(GoroutineLife)
	f.told()
}

// TaskStart is part of [model.Sink].
func (f *Finder) TaskStart(t *model.Task) {
	f.seen(t.Goroutine, t.Start, t.Stack)
	if t.Goroutine != nil && f.kinds.Has(Task) {
		f.tasks[t.ID] = begun{t.Goroutine.ID, t.Stack}
	}
}

// TaskEnd is part of [model.Sink].
func (f *Finder) TaskEnd(t *model.Task) {
	f.seen(t.EndGoroutine, t.End, t.EndStack)
	if !f.kinds.Has(Task) {
		return
	}
	b, ok := f.tasks[t.ID]
	if ok {
		delete(f.tasks, t.ID)
	} else {
		b.g = model.NoGoroutine
	}
	if !t.Before && !t.Open && f.auto && f.kinds != KindsOf(Task) {
		f.note(opTasks, 0, -1)
		f.kinds, f.blocked, f.conns = KindsOf(Task), nil, 0
		for k := range f.slots.All() {
			k.conn = false
		}
	}
	typ := t.Type
	if t.TypeUnknown {
		typ = model.UnknownTask
	}
	f.unit(Unit{
		Kind: Task, Type: typ, Task: t.ID, Span: t.Span, Goroutine: b.g, EndGoroutine: model.NoGoroutine,
		Start: t.Start, End: t.End, Cut: t.Before || t.Open, Stack: b.stack,
	}, t.EndGoroutine, t.EndStack)
}

// RegionEnd is part of [model.Sink].
func (f *Finder) RegionEnd(r *model.Region) {
	if !r.Open {
		f.seen(r.Goroutine, r.End, r.EndStack)
	}
	if !f.kinds.Has(Region) {
		return
	}
	f.unit(Unit{
		Kind: Region, Type: r.Type, Func: r.Goroutine.Func, Task: r.TaskID, Goroutine: r.Goroutine.ID, EndGoroutine: model.NoGoroutine,
		Start: r.Start, End: r.End, Cut: r.Before || r.Open, Stack: r.Stack,
	}, r.Goroutine, r.EndStack)
}

// unit notes a unit that ends with g at a stack.
func (f *Finder) unit(u Unit, g *model.Goroutine, stack *model.Stack) {
	slot := -1
	if g != nil {
		f.assists(g)
		slot, u.EndGoroutine = g.Slot, g.ID
	}
	e := f.note(opUnit, u.End, slot)
	e.x, e.stack = int64(len(f.batch.units)), f.stack(stack)
	f.batch.units = append(f.batch.units, u)
	f.ends = true
	f.told()
}

// WorkStart is part of [model.Sink].
func (f *Finder) WorkStart(w *model.Work) { f.turn(w.Goroutine, w.Start) }

// WorkEnd is part of [model.Sink].
func (f *Finder) WorkEnd(w *model.Work) { f.turn(w.Goroutine, w.End) }

// turn puts a goroutine to work for another task from now on.
func (f *Finder) turn(g *model.Goroutine, now model.Time) {
	task := model.BackgroundTask
	if w := g.Work(); w != nil {
		task = w.Task.ID
	}
	if k := f.slots.Of(g); k.task != task {
		k.task = task
		f.assists(g)
		f.note(opWork, now, g.Slot).x = int64(task)
	}
}

// Run is part of [model.Sink].
func (f *Finder) Run(r *model.Run) {
	slot := r.Goroutine.Slot
	if n := len(f.batch.events); n > 0 {
		// Nearly always it ended with a state.
		if e := &f.batch.events[n-1]; e.op == opState && e.slot == int32(slot) && e.at == r.End {
			e.ran, e.x = true, int64(r.Start)
			return
		}
	}
	f.note(opRun, r.End, slot).x = int64(r.Start)
}

// Sample is part of [model.Sink].
func (f *Finder) Sample(s *model.Sample) {
	if s.Goroutine != nil && s.Stack != nil {
		e := f.note(opSample, s.Time, s.Goroutine.Slot)
		e.x, e.stack = int64(s.Goroutine.ID), f.stack(s.Stack)
	}
}

// Gap is part of [model.Sink].
func (f *Finder) Gap(g *model.Gap) { f.note(opGap, g.End, -1) }

// Sync is part of [model.Sink].
func (f *Finder) Sync(*model.Sync) {
	if f.blocked != nil {
		f.waits()
	}
}

// stack returns the number of a stack, 0 for none.
func (f *Finder) stack(s *model.Stack) int32 {
	if s == nil {
		return 0
	}
	if s.ID >= len(f.stacks) {
		f.stacks = append(f.stacks, make([]bool, s.ID+1-len(f.stacks))...)
	}
	if !f.stacks[s.ID] {
		f.stacks[s.ID] = true
		f.batch.stacks = append(f.batch.stacks, s)
	}
	return int32(s.ID)
}

// fn returns the number of a start function.
func (f *Finder) fn(name string) int32 {
	id, isNew := f.funcs.id(name)
	if isNew {
		f.batch.funcs = append(f.batch.funcs, name)
	}
	return id
}

// maxReasons bounds the number of reasons. The runtime has some thirty.
const maxReasons = 1 << 12

// reason returns the number of a reason.
func (f *Finder) reason(name string) uint16 {
	recent := &f.recent[len(name)%len(f.recent)]
	if recent.name == name {
		return recent.id
	}
	if _, ok := f.reasons.ids[name]; !ok && len(f.reasons.list) >= maxReasons {
		name = otherReason
	}
	id, isNew := f.reasons.id(name)
	if isNew {
		f.batch.reasons = append(f.batch.reasons, name)
	}
	*recent = recentReason{name, uint16(id)}
	return recent.id
}

// names numbers strings from 0.
type names struct {
	ids  map[string]int32
	list []string
}

func (n *names) id(s string) (id int32, isNew bool) {
	id, ok := n.ids[s]
	if !ok {
		if n.ids == nil {
			n.ids = make(map[string]int32)
		}
		id = int32(len(n.list))
		n.ids[s] = id
		n.list = append(n.list, s)
	}
	return id, !ok
}
