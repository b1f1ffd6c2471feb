package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// Goroutine is the life of one goroutine.
type Goroutine struct {
	ID model.GoID `json:"id"`
	// Func is its start function, "" if the trace does not tell.
	Func string `json:"func"`
	// Lives is how many goroutines had this ID, one after the other: more than one
	// only where a thread of C calls Go. They are taken together; what says of one
	// only is of the first.
	Lives int64 `json:"lives"`
	// Start is when it was created, or 0 with Before, if it was there when the
	// trace began. End is when it exited, or the end of the trace with Open.
	Start  time.Duration `json:"start_ns"`
	Before bool          `json:"before"`
	End    time.Duration `json:"end_ns"`
	Open   bool          `json:"open"`
	// Parent is the goroutine that created it, 0 if unknown, and Creation the
	// stack of its go statement, the innermost call first.
	Parent   model.GoID `json:"parent"`
	Creation []Place    `json:"creation"`
	Times    Times      `json:"times"`
	// States are by kind and reason, those with the most time first.
	States []StateSum `json:"states"`
	// Waits are its waits and system calls by reason and place.
	Waits []Wait `json:"waits"`
	// Longest are its longest states, in the order of time, and Last the one in
	// which it ended, or in which the trace left it.
	Longest []State `json:"longest"`
	Last    *State  `json:"last"`
}

// StateSum is all states of one kind.
type StateSum struct {
	// State is running, runnable, waiting or syscall.
	State  string        `json:"state"`
	Reason string        `json:"reason,omitempty"`
	Count  int64         `json:"count"`
	Total  time.Duration `json:"total_ns"`
	Max    time.Duration `json:"max_ns"`
}

// Wait is all waits for one reason with one stack, or all such system calls.
type Wait struct {
	Reason string `json:"reason"`
	// Stack is where the goroutine was, the innermost call first.
	Stack []Place       `json:"stack"`
	Count int64         `json:"count"`
	Total time.Duration `json:"total_ns"`
	Max   time.Duration `json:"max_ns"`
	// MaxAt is when the longest began, and MaxEndedBy the goroutine that ended it, 0 for
	// none.
	MaxAt      time.Duration `json:"max_at_ns"`
	MaxEndedBy model.GoID    `json:"max_ended_by,omitempty"`
}

