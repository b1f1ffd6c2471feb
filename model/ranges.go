package model

import (
	"strings"

	"github.com/trace2x/trace2x/internal/decode"
)

// RangeKind says what the runtime does in a Range.
type RangeKind uint8

const (
	// OtherRange is a range of a name that this package does not know.
	OtherRange RangeKind = iota
	// GCMark is the concurrent mark phase of a GC cycle.
	GCMark
	// StopTheWorld is a pause of all goroutines, from the wish to stop them to
	// their restart.
	StopTheWorld
	// MarkAssist is work for the GC that a goroutine has to do to allocate.
	MarkAssist
	// Sweep is sweeping that a P does so that a goroutine can allocate.
	Sweep
)

// Range is an interval of an activity of the runtime.
type Range struct {
	Kind RangeKind
	// Name is the runtime's name for it.
	Name string
	// Reason tells why the world was stopped; "" for other kinds.
	Reason string
	// Goroutine began the range, on Proc; nil and NoProc if unknown or none.
	// Goroutine is nil too if it has exited since.
	Goroutine *Goroutine
	Proc      ProcID
	// Stack is where the range began; nil if unknown.
	Stack *Stack
	// Start and End are the edges of the trace, or of a Gap, if Before and Open are
	// set.
	Start, End   Time
	Before, Open bool
	// Swept and Reclaimed are bytes, of a Sweep that ended.
	Swept, Reclaimed uint64

	goid GoID
}

// newRange makes a range with this name.
func newRange(name string) *Range {
	r := &Range{Kind: rangeKind(name), Name: name, Proc: NoProc, goid: NoGoroutine}
	if r.Kind == StopTheWorld {
		r.Reason = strings.TrimSuffix(name[len(decode.StopTheWorld):], ")")
	}
	return r
}

func rangeKind(name string) RangeKind {
	switch {
	case name == decode.MarkPhase:
		return GCMark
	case name == decode.Sweep:
		return Sweep
	case name == decode.MarkAssist:
		return MarkAssist
	case strings.HasPrefix(name, decode.StopTheWorld):
		return StopTheWorld
	}
	return OtherRange
}

// rangeKey identifies a range that is scoped neither to a goroutine nor to a
// P, or whose kind is unknown.
type rangeKey struct {
	name string
	goid GoID
	proc ProcID
}

// rangeSlot returns where an open range of this kind and scope is kept, nil for
// those in the map of the others.
func rangeSlot(kind RangeKind, g *Goroutine, p *proc) **Range {
	switch {
	case kind == MarkAssist && g != nil:
		return &g.own().assist
	case kind == Sweep && p != nil:
		return &p.sweep
	}
	return nil
}

func (b *builder) rangeBegun(r *Range, key rangeKey, scopeG *Goroutine, scopeP *proc) {
	if r.Goroutine != nil {
		r.goid = r.Goroutine.ID
	}
	slot := rangeSlot(r.Kind, scopeG, scopeP)
	if slot == nil {
		key.name = r.Name
		if b.ranges[key] != nil {
			b.inconsistent("range begun twice: " + r.Name)
			return
		}
		b.ranges[key] = r
		b.rangeOrder = append(b.rangeOrder, key)
		return
	}
	if *slot != nil {
		b.inconsistent("range begun twice: " + r.Name)
		return
	}
	*slot = r
}

// rangeEnded takes the open range out of where it is kept; nil if none is open.
func (b *builder) rangeEnded(kind RangeKind, key rangeKey, scopeG *Goroutine, scopeP *proc) *Range {
	if slot := rangeSlot(kind, scopeG, scopeP); slot != nil {
		r := *slot
		*slot = nil
		return r
	}
	r := b.ranges[key]
	if r != nil {
		delete(b.ranges, key)
		for i, k := range b.rangeOrder {
			if k == key {
				b.rangeOrder = append(b.rangeOrder[:i], b.rangeOrder[i+1:]...)
				break
			}
		}
	}
	return r
}

func (b *builder) rangeClosed(r *Range, t Time) {
	r.End = t
	if r.Goroutine != nil && b.find(r.goid) != r.Goroutine {
		r.Goroutine = nil // it exited, and its memory may be another's
	}
	b.sink.Range(r)
}
