// Package align finds out how the clocks of several traces differ.
//
// Each trace counts time from when its machine booted. Three things tell how to bring such
// clocks together:
//
//   - Clock snapshots (Go 1.25 and later) relate the trace's clock to the wall clock. Wall
//     clocks of different machines differ by what NTP leaves.
//   - Calls: a span that serves a call (its parent is a span of another program, which
//     package spanlink logs) begins after the caller's span begins, and mostly ends before
//     that ends. Many calls together bound the difference of two clocks.
//   - The user.
package align

import (
	"time"

	"github.com/trace2x/trace2x/model"
)

// Source is what a program's clock was aligned by.
type Source int

const (
	// Reference: the others are aligned to this program, the first.
	Reference Source = iota
	// Offset: the user said when its trace began.
	Offset
	// Wall: by the wall clock.
	Wall
	// WallAndCalls: by the wall clock, moved because calls contradict it.
	WallAndCalls
	// CallsAlone: there is no wall clock.
	CallsAlone
	// Beginning: nothing tells. Its trace is taken to begin when the reference's does.
	Beginning
)

// Clock says how the clock of a program was aligned.
type Clock struct {
	Name   string
	Source Source
	// Shift is what to add to the times of the program's trace.
	Shift time.Duration
	// Moved is how far calls moved it from where the wall clock has it.
	Moved time.Duration
	// Calls is the number of calls between it and the programs that were aligned before
	// it. If Bounded is set, they say that the clock is right to within Error.
	Calls   int
	Bounded bool
	Error   time.Duration
	// Refuted is how far the user's offset is from what calls allow.
	Refuted time.Duration
	// Contradiction is by how much calls contradict each other: the clocks run at
	// different speeds, or were set meanwhile.
	Contradiction time.Duration
	// Outlived is the number of calls that were served for longer than their callers
	// waited, as far as the clocks can tell.
	Outlived int
	// Spread is how far the trace's clock snapshots are from each other.
	Spread time.Duration
	// Alone says that no other trace is of the same time.
	Alone bool
}

// Result is how several traces fit into one clock.
type Result struct {
	// Clocks are in the order of the programs.
	Clocks []Clock
	// Start is when the first trace begins, and End when the last one ends, in the common
	// clock. The common clock is the clock of the trace that begins first.
	Start, End model.Time
	// Calls is the number of calls from one program to another.
	Calls int
	// Spans has, of each program, the numbers of the calls in which its spans take part, on
	// either side, by their span IDs. Calls are numbered from 0.
	Spans    []map[[8]byte][]int
	epoch    model.Time // what to add to get ns since 1970
	hasEpoch bool
	// NotNoted is the number of spans that were too many to be looked at.
	NotNoted int
}

// call is a call from one program to another.
type call struct {
	from, to       int // programs
	caller, server *span
}

// Align aligns programs, at least one. Offsets has, by the names of programs, how long
// after the first program's trace theirs began.
func Align(programs []*Program, offsets map[string]time.Duration) *Result {
	r := &Result{Clocks: make([]Clock, len(programs))}
	for i, p := range programs {
		_, spread, _ := p.epoch()
		r.Clocks[i] = Clock{Name: p.Name, Spread: spread}
		r.NotNoted += p.more
	}
	a := &aligner{programs: programs, clocks: r.Clocks, placed: make([]bool, len(programs)), calls: make([][]call, len(programs))}
	r.Calls, r.Spans = a.findCalls()
	a.placed[0] = true
	for range programs[1:] {
		a.place(a.next(), offsets)
	}
	first := 0
	begin := func(i int) model.Time { return programs[i].start + model.Time(r.Clocks[i].Shift) }
	for i := range programs {
		if begin(i) < begin(first) {
			first = i
		}
	}
	base := r.Clocks[first].Shift
	for i, p := range programs {
		r.Clocks[i].Shift -= base
		r.End = max(r.End, p.end+model.Time(r.Clocks[i].Shift))
	}
	r.Start = begin(first)
	r.findAlone(programs)
	for i, p := range programs {
		if epoch, _, ok := p.epoch(); ok {
			r.epoch, r.hasEpoch = epoch-model.Time(r.Clocks[i].Shift), true
			break
		}
	}
	return r
}

// findAlone finds the programs whose traces are of a time of their own.
func (r *Result) findAlone(programs []*Program) {
	for i, p := range programs {
		c := &r.Clocks[i]
		c.Alone = len(programs) > 1
		for j, other := range programs {
			shift := model.Time(r.Clocks[j].Shift - c.Shift)
			if j != i && other.start+shift <= p.end && p.start <= other.end+shift {
				c.Alone = false
			}
		}
	}
}

// Time returns a time of day in the common clock, and false if no trace tells the time of
// day.
func (r *Result) Time(wall time.Time) (t model.Time, known bool) {
	return model.Time(wall.UnixNano()) - r.epoch, r.hasEpoch
}

// aligner places one program after the other in the clock of the first.
type aligner struct {
	programs []*Program
	clocks   []Clock
	placed   []bool
	calls    [][]call // by each of their two programs
}

