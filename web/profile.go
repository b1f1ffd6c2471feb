package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
	"github.com/trace2x/trace2x/web/flame"
)

// flameKey is a profile: its type, and the range and the limit in the address of a page.
type flameKey struct {
	trace *Trace // nil for all
	typ   pprof.Type
	of    string
}

// flame serves pprof's pages of a profile: name is TYPE/KEY/PAGE, see [flames].
func (s *Server) flame(w http.ResponseWriter, r *http.Request, t *Trace, name string) {
	parts := strings.SplitN(name, "/", 3)
	if len(parts) < 3 {
		http.NotFound(w, r)
		return
	}
	typ, known := pprof.ParseType(parts[0])
	if !known {
		http.NotFound(w, r)
		return
	}
	h, err := s.flames.get(flameKey{t, typ, parts[1]}, func() (http.Handler, error) { return s.profile(t, typ, parts[1]) })
	if err != nil {
		s.message(w, t, query{}, "flame", http.StatusNotFound, err.Error())
		return
	}
	// Its addresses are relative.
	r2 := r.Clone(r.Context())
	r2.URL.Path, r2.URL.RawPath = "/"+parts[2], ""
	h.ServeHTTP(w, r2)
}

// profile makes a profile, and pprof's pages of it.
func (s *Server) profile(t *Trace, typ pprof.Type, key string) (http.Handler, error) {
	opts := pprof.Options{Type: typ}
	title := fmt.Sprintf("%d traces", len(s.traces)) // pprof adds the type
	if t != nil {
		title = t.Name
	}
	var q query
	if key != "all" {
		v, err := url.ParseQuery(key)
		if err != nil {
			return nil, err
		}
		if q, err = parseQuery(v); err != nil {
			return nil, err
		}
		limit, err := limitTo(&opts, v)
		if err != nil {
			return nil, err
		}
		title += limit
		if !q.isWhole() {
			title += fmt.Sprintf(", from %s", report.SecondsSince(q.from))
			if q.to > 0 {
				title += " to " + report.SecondsSince(q.to)
			}
		}
	}
	var made *profile.Profile
	var stats pprof.Stats
	var err error
	switch {
	case t != nil:
		made, stats, err = t.profile(s.ctx, opts, q.window())
	case !q.isWhole() || len(opts.Goroutines) > 0 || opts.TaskID != 0:
		return nil, errors.New("traces together have no ranges, single goroutines and single tasks: open one of them")
	default:
		made, stats, err = s.all.profile(s.ctx, opts)
	}
	if err != nil {
		return nil, err
	}
	if stats.Count == 0 {
		why := "nothing of it is in this range"
		if typ == pprof.CPU {
			why = "the program did not run the CPU profiler while it was traced"
		}
		return nil, fmt.Errorf("the %s profile is empty: %s", typ, why)
	}
	return flame.New(title, made)
}

// profile returns the profile of a window.
func (t *Trace) profile(ctx context.Context, opts pprof.Options, w model.Window) (*profile.Profile, pprof.Stats, error) {
	c := pprof.New(opts)
	if sum, err := t.readWindow(ctx, c, w); sum == nil {
		return nil, pprof.Stats{}, err
	}
	return c.Profile(), c.Stats(), nil
}

// limitTo limits a profile to what the address of a page says, and returns that in words.
func limitTo(opts *pprof.Options, v url.Values) (string, error) {
	exactly := func(name string) *regexp.Regexp { return regexp.MustCompile("^" + regexp.QuoteMeta(name) + "$") }
	switch {
	case v.Has("func"):
		opts.Func = exactly(v.Get("func"))
		return ", goroutines of " + report.ShortFunc(v.Get("func")), nil
	case v.Has("task"):
		opts.Task = exactly(v.Get("task"))
		return ", tasks " + v.Get("task"), nil
	case v.Has("task-id"):
		id, err := strconv.ParseUint(v.Get("task-id"), 10, 64)
		if err != nil || id == 0 {
			return "", fmt.Errorf("no task: %q", v.Get("task-id"))
		}
		opts.TaskID = model.TaskID(id)
		return fmt.Sprintf(", task %d", id), nil
	case v.Has("goroutine"):
		id, err := strconv.ParseUint(v.Get("goroutine"), 10, 63)
		if err != nil || id == 0 {
			return "", fmt.Errorf("no goroutine: %q", v.Get("goroutine"))
		}
		opts.Goroutines = []model.GoID{model.GoID(id)}
		return fmt.Sprintf(", goroutine %d", id), nil
	}
	return "", nil
}
