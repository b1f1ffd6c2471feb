package critical

import (
	"github.com/trace2x/trace2x/model"
)

// Options say what to find.
type Options struct {
	// Kinds are the kinds of units to find. None means the first of [AllKinds] that
	// the trace has. Then units of other kinds may be found too, before the first
	// unit of that kind.
	Kinds Kinds
	// States is the number of states that are kept, to walk back in; 0 for 1<<19,
	// which take 40 MB. It is rounded up to a power of 2. A wait, the time runnable
	// after it and the run after that count as one state.
	States int
}

// Finder is a [model.Sink] that finds the units of work of a trace and, as each
// ends, its critical path.
type Finder struct {
	model.NopSink
	kinds    Kinds
	auto     bool
	complete [kinds]bool // the kind has a complete unit
	found    func(*Unit)

	ring    ring
	slots   model.BySlot[goroutine]
	funcs   names
	reasons names
	stacks  []*model.Stack // by ID
	tasks   map[model.TaskID]begun
	conns   conns
	runs    runs
	samples samples
	stalls  stalls

	frames []frame
	path   path
	unit   Unit
	// states is the number of states so far, steps the number of steps of all walks.
	states, steps uint64

	reasonCutOff, reasonNoCreator, reasonNoEnd, reasonDamaged uint16
}

var _ model.Sink = (*Finder)(nil)

// goroutine is what is known of a goroutine that is alive.
type goroutine struct {
	id       model.GoID
	slot, fn int32
	at       int32 // the last known stack, at first where it was created
	// running is one more than the index in runs.running, 0 for none; since then.
	running int32
	since   model.Time
	// cur is the turn of its current or last state, prev the turn of the state before,
	// which may be the same. start, kind and first describe the state, to make a new
	// turn of it.
	cur, prev uint64
	start     model.Time
	kind      model.StateKind
	first     bool
	task      model.TaskID // the task that it is at work for
	conn      *conn        // the connection that it serves
}

// begun is what is known of a task while it is open.
type begun struct {
	g     model.GoID
	stack *model.Stack
}

// NewFinder returns a sink that calls found for each unit when it ends, so in the order
// of the ends. The unit is only valid during the call.
func NewFinder(opts Options, found func(*Unit)) *Finder {
	if opts.States <= 0 {
		opts.States = 1 << 19
	}
	f := &Finder{
		kinds: opts.Kinds, auto: opts.Kinds == 0, found: found,
		ring:   newRing(opts.States),
		tasks:  make(map[model.TaskID]begun),
		stacks: []*model.Stack{nil},
	}
	if f.auto {
		f.kinds = KindsOf(AllKinds[:]...)
	}
	f.reasons.id("")
	f.funcs.id("")
	f.reasonCutOff = uint16(f.reasons.id(CutOff))
	f.reasonNoCreator = uint16(f.reasons.id(NoCreator))
	f.reasonNoEnd = uint16(f.reasons.id(NoEnd))
	f.reasonDamaged = uint16(f.reasons.id(Damaged))
	return f
}

// Begin is part of [model.Sink], as the other methods are.
func (f *Finder) Begin(t *model.Trace) { f.stalls.last = t.Start }

// enter puts a goroutine into a state from now on.
func (f *Finder) enter(gr *goroutine, kind model.StateKind, now model.Time, prev uint64, first bool) {
	gr.start, gr.prev, gr.kind, gr.first = now, prev, kind, first
	if kind == model.Running {
		f.running(gr, now)
	}
	f.states++
	if first || !f.ring.has(prev) || !f.ring.at(prev).goOn(kind, now, gr.task) {
		f.add(gr)
	}
}

// mayHoldP reports whether a goroutine in this state can hold a P.
func (gr *goroutine) mayHoldP() bool { return gr.kind == model.Running || gr.kind == model.Syscall }

// firstOfTurn reports whether the state of the goroutine is the first of its turn.
func (gr *goroutine) firstOfTurn() bool { return gr.prev != gr.cur }

// add adds a turn to the ring, with the state that a goroutine is in.
func (f *Finder) add(gr *goroutine) {
	n, s := f.ring.add()
	// Assigning the fields one by one takes half the time. This runs for each state.
	s.start, s.runnable, s.running = gr.start, never, never
	s.goid, s.task, s.fn, s.slot = gr.id, gr.task, gr.fn, gr.slot
	s.kind, s.first, s.prev, s.from = gr.kind, gr.first, gr.prev, gr.at
	s.stack, s.reason, s.waker, s.wakerStack = 0, 0, 0, 0
	gr.cur = n
}

