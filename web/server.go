package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// Options say how pages are served.
type Options struct {
	// UI is the Perfetto UI.
	UI *url.URL
	// Version is the version of trace2x, which converted files name.
	Version string
	// TempFile makes a file for a converted window, in a folder that only this user can
	// read. The server removes it at the end of the request.
	TempFile func() (*os.File, error)
	// Timeline writes a Perfetto trace of all traces as those of several programs, and
	// returns the arguments of the UI. Nil means that there is none.
	Timeline func(ctx context.Context, w io.Writer) (url.Values, error)
}

// Server serves the pages of traces. It is an [http.Handler].
type Server struct {
	opts   Options
	guard  *guard
	folder string // of all pages, "/…/"
	traces []*Trace
	all    *all // several traces together
	flames cache[flameKey, http.Handler]
	ctx    context.Context // of reading
	budget int64           // of a converted window, in bytes

	stopping sync.Once
	stopped  chan struct{}
}

// NewServer returns a server of these traces, for the requests that a listener of this
// address takes. What it reads ends with ctx.
func NewServer(ctx context.Context, address net.Addr, traces []*Trace, opts Options) *Server {
	s := &Server{opts: opts, guard: newGuard(address), folder: "/" + rand.Text() + "/", traces: traces, ctx: ctx, budget: perfetto.SlowToLoad, stopped: make(chan struct{})}
	s.flames.limit = 8
	s.all = &all{traces: traces, cache: cache[query, *togetherView]{limit: 4}}
	return s
}

// Path is the path of the first page, which cannot be guessed.
func (s *Server) Path() string {
	if len(s.traces) == 1 {
		return s.folder + "1/"
	}
	return s.folder
}

// Stopped is closed when the user has asked on a page that the server ends.
func (s *Server) Stopped() <-chan struct{} { return s.stopped }

