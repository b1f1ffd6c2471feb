package critical

import (
	"strings"

	"github.com/trace2x/trace2x/model"
)

// history is what goroutines did lately. It finds the path of each unit when it ends.
type history struct {
	kinds Kinds
	found func(*Unit)

	ring    ring
	slots   model.BySlot[goroutine]
	origins model.BySlot[origin]
	funcs   []string
	reasons []string
	stacks  []*model.Stack  // by ID
	doing   []connStack     // by ID of the stack
	conns   map[int32]*conn // of goroutines that serve connections, by slot
	runs    runs
	samples samples
	stalls  stalls

	frames []frame
	path   path
	unit   Unit
	// states is the number of states so far, steps the number of steps of all walks.
	states, steps uint64
}

// goroutine is what is known of a goroutine that is alive, in 64 bytes.
type goroutine struct {
	id model.GoID
	// cur is the turn of its current or last state, prev the turn of the state before,
	// which may be the same. start, kind and first describe the state, to make a new
	// turn of it.
	cur, prev uint64
	start     model.Time
	task      model.TaskID // the task that it is at work for
	since     model.Time   // it runs, or holds a P for a system call
	running   int32        // one more than the index in runs.running, 0 for none
	fn        int32
	at        int32 // the last known stack, at first where it was created
	kind      model.StateKind
	first     bool
	serves    bool // a connection
}

// origin is how a goroutine began.
type origin struct {
	start  model.Time
	stack  int32 // where it was created
	before bool  // the trace began
}

// Numbers of reasons, see newHistory.
const (
	reasonCutOff = 1 + iota
	reasonNoCreator
	reasonNoEnd
	reasonDamaged
	reasonAssist
	reasonNetwork
)

func newHistory(states int, kinds Kinds, found func(*Unit)) *history {
	if states <= 0 {
		states = 1 << 19
	}
	return &history{
		kinds: kinds, found: found, ring: newRing(states),
		reasons: []string{"", CutOff, NoCreator, NoEnd, Damaged, Assist, network},
		funcs:   []string{""},
		stacks:  []*model.Stack{nil},
		conns:   make(map[int32]*conn),
	}
}

// take takes a batch of events and empties it.
func (h *history) take(b *batch) {
	h.funcs = append(h.funcs, b.funcs...)
	h.reasons = append(h.reasons, b.reasons...)
	for _, s := range b.stacks {
		if s.ID >= len(h.stacks) {
			h.stacks = append(h.stacks, make([]*model.Stack, s.ID+1-len(h.stacks))...)
		}
		h.stacks[s.ID] = s
	}
	for i := range b.events {
		switch e := &b.events[i]; e.op {
		case opState:
			if h.state(e); e.ran {
				h.run(e)
			}
		case opRun:
			h.run(e)
		case opWork:
			h.work(e)
		case opStart:
			h.start(e)
		case opEnd:
			h.ended(e)
		case opUnit:
			h.unitEnded(&b.units[e.x], e)
		case opFunc:
			gr := h.slots.At(int(e.slot))
			gr.fn = int32(e.x)
			h.connStart(gr, e.slot)
		case opSeen:
			if gr := h.slots.At(int(e.slot)); gr.serves {
				h.handling(gr, e.slot, e.stack, "")
			}
		case opWasSeen:
			h.connWasSeen(e)
		case opWait:
			h.connWaits(e)
		case opAssist:
			if gr := h.slots.At(int(e.slot)); gr.kind == model.Running {
				h.current(gr, e.slot)
				h.assisted(gr, e.slot, e.at, 0)
			}
		case opAssisted:
			h.assistEnded(e)
		case opSample:
			h.sample(e)
			if gr := h.slots.At(int(e.slot)); gr.id == model.GoID(e.x) {
				h.connWasSeen(e)
			}
		case opGap:
			h.stalls.last = e.at
		case opThen:
			b.then[e.x]()
		case opTasks:
			h.kinds = KindsOf(Task)
			for slot := range h.conns {
				h.slots.At(int(slot)).serves = false
			}
			clear(h.conns)
		}
	}
	b.reset()
}

// enter puts a goroutine into another state from now on. s is turn prev, nil if it is not
// kept.
func (h *history) enter(gr *goroutine, slot int32, kind model.StateKind, now model.Time, prev uint64, s *turn) {
	gr.start, gr.prev, gr.kind, gr.first = now, prev, kind, false
	if kind == model.Running && gr.running == 0 {
		h.running(gr, slot, now)
	}
	h.states++
	if s == nil || !s.goOn(kind, now, gr.task) {
		h.add(gr, slot)
	}
}

// mayHoldP reports whether a goroutine in this state can hold a P.
func (gr *goroutine) mayHoldP() bool { return gr.kind == model.Running || gr.kind == model.Syscall }

// firstOfTurn reports whether the state of the goroutine is the first of its turn.
func (gr *goroutine) firstOfTurn() bool { return gr.prev != gr.cur }

// add adds a turn to the ring, with the state that a goroutine is in.
func (h *history) add(gr *goroutine, slot int32) {
	n, s := h.ring.add()
	// Assigning the fields one by one takes half the time. This runs for each state.
	s.start, s.goid, s.task = gr.start, gr.id, gr.task
	s.runnable, s.running = never, never
	s.prev, s.waker = 0, 0
	if gr.prev != 0 {
		s.prev = distance(gr.prev, n)
	}
	s.stack, s.from, s.wakerStack = 0, gr.at, 0
	s.fn, s.slot = gr.fn, slot
	s.reason, s.kind, s.first = 0, gr.kind, gr.first
	gr.cur = n
}

