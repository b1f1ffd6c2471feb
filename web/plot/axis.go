package plot

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"time"
)

// Axis is an axis of time, from the left to the right.
type Axis struct{ From, To time.Duration }

// X returns the position of a moment, from 0 to 1 in the plot.
func (a Axis) X(t time.Duration) float64 {
	return float64(t-a.From) / float64(max(a.To-a.From, 1))
}

// Tick is a moment with a label.
type Tick struct {
	At    time.Duration
	Label string
}

// Ticks returns at most n round moments on the axis, with labels.
func (a Axis) Ticks(n int) []Tick {
	step := niceStep(a.To-a.From, n)
	unit, name := unitOf(max(a.To, step))
	digits := 0
	for s := step; s%unit != 0 && digits < 9; digits++ {
		s *= 10
	}
	var out []Tick
	for t := (a.From + step - 1) / step * step; t <= a.To; t += step {
		label := "0"
		if t != 0 {
			label = strconv.FormatFloat(float64(t)/float64(unit), 'f', digits, 64) + " " + name
		}
		out = append(out, Tick{t, label})
	}
	return out
}

// niceStep returns the smallest of 1, 2 and 5 times a power of 10 that divides a length
// into at most n parts.
func niceStep(length time.Duration, n int) time.Duration {
	for scale := time.Duration(1); scale < math.MaxInt64/10; scale *= 10 {
		for _, x := range []time.Duration{1, 2, 5} {
			if length/(x*scale) < time.Duration(n) {
				return x * scale
			}
		}
	}
	return math.MaxInt64
}

func unitOf(d time.Duration) (time.Duration, string) {
	switch {
	case d >= time.Second:
		return time.Second, "s"
	case d >= time.Millisecond:
		return time.Millisecond, "ms"
	case d >= time.Microsecond:
		return time.Microsecond, "µs"
	}
	return 1, "ns"
}

// Labels draws the labels of an axis.
func (a Axis) Labels() template.HTML {
	var s svg
	s.addf(`<svg class="axis" width="100%%" height="18" aria-hidden="true">`)
	for _, t := range a.Ticks(8) {
		x := a.X(t.At)
		anchor := "middle"
		switch {
		case x < .03:
			anchor = "start"
		case x > .97:
			anchor = "end"
		}
		s.addf(`<line x1="%s" x2="%[1]s" y1="0" y2="4"/><text x="%[1]s" y="15" text-anchor="%s">%s</text>`, percent(100*x), anchor, escape(t.Label))
	}
	s.addf(`</svg>`)
	return s.html()
}

// grid draws the vertical lines at the ticks, over the height.
func (a Axis) grid(s *svg) {
	for _, t := range a.Ticks(8) {
		if x := a.X(t.At); x > 0 && x < 1 {
			s.addf(`<line class="grid" x1="%s" x2="%[1]s" y1="0" y2="100%%"/>`, percent(100*x))
		}
	}
}

// Ceiling returns a round number that is not less than x: the top of an axis.
func Ceiling(x float64) float64 {
	if x <= 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return 1
	}
	scale := math.Pow(10, math.Floor(math.Log10(x)))
	for _, n := range []float64{1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10} {
		if n*scale >= x*(1-1e-9) {
			return n * scale
		}
	}
	return 10 * scale
}

// Number is a number of an axis, with few digits.
func Number(x float64) string {
	if x >= 1000 {
		return grouped(int64(x + .5))
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