// current returns the number of the turn that a goroutine is in. If the turn has lasted
// so long that it is no longer kept, current adds it again. Assisting the garbage
// collector is a turn of its own.
func (f *Finder) current(g *model.Goroutine) uint64 {
	gr := f.goroutine(g)
	if !f.ring.has(gr.cur) {
		f.add(gr)
	}
	if since, ok := g.Assist(); ok && gr.kind == model.Running {
		f.assisted(gr, since, nil)
	}
	return gr.cur
}

// assisted notes that a running goroutine has been assisting the garbage collector
// since a moment.
func (f *Finder) assisted(gr *goroutine, since model.Time, stack *model.Stack) {
	if since > gr.start || !gr.firstOfTurn() {
		f.enter(gr, model.Running, max(since, gr.start), gr.cur, false)
	}
	s := f.ring.at(gr.cur)
	s.reason, s.stack = f.reason(Assist), f.stackID(stack)
}

// goroutine is what is known of one that has been announced.
func (f *Finder) goroutine(g *model.Goroutine) *goroutine { return f.slots.Of(g) }

// GoroutineStart is part of [model.Sink].
func (f *Finder) GoroutineStart(g *model.Goroutine) {
	gr := f.goroutine(g)
	*gr = goroutine{id: g.ID, slot: int32(g.Slot), fn: f.funcs.id(g.Func), at: f.stackID(g.Creation), task: model.BackgroundTask}
	var prev uint64
	if g.Creator != nil {
		prev = f.current(g.Creator)
		f.handling(g.Creator, g.Creation, g.Func)
	}
	f.enter(gr, g.State, g.Start, prev, true)
	f.connStart(g, gr)
}

// GoroutineState is part of [model.Sink].
func (f *Finder) GoroutineState(g *model.Goroutine, s *model.GoState) {
	if f.conns.blocked != nil {
		f.connWaits()
	}
	f.heard(s.End)
	gr := f.goroutine(g)
	if gr.fn == 0 && g.Func != "" {
		gr.fn = f.funcs.id(g.Func)
		f.connStart(g, gr)
	}
	n := f.current(g)
	var waker uint64
	if w := s.Waker.Goroutine; w != nil && w != g && s.Kind == model.Waiting {
		waker = f.current(w)
		f.handling(w, s.Waker.Stack, "")
	}
	if f.ring.has(n) { // the waker's turn may have taken its place
		st := f.ring.at(n)
		st.fn = gr.fn
		if s.Stack != nil {
			st.stack = f.stackID(s.Stack)
			gr.at = st.stack
		}
		switch {
		case s.Reason != "":
			st.reason = f.reason(s.Reason)
		case s.Kind == model.Unknown:
			st.reason = f.reasonDamaged
		}
		// Only a goroutine that holds a P can wake another. A trace that says
		// otherwise contradicts itself, and could lead in circles.
		if waker != 0 && f.goroutine(s.Waker.Goroutine).mayHoldP() {
			st.waker, st.wakerStack = waker, f.stackID(s.Waker.Stack)
		}
	}
	if gr.conn != nil {
		f.connState(g, gr, s)
	}
	if s.Next != model.NotExist && (!s.Open || s.Next == model.Unknown) {
		f.enter(gr, s.Next, s.End, n, false)
	}
}

// Range is part of [model.Sink].
func (f *Finder) Range(r *model.Range) {
	if r.Kind != model.MarkAssist || r.Goroutine == nil || r.Open {
		return
	}
	if gr := f.goroutine(r.Goroutine); gr.kind == model.Running && gr.start < r.End {
		f.current(r.Goroutine)
		f.assisted(gr, r.Start, r.Stack)
		f.enter(gr, model.Running, r.End, gr.cur, false)
	}
}

// GoroutineEnd is part of [model.Sink].
func (f *Finder) GoroutineEnd(g *model.Goroutine) {
	gr := f.goroutine(g)
	f.stopped(gr)
	if gr.conn != nil {
		f.connEnd(g, gr)
	}
	if f.kinds.Has(GoroutineLife) && !g.System() {
		f.end(Unit{
			Kind: GoroutineLife, Type: g.Func, Goroutine: g.ID, EndGoroutine: g.ID,
			Start: g.Start, End: g.End, Cut: g.Before || g.Open || gr.kind == model.Unknown, Stack: g.Creation,
		}, gr.cur, nil)
	}
}

