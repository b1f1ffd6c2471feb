package critical

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/trace2x/trace2x/model"
)

// Merge adds the sums of another trace that has ended. s must be of the same options
// and read no trace itself; o cannot be used any more. Units have file as their File, and
// times that count from origin, which is a moment of o's trace.
//
// Counts and sums are exactly the sums of both, and percentiles those of all units. The
// tail is the slowest hundredth of all units, as long as that is at most [MaxTail].
func (s *Sums) Merge(o *Sums, file string, origin model.Time) {
	o.finish()
	m := merging{s, o, file, origin, make(map[int32]int32), nil}
	s.stats.Units += o.stats.Units
	s.stats.CutOff += o.stats.CutOff
	s.stats.CutOffTime += o.stats.CutOffTime
	for _, k := range o.kept {
		m.unit(&k.Unit)
		m.path(k.Path)
		s.kept = append(s.kept, k)
	}
	for _, key := range o.typeKeys() {
		m.typ(o.types[key])
	}
}

// typeKeys returns the types in an order that does not depend on the map's.
func (s *Sums) typeKeys() []typeKey {
	keys := make([]typeKey, 0, len(s.types))
	for key := range s.types {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b typeKey) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
	})
	return keys
}

// merging is one call of Merge.
type merging struct {
	s, o   *Sums
	file   string
	origin model.Time
	kinds  map[int32]int32 // those of o as those of s
	to     *typ            // of s
}

// unit makes a unit of o one of s.
func (m *merging) unit(u *Unit) {
	u.Start -= m.origin
	u.End -= m.origin
	u.File = m.file
}

func (m *merging) path(p *Path) {
	for i := range p.Segments {
		p.Segments[i].Start -= m.origin
		p.Segments[i].End -= m.origin
	}
	for i := range p.Waits {
		p.Waits[i].Start -= m.origin
		p.Waits[i].End -= m.origin
	}
}

// kind returns the number in s of a kind of segment of o.
func (m *merging) kind(k int32) int32 {
	id, ok := m.kinds[k]
	if !ok {
		key := m.o.keys[k]
		id = m.s.kind(
			m.to, m.stack(key.place), m.s.fn(m.o.history.funcs[key.fn]),
			m.s.reason(m.o.history.reasons[key.reason]), key.state, key.own)
		m.kinds[k] = id
	}
	return id
}

// stack returns the number in s of a stack that has the place of o with this number. It
// is only for the place.
func (m *merging) stack(place int32) int32 {
	if place == 0 {
		return 0
	}
	s, f := m.s, m.o.places.frames[place]
	return s.placeStack(f)
}

// placeStack returns the number of a stack with only this call.
func (s *Sums) placeStack(f *model.Frame) int32 {
	key := placeKey(f)
	id, ok := s.placeStacks[key]
	if !ok {
		if s.placeStacks == nil {
			s.placeStacks = make(map[place]int32)
		}
		id = int32(len(s.history.stacks))
		frame := *f // not the memory of the whole trace
		s.history.stacks = append(s.history.stacks, &model.Stack{ID: int(id), Frames: []*model.Frame{&frame}})
		s.placeStacks[key] = id
	}
	return id
}

func (m *merging) via(v via) via {
	if v.ns == 0 {
		return v
	}
	return via{v.ns, m.stack(m.o.places.of(v.stack, m.o.history.stacks)), m.s.reason(m.o.history.reasons[v.reason])}
}

func (m *merging) typ(from *typ) {
	t := m.s.typ(from.typeKey)
	m.to = t
	before := t.count
	t.cut += from.cut
	t.count += from.count
	t.total += from.total
	t.longest = max(t.longest, from.longest)
	t.latency.Merge(&from.latency)
	for _, k := range from.kinds {
		x, to := &m.o.sums[k], &m.s.sums[m.kind(k)]
		to.ns += x.ns
		to.units += x.units
		to.via.add(m.via(x.via))
	}
	slices.SortFunc(from.slow, func(a, b slowUnit) int { return cmp.Compare(a.n, b.n) })
	for _, x := range from.slow {
		x.n += before
		m.unit(x.unit)
		for i := range x.parts {
			p := &x.parts[i]
			p.kind, p.via = m.kind(p.kind), m.via(p.via)
		}
		m.s.mergeSlow(t, x)
	}
	for _, k := range from.paths {
		m.unit(&k.Unit)
		m.path(k.Path)
		m.s.keepSlow(t, k)
	}
}

// mergeSlow takes a unit that may be in the tail.
func (s *Sums) mergeSlow(t *typ, x slowUnit) {
	if len(t.slow) >= s.limit {
		if x.latency <= t.slow[0].latency {
			return
		}
		s.forget(t)
	}
	s.weight += x.weight()
	heap.Push(&t.slow, x)
	s.limitSlow()
}
