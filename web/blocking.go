package web

import (
	"fmt"
	"strings"

	"github.com/trace2x/trace2x/report"
)

// blocking is the section of waits by reason and place.
type blocking struct{ Table *table }

func newBlocking(v *view, l links) *blocking {
	t := &table{
		ID: "blocking-table", Caption: "Waits by reason and place", Filter: "a reason, a function or a file", Empty: "Nothing blocked.",
		Columns: []column{str("reason", "the runtime's"), {Title: "place", Hint: "who ended the waits is below", Wide: true}, num("count", "how many waits"), num("total", ""), num("p50", ""), num("p99", ""), num("max", "")},
	}
	inUnits := false
	for i := range v.rep.Blocking {
		inUnits = inUnits || v.rep.Blocking[i].InUnits > 0
	}
	if inUnits {
		t.Columns = append(t.Columns, num("in units", "of work; the others are idle waits"))
	}
	t.Columns = append(t.Columns, num("longest", "the goroutine with the longest wait"))
	list := v.rep.Blocking
	sorted := 3
	if inUnits {
		sorted = 7
	}
	t.Columns[sorted].Sorted = true
	for i := range list {
		b := &list[i]
		cells := []cell{text(b.Reason), l.withEnders(place(b.Place), b), number(b.Count), dur(b.Total), dur(b.P50), dur(b.P99), dur(b.Max)}
		if inUnits {
			cells = append(cells, dur(b.InUnitsTime))
		}
		its := l.in(b.Longest.File)
		longest := its.goroutineCell(b.Longest.Goroutine)
		longest.Sub = strings.TrimSpace("at " + report.SecondsSince(b.Longest.At) + " " + l.inFile(b.Longest.File))
		cells = append(cells, longest, openCell(its.Perfetto(b.Longest.At, b.Longest.Duration, selectState, b.Longest.Goroutine)))
		t.Rows = append(t.Rows, row{Cells: cells, Faint: b.System})
	}
	return &blocking{t.withPerfetto(l)}
}

// withEnders puts who ended waits below their place. Each leads to the goroutine that ended
// the longest, and that wait to Perfetto.
func (l links) withEnders(c cell, b *report.Blocking) cell {
	before, list := b.Enders()
	if c.Sub != "" {
		before = " · " + before
	}
	for _, e := range list {
		p := subPart{Before: before, Text: e.Text}
		if e.EndedBy != nil {
			w := e.Longest
			its := l.in(w.File)
			p.Href, p.Perfetto = its.Goroutine(e.Goroutine), its.Perfetto(w.At, w.Duration, selectState, w.Goroutine, e.Goroutine)
			p.Title = strings.TrimSpace(fmt.Sprintf("the longest of these waits: G%d waited %s from %s on %s", w.Goroutine, report.Duration(w.Duration), report.SecondsSince(w.At), l.inFile(w.File)))
			if e.Goroutine > 0 {
				p.Title += fmt.Sprintf(", and G%d ended that", e.Goroutine)
			}
		}
		c.By = append(c.By, p)
		before = ", "
	}
	return c
}
