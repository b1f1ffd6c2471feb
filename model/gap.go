package model

import "math"

// Gap is a part of the trace that could not be read. Before and behind it, all is
// there; what happened in it, nobody knows: the goroutines are in state Unknown,
// the Ps in none. States and runs that it cuts are reported up to it with Open set
// and Next Unknown, and what follows it with Before set. Ranges end where it begins.
// Tasks and regions go on, and may have ended in it.
type Gap struct {
	// Start is the time of the last event before the gap, End of the first behind
	// it; they are the same if Open is set: then nothing behind it could be read.
	Start, End Time
	Open       bool
	// Damage is what is wrong there.
	Damage *Damage
}

// lose begins a gap.
func (b *builder) lose(d *Damage) {
	b.gap = &Gap{Start: b.now, End: b.now, Open: true, Damage: d}
	b.summary.Gaps = append(b.summary.Gaps, b.gap)
}

// resume ends the gap, before the first event behind it, a Sync.
func (b *builder) resume(t Time) {
	gap := b.gap
	b.gap = nil
	gap.End, gap.Open = t, false
	if !b.begun {
		gap.Start = t
		b.begin(t)
	}
	for g := range b.pool.all() {
		if g.cur.kind == Unknown {
			continue // a window began in the gap
		}
		if g.assist != nil {
			b.cutRange(&g.assist, gap.Start)
		}
		if g.proc != nil {
			g.proc.run.Open = true
		}
		g.cur.open = true
		b.leave(g, gap.Start, Unknown)
		b.release(g, gap.Start, Unknown)
		g.enter(Unknown, gap.Start)
	}
	for _, p := range b.procs {
		if p == nil {
			continue
		}
		b.cutRange(&p.sweep, gap.Start)
		p.state.End, p.state.Open = gap.Start, true
		b.sink.ProcState(&p.state)
		p.state = ProcState{Proc: p.id, Thread: NoThread, Start: t, Before: true}
		p.run = Run{}
	}
	for _, key := range b.rangeOrder {
		r := b.ranges[key]
		b.cutRange(&r, gap.Start)
	}
	clear(b.ranges)
	b.rangeOrder = b.rangeOrder[:0]

	b.since, b.unseen = t, b.syncs+2
	b.firstTask = math.MaxUint64 // tasks that began in the gap are old, too
	b.sink.Gap(gap)
}

// cutRange ends a range where a gap begins.
func (b *builder) cutRange(r **Range, t Time) {
	if *r != nil {
		b.rangeClosed(*r, t)
		*r = nil
	}
}

// regained puts a goroutine into the state that it has had since the gap.
func (b *builder) regained(g *Goroutine, kind StateKind) {
	b.leave(g, b.since, kind)
	g.enter(kind, b.since).before = true
	g.cur.procLost = b.since
}

// dropUnseen ends the goroutines that the first generation behind a gap does not
// name: it names all that are there.
func (b *builder) dropUnseen(t Time) {
	for g := range b.pool.all() {
		if g.cur.kind == Unknown {
			b.exited(g, t)
		}
	}
}
