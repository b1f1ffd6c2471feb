package web

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

// parseQuery reads the range and the kind of units from the address of a page.
func parseQuery(v url.Values) (q query, err error) {
	for _, x := range []struct {
		name string
		to   *time.Duration
	}{{"from", &q.from}, {"to", &q.to}} {
		if s := v.Get(x.name); s != "" {
			if *x.to, err = time.ParseDuration(s); err != nil || *x.to < 0 {
				return query{}, fmt.Errorf("%s is not a time since the trace began, as in 1.2s", x.name)
			}
		}
	}
	if q.to > 0 && q.to <= q.from {
		return query{}, fmt.Errorf("the range ends before it begins")
	}
	if s := v.Get("unit"); s != "" {
		var kind critical.Kind
		if err := kind.UnmarshalText([]byte(s)); err != nil {
			return query{}, err
		}
		q.unit = int(kind) + 1
	}
	return q, nil
}

// section makes the section of a page, and returns its title and the view that it is of.
func (s *Server) section(t *Trace, q query, name string, v url.Values) (title string, made section, of *view, err error) {
	title = name
	for _, p := range pages {
		if p.name == name {
			title = p.title
		}
	}
	l := links{query: q}
	switch {
	case name == "goroutine":
		id, err := strconv.ParseUint(v.Get("id"), 10, 63)
		if err != nil || id == 0 {
			return "", made, nil, &missingError{"Which goroutine?"}
		}
		q.goroutine = model.GoID(id)
		if of, err = t.view(s.ctx, q); err != nil {
			return "", made, nil, err
		}
		if of.rep.Goroutine == nil {
			return "", made, nil, &missingError{fmt.Sprintf("There is no goroutine %d in this range.", id)}
		}
		made, err = newSection("goroutine", "Goroutine", newGoroutine(of, l))
		return fmt.Sprintf("goroutine %d", id), made, of, err
	case name == "goroutines" && v.Has("func"):
		q.fn = "=" + v.Get("func")
		if of, err = t.view(s.ctx, q); err != nil {
			return "", made, nil, err
		}
		title, made, err = functionSection(of, l)
		return title, made, of, err
	}
	if of, err = t.view(s.ctx, q); err != nil {
		return "", made, nil, err
	}
	if name == "unit" {
		return s.unitSection(t, of, l, v)
	}
	data, err := content(s.ctx, t.ran, of, l, name, v)
	if err != nil {
		return "", made, nil, err
	}
	made, err = newSection(name, title, data)
	return title, made, of, err
}

// sectionOfAll makes the section of a page of all traces, and returns its title and what
// the traces add up to.
func (s *Server) sectionOfAll(q query, name string, v url.Values) (title string, made section, of *togetherView, err error) {
	i := slices.IndexFunc(pages, func(p pageName) bool { return p.name == name })
	if i < 0 {
		return "", made, nil, &missingError{"There is no such page of several traces: open one of them."}
	}
	if name == "goroutines" && v.Has("func") {
		q.fn = "=" + v.Get("func")
	}
	if of, err = s.all.view(s.ctx, q); err != nil {
		return "", made, nil, err
	}
	l := links{query: query{unit: q.unit}, together: of.together}
	if q.fn != "" {
		title, made, err = functionSection(of.view, l)
		return title, made, of, err
	}
	data, err := content(s.ctx, s.all.ran, of.view, l, name, v)
	if err != nil {
		return "", made, nil, err
	}
	made, err = newSection(name, pages[i].title, data)
	return pages[i].title, made, of, err
}

// functionSection makes the section of a view of the goroutines of one start function.
func functionSection(of *view, l links) (title string, made section, err error) {
	if len(of.rep.Goroutines) == 0 {
		return "", made, &missingError{"No goroutine of this function is in this range."}
	}
	f := newFunction(of, l)
	made, err = newSection("function", "Goroutines of a function", f)
	return f.Name, made, err
}

// content is what a page of the navigation shows of a view. Its address has parameters.
func content(ctx context.Context, ran ranFunc, of *view, l links, name string, parameters url.Values) (any, error) {
	switch name {
	case "overview":
		return newOverview(of, l), nil
	case "goroutines":
		return newGoroutines(of, l), nil
	case "units":
		f, err := parseFilter(parameters)
		if err != nil {
			return nil, err
		}
		return newUnits(of, l, f), nil
	case "blocking":
		return newBlocking(of, l), nil
	case "scheduling":
		instead, err := ran(ctx, worstWaits(of.rep))
		if err != nil {
			return nil, err
		}
		return newScheduling(of, l, instead), nil
	case "gc":
		return newGC(of, l), nil
	case "flame":
		return newFlamePage(l), nil
	}
	return nil, &missingError{"There is no such page."}
}

// parseFilter reads which units a page is of.
func parseFilter(v url.Values) (f filter, err error) {
	f.least = -1
	if !v.Has("kind") {
		return f, nil
	}
	f.given, f.typ = true, v.Get("type")
	if err := f.kind.UnmarshalText([]byte(v.Get("kind"))); err != nil {
		return f, &missingError{err.Error()}
	}
	if s := v.Get("least"); s != "" {
		if f.least, err = time.ParseDuration(s); err != nil {
			return f, &missingError{"least is not a latency, as in 1.2ms."}
		}
	}
	return f, nil
}

// unitSection makes the page of one unit of work.
func (s *Server) unitSection(t *Trace, of *view, l links, v url.Values) (title string, made section, _ *view, err error) {
	missing := &missingError{"Which unit of work?"}
	key, err := parseUnit(v)
	latency, latencyErr := time.ParseDuration(v.Get("latency"))
	if err != nil || latencyErr != nil {
		return "", made, nil, missing
	}
	found, kept, err := t.unit(s.ctx, of, key, latency)
	if err != nil {
		return "", made, nil, err
	}
	if kept == nil {
		return "", made, nil, &missingError{"The critical path of this unit cannot be found in this range: the unit begins before it, or ends after it."}
	}
	u := newUnit(found, kept, l)
	made, err = newSection("unit", "Critical path", u)
	return u.Title + ", " + u.ID, made, of, err
}
