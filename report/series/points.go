package series

import (
	"cmp"
	"slices"
	"time"

	"github.com/trace2x/trace2x/critical"
)

// Point is the latency of a unit of work.
type Point struct {
	// At is when the unit ended.
	At, Latency time.Duration
	Kind        critical.Kind
	Type        string
	Unit        ID
}

// pointsOfType is how many points a bucket has of one type at most, mostPoints how many in
// all: the slowest, but one of each type first.
const (
	pointsOfType = 2
	mostPoints   = 8
)

func addPoint(list []Point, p Point) []Point {
	n, fastest := 0, -1
	for i := range list {
		if list[i].Kind == p.Kind && list[i].Type == p.Type {
			n++
			if fastest < 0 || list[i].Latency < list[fastest].Latency {
				fastest = i
			}
		}
	}
	switch {
	case n == pointsOfType:
		if p.Latency > list[fastest].Latency {
			list[fastest] = p
		}
		return list
	case len(list) < mostPoints:
		return append(list, p)
	}
	return cutPoints(append(list, p))
}

func joinPoints(a, b []Point) []Point {
	if len(a) == 0 {
		return b
	}
	for _, p := range b {
		a = addPoint(a, p)
	}
	return a
}

// cutPoints drops one of too many points: the fastest of those whose type has others, or
// the fastest of all.
func cutPoints(list []Point) []Point {
	types := make(map[string]int)
	for i := range list {
		types[list[i].Type]++
	}
	i := 0
	for j := 1; j < len(list); j++ {
		a, b := types[list[i].Type] > 1, types[list[j].Type] > 1
		if b && !a || a == b && list[j].Latency < list[i].Latency {
			i = j
		}
	}
	return slices.Delete(list, i, i+1)
}

// Unit adds the latency of a unit of work that has ended, if it is whole. Units come in
// the order of their ends, also from another goroutine than the calls of the sink.
func (b *Builder) Unit(u *critical.Unit) {
	if u.Cut {
		return
	}
	at := &b.points.of[b.pointsGrid.bucket(u.End)]
	*at = addPoint(*at, Point{time.Duration(u.End), u.Duration(), u.Kind, u.Type, ID{Task: u.Task, Goroutine: u.Goroutine, Start: u.Start}})
}

// Longest returns the points by latency, the longest first.
func Longest(points []Point) []Point {
	out := slices.Clone(points)
	slices.SortStableFunc(out, func(a, b Point) int { return cmp.Compare(b.Latency, a.Latency) })
	return out
}
