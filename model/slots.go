package model

// BySlot has a T for each goroutine alive, for what a sink knows of them. It grows
// with the number of goroutines alive at once. The zero value is ready to use.
//
// A T outlives its goroutine: whoever announces a goroutine (GoroutineStart) resets
// what the last one of its slot has left, and may keep the memory of that.
type BySlot[T any] struct{ list []T }

// Of returns the T of a goroutine. The pointer is valid until Of is called for a
// goroutine that is new.
func (s *BySlot[T]) Of(g *Goroutine) *T {
	if g.Slot >= len(s.list) {
		s.grow(g.Slot)
	}
	return &s.list[g.Slot]
}

func (s *BySlot[T]) grow(slot int) {
	s.list = append(s.list, make([]T, slot+1-len(s.list))...)
}

// All returns the Ts of all slots, by slot. They may be modified in place.
func (s *BySlot[T]) All() []T { return s.list }
