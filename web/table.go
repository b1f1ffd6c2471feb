package web

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// table is a table of a page, which its script sorts and filters.
type table struct {
	ID      string
	Caption string // for those who do not see it
	Columns []column
	Rows    []row
	// Filter says what can be typed to filter rows, "" for a short table.
	Filter string
	// Unfold is the label of what shows the columns that are folded.
	Unfold string
	// More is how many rows are left out.
	More  int
	Empty string // in place of a table without rows
}

type column struct {
	Title string
	Hint  string // what it is, in a few words
	Num   bool
	// Sorted says that the rows are sorted by it, the most first.
	Sorted bool
	Wide   bool
	// Folded says that it is shown only when the user wants all columns.
	Folded bool
}

// Folds reports whether a column is folded, and HasFolded whether any is.
func (t *table) Folds(column int) bool {
	return column < len(t.Columns) && t.Columns[column].Folded
}

func (t *table) HasFolded() bool {
	return slices.ContainsFunc(t.Columns, func(c column) bool { return c.Folded })
}

type row struct {
	Cells []cell
	Faint bool
}

// cell is a cell: a text, with what it stands for.
type cell struct {
	Text  string
	Value string // by which it is sorted, if that is not the text
	Num   bool
	Href  string
	Code  bool
	Sub   string // below, smaller
	By    []subPart
	Title string
	HTML  template.HTML
	// Perfetto is the window to open there, "" for none.
	Perfetto string
}

// subPart is a part of what is below, behind Sub, that leads somewhere.
type subPart struct{ Before, Text, Href, Title, Perfetto string }

var english = message.NewPrinter(language.English)

// text is a text in one line. It is in quotes if it has characters that cannot be seen.
func text(s string) cell {
	if s != "" {
		s = address.Name(s)
	}
	return cell{Text: s}
}

func code(s string) cell { return cell{Text: s, Code: true} }

func number[T int | int64 | int32 | uint64](n T) cell {
	return cell{Text: english.Sprintf("%d", n), Value: fmt.Sprint(n), Num: true}
}

// dur is a cell with a duration. A dash stands for 0.
func dur(d time.Duration) cell {
	c := cell{Text: report.Duration(d), Value: strconv.FormatInt(int64(d), 10), Num: true, Title: english.Sprintf("%d ns", int64(d))}
	if d == 0 {
		c.Text = "–"
	}
	return c
}

// moment is a time since the trace began.
func moment(d time.Duration) cell {
	return cell{Text: report.SecondsSince(d), Value: strconv.FormatInt(int64(d), 10), Num: true, Title: english.Sprintf("%d ns since the trace began", int64(d))}
}

func percent(x float64) cell {
	return cell{Text: fmt.Sprintf("%.1f%%", 100*x), Value: strconv.FormatFloat(x, 'g', -1, 64), Num: true}
}

// place is a place in the code: the function, and below it the file and the line.
func place(p report.Place) cell {
	if p.Func == "" {
		return text("(unknown place)")
	}
	return cell{Text: report.ShortFunc(p.Func), Code: true, Sub: p.FileLine(), Title: fmt.Sprintf("%s\n%s:%d", p.Func, p.File, p.Line)}
}

// link makes a cell lead somewhere, unless href is "".
func (c cell) link(href string) cell { c.Href = href; return c }
func (c cell) sub(s string) cell     { c.Sub = s; return c }
func (c cell) titled(s string) cell  { c.Title = s; return c }

// openCell is a cell with a button that opens a window in Perfetto.
func openCell(href string) cell { return cell{Perfetto: href} }

// goroutine is a goroutine by its ID.
func (l links) goroutineCell(id model.GoID) cell {
	if id <= 0 {
		return cell{Text: "–", Num: true}
	}
	return cell{Text: fmt.Sprintf("G%d", id), Value: fmt.Sprint(id), Num: true}.link(l.Goroutine(id))
}

func (l links) funcCell(fn string) cell {
	return code(report.ShortFunc(fn)).link(l.Func(fn)).titled(model.FuncName(fn))
}

// num, str and perfettoColumn are columns.
func num(title, hint string) column { return column{Title: title, Hint: hint, Num: true} }
func str(title, hint string) column { return column{Title: title, Hint: hint} }

var perfettoColumn = column{Title: "Perfetto"}

// drop leaves out a column.
func (t *table) drop(n int) {
	t.Columns = slices.Delete(t.Columns, n, n+1)
	for i := range t.Rows {
		t.Rows[i].Cells = slices.Delete(t.Rows[i].Cells, n, n+1)
	}
}

// insert puts in a column. of makes its cell in each row.
func (t *table) insert(n int, c column, of func(row int) cell) {
	t.Columns = slices.Insert(t.Columns, n, c)
	for i := range t.Rows {
		t.Rows[i].Cells = slices.Insert(t.Rows[i].Cells, n, of(i))
	}
}

// withPerfetto adds the column for Perfetto to a table, if its pages can convert.
func (t *table) withPerfetto(l links) *table {
	if l.file {
		for i := range t.Rows {
			t.Rows[i].Cells = t.Rows[i].Cells[:len(t.Columns)]
		}
		return t
	}
	t.Columns = append(t.Columns, perfettoColumn)
	return t
}
