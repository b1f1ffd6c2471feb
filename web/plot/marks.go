package plot

import (
	"html/template"
	"math"
	"time"
)

// Dot is a moment with a value.
type Dot struct {
	Class string
	At    time.Duration
	Y     float64 // from 0, the bottom, to 1
	Title string
	Href  string // "" for none
}

// Dots draws moments with values.
func Dots(a Axis, dots []Dot, shades []Shade) template.HTML {
	var s svg
	begin(&s, a, shades)
	for _, d := range dots {
		link(&s, d.Href, d.Title, func() {
			s.addf(`<circle class="dot %s" cx="%s" cy="%s" r="3">%s</circle>`, escape(d.Class), percent(100*a.X(d.At)), percent(100-100*d.Y), title(d.Title))
		})
	}
	s.addf(`</svg>`)
	return s.html()
}

// link puts a link around what draw draws.
func link(s *svg, href, name string, draw func()) {
	if href == "" {
		draw()
		return
	}
	s.addf(`<a href="%s" tabindex="-1" aria-label="%s">`, escape(href), escape(name))
	draw()
	s.addf(`</a>`)
}

// LogY returns where a value lies between two others on a logarithmic scale.
func LogY(v, low, high float64) float64 {
	return min(max(math.Log(max(v, low)/low)/math.Log(max(high/low, 2)), 0), 1)
}

// Span is an interval in a row.
type Span struct {
	Row      int
	From, To time.Duration
	Class    string
	Title    string
	Href     string
	Thin     bool // only its lower part
}

// rowHeight is the height of a row of [Rows], in pixels.
const rowHeight = 22

// Rows draws intervals in rows.
func Rows(a Axis, rows int, spans []Span) template.HTML {
	var s svg
	s.addf(`<svg class="plot rows" width="100%%" height="%d" role="group" aria-label="intervals over time">`, rows*rowHeight)
	a.grid(&s)
	for _, x := range spans {
		from, to := max(a.X(x.From), 0), min(a.X(x.To), 1)
		if to < from {
			continue
		}
		y, h := x.Row*rowHeight+2, rowHeight-4
		if x.Thin {
			y, h = y+h/2-1, 3
		}
		link(&s, x.Href, x.Title, func() {
			s.addf(`<rect class="%s" x="%s" width="%s" y="%d" height="%d">%s</rect>`, escape(x.Class), percent(100*from), percent(100*max(to-from, .0002)), y, h, title(x.Title))
		})
	}
	s.addf(`</svg>`)
	return s.html()
}

// Cell is a part of a heat map: buckets from From to before To in a row, the lowest row
// is 0.
type Cell struct {
	Row, From, To int
	Level         int // from 1 to 5
	Title         string
}

// heatHeight is the height of a row of [Heat], in pixels.
const heatHeight = 17

// Heat draws how often something was in each row of each bucket.
func Heat(a Axis, b Buckets, rows int, cells []Cell) template.HTML {
	var s svg
	s.addf(`<svg class="plot heat" width="100%%" height="%d" aria-hidden="true">`, rows*heatHeight)
	a.grid(&s)
	step := float64(max(b.Step, 1))
	s.addf(`<svg width="100%%" height="100%%" preserveAspectRatio="none" viewBox="%s 0 %s %d">`,
		number(float64(a.From-b.From)/step), number(float64(max(a.To-a.From, 1))/step), rows)
	for _, c := range cells {
		s.addf(`<rect class="heat%d" x="%d" width="%d" y="%d" height="1">%s</rect>`, c.Level, c.From, c.To-c.From, rows-1-c.Row, title(c.Title))
	}
	s.addf(`</svg></svg>`)
	return s.html()
}
