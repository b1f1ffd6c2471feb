package diff

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html
var pageSource string

var page = template.Must(template.New("diff").Parse(pageSource))

type pageData struct {
	Headline, BeforeLine, AfterLine, Note string
	Changes, Others                       pageTable
	OthersTitle, OnlyBefore, OnlyAfter    string
}

type pageTable struct {
	P      bool // there are p-values
	Groups []pageGroup
}

type pageGroup struct {
	Heading string
	Rows    []pageRow
}

type pageRow struct {
	Before, SpreadBefore, After, SpreadAfter, Delta, Percent, P, What, Class string
}

// HTML writes a result as a page that needs no other files and has no script. It returns
// the error of w.
func HTML(w io.Writer, r *Result) error {
	return page.Execute(w, &pageData{
		Headline: r.Headline, BeforeLine: sideLine(&r.Before), AfterLine: sideLine(&r.After), Note: r.note(),
		Changes: tableOf(r.Changes), Others: tableOf(r.Others),
		OthersTitle: fmt.Sprintf("%d numbers that did not change", len(r.Others)),
		OnlyBefore:  strings.Join(shortNames(r.OnlyBefore), ", "), OnlyAfter: strings.Join(shortNames(r.OnlyAfter), ", "),
	})
}

func tableOf(list []Change) (t pageTable) {
	for _, x := range grouped(list) {
		t.P = t.P || x.P != nil
		if h := x.heading(); len(t.Groups) == 0 || t.Groups[len(t.Groups)-1].Heading != h {
			t.Groups = append(t.Groups, pageGroup{Heading: h})
		}
		g := &t.Groups[len(t.Groups)-1]
		row := pageRow{
			Before: x.format(x.Before), SpreadBefore: spread(x.SpreadBefore), After: x.format(x.After), SpreadAfter: spread(x.SpreadAfter),
			Delta: x.delta(), Percent: percent(x.Before, x.Delta), P: pValue(x.P), What: x.What,
		}
		if x.standsOut && x.key.measure != perSecond {
			row.Class = map[bool]string{true: "worse", false: "better"}[x.Delta > 0]
		}
		g.Rows = append(g.Rows, row)
	}
	return t
}
