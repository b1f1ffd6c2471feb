package web

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/model"
)

// all is several traces of a server together. They are read once more for the first page
// of all of them, and for the goroutines of one function.
type all struct {
	traces []*Trace
	cache  cache[query, *togetherView]
}

type togetherView struct {
	together *Together
	view     *view
}

// view returns what the traces add up to. Of the query, unit and fn count.
func (a *all) view(ctx context.Context, q query) (*togetherView, error) {
	return a.cache.get(q, func() (*togetherView, error) {
		together := newTogether(q, q.kinds())
		names := a.names()
		err := readAll(ctx, a, func() *Part { return newPart(q, q.kinds()) }, func(i int, p *Part, damage error) error {
			if damage != nil {
				damage = fmt.Errorf("%s: %w", names[i], damage)
			}
			together.add(names[i], p, damage, i+1)
			return nil
		})
		if err != nil {
			return nil, err
		}
		return &togetherView{together, together.view()}, nil
	})
}

// profile returns the profile of all traces.
func (a *all) profile(ctx context.Context, opts pprof.Options) (*profile.Profile, pprof.Stats, error) {
	var merged pprof.Merged
	err := readAll(ctx, a, func() pprof.Profiler { return pprof.New(opts) }, func(_ int, p pprof.Profiler, _ error) error { return merged.Add(p) })
	if err != nil {
		return nil, pprof.Stats{}, err
	}
	return merged.Profile()
}

// readAll reads all traces, as many at a time as there are cores. add gets them in order,
// with the error of a damaged one.
func readAll[S model.Sink](ctx context.Context, a *all, newSink func() S, add func(i int, sink S, damage error) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		sink S
		sum  *model.Summary
		err  error
	}
	results := make([]chan result, len(a.traces))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	go func() {
		for i, t := range a.traces {
			select {
			case room <- struct{}{}:
			case <-ctx.Done():
				results[i] <- result{err: ctx.Err()}
				continue
			}
			go func() {
				sink := newSink()
				sum, err := t.readWindow(ctx, sink, model.Window{})
				results[i] <- result{sink, sum, err}
			}()
		}
	}()
	for i, name := range a.names() {
		r := <-results[i]
		if r.sum == nil {
			return fmt.Errorf("%s: %w", name, r.err)
		}
		if err := add(i, r.sink, r.err); err != nil {
			return err
		}
		<-room
	}
	return nil
}

// names returns the names of the traces, which tell them apart.
func (a *all) names() []string {
	out := make([]string, len(a.traces))
	for i, t := range a.traces {
		out[i] = t.Name
		for n := 2; slices.Contains(out[:i], out[i]); n++ {
			out[i] = fmt.Sprintf("%s (%d)", t.Name, n)
		}
	}
	return out
}

// pageOfAll serves a page of all traces.
func (s *Server) pageOfAll(w http.ResponseWriter, r *http.Request, name string) {
	if name == "" {
		name = "overview"
	}
	parameters := r.URL.Query()
	q, err := parseQuery(parameters)
	q = query{unit: q.unit} // there is no range of several
	if err != nil {
		s.message(w, nil, q, name, http.StatusBadRequest, err.Error())
		return
	}
	title, made, of, err := s.sectionOfAll(q, name, parameters)
	if err != nil {
		s.fail(w, nil, q, name, err)
		return
	}
	p := s.frameOfAll(q, name)
	p.About, p.Title = about(of.view.rep), title
	p.Sections, p.Warnings = []section{made}, of.together.damages
	s.write(w, p, http.StatusOK)
}

// timelineFile is the trace of all programs on one timeline.
const timelineFile = "trace.pftrace"

// timeline returns the address of the trace of all programs, "" if there is none. Folder
// leads to the pages of all traces.
func (s *Server) timeline(folder string) string {
	if s.opts.Timeline == nil {
		return ""
	}
	return folder + timelineFile
}

// convertAll serves that trace.
func (s *Server) convertAll(w http.ResponseWriter) {
	s.serveConverted(w, fmt.Sprintf("%d traces", len(s.traces)), func(f *os.File) (handover, error) {
		args, err := s.opts.Timeline(s.ctx, f)
		return handover{args: args}, err
	})
}

// frameOfAll is what is around each page of all traces.
func (s *Server) frameOfAll(q query, name string) *page {
	l := links{query: query{unit: q.unit}}
	p := &page{Name: fmt.Sprintf("%d traces", len(s.traces)), Stop: "../stop", Perfetto: s.timeline("")}
	for _, x := range pages {
		p.Nav = append(p.Nav, navigation{x.title, l.page(x.name), x.name == name})
	}
	p.Nav = append(p.Nav, navigation{"Each trace", "../", false})
	return p
}
