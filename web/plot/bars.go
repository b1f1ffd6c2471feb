package plot

import (
	"html/template"
	"math"
)

// Bar is a bar of a histogram.
type Bar struct {
	Label string // below, "" for none
	Title string
	Href  string
	Value float64
	Class string
}

// Histogram draws bars next to each other. Their heights are logarithmic, as the few slow
// ones are what one looks for: the lowest bar is 1.
func Histogram(bars []Bar, height int) template.HTML {
	most := 1.0
	for _, b := range bars {
		most = max(most, b.Value)
	}
	width := 100 / float64(max(len(bars), 1))
	var s svg
	const above = 14 // for numbers
	height += above
	s.addf(`<svg class="plot histogram" width="100%%" height="%d" role="group" aria-label="histogram of latencies">`, height+18)
	s.addf(`<line class="base" x1="0" x2="100%%" y1="%d" y2="%[1]d"/>`, height)
	for i, b := range bars {
		x := width * float64(i)
		if b.Label != "" {
			s.addf(`<line class="tick" x1="%[1]s" x2="%[1]s" y1="%[2]d" y2="%[3]d"/><text x="%[1]s" y="%[4]d">%[5]s</text>`, percent(x), height, height+4, height+15, escape(b.Label))
		}
		if b.Value <= 0 {
			continue
		}
		h := 3 + float64(height-above-3)*math.Log(b.Value)/math.Log(max(most, 2))
		if most == 1 {
			h = float64(height) / 2
		}
		draw := func() {
			// The whole column can be hit.
			if b.Href != "" {
				s.addf(`<rect class="hit" x="%s" width="%s" y="0" height="%d"/>`, percent(x), percent(width), height)
			}
			s.addf(`<rect class="bar %s" x="%s" width="%s" y="%s" height="%s">%s</rect>`, escape(b.Class), percent(x+width*.06), percent(width*.88), number(float64(height)-h), number(h), title(b.Title))
			if len(bars) <= 30 {
				s.addf(`<text x="%s" y="%s" text-anchor="middle">%s</text>`, percent(x+width/2), number(float64(height)-h-4), grouped(int64(b.Value)))
			}
		}
		if b.Href == "" {
			draw()
			continue
		}
		s.addf(`<a href="%s" aria-label="%s">`, escape(b.Href), escape(b.Title))
		draw()
		s.addf(`</a>`)
	}
	s.addf(`</svg>`)
	return s.html()
}

// Part is a part of a bar.
type Part struct {
	Class string
	Value float64
	Title string
}

// Stack draws a bar whose parts lie next to each other; all of it is whole.
func Stack(parts []Part, whole float64) template.HTML {
	var s svg
	s.addf(`<svg class="stack" width="100%%" height="10" aria-hidden="true">`)
	x := 0.0
	for _, p := range parts {
		if p.Value <= 0 || whole <= 0 {
			continue
		}
		w := 100 * p.Value / whole
		s.addf(`<rect class="%s" x="%s" width="%s" y="0" height="10">%s</rect>`, escape(p.Class), percent(x), percent(w), title(p.Title))
		x += w
	}
	s.addf(`</svg>`)
	return s.html()
}

// Curve draws values from 0 to 1 over a logarithmic axis. xs are places on it, 0 to 1.
func Curve(xs, ys []float64, titles []string) template.HTML {
	var s svg
	s.addf(`<svg class="plot curve" width="100%%" height="100%%" aria-hidden="true">`)
	for _, y := range []string{"25%", "50%", "75%"} {
		s.addf(`<line class="grid" x1="0" x2="100%%" y1="%s" y2="%[1]s"/>`, y)
	}
	s.addf(`<svg width="100%%" height="100%%" preserveAspectRatio="none" viewBox="0 0 100 100"><path class="line mmu" d="`)
	for i := range xs {
		command := "L"
		if i == 0 {
			command = "M"
		}
		s.addf("%s%s %s", command, number(100*xs[i]), number(100-100*ys[i]))
	}
	s.addf(`"/></svg>`)
	for i := range xs {
		s.addf(`<circle class="dot mmu" cx="%s" cy="%s" r="3">%s</circle>`, percent(100*xs[i]), percent(100-100*ys[i]), title(titles[i]))
	}
	s.addf(`</svg>`)
	return s.html()
}
