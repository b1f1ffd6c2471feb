package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"strings"

	"github.com/trace2x/trace2x/report"
)

//go:embed assets/page.html
var pageSource string

//go:embed assets/style.css
var style string

//go:embed assets/script.js
var script string

var templates = template.Must(template.New("").Funcs(template.FuncMap{"seconds": report.SecondsSince, "breakable": breakable}).Parse(pageSource))

// longWord is how many characters of a name may have no place where a line may break: as
// many as a column has on paper.
const longWord = 40

// breakable is the name of a function, or another one, in which lines may break behind
// packages, types and functions, and in what is too long otherwise.
func breakable(name string) template.HTML {
	var b strings.Builder
	from, n := 0, 0
	for i, r := range name {
		if i > from && (name[i-1] == '.' || n == longWord) {
			b.WriteString(template.HTMLEscapeString(name[from:i]) + "<wbr>")
			from, n = i, 0
		}
		if n++; r == ' ' {
			n = 0
		}
	}
	b.WriteString(template.HTMLEscapeString(name[from:]))
	return template.HTML(b.String())
}

// policy is the content security policy of pages: the style sheet and the script by their
// hashes, and nothing else. What is in a page cannot ask another host for anything.
var policy = "default-src 'none'; script-src '" + hash(script) + "'; style-src '" + hash(style) + "'; img-src data:; base-uri 'none'"

const (
	servedPolicy = "; connect-src 'self'; form-action 'self'; frame-ancestors 'none'"
	filePolicy   = "; form-action 'none'"
)

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// page is one page.
type page struct {
	Name, Title, About string
	File               bool
	Policy             string // in the page itself, "" if a header has it
	UI, Command        string
	Nav                []navigation
	Strip              *timeline
	Range              *timeRange
	Perfetto, Stop     string
	Warnings           []string
	Sections           []section
}

type navigation struct {
	Name, Href string
	Current    bool
}

// timeRange is the range of time that a page is of.
type timeRange struct {
	From, To int64 // ns since the trace began
	Text     string
	Whole    string // the address of the same page of the whole trace
}

// section is a part of a page: HTML that a template made.
type section struct {
	ID, Title string
	HTML      template.HTML
}

func (page) Style() template.CSS { return template.CSS(style) }
func (page) Script() template.JS { return template.JS(script) }

// newSection renders data with the template of that name.
func newSection(id, title string, data any) (section, error) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, id, data); err != nil {
		return section{}, err
	}
	return section{id, title, template.HTML(b.String())}, nil
}

func (p *page) write(w io.Writer) error { return templates.ExecuteTemplate(w, "page", p) }

// about says in a line what a trace is.
func about(r *report.Report) string {
	o := &r.Overview
	parts := []string{
		report.Duration(o.Duration) + " of " + o.Format, english.Sprintf("%d events", o.Events), english.Sprintf("%d goroutines, at most %d alive", o.Goroutines, o.MaxAlive),
	}
	if o.GOMAXPROCS > 0 {
		procs := english.Sprintf("GOMAXPROCS %d", o.GOMAXPROCS)
		if o.MaxGOMAXPROCS > o.GOMAXPROCS {
			procs += english.Sprintf(" (up to %d)", o.MaxGOMAXPROCS)
		}
		parts = append(parts, procs)
	}
	if o.Start != nil {
		parts = append(parts, "from "+o.Start.Format("2006-01-02 15:04:05.000 MST"))
	}
	return strings.Join(parts, " · ")
}
