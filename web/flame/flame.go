// Package flame serves pprof's own web interface of a profile, with its flame graph, as
// part of another server.
//
// It is a package of its own so that nobody else depends on pprof's driver.
package flame

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/pprof/driver"
	"github.com/google/pprof/profile"
)

// Policy is the content security policy of pprof's pages. They have scripts and styles in
// them, with handlers in attributes, and so allow those; but nothing of another host, and
// no connection anywhere except to this server.
const Policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// pages are those that are served. What is missing writes the user's settings to disk, or
// runs programs on files that the profile names.
var pages = []string{"", "flamegraph", "flamegraph2", "flamegraphold", "graph", "top", "peek", "download"}

// starting is one at a time: pprof has global settings.
var starting sync.Mutex

// New returns the web interface of a profile, which it may change. name stands in its
// titles. The handler gets paths relative to its own, such as "flamegraph".
func New(name string, p *profile.Profile) (http.Handler, error) {
	starting.Lock()
	defer starting.Unlock()
	if len(p.Mapping) == 0 {
		p.Mapping = []*profile.Mapping{{ID: 1, HasFunctions: true, HasFilenames: true, HasLineNumbers: true}}
	}
	p.Mapping[0].File = strings.ReplaceAll(name, "/", "·") // the title of the pages
	h := make(handler)
	ui := &ui{}
	err := driver.PProf(&driver.Options{
		Flagset: newFlags("-http=localhost:0", "-no_browser", "-symbolize=none", name),
		Fetch:   fetcher{p},
		Obj:     noObjects{},
		UI:      ui,
		Writer:  noWriter{},
		HTTPServer: func(args *driver.HTTPServerArgs) error {
			for _, page := range pages {
				if x := args.Handlers["/"+page]; x != nil {
					h[page] = x
				}
			}
			return nil
		},
	})
	if err == nil && len(h) == 0 {
		err = errors.New("pprof has no pages")
	}
	if err != nil {
		return nil, fmt.Errorf("pprof: %w%s", err, ui.text())
	}
	return h, nil
}

// handler serves the pages by name.
type handler map[string]http.Handler

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page := h[strings.TrimPrefix(r.URL.Path, "/")]
	if page == nil {
		http.Error(w, "trace2x does not have this page of pprof: it would write settings to disk, or read files that the profile names. go tool pprof has it, with a profile of trace2x pprof.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Security-Policy", Policy)
	page.ServeHTTP(w, r)
}

// fetcher gives pprof the profile, whatever it asks for.
type fetcher struct{ p *profile.Profile }

func (f fetcher) Fetch(string, time.Duration, time.Duration) (*profile.Profile, string, error) {
	return f.p, "", nil
}

// flags are the command line of pprof.
type flags struct {
	*flag.FlagSet
	args []string
}

func newFlags(args ...string) *flags {
	f := &flags{flag.NewFlagSet("pprof", flag.ContinueOnError), args}
	f.SetOutput(io.Discard)
	return f
}

func (f *flags) StringList(name, def, usage string) *[]*string {
	return &[]*string{f.String(name, def, usage)}
}

func (f *flags) ExtraUsage() string   { return "" }
func (f *flags) AddExtraUsage(string) {}

func (f *flags) Parse(func()) []string {
	if f.FlagSet.Parse(f.args) != nil {
		return nil
	}
	return f.Args()
}

// ui takes what pprof has to say.
type ui struct {
	mu     sync.Mutex
	errors []string
}

func (u *ui) text() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.errors) == 0 {
		return ""
	}
	return ": " + strings.Join(u.errors, "; ")
}

func (u *ui) ReadLine(string) (string, error) { return "", io.EOF }
func (u *ui) Print(...any)                    {}
func (u *ui) PrintErr(args ...any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.errors) < 10 {
		u.errors = append(u.errors, strings.TrimSpace(fmt.Sprint(args...)))
	}
}
func (u *ui) IsTerminal() bool                    { return false }
func (u *ui) WantBrowser() bool                   { return false }
func (u *ui) SetAutoComplete(func(string) string) {}

// noObjects opens no programs: a profile of a trace has functions and lines already.
type noObjects struct{}

var errNoObjects = errors.New("no programs are read")

func (noObjects) Open(string, uint64, uint64, uint64, string) (driver.ObjFile, error) {
	return nil, errNoObjects
}

func (noObjects) Disasm(string, uint64, uint64, bool) ([]driver.Inst, error) {
	return nil, errNoObjects
}

// noWriter writes no files.
type noWriter struct{}

func (noWriter) Open(string) (io.WriteCloser, error) { return nil, errors.New("no files are written") }
