package series

import (
	"time"

	"github.com/trace2x/trace2x/model"
)

// Buckets is the largest number of buckets of a series. A trace that is longer than a
// millisecond uses at least half of them.
const Buckets = 1024

// firstShift is the logarithm of the length of a bucket at first, in ns.
const firstShift = 10

// grid divides the time since start into buckets of 1<<shift ns.
type grid struct {
	start model.Time
	shift uint
	lines []merger
}

// merger is what has a value for each bucket. merge makes one bucket of each two.
type merger interface {
	flatten(width model.Time)
	merge()
}

func (g *grid) width() model.Time { return 1 << g.shift }

// bucket returns the bucket of a moment. If there are not enough, they get longer first.
func (g *grid) bucket(t model.Time) int {
	b := (t - g.start) >> g.shift
	if uint64(b) < Buckets {
		return int(b)
	}
	if b < 0 {
		return 0
	}
	for ; (t-g.start)>>g.shift >= Buckets; g.shift++ {
		for _, l := range g.lines {
			l.flatten(g.width())
			l.merge()
		}
	}
	return int((t - g.start) >> g.shift)
}

// line adds up the time of intervals in each bucket.
type line struct {
	grid *grid
	part [Buckets]model.Time // of intervals that begin or end in the bucket
	// whole is by how much the number of intervals that cover the whole bucket differs
	// from that of the bucket before.
	whole [Buckets]model.Time
}

func (g *grid) newLine() *line {
	l := &line{grid: g}
	g.lines = append(g.lines, l)
	return l
}

// add adds n intervals from one moment to another.
func (l *line) add(from, to, n model.Time) {
	g := l.grid
	if from = max(from, g.start); from >= to {
		return
	}
	b := g.bucket(to) // first, as it may change the others
	a := int((from - g.start) >> g.shift)
	if a == b {
		l.part[a] += n * (to - from)
		return
	}
	begin := g.start + model.Time(a+1)<<g.shift
	l.part[a] += n * (begin - from)
	l.part[b] += n * (to - (g.start + model.Time(b)<<g.shift))
	l.whole[a+1] += n
	l.whole[b] -= n
}

func (l *line) flatten(width model.Time) {
	covers := model.Time(0)
	for b := range l.part {
		covers += l.whole[b]
		l.part[b] += covers * width
		l.whole[b] = 0
	}
}

func (l *line) merge() {
	for b := range l.part {
		if 2*b < Buckets {
			l.part[b] = l.part[2*b] + l.part[2*b+1]
		} else {
			l.part[b] = 0
		}
	}
}

// times returns the time in each of the first n buckets.
func (l *line) times(n int) []time.Duration {
	l.flatten(l.grid.width())
	out := make([]time.Duration, n)
	for b := range out {
		out[b] = time.Duration(l.part[b])
	}
	return out
}

// list has a T for each bucket; join makes one of two.
type list[T any] struct {
	of   [Buckets]T
	join func(a, b T) T
}

func newList[T any](g *grid, join func(a, b T) T) *list[T] {
	l := &list[T]{join: join}
	g.lines = append(g.lines, l)
	return l
}

func (l *list[T]) flatten(model.Time) {}

func (l *list[T]) merge() {
	var zero T
	for b := range l.of {
		if 2*b < Buckets {
			l.of[b] = l.join(l.of[2*b], l.of[2*b+1])
		} else {
			l.of[b] = zero
		}
	}
}
