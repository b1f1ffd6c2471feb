package report

import (
	"strings"
	"unicode/utf8"
)

// table is aligned text: columns of numbers, to the right, and one of words last,
// to the left, which may be of any length. Numbers come first so that names need
// not be cut where there is room.
type table struct {
	rows []row
}

type row struct {
	cells []string // the last one is words; alone, it stands below the numbers
	style style
}

// add adds a row.
func (t *table) add(st style, cells ...string) {
	t.rows = append(t.rows, row{cells, st})
}

// note adds a line about the row above.
func (t *table) note(s string) {
	if s != "" {
		t.add(faint, "         "+s)
	}
}

// wrapNote adds a line about the row above, or several, so that nothing is cut.
func (t *table) wrapNote(p *printer, s string) {
	if s == "" {
		return
	}
	for i, l := range Wrap(s, p.room(13)) {
		if i > 0 {
			l = "  " + l
		}
		t.note(l)
	}
}

// dropEmpty leaves out the columns of numbers in which all rows except the header have
// "-" or nothing.
func (t *table) dropEmpty() {
	if len(t.rows) < 2 {
		return
	}
	for c := len(t.rows[0].cells) - 2; c >= 0; c-- {
		empty := true
		for _, r := range t.rows[1:] {
			if c < len(r.cells)-1 && r.cells[c] != "-" && r.cells[c] != "" {
				empty = false
			}
		}
		if !empty {
			continue
		}
		for i, r := range t.rows {
			if c < len(r.cells)-1 {
				t.rows[i].cells = append(r.cells[:c:c], r.cells[c+1:]...)
			}
		}
	}
}

// widths are those of the columns of numbers.
func (t *table) widths() (widths []int) {
	for _, r := range t.rows {
		for c, cell := range r.cells[:len(r.cells)-1] {
			if c == len(widths) {
				widths = append(widths, 0)
			}
			widths[c] = max(widths[c], width(cell))
		}
	}
	return widths
}

// room is what the words have of the width of a line that is indented by 2, 0 if it may
// be of any length.
func (t *table) room(p *printer) int {
	used := 2
	for _, w := range t.widths() {
		used += w + 2
	}
	return p.room(used)
}

func (t *table) write(p *printer, indent string) {
	widths := t.widths()
	for _, r := range t.rows {
		var line strings.Builder
		line.WriteString(indent)
		for c, cell := range r.cells[:len(r.cells)-1] {
			line.WriteString(strings.Repeat(" ", widths[c]-width(cell)))
			line.WriteString(cell)
			line.WriteString("  ")
		}
		words := []string{r.cells[len(r.cells)-1]}
		before := width(line.String())
		if room := p.opts.Width - before; p.opts.Width > 0 && room >= minWords {
			words = broken(words[0], room)
		}
		for i, l := range words {
			if i > 0 {
				line.Reset()
				line.WriteString(strings.Repeat(" ", before))
			}
			line.WriteString(l)
			p.line(r.style, line.String())
		}
	}
}

// minWords is the least width in which words stand beside numbers.
const minWords = 14

// broken breaks a line that is longer than a width at its spaces. The lines that follow
// are indented by 2 more. What has no space is cut.
func broken(s string, w int) (lines []string) {
	if w <= 0 || width(s) <= w {
		return []string{s}
	}
	indent := 0
	for indent < len(s) && s[indent] == ' ' {
		indent++
	}
	lead, rest := strings.Repeat(" ", indent), s[indent:]
	for width(lead)+width(rest) > w {
		room := w - width(lead)
		if room < 1 {
			break
		}
		at := breakAt(rest, room)
		if at <= 0 {
			break
		}
		lines = append(lines, lead+strings.TrimRight(rest[:at], " "))
		rest = strings.TrimLeft(rest[at:], " ")
		lead = strings.Repeat(" ", indent+2)
	}
	return append(lines, cut(lead+rest, w))
}

func width(s string) int { return utf8.RuneCountInString(s) }

// cut shortens a line to a width.
func cut(s string, w int) string {
	if w <= 0 || width(s) <= w {
		return s
	}
	runes := []rune(s)
	return strings.TrimRight(string(runes[:w-1]), " ") + "…"
}

// Wrap breaks a text into lines of w characters at most, at spaces. A longer word stays
// whole. For a width of 0 or less there is one line.
func Wrap(s string, w int) []string {
	var lines []string
	for w > 0 && width(s) > w {
		at := breakAt(s, w)
		if at <= 0 {
			break
		}
		lines = append(lines, s[:at])
		s = s[at+1:]
	}
	return append(lines, s)
}

// breakAt returns at which space to break a text that is longer than a width; 0 or less if
// there is none. A last "…" stays with the word before it.
func breakAt(s string, w int) int {
	at := strings.LastIndexByte(string([]rune(s)[:w+1]), ' ')
	if at > 0 && strings.TrimLeft(s[at:], " ") == "…" {
		at = strings.LastIndexByte(s[:at], ' ')
	}
	return at
}
