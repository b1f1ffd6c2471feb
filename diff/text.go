package diff

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// TextOptions say how to render a result.
type TextOptions struct {
	// Top is how many changes to show; 0 for all. All also has the numbers that have not
	// changed.
	Top int
	All bool
	// Width is where to cut lines, in characters; 0 for nowhere.
	Width int
	// Color allows escape sequences for bold and faint.
	Color bool
}

// Text writes a result for a terminal. It returns the error of w.
func Text(w io.Writer, r *Result, opts TextOptions) error {
	p := &printer{w: bufio.NewWriter(w), TextOptions: opts}
	for i, line := range report.Wrap(r.Headline, opts.Width-2) {
		if i > 0 {
			line = "  " + line
		}
		p.line("\x1b[1m", line)
	}
	p.line("", "")
	p.line("", "  before: "+sideLine(&r.Before))
	p.line("", "  after:  "+sideLine(&r.After))
	for _, l := range report.Wrap(r.note(), opts.Width-2) {
		p.line("\x1b[2m", "  "+l)
	}
	list := r.Changes
	if opts.All {
		list = append(list[:len(list):len(list)], r.Others...)
	}
	shown := len(list)
	if opts.Top > 0 && !opts.All {
		shown = min(shown, opts.Top)
	}
	p.table(grouped(list[:shown]))
	if left := len(list) - shown; left > 0 {
		p.line("\x1b[2m", fmt.Sprintf("  … %d more (--top %d)", left, len(list)))
	}
	for _, only := range []struct {
		which string
		names []string
	}{{"before", r.OnlyBefore}, {"after", r.OnlyAfter}} {
		if len(only.names) > 0 {
			p.line("", "")
			for i, l := range report.Wrap("only "+only.which+": "+strings.Join(shortNames(only.names), ", "), opts.Width-4) {
				if i > 0 {
					l = "  " + l
				}
				p.line("", l)
			}
		}
	}
	return p.w.Flush()
}

func shortNames(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = address.Name(n)
	}
	return out
}

type printer struct {
	TextOptions
	w *bufio.Writer // keeps its error
}

// line writes a line in a style, cut to the width.
func (p *printer) line(style, s string) {
	s = strings.TrimRight(s, " ")
	if n := p.Width; n > 0 && utf8.RuneCountInString(s) > n {
		s = string([]rune(s)[:n-1]) + "…"
	}
	if p.Color && style != "" && s != "" {
		s = style + s + "\x1b[0m"
	}
	p.w.WriteString(s + "\n")
}

func sideLine(s *Side) string {
	runs := "1 run"
	if n := len(s.Files); n != 1 {
		runs = fmt.Sprintf("%d runs", n)
	}
	line := fmt.Sprintf("%s, %s of %s", runs, report.Duration(s.Length), strings.Join(s.Formats, " and "))
	if len(s.Files) == 1 {
		line += "  " + address.Name(s.Files[0])
	}
	return line
}

// note says how to read the table.
func (r *Result) note() string {
	per := "per second"
	if r.Unit != "" {
		per = "per " + address.Name(r.Unit)
	}
	n, m := len(r.Before.Files), len(r.After.Files)
	switch {
	case r.Significance:
		return fmt.Sprintf("times of goroutines are %s; ± is the farthest run; p < %v is significant", per, Alpha)
	case min(n, m) == 1:
		return fmt.Sprintf("times of goroutines are %s; no significance with one run: ± is how much the halves of a trace, or the runs, differ", per)
	}
	return fmt.Sprintf("times of goroutines are %s; ± is the farthest run; no significance below %d runs a side", per, MinRuns)
}

// table writes changes, each section and name with a line of its own.
func (p *printer) table(list []Change) {
	if len(list) == 0 {
		return
	}
	rows := [][]string{{"before", "", "after", "", "delta", "", "p"}}
	for i := range list {
		x := &list[i]
		rows = append(rows, []string{
			x.format(x.Before), spread(x.SpreadBefore), x.format(x.After), spread(x.SpreadAfter), x.delta(), percent(x.Before, x.Delta), pValue(x.P),
		})
	}
	if list[0].P == nil {
		for i := range rows {
			rows[i] = rows[i][:6]
		}
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for c, cell := range row {
			widths[c] = max(widths[c], utf8.RuneCountInString(cell))
		}
	}
	write := func(style string, row []string, x *Change) {
		line, what := " ", ""
		for c, cell := range row {
			gap := " "
			if c == 2 || c == 4 || c == 6 {
				gap = "  "
			}
			line += gap + strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cell)) + cell
		}
		if x != nil {
			what = x.What
			if n := p.Width; n > 0 && utf8.RuneCountInString(line+"  "+what) > n && x.key.measure.class == 1 {
				what = strings.TrimSuffix(x.key.measure.name, " 1%") + ": " + x.key.part.brief()
			}
		}
		p.line(style, line+"  "+what)
	}
	p.line("", "")
	write("\x1b[2m", rows[0], nil)
	section := ""
	for i := range list {
		x := &list[i]
		if s := x.heading(); s != section {
			section = s
			p.line("\x1b[1m", s)
		}
		write("", rows[i+1], x)
	}
}

// grouped returns changes with those of one heading together, at the place of the first.
func grouped(list []Change) (out []Change) {
	by := make(map[string][]Change)
	var order []string
	for _, x := range list {
		h := x.heading()
		if by[h] == nil {
			order = append(order, h)
		}
		by[h] = append(by[h], x)
	}
	for _, h := range order {
		out = append(out, by[h]...)
	}
	return out
}

// heading is what the numbers below it are of.
func (x *Change) heading() string {
	switch {
	case x.Section == goroutines && x.Name != "":
		return "goroutines of " + address.Name(model.ShortFunc(x.Name))
	case x.Section == blocking:
		return "blocking in " + address.Name(model.ShortFunc(x.Name))
	case x.Name == "":
		return x.Section
	}
	return x.Section + " " + unitName(x.Section, x.Name)
}

func spread(s float64) string {
	if s > 9.99 {
		return "±>999%"
	}
	return fmt.Sprintf("±%.0f%%", 100*s)
}

func percent(before, delta float64) string {
	switch {
	case before == 0:
		return "new"
	case math.Abs(delta/before) > 99.9:
		return ">99×"
	}
	return fmt.Sprintf("%+.0f%%", 100*delta/before)
}

func pValue(p *float64) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%.3f", *p)
}
