// Package idtable finds things by their IDs, where IDs are numbers that count up, as
// those of goroutines do.
package idtable

import (
	"math/bits"
	"math/rand/v2"
)

// Table finds Ts by ID. IDs that follow each other are beside each other in memory, so
// that visiting them in order, as the runtime does with a million goroutines at the
// border of a generation, is several times as fast as with a map. The zero value is
// ready to use.
//
// It is a hash table with linear probing, at most three quarters full.
type Table[T any] struct {
	slots []slot[T] // a power of 2
	n     int
	shift int // of a hash, to a row
}

// slot is free if there is no value.
type slot[T any] struct {
	id    int64
	value *T
}

// row is the number of IDs, from a multiple of it on, that are in a row if there is
// room: they fill a line of the processor's cache.
const row = 4

// factor differs in each process. Nobody can write a trace whose IDs all collide.
var factor = rand.Uint64() | 1

// home returns where an ID is if there is room.
func (t *Table[T]) home(id int64) int {
	hash := uint64(id) / row * factor >> t.shift
	return int(hash*row + uint64(id)%row)
}

// Len returns the number of IDs.
func (t *Table[T]) Len() int { return t.n }

// Find returns the value of an ID, nil if it has none.
func (t *Table[T]) Find(id int64) *T {
	if t.n == 0 {
		return nil
	}
	for i := t.home(id); ; i++ {
		if s := &t.slots[i&(len(t.slots)-1)]; s.id == id || s.value == nil {
			return s.value
		}
	}
}

// Add gives an ID, which must have none, a value that is not nil.
func (t *Table[T]) Add(id int64, value *T) {
	if 4*(t.n+1) > 3*len(t.slots) {
		t.grow()
	}
	t.n++
	t.put(id, value)
}

func (t *Table[T]) put(id int64, value *T) {
	i := t.home(id)
	for t.slots[i&(len(t.slots)-1)].value != nil {
		i++
	}
	t.slots[i&(len(t.slots)-1)] = slot[T]{id, value}
}

func (t *Table[T]) grow() {
	old := t.slots
	t.slots = make([]slot[T], max(64, 2*len(old)))
	t.shift = 64 - bits.TrailingZeros(uint(len(t.slots)/row))
	for i := range old {
		if s := &old[i]; s.value != nil {
			t.put(s.id, s.value)
		}
	}
}

// Remove removes an ID, if it is there.
func (t *Table[T]) Remove(id int64) {
	if t.Find(id) == nil {
		return
	}
	t.n--
	mask := len(t.slots) - 1
	free := t.home(id) & mask
	for t.slots[free].id != id || t.slots[free].value == nil {
		free = (free + 1) & mask
	}
	// What is behind it moves up, unless it would be in front of its home.
	for i := (free + 1) & mask; t.slots[i].value != nil; i = (i + 1) & mask {
		if s := t.slots[i]; (i-t.home(s.id))&mask >= (i-free)&mask {
			t.slots[free], free = s, i
		}
	}
	t.slots[free] = slot[T]{}
}