// ServeHTTP answers a request of the user's browser, and no other.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.guard.refuses(w, r) {
		return
	}
	if r.URL.Path == "/favicon.ico" { // browsers ask for it on pprof's pages, which name no icon
		w.WriteHeader(http.StatusNoContent)
		return
	}
	rest, known := strings.CutPrefix(r.URL.Path, s.folder)
	if !known {
		http.NotFound(w, r)
		return
	}
	if rest == "stop" {
		s.stop(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
		return
	}
	if rest == "" {
		s.index(w, r)
		return
	}
	number, name, found := strings.Cut(rest, "/")
	if number == "all" && found && len(s.traces) > 1 {
		switch {
		case name == timelineFile && s.opts.Timeline != nil:
			s.convertAll(w)
		case strings.HasPrefix(name, "flame/"):
			s.flame(w, r, nil, strings.TrimPrefix(name, "flame/"))
		default:
			s.pageOfAll(w, r, name)
		}
		return
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(s.traces) || !found {
		http.NotFound(w, r)
		return
	}
	t := s.traces[n-1]
	switch {
	case name == "trace.pftrace":
		s.convert(w, r, t)
	case strings.HasPrefix(name, "flame/"):
		s.flame(w, r, t, strings.TrimPrefix(name, "flame/"))
	default:
		s.page(w, r, t, name)
	}
}

// stop ends the server, if a page of it asks.
func (s *Server) stop(w http.ResponseWriter, r *http.Request) {
	// A form of another site would have told so: see guard.
	if r.Method != http.MethodPost || r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == "" {
		http.Error(w, "only POST, by a page of this server", http.StatusMethodNotAllowed)
		return
	}
	p := page{Name: "trace2x has ended", Title: "ended", About: "This tab can be closed."}
	s.write(w, &p, http.StatusOK)
	http.NewResponseController(w).Flush()
	s.stopping.Do(func() { close(s.stopped) })
}

// index is the page of several traces.
func (s *Server) index(w http.ResponseWriter, r *http.Request) {
	if len(s.traces) == 1 {
		http.Redirect(w, r, s.Path(), http.StatusFound)
		return
	}
	var list []partOf
	names := s.all.names()
	for i, t := range s.traces {
		list = append(list, partOf{file: names[i], line: report.NewLine(names[i], t.whole.rep), number: i + 1})
	}
	p := page{Name: "trace2x", Title: "traces", Stop: "stop", Perfetto: s.timeline("all/")}
	if made, err := newSection("index", "Traces", struct {
		Together string
		Count    int
		Table    *table
	}{"all/", len(list), tracesTable(list, "./", report.CommonFolder(names))}); err == nil {
		p.Sections = append(p.Sections, made)
	}
	s.write(w, &p, http.StatusOK)
}

// write sends a page whole.
func (s *Server) write(w http.ResponseWriter, p *page, status int) {
	if s.opts.UI != nil {
		p.UI = strings.TrimSuffix(s.opts.UI.String(), "/") + "/#!/"
	}
	var b bytes.Buffer
	if err := p.write(&b); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy+servedPolicy)
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// pages are the pages of a trace, in the order of the navigation. The others are below
// one of them.
var pages = []pageName{
	{"overview", "Overview"}, {"goroutines", "Goroutines"}, {"units", "Units of work"}, {"blocking", "Blocking"}, {"scheduling", "Scheduling"}, {"gc", "GC"}, {"flame", "Flame graphs"},
}

type pageName struct{ name, title string }

// withoutFlames are the pages except for flame graphs.
func withoutFlames() []pageName {
	return slices.DeleteFunc(slices.Clone(pages), func(p pageName) bool { return p.name == "flame" })
}

// page serves a page of a trace.
func (s *Server) page(w http.ResponseWriter, r *http.Request, t *Trace, name string) {
	if name == "" {
		name = "overview"
	}
	parameters := r.URL.Query()
	q, err := parseQuery(parameters)
	if err != nil {
		s.message(w, t, q, name, http.StatusBadRequest, err.Error())
		return
	}
	title, made, view, err := s.section(t, q, name, parameters)
	if err != nil {
		s.fail(w, t, q, name, err)
		return
	}
	p := s.frame(t, q, name)
	p.Title = title
	p.Sections = []section{made}
	if view.damage != nil {
		p.Warnings = append(p.Warnings, view.damage.Error())
	}
	s.write(w, p, http.StatusOK)
}

// missingError says that there is no such page.
type missingError struct{ what string }

func (e *missingError) Error() string { return e.what }

// message serves a page that only says something, of a trace or, if that is nil, of all.
func (s *Server) message(w http.ResponseWriter, t *Trace, q query, name string, status int, text string) {
	p := s.frameOfAll(q, name)
	if t != nil {
		p = s.frame(t, q, name)
	}
	p.Title = "not found"
	if made, err := newSection("message", "Message", text); err == nil {
		p.Sections = []section{made}
	}
	s.write(w, p, status)
}

// fail serves a page that says why there is no page.
func (s *Server) fail(w http.ResponseWriter, t *Trace, q query, name string, err error) {
	var none *model.WindowError
	var missing *missingError
	switch {
	case errors.As(err, &missing):
		s.message(w, t, q, name, http.StatusNotFound, missing.Error())
	case errors.As(err, &none):
		s.message(w, t, query{}, name, http.StatusNotFound, fmt.Sprintf("There is nothing of the trace in this range: %v.", none))
	default:
		s.message(w, t, q, name, http.StatusInternalServerError, err.Error())
	}
}

// frame is what is around each page of a trace.
func (s *Server) frame(t *Trace, q query, name string) *page {
	whole := t.whole
	l := links{query: query{from: q.from, to: q.to, unit: q.unit}}
	p := &page{Name: t.Name, About: about(whole.rep), Stop: "../stop", Strip: newStrip(whole.series, whole.rep.Overview.MaxGOMAXPROCS)}
	end := whole.series.End
	to := q.to
	if to == 0 || to > end {
		to = end
	}
	p.Perfetto = l.perfettoRange()
	if !q.isWhole() {
		p.Range = &timeRange{
			From: int64(q.from), To: int64(to), Whole: l.whole(name),
			Text: fmt.Sprintf("%s to %s (%s)", report.SecondsSince(q.from), report.SecondsSince(to), report.Duration(to-q.from)),
		}
	}
	for _, x := range pages {
		p.Nav = append(p.Nav, navigation{x.title, l.page(x.name), x.name == name || below[name] == x.name})
	}
	if len(s.traces) > 1 {
		p.Nav = append(p.Nav, navigation{"All traces", "../", false})
	}
	return p
}

// below has the pages that are not in the navigation.
var below = map[string]string{"goroutine": "goroutines", "unit": "units"}
