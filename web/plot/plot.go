// Package plot draws plots over time, histograms and bars as SVG for a page: what the
// pages of trace2x need, with times exact to the nanosecond.
//
// Colours come from classes, so that a style sheet decides them, in light and in dark.
// What is drawn has no style attributes and no scripts, as a strict content security
// policy wants it. It stretches to the width that it gets: positions are percentages or
// in a coordinate system of their own, so that text keeps its shape. Names are escaped.
package plot

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// svg writes elements.
type svg struct{ strings.Builder }

func (s *svg) addf(format string, args ...any) { fmt.Fprintf(s, format, args...) }

func (s *svg) html() template.HTML { return template.HTML(s.String()) }

// escape makes text of a name.
func escape(s string) string { return template.HTMLEscapeString(s) }

// number is a coordinate, with as many digits as are seen.
func number(x float64) string {
	return strconv.FormatFloat(math.Round(x*100)/100, 'f', -1, 64)
}

// percent is a position in percent, exact enough for a wide screen.
func percent(x float64) string {
	return strconv.FormatFloat(math.Round(x*1000)/1000, 'f', -1, 64) + "%"
}

// title is what is shown of an element when the mouse rests on it.
func title(s string) string {
	if s == "" {
		return ""
	}
	return "<title>" + escape(s) + "</title>"
}
