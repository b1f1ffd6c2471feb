package series

import (
	"time"

	"github.com/trace2x/trace2x/model"
)

// MaxPieces is the largest number of pieces of a life.
const MaxPieces = 2000

// Piece is an interval of the life of a goroutine: one state, or several short ones.
type Piece struct {
	Start, End time.Duration
	// State is the one that took most of the time.
	State model.StateKind
	// States is how many states there are. The others are known of a single one: the
	// runtime's reason, where it was, and the goroutine that ended a wait, 0 for none.
	States  int
	Reason  string
	Stack   *model.Stack
	EndedBy model.GoID

	times [model.Unknown + 1]model.Time // by state
}

// Life is a sink that follows one goroutine. If a goroutine has very many states, short
// ones become one piece.
type Life struct {
	model.NopSink
	id     model.GoID
	origin model.Time
	least  time.Duration // pieces that are shorter are joined
	pieces []Piece
}

// NewLife returns a sink that follows the goroutine with this ID.
func NewLife(id model.GoID) *Life { return &Life{id: id} }

// Begin is part of [model.Sink], as GoroutineState is.
func (l *Life) Begin(t *model.Trace) { l.origin = t.Origin }

func (l *Life) GoroutineState(g *model.Goroutine, s *model.GoState) {
	if g.ID != l.id || s.End <= s.Start {
		return
	}
	p := Piece{
		Start: time.Duration(s.Start - l.origin), End: time.Duration(s.End - l.origin),
		State: s.Kind, Reason: s.Reason, Stack: s.Stack, States: 1,
	}
	if w := s.Waker.Goroutine; w != nil && s.Kind == model.Waiting {
		p.EndedBy = w.ID
	}
	p.times[s.Kind] = s.Duration()
	l.pieces = l.append(l.pieces, p)
	for len(l.pieces) > MaxPieces {
		l.least = max(2*l.least, l.pieces[len(l.pieces)-1].End/(16*MaxPieces), 1)
		joined := l.pieces[:0]
		for _, p := range l.pieces {
			joined = l.append(joined, p)
		}
		l.pieces = joined
	}
}

// append appends a piece, or joins it with the last one if both are short.
func (l *Life) append(list []Piece, p Piece) []Piece {
	if n := len(list); n > 0 && list[n-1].End == p.Start && p.End-list[n-1].Start <= l.least {
		list[n-1].join(&p)
		return list
	}
	return append(list, p)
}

func (p *Piece) join(o *Piece) {
	p.End = o.End
	p.States += o.States
	p.Reason, p.Stack, p.EndedBy = "", nil, 0
	for kind, t := range o.times {
		p.times[kind] += t
		if p.times[kind] > p.times[p.State] {
			p.State = model.StateKind(kind)
		}
	}
}

// Pieces returns the life, the oldest piece first.
func (l *Life) Pieces() []Piece { return l.pieces }