// TaskStart is part of [model.Sink].
func (f *Finder) TaskStart(t *model.Task) {
	if t.Goroutine != nil {
		f.tasks[t.ID] = begun{t.Goroutine.ID, t.Stack}
	}
}

// TaskEnd is part of [model.Sink].
func (f *Finder) TaskEnd(t *model.Task) {
	b, ok := f.tasks[t.ID]
	if ok {
		delete(f.tasks, t.ID)
	} else {
		b.g = model.NoGoroutine
	}
	if !f.kinds.Has(Task) {
		return
	}
	u := Unit{
		Kind: Task, Type: t.Type, Task: t.ID, Span: t.Span, Goroutine: b.g, EndGoroutine: model.NoGoroutine,
		Start: t.Start, End: t.End, Cut: t.Before || t.Open, Stack: b.stack,
	}
	var last uint64
	if g := t.EndGoroutine; g != nil {
		u.EndGoroutine, last = g.ID, f.current(g)
	}
	f.end(u, last, t.EndStack)
}

// RegionEnd is part of [model.Sink].
func (f *Finder) RegionEnd(r *model.Region) {
	if !f.kinds.Has(Region) {
		return
	}
	g := r.Goroutine
	exited := f.goroutine(g).kind == model.Unknown // in a gap
	f.end(Unit{
		Kind: Region, Type: r.Type, Task: r.TaskID, Goroutine: g.ID, EndGoroutine: g.ID,
		Start: r.Start, End: r.End, Cut: r.Before || r.Open || exited, Stack: r.Stack,
	}, f.current(g), r.EndStack)
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
	gr := f.goroutine(g)
	if gr.task == task {
		return
	}
	gr.task = task
	switch {
	case gr.start == now && gr.firstOfTurn() && f.ring.has(gr.cur):
		f.ring.at(gr.cur).task = task
	case gr.start == now || gr.kind == model.Running:
		f.enter(gr, gr.kind, now, f.current(g), false)
	}
}

// Gap is part of [model.Sink].
func (f *Finder) Gap(g *model.Gap) { f.stalls.last = g.End }

// Sync is part of [model.Sink].
func (f *Finder) Sync(*model.Sync) { f.connWaits() }

// end reports a unit that ended in turn n, with the goroutine at a stack.
func (f *Finder) end(u Unit, n uint64, stack *model.Stack) {
	f.unit = u
	x := &f.unit
	x.finder = f
	if x.Cut {
		f.found(x)
		return
	}
	if f.auto && !f.complete[x.Kind] {
		f.complete[x.Kind] = true
		if x.Kind == Task {
			f.kinds = KindsOf(Task)
			f.forgetConns()
		}
	}
	if n == 0 {
		f.path.segments, f.path.waits = f.path.segments[:0], f.path.waits[:0]
		f.path.unknown(x.Start, x.End, -1, f.reasonNoEnd)
	} else {
		f.walk(n, x.Start, x.End, f.stackID(stack))
	}
	x.path = &f.path
	f.found(x)
}

// stackID returns the number of a stack, 0 for none.
func (f *Finder) stackID(s *model.Stack) int32 {
	if s == nil {
		return 0
	}
	if s.ID >= len(f.stacks) {
		f.stacks = append(f.stacks, make([]*model.Stack, s.ID+1-len(f.stacks))...)
	}
	f.stacks[s.ID] = s
	return int32(s.ID)
}

// maxReasons bounds the number of reasons. The runtime has some thirty.
const maxReasons = 1 << 12

// reason returns the number of a reason.
func (f *Finder) reason(name string) uint16 {
	for i, n := range f.reasons.list[:min(len(f.reasons.list), 64)] {
		if n == name {
			return uint16(i)
		}
	}
	if _, ok := f.reasons.ids[name]; !ok && len(f.reasons.list) >= maxReasons {
		name = otherReason
	}
	return uint16(f.reasons.id(name))
}

// names numbers strings from 0.
type names struct {
	ids  map[string]int32
	list []string
}

func (n *names) id(s string) int32 {
	id, ok := n.ids[s]
	if !ok {
		if n.ids == nil {
			n.ids = make(map[string]int32)
		}
		id = int32(len(n.list))
		n.ids[s] = id
		n.list = append(n.list, s)
	}
	return id
}