// findCalls finds the calls between programs. It returns how many there are, and what
// Result.Spans has.
func (a *aligner) findCalls() (n int, spans []map[[8]byte][]int) {
	type caller struct {
		program int
		span    *span
	}
	callers := make(map[[8]byte]caller)
	for _, p := range a.programs {
		for i := range p.spans {
			if id := p.spans[i].parent; id != [8]byte{} {
				callers[id] = caller{}
			}
		}
	}
	for from, p := range a.programs {
		spans = append(spans, make(map[[8]byte][]int))
		for i := range p.spans {
			s := &p.spans[i]
			if c, ok := callers[s.id]; ok && c.span == nil {
				callers[s.id] = caller{from, s}
			}
		}
	}
	for to, p := range a.programs {
		for i := range p.spans {
			s := &p.spans[i]
			c := callers[s.parent]
			if s.parent == [8]byte{} || c.span == nil || c.program == to {
				continue
			}
			found := call{c.program, to, c.span, s}
			a.calls[to], a.calls[c.program] = append(a.calls[to], found), append(a.calls[c.program], found)
			spans[c.program][c.span.id] = append(spans[c.program][c.span.id], n)
			spans[to][s.id] = append(spans[to][s.id], n)
			n++
		}
	}
	return n, spans
}

// next returns the program that is placed next: the one with the most calls between it
// and those that are placed.
func (a *aligner) next() int {
	best, most := -1, -1
	for i := range a.programs {
		if a.placed[i] {
			continue
		}
		n := 0
		for _, c := range a.calls[i] {
			if a.placed[c.from] || a.placed[c.to] {
				n++
			}
		}
		if n > most {
			best, most = i, n
		}
	}
	return best
}

// place aligns a program to those that are placed.
func (a *aligner) place(i int, offsets map[string]time.Duration) {
	p, c := a.programs[i], &a.clocks[i]
	b := a.bounds(i)
	c.Calls = b.calls
	wall, known := a.wall(p)
	offset, given := offsets[p.Name]
	middle, bounded := b.middle()
	var at model.Time
	switch {
	case given:
		c.Source, at = Offset, a.programs[0].start+model.Time(offset)-p.start
	case known && b.contains(wall):
		c.Source, at = Wall, wall
	case known && b.calls > 0:
		c.Source, at = WallAndCalls, middle
		c.Moved = time.Duration(middle - wall)
	case b.calls > 0:
		c.Source, at = CallsAlone, middle
	default:
		c.Source, at = Beginning, a.programs[0].start-p.start
	}
	c.Shift = time.Duration(at)
	if c.Bounded = bounded && b.contains(at); c.Bounded {
		c.Error = time.Duration(max(b.to-at, at-b.from))
	}
	if c.Contradiction = time.Duration(max(b.from-b.to, 0)); given && c.Contradiction == 0 {
		c.Refuted = time.Duration(max(b.from-at, at-b.to, 0))
	}
	c.Outlived = b.longer
	if c.Refuted == 0 {
		c.Outlived += b.outlived(at)
	}
	a.placed[i] = true
}

// wall returns the shift that the wall clocks tell.
func (a *aligner) wall(p *Program) (shift model.Time, known bool) {
	epoch, _, ok := p.epoch()
	if !ok {
		return 0, false
	}
	for j, other := range a.programs {
		if e, _, ok := other.epoch(); ok && a.placed[j] {
			return epoch - e + model.Time(a.clocks[j].Shift), true
		}
	}
	return 0, false
}

// bounds are what calls say of the shift of a program: it is at least from and at most to.
type bounds struct {
	calls    int
	from, to model.Time
	longer   int // calls that took longer to serve than their callers waited
	// atMost has the bounds by the ends of calls that the program serves, and atLeast by
	// the ends of calls that it makes. They hold if a call was not served for longer than
	// its caller waited.
	atMost, atLeast []model.Time
}

const never = model.Time(1) << 62

// bounds returns what the calls between a program and those that are placed say.
func (a *aligner) bounds(i int) *bounds {
	b := &bounds{from: -never, to: never}
	for _, c := range a.calls[i] {
		serves := c.to == i
		other := c.from + c.to - i
		if !a.placed[other] {
			continue
		}
		b.calls++
		shift := model.Time(a.clocks[other].Shift)
		whole := !c.caller.open && !c.server.open
		if whole && c.server.end-c.server.start > c.caller.end-c.caller.start {
			b.longer, whole = b.longer+1, false
		}
		if serves {
			b.from = max(b.from, shift+c.caller.start-c.server.start)
			if whole {
				b.atMost = append(b.atMost, shift+c.caller.end-c.server.end)
			}
		} else {
			b.to = min(b.to, shift+c.server.start-c.caller.start)
			if whole {
				b.atLeast = append(b.atLeast, shift+c.server.end-c.caller.end)
			}
		}
	}
	// An end that contradicts the beginnings is one of a call that was served for longer.
	for _, t := range b.atMost {
		if t >= b.from {
			b.to = min(b.to, t)
		}
	}
	for _, t := range b.atLeast {
		if t <= b.to {
			b.from = max(b.from, t)
		}
	}
	return b
}

func (b *bounds) contains(t model.Time) bool { return b.from <= t && t <= b.to }

// middle returns the best guess, and whether the shift is bounded on both sides.
func (b *bounds) middle() (t model.Time, bounded bool) {
	switch {
	case b.from == -never:
		return b.to, false
	case b.to == never:
		return b.from, false
	}
	return b.from + (b.to-b.from)/2, true
}

// outlived returns how many calls end after their callers do, of those that do not take
// longer.
func (b *bounds) outlived(at model.Time) (n int) {
	for _, t := range b.atMost {
		if at > t {
			n++
		}
	}
	for _, t := range b.atLeast {
		if at < t {
			n++
		}
	}
	return n
}
