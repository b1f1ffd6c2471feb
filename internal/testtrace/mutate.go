package testtrace

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// SeedStructure adds seeds to a fuzz target whose arguments are a trace and the number
// of a change that [Mutate] makes. Each trace of Small is added whole, cut after two
// thirds, and with changes.
func SeedStructure(f *testing.F) {
	f.Helper()
	for i, name := range Small() {
		data := Data(f, name)
		f.Add(data, uint64(0))
		f.Add(data[:len(data)*2/3], uint64(0))
		for k := range 4 {
			f.Add(data, uint64(1+4*i+k))
		}
	}
}

// Mutate changes a trace by its structure: batches and events are lost, come twice,
// in another order, with another number or in another generation. The same number
// makes the same changes; 0 makes none.
func Mutate(data []byte, number uint64) []byte {
	s := Split(data)
	if number == 0 || s == nil {
		return data
	}
	s.Mutate(rand.New(rand.NewPCG(number, 0)))
	return s.Join()
}

// Mutate makes some changes, more often few of them.
func (s *Structure) Mutate(random *rand.Rand) {
	for range 1 + random.IntN(4) {
		s.change(random)
	}
}

func (s *Structure) change(random *rand.Rand) {
	if len(s.Batches) == 0 {
		return
	}
	i := random.IntN(len(s.Batches))
	b := &s.Batches[i]
	if len(b.Events) > 0 {
		s.changeEvent(random, b)
		if random.IntN(8) > 0 {
			return
		}
	} else if len(b.Data) > 0 && random.IntN(2) == 0 {
		b.Data = bytes.Clone(b.Data)
		b.Data[random.IntN(len(b.Data))] = byte(other(random, 0))
		return
	}
	o := random.IntN(len(s.Batches))
	switch random.IntN(7) {
	case 0:
		s.Batches[i], s.Batches[o] = s.Batches[o], s.Batches[i]
	case 1:
		s.Batches = slices.Delete(s.Batches, i, i+1)
	case 2:
		s.Batches = slices.Insert(s.Batches, o, *b)
	case 3:
		b.Head[2] = s.Batches[o].Head[2] // another's thread
	case 4:
		k := 1 + random.IntN(3)
		b.Head[k] = other(random, b.Head[k])
	case 5:
		b.Type = []byte{eventBatch, experimentalBatch, endOfGeneration}[random.IntN(3)]
	case 6: // each in the generation of the other
		c := &s.Batches[o]
		b.Type, b.Events, b.Data, c.Type, c.Events, c.Data = c.Type, c.Events, c.Data, b.Type, b.Events, b.Data
		b.Head[2], b.Head[3], c.Head[2], c.Head[3] = c.Head[2], c.Head[3], b.Head[2], b.Head[3]
	}
}

func (s *Structure) changeEvent(random *rand.Rand, b *Batch) {
	k := random.IntN(len(b.Events))
	// Most events about threads, Ps and their states are at the beginning.
	if random.IntN(3) == 0 {
		k = min(k, random.IntN(6))
	}
	e := &b.Events[k]
	switch random.IntN(10) {
	case 0: // lost
		b.Events = slices.Delete(slices.Clone(b.Events), k, min(len(b.Events), k+1+random.IntN(2)))
	case 1: // twice
		b.Events = slices.Insert(slices.Clone(b.Events), k, *e)
	case 2, 3: // another one
		if s.old {
			e.Type ^= byte(1 << random.IntN(6))
			return
		}
		e.Type = byte(firstTimed + random.IntN(lastTimed-firstTimed+1))
		e.Args = slices.Clone(e.Args)
		for len(e.Args) < int(Arguments[e.Type])+1 {
			e.Args = append(e.Args, uint64(random.IntN(20)))
		}
		e.Args = e.Args[:Arguments[e.Type]+1]
	case 4: // late, or early
		b.Events = slices.Clone(b.Events)
		m := random.IntN(len(b.Events))
		b.Events[k], b.Events[m] = b.Events[m], b.Events[k]
	case 5: // of another thread
		o := &s.Batches[random.IntN(len(s.Batches))]
		if len(o.Events) > 0 {
			o.Events = slices.Insert(slices.Clone(o.Events), random.IntN(len(o.Events)), *e)
		}
	default:
		if len(e.Args) > 0 {
			e.Args = slices.Clone(e.Args)
			a := random.IntN(len(e.Args))
			e.Args[a] = other(random, e.Args[a])
		}
	}
}

// other returns another number than v, often at a limit.
func other(random *rand.Rand, v uint64) uint64 {
	limits := []uint64{0, 1, 2, 3, 4, 5, ^uint64(0), ^uint64(0) - 1, 1 << 63, 1<<63 - 1, 1 << 32, 1<<31 - 1, 1 << 31, 256, 257, 258, 259, 260, 1 << 14, 1<<14 - 1}
	switch random.IntN(4) {
	case 0:
		return limits[random.IntN(len(limits))]
	case 1:
		return v - 1
	case 2:
		return v + uint64(random.IntN(300))
	}
	return v + 1
}