// State is a state of a goroutine.
type State struct {
	At       time.Duration `json:"at_ns"`
	Duration time.Duration `json:"duration_ns"`
	// Before and Open say that the state is cut by the begin or the end of the
	// trace.
	Before bool   `json:"before,omitempty"`
	Open   bool   `json:"open,omitempty"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	// Place is where the goroutine was.
	Place Place `json:"place"`
	// EndedBy is the goroutine that ended a wait, 0 for none, EndedByFunc its start
	// function and EndedByPlace where it did so; nil if the trace does not tell.
	EndedBy      model.GoID `json:"ended_by,omitempty"`
	EndedByFunc  string     `json:"ended_by_func,omitempty"`
	EndedByPlace *Place     `json:"ended_by_place,omitempty"`
}

// life follows one goroutine, selected or not.
type life struct {
	id      model.GoID
	keep    int
	lives   int64
	first   model.Goroutine // as it ended
	last    model.Time
	open    bool
	times   times.Times
	states  map[stateKey]*stateSum
	waits   map[waitKey]*waitSum
	longest []lifeState // the longest first
	now     lifeState
}

type stateKey struct {
	kind   model.StateKind
	reason string
}

type waitKey struct {
	reason string
	stack  *model.Stack
}

type stateSum struct {
	count      int64
	total, max model.Time
}

func (s *stateSum) add(d model.Time) {
	s.count++
	s.total += d
	s.max = max(s.max, d)
}

type waitSum struct {
	stateSum
	at model.Time // of the longest
	by model.GoID // that ended it
}

func (w *waitSum) add(s *lifeState) {
	if d := s.Duration(); d > w.max || w.count == 0 {
		w.at, w.by = s.Start, s.waker
	}
	w.stateSum.add(s.Duration())
}

type lifeState struct {
	model.GoState
	waker      model.GoID
	wakerFunc  string
	wakerStack *model.Stack
}

func newLife(id model.GoID, keep int) *life {
	return &life{id: id, keep: keep, states: make(map[stateKey]*stateSum), waits: make(map[waitKey]*waitSum)}
}

func (l *life) start(*model.Goroutine) { l.lives++ }

func (l *life) state(_ *model.Goroutine, s *model.GoState) {
	d := s.Duration()
	l.now = lifeState{GoState: *s}
	if g := s.Waker.Goroutine; g != nil && s.Kind == model.Waiting {
		l.now.waker, l.now.wakerFunc, l.now.wakerStack = g.ID, g.Func, s.Waker.Stack
	}
	sumOf(l.states, stateKey{s.Kind, s.Reason}).add(d)
	switch s.Kind {
	case model.Waiting:
		sumOf(l.waits, waitKey{s.Reason, s.Stack}).add(&l.now)
	case model.Syscall:
		sumOf(l.waits, waitKey{s.Kind.String(), s.Stack}).add(&l.now)
	}
	if len(l.longest) == l.keep && d <= l.longest[len(l.longest)-1].Duration() {
		return
	}
	i, _ := slices.BinarySearchFunc(l.longest, d, func(a lifeState, d model.Time) int {
		return cmp.Or(cmp.Compare(d, a.Duration()), -1)
	})
	l.longest = slices.Insert(l.longest, i, l.now)
	l.longest = l.longest[:min(len(l.longest), l.keep)]
}

func sumOf[K comparable, S any](m map[K]*S, key K) *S {
	s := m[key]
	if s == nil {
		s = new(S)
		m[key] = s
	}
	return s
}

func (l *life) end(g *model.Goroutine, t *times.Times) {
	if l.lives == 1 {
		l.first = *g
	}
	l.last, l.open = g.End, g.Open
	l.times.Add(t)
}

func (l *life) report(b *Builder) *Goroutine {
	if l.lives == 0 {
		return nil
	}
	g := &l.first
	out := &Goroutine{
		ID: l.id, Func: g.Func, Lives: l.lives,
		Start: b.since(g.Start), Before: g.Before, End: b.since(l.last), Open: l.open,
		Parent: max(g.Parent, 0), Creation: placesOf(g.Creation), Times: timesOf(&l.times, &b.ledger.Reasons),
		States: []StateSum{}, Waits: []Wait{}, Longest: []State{},
	}
	for key, s := range l.states {
		out.States = append(out.States, StateSum{key.kind.String(), key.reason, s.count, time.Duration(s.total), time.Duration(s.max)})
	}
	slices.SortFunc(out.States, func(a, b StateSum) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), strings.Compare(a.State, b.State), strings.Compare(a.Reason, b.Reason))
	})
	ids := make(map[*Wait]int)
	var waits []*Wait
	for key, s := range l.waits {
		w := &Wait{key.reason, placesOf(key.stack), s.count, time.Duration(s.total), time.Duration(s.max), b.since(s.at), s.by}
		if key.stack != nil {
			ids[w] = key.stack.ID
		}
		waits = append(waits, w)
	}
	slices.SortFunc(waits, func(a, b *Wait) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), strings.Compare(a.Reason, b.Reason), cmp.Compare(ids[a], ids[b]))
	})
	for _, w := range waits {
		out.Waits = append(out.Waits, *w)
	}
	for _, s := range l.longest {
		out.Longest = append(out.Longest, s.report(b))
	}
	slices.SortStableFunc(out.Longest, func(a, b State) int { return cmp.Compare(a.At, b.At) })
	last := l.now.report(b)
	out.Last = &last
	return out
}

func (s *lifeState) report(b *Builder) State {
	out := State{
		At: b.since(s.Start), Duration: time.Duration(s.Duration()), Before: s.Before, Open: s.Open,
		State: s.Kind.String(), Reason: s.Reason, Place: *b.places.of(s.Stack).place, EndedBy: s.waker, EndedByFunc: s.wakerFunc,
	}
	if at := b.places.of(s.wakerStack).place; *at != unknown {
		out.EndedByPlace = at
	}
	return out
}
