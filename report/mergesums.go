package report

import (
	"slices"
	"time"
)

func (m *merging) procs() {
	to, from := &m.b.procs, &m.o.procs
	to.known = from.known && (to.known || len(m.b.merged.files) == 1)
	if from.known {
		to.max, to.largest = from.max, max(to.largest, from.largest)
	}
	to.total += from.total
	to.runs += from.runs
	to.workers += from.workers
	to.assists += from.assists
	to.active += from.active
}

func (m *merging) groups() {
	to, from := &m.b.groups, &m.o.groups
	to.nameless += from.nameless
	to.all.Add(m.times(&from.all))
	for fn, g := range from.byFunc {
		x := to.of(fn)
		x.count += g.count
		x.started += g.started
		x.ended += g.ended
		x.sum.Add(m.times(&g.sum))
		x.max.Max(m.times(&g.max))
		x.life = max(x.life, g.life)
		x.maxBlock = max(x.maxBlock, g.maxBlock)
		x.assists += g.assists
		for i, l := range g.most {
			if l.duration > x.most[i].duration {
				x.most[i] = m.longest(l)
			}
		}
		if g.maxAssist.duration > x.maxAssist.duration {
			x.maxAssist = m.longest(g.maxAssist)
		}
	}
}

func (m *merging) blocking(to, from *blocking) {
	to.unexplained += from.unexplained
	for key, s := range from.sites {
		s.longest, s.longestHold = m.longest(s.longest), m.longest(s.longestHold)
		for _, e := range s.endedBy {
			e.longest = m.longest(e.longest)
			if e.place != nil {
				e.place = m.place(e.place)
			}
		}
		to.site(siteKey{m.reason(key.reason), m.place(key.place)}, s.mutex).merge(s)
	}
}

func (m *merging) scheduling() {
	for i := range m.o.share.latency.worst {
		w := &m.o.share.latency.worst[i]
		w.longest = m.longest(w.longest)
	}
	m.b.share.latency.merge(&m.o.share.latency)
	to, from := &m.b.sched, &m.o.sched
	to.most = max(to.most, from.most)
	w, o := &to.wasted, &from.wasted
	w.count += o.count
	w.total += o.total
	if o.longest.duration > w.longest.duration {
		w.longest, w.maxQueue = m.longest(o.longest), o.maxQueue
	}
}

func (m *merging) gc() {
	to, from := &m.b.gc, &m.o.gc
	to.mark.merge(&from.mark)
	to.maxHeap = max(to.maxHeap, from.maxHeap)
	to.maxGoal = max(to.maxGoal, from.maxGoal)
	for reason, p := range from.pauses {
		x := to.pause(reason)
		if p.longest > x.longest || x.spread.N == 0 {
			x.at, x.g, x.fn, x.file = p.at, p.g, p.fn, m.file
		}
		x.merge(&p.durations)
	}
	m.b.mmu.known = m.b.mmu.known || m.o.mmu.known
	for i := range m.b.mmu.sliders {
		s := &m.b.mmu.sliders[i]
		for _, o := range m.o.mmu.sliders {
			// A trace that is shorter has another length in its place.
			if o.length == s.length && o.min < s.min {
				s.min, s.at, s.file = o.min, o.at-m.origin, m.file
			}
		}
	}
}

func (d *durations) merge(o *durations) {
	d.total += o.total
	d.longest = max(d.longest, o.longest)
	d.spread.Merge(&o.spread)
}

func (m *merging) annotations(to, from *annotations) {
	to.cut += from.cut
	for _, key := range from.types() {
		a, x := from.byType[key], to.of(key)
		if a.latency.spread.N > 0 && (a.latency.longest > x.latency.longest || x.latency.spread.N == 0) {
			x.longest = a.longest
			x.longest.At -= time.Duration(m.origin)
			x.longest.File = m.file
		}
		x.count += a.count
		x.cut += a.cut
		x.latency.merge(&a.latency)
		x.times.Add(m.times(&a.times))
	}
}

func (m *merging) leaks() {
	to, from := &m.b.leaks, &m.o.leaks
	to.untold += from.untold
	for key, l := range from.groups {
		if m.o.byDesign(key, l) {
			continue
		}
		key.stack = m.stack(key.stack)
		x := to.groups[key]
		if x == nil {
			if to.groups == nil {
				to.groups = make(map[leakKey]*leak)
			}
			x = &leak{fn: l.fn, at: l.at - m.origin, duration: l.duration, file: m.file}
			to.groups[key] = x
		}
		x.traces++
		x.count += l.count
		x.total += l.total
		x.goroutines = appendExamples(x.goroutines, l.goroutines)
	}
}

func (m *merging) growing() {
	sum := m.o.summary
	for key, g := range m.o.growing.all(sum.Start, sum.End) {
		key.place = m.place(key.place)
		x := m.b.growing.merged[key]
		if x == nil {
			x = &grown{creation: m.stack(g.creation)}
			m.b.growing.merged[key] = x
		}
		x.started += g.started
		x.ended += g.ended
		x.total += g.total
		for i := range x.thirds {
			x.thirds[i] += g.thirds[i]
		}
		x.goroutines = appendExamples(x.goroutines, g.goroutines)
		if g.longest.duration > x.longest.duration {
			x.longest = m.longest(g.longest)
		}
	}
}

func (m *merging) singles() {
	to, from := &m.b.singles, &m.o.singles
	from.cut()
	for _, s := range from.list {
		s.File = m.file
		to.list = append(to.list, s)
	}
	to.cut()
}

// appendExamples adds goroutines as long as there are few.
func appendExamples[T any](list, more []T) []T {
	return slices.Concat(list, more[:min(len(more), maxExamples-len(list))])
}
