package plot

import (
	"html/template"
	"strconv"
	"strings"
	"time"
)

// Layer is one of several values over time that lie on top of each other.
type Layer struct {
	Class  string
	Values []float64 // one for each bucket
}

// Shade is an interval that is marked over the whole height.
type Shade struct {
	Class    string
	From, To time.Duration
	Title    string
}

// Buckets says when the buckets of values begin: the first at From, each so long.
type Buckets struct{ From, Step time.Duration }

// Area draws values over time, stacked, as steps up to the height top.
func Area(a Axis, b Buckets, layers []Layer, top float64, shades []Shade) template.HTML {
	var s svg
	begin(&s, a, shades)
	inner(&s, a, b)
	n := 0
	for _, l := range layers {
		n = max(n, len(l.Values))
	}
	sums := make([]float64, n)
	for _, l := range layers {
		before := append([]float64(nil), sums...)
		for i, v := range l.Values {
			sums[i] += v
		}
		s.addf(`<path class="%s" d="%s"/>`, escape(l.Class), between(before, sums, top))
	}
	s.addf(`</svg></svg>`)
	return s.html()
}

// Lines draws values over time, each as a line of steps; those of the first layer are
// filled down to 0. A value of 0 is none.
func Lines(a Axis, b Buckets, layers []Layer, top float64, shades []Shade) template.HTML {
	var s svg
	begin(&s, a, shades)
	inner(&s, a, b)
	for i, l := range layers {
		if i == 0 {
			s.addf(`<path class="%s" d="%s"/>`, escape(l.Class), between(make([]float64, len(l.Values)), l.Values, top))
			continue
		}
		s.addf(`<path class="line %s" d="%s"/>`, escape(l.Class), steps(l.Values, top))
	}
	s.addf(`</svg></svg>`)
	return s.html()
}

// begin begins a plot, with what lies behind it.
func begin(s *svg, a Axis, shades []Shade) {
	s.addf(`<svg class="plot" width="100%%" height="100%%" aria-hidden="true">`)
	a.grid(s)
	s.addf(`<line class="grid" x1="0" x2="100%%" y1="50%%" y2="50%%"/>`)
	for _, x := range shades {
		from, to := max(a.X(x.From), 0), min(a.X(x.To), 1)
		if from < to {
			s.addf(`<rect class="%s" x="%s" width="%s" y="0" height="100%%">%s</rect>`, escape(x.Class), percent(100*from), percent(100*max(to-from, .001)), title(x.Title))
		}
	}
}

// inner begins a coordinate system with 1 for each bucket, and 100 for the height.
func inner(s *svg, a Axis, b Buckets) {
	step := float64(max(b.Step, 1))
	s.addf(`<svg width="100%%" height="100%%" preserveAspectRatio="none" viewBox="%s 0 %s 100">`,
		strconv.FormatFloat(float64(a.From-b.From)/step, 'f', 4, 64), strconv.FormatFloat(float64(max(a.To-a.From, 1))/step, 'f', 4, 64))
}

// height is the coordinate of a value.
func height(v, top float64) string { return number(100 - 100*min(v/top, 1)) }

// between is the outline of what lies between two lines of steps.
func between(low, high []float64, top float64) string {
	var b strings.Builder
	for i := 0; i < len(high); {
		if high[i] <= low[i] {
			i++
			continue
		}
		from := i
		for i < len(high) && high[i] > low[i] {
			i++
		}
		b.WriteString("M" + strconv.Itoa(from) + " " + height(high[from], top))
		for j := from; j < i; j++ {
			if j > from && high[j] != high[j-1] {
				b.WriteString("V" + height(high[j], top))
			}
			if j == i-1 || high[j] != high[j+1] {
				b.WriteString("H" + strconv.Itoa(j+1))
			}
		}
		b.WriteString("V" + height(low[i-1], top))
		for j := i - 1; j >= from; j-- {
			if j < i-1 && low[j] != low[j+1] {
				b.WriteString("V" + height(low[j], top))
			}
			if j == from || low[j] != low[j-1] {
				b.WriteString("H" + strconv.Itoa(j))
			}
		}
		b.WriteString("Z")
	}
	return b.String()
}

// steps is a line of steps, which has gaps where there are no values.
func steps(values []float64, top float64) string {
	var b strings.Builder
	for i, v := range values {
		switch {
		case v <= 0:
			continue
		case i == 0 || values[i-1] <= 0:
			b.WriteString("M" + strconv.Itoa(i) + " " + height(v, top))
		case values[i-1] != v:
			b.WriteString("V" + height(v, top))
		}
		b.WriteString("H" + strconv.Itoa(i+1))
	}
	return b.String()
}
