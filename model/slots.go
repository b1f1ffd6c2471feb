package model

import "iter"

// BySlot has a T for each goroutine alive, for what a sink knows of them. It grows
// with the number of goroutines alive at once. The zero value is ready to use.
//
// A T outlives its goroutine: whoever announces a goroutine (GoroutineStart) resets
// what the last one of its slot has left, and may keep the memory of that.
type BySlot[T any] struct {
	// pages never move: one long list would be in memory twice each time it grows.
	pages []*[pageSize]T
}

const pageSize = 64

// Of returns the T of a goroutine. The pointer is valid as long as the BySlot.
func (s *BySlot[T]) Of(g *Goroutine) *T { return s.At(g.Slot) }

// At returns the T of a slot.
func (s *BySlot[T]) At(slot int) *T {
	page := uint(slot) / pageSize
	if page >= uint(len(s.pages)) {
		s.grow(page)
	}
	return &s.pages[page][uint(slot)%pageSize]
}

func (s *BySlot[T]) grow(page uint) {
	for page >= uint(len(s.pages)) {
		s.pages = append(s.pages, new([pageSize]T))
	}
}

// All yields the Ts of all slots, by slot, and some that no goroutine has had. They may
// be modified in place.
func (s *BySlot[T]) All() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for _, page := range s.pages {
			for i := range page {
				if !yield(&page[i]) {
					return
				}
			}
		}
	}
}