// current returns the number of the turn that a goroutine is in. If the turn has lasted
// so long that it is no longer kept, current adds it again.
func (h *history) current(gr *goroutine, slot int32) uint64 {
	if !h.ring.has(gr.cur) {
		h.add(gr, slot)
	}
	return gr.cur
}

// assisted notes that a running goroutine has been assisting the garbage collector
// since a moment. That is a turn of its own.
func (h *history) assisted(gr *goroutine, slot int32, since model.Time, stack int32) {
	if since > gr.start || !gr.firstOfTurn() {
		h.enter(gr, slot, model.Running, max(since, gr.start), gr.cur, h.ring.at(gr.cur))
	}
	s := h.ring.at(gr.cur)
	s.reason, s.stack = reasonAssist, stack
}

func (h *history) assistEnded(e *event) {
	if gr := h.slots.At(int(e.slot)); gr.kind == model.Running && gr.start < e.at {
		h.current(gr, e.slot)
		h.assisted(gr, e.slot, model.Time(e.x), e.stack)
		h.enter(gr, e.slot, model.Running, e.at, gr.cur, h.ring.at(gr.cur))
	}
}

func (h *history) start(e *event) {
	var prev uint64
	if e.by >= 0 {
		creator := h.slots.At(int(e.by))
		prev = h.current(creator, e.by)
		if creator.serves {
			h.handling(creator, e.by, e.stack, h.funcs[e.byStack])
		}
	}
	gr := h.slots.At(int(e.slot))
	*gr = goroutine{
		id: model.GoID(e.x), fn: e.byStack, at: e.stack, task: model.BackgroundTask,
		start: e.at, kind: e.kind, prev: prev, first: true,
	}
	*h.origins.At(int(e.slot)) = origin{start: e.at, stack: e.stack, before: e.edge}
	if e.kind == model.Running {
		h.running(gr, e.slot, e.at)
	}
	h.states++
	h.add(gr, e.slot)
	h.connStart(gr, e.slot)
}

func (h *history) state(e *event) {
	h.heard(e.at)
	gr := h.slots.At(int(e.slot))
	n := h.current(gr, e.slot)
	var waker uint64
	if e.by >= 0 {
		w := h.slots.At(int(e.by))
		waker = h.current(w, e.by)
		if w.serves {
			h.handling(w, e.by, e.byStack, "")
		}
		// Only a goroutine that holds a P can wake another. A trace that says
		// otherwise contradicts itself, and could lead in circles.
		if !w.mayHoldP() {
			waker = 0
		}
	}
	var s *turn
	if h.ring.has(n) { // the waker's turn may have taken its place
		s = h.ring.at(n)
		s.fn = gr.fn
		if e.stack != 0 {
			s.stack, gr.at = e.stack, e.stack
		}
		switch {
		case e.reason != 0:
			s.reason = e.reason
		case e.kind == model.Unknown:
			s.reason = reasonDamaged
		}
		if waker != 0 {
			s.waker, s.wakerStack = distance(waker, n), e.byStack
		}
	}
	if gr.serves {
		h.connState(gr, e)
	}
	if e.next != model.NotExist && (!e.edge || e.next == model.Unknown) {
		h.enter(gr, e.slot, e.next, e.at, n, s)
	}
}

func (h *history) ended(e *event) {
	gr := h.slots.At(int(e.slot))
	h.stopped(gr)
	if gr.serves {
		h.connEnd(gr, e)
		delete(h.conns, e.slot)
	}
	if fn := h.funcs[gr.fn]; h.kinds.Has(GoroutineLife) && !strings.HasPrefix(fn, "runtime.") {
		x := h.origins.At(int(e.slot))
		h.end(Unit{
			Kind: GoroutineLife, Type: fn, Func: fn, Goroutine: gr.id, EndGoroutine: gr.id,
			Start: x.start, End: e.at, Cut: x.before || e.edge || gr.kind == model.Unknown, Stack: h.stacks[x.stack],
		}, gr.cur, 0)
	}
}

func (h *history) unitEnded(u *Unit, e *event) {
	var last uint64
	if e.slot >= 0 {
		gr := h.slots.At(int(e.slot))
		last = h.current(gr, e.slot)
		if u.Kind == Region && gr.kind == model.Unknown { // it exited in a gap
			u.Cut = true
		}
	}
	h.end(*u, last, e.stack)
}

// work puts a goroutine to work for another task from now on.
func (h *history) work(e *event) {
	gr := h.slots.At(int(e.slot))
	gr.task = model.TaskID(e.x)
	switch {
	case gr.start == e.at && gr.firstOfTurn() && h.ring.has(gr.cur):
		h.ring.at(gr.cur).task = gr.task
	case gr.start == e.at || gr.kind == model.Running:
		n := h.current(gr, e.slot)
		h.enter(gr, e.slot, gr.kind, e.at, n, h.ring.at(n))
	}
}

// end reports a unit that ended in turn n, 0 for none, with the goroutine at a stack.
func (h *history) end(u Unit, n uint64, stack int32) {
	h.unit = u
	x := &h.unit
	x.history, x.last, x.stack = h, n, stack
	h.found(x)
}

// pathOf finds the path of the unit that has just ended.
func (h *history) pathOf(u *Unit) *path {
	if u.last == 0 {
		h.path.segments, h.path.waits = h.path.segments[:0], h.path.waits[:0]
		h.path.unknown(u.Start, u.End, -1, reasonNoEnd)
		return &h.path
	}
	return h.walk(u.last, u.Start, u.End, u.stack)
}
