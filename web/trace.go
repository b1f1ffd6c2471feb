package web

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"io"
	"os"
	"regexp"
	"sync"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
	"github.com/trace2x/trace2x/report/series"
)

// Trace is a trace that has pages.
type Trace struct {
	// Name is what people call it.
	Name string
	// again opens it once more, and index is what was opened, when something of it was
	// wanted again.
	again func() (*os.File, error)
	once  sync.Once
	file  *os.File
	index *model.Index
	err   error
	// whole is what the first pass found. Some other views are kept.
	whole *view
	views cache[query, *view]
	worst cache[worstKey, []instead]
	// reading is held while a window is read.
	reading sync.Mutex
}

// ReadOptions say what of a trace is read first.
type ReadOptions struct {
	// Window is a part of the trace, for [Write].
	Window model.Window
	// Units are the kinds of units of work that are explained; none means the first that
	// the trace has.
	Units critical.Kinds
}

// Read reads a trace from r. The pages call again once, to open the same as a file, when
// they need a part of it. Read returns a Trace and the error if that is of a damaged
// trace. The caller closes the Trace.
func Read(ctx context.Context, name string, r io.Reader, again func() (*os.File, error), opts ReadOptions) (*Trace, error) {
	t := &Trace{Name: name, again: again}
	v, err := read(query{}, opts, func(sink model.Sink) (*model.Summary, error) { return model.ReadWindow(ctx, r, sink, opts.Window) })
	if v == nil {
		return nil, err
	}
	t.whole = v
	t.views.limit, t.worst.limit = 8, 8
	return t, err
}

// readWindow reads a window of the trace once more, as fast wherever it lies. One is read
// at a time, as each needs memory of its own.
func (t *Trace) readWindow(ctx context.Context, sink model.Sink, w model.Window) (*model.Summary, error) {
	t.reading.Lock()
	defer t.reading.Unlock()
	t.once.Do(func() {
		if t.file, t.err = t.again(); t.err != nil {
			return
		}
		info, err := t.file.Stat()
		if t.err = err; err == nil {
			t.index, t.err = model.NewIndex(t.file, info.Size())
		}
	})
	if t.err != nil {
		return nil, t.err
	}
	return t.index.ReadWindow(ctx, sink, w)
}

// Close closes the file of the trace.
func (t *Trace) Close() error {
	t.once.Do(func() { t.err = os.ErrClosed })
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

// Report is the report of the whole trace.
func (t *Trace) Report() *report.Report { return t.whole.rep }

// query says what of a trace a page shows.
type query struct {
	from, to time.Duration // since the trace began; 0 is its edge
	// unit is the kind of units of work to explain, one more than a critical.Kind; 0 for
	// the first that the trace has.
	unit int
	// fn is "=" and the start function whose goroutines are selected, or "" for all.
	fn string
	// goroutine is shown alone, 0 for none.
	goroutine model.GoID
	// path is a unit whose critical path is looked for.
	path unitKey
}

// unitKey tells a unit of work from all others.
type unitKey struct {
	kind critical.Kind
	series.ID
}

func (q query) window() model.Window {
	return model.Window{From: model.Moment{Since: q.from}, To: model.Moment{Since: q.to}}
}

// isWhole reports whether the window is the whole trace.
func (q query) isWhole() bool { return q.from == 0 && q.to == 0 }

// view is what one pass found.
type view struct {
	query
	rep    *report.Report
	series *series.Series // nil for a part of the goroutines, and for several traces
	units  *series.Units
	waits  *series.Waits // of several traces
	life   *series.Life
	damage error
}

// maxSingles is how many single goroutines of a function are shown.
const maxSingles = 200

// mmuLengths are lengths of time for the minimum mutator utilization: those of a report,
// and some between.
var mmuLengths = func() (all []time.Duration) {
	for _, scale := range []time.Duration{1e6, 1e7, 1e8} {
		for _, x := range []time.Duration{100, 140, 200, 300, 500, 700} {
			all = append(all, x*scale/100)
		}
	}
	return append(all, time.Second)
}()

// options are those of the report of a query, which explains these kinds of units.
func (q query) options(kinds critical.Kinds) report.Options {
	opts := report.Options{Worst: 20, MMULengths: mmuLengths}
	opts.Units.Kinds = kinds
	switch {
	case q.goroutine != 0:
		opts.Selection.Goroutines = []model.GoID{q.goroutine}
		opts.Goroutine, opts.NoUnits = q.goroutine, true
	case q.fn != "":
		opts.Selection.Func = regexp.MustCompile("^" + regexp.QuoteMeta(q.fn[1:]) + "$")
		opts.Singles = maxSingles
	case q.path != unitKey{}:
		opts.Units.Kinds = critical.KindsOf(q.path.kind)
		opts.Units.Only = func(u *critical.Unit) bool { return q.path.is(u) }
		opts.Units.Keep = opts.Units.Only
	}
	return opts
}

// kinds are the kinds of units of work to explain, none for the first that the trace has.
func (q query) kinds() critical.Kinds {
	if q.unit == 0 {
		return 0
	}
	return critical.KindsOf(critical.Kind(q.unit - 1))
}

// read reads what a query asks for. pass reads the trace, or a window of it, into a sink.
func read(q query, first ReadOptions, pass func(model.Sink) (*model.Summary, error)) (*view, error) {
	v := &view{query: q}
	opts := q.options(first.Units | q.kinds())
	var samples *series.Builder
	sinks := []model.Sink{nil}
	switch {
	case q.goroutine != 0:
		v.life = series.NewLife(q.goroutine)
		sinks = append(sinks, v.life)
	case q.fn == "" && q.path == unitKey{}:
		samples, v.units = series.New(), series.NewUnits()
		opts.Units.Each = func(u *critical.Unit) {
			samples.Unit(u)
			v.units.Add(u)
		}
		sinks = append(sinks, samples)
	}
	b := report.New(opts)
	sinks[0] = b
	sum, err := pass(model.Tee(sinks...))
	if sum == nil {
		return nil, err
	}
	v.rep, v.damage = b.Report(), err
	if samples != nil {
		v.series = samples.Series()
	}
	return v, err
}

// is reports whether a unit is the one.
func (k unitKey) is(u *critical.Unit) bool {
	return u.Kind == k.kind && u.Start == k.Start && u.Task == k.Task && u.Goroutine == k.Goroutine
}

// view returns what there is in a window. Its error is nil for damage alone.
func (t *Trace) view(ctx context.Context, q query) (*view, error) {
	if q == (query{}) {
		return t.whole, nil
	}
	return t.views.get(q, func() (*view, error) {
		v, err := read(q, ReadOptions{}, func(sink model.Sink) (*model.Summary, error) { return t.readWindow(ctx, sink, q.window()) })
		if v == nil {
			return nil, err
		}
		return v, nil
	})
}

// unit returns the critical path of a unit, nil if it cannot be found.
func (t *Trace) unit(ctx context.Context, v *view, key unitKey, latency time.Duration) (*view, *critical.Kept, error) {
	for _, typ := range v.rep.Why.Types {
		for i := range typ.Slowest {
			if key.is(&typ.Slowest[i].Unit) {
				return v, &typ.Slowest[i], nil
			}
		}
	}
	// Around the unit, or, if something is needed that is farther away, in all.
	origin := v.rep.Why.Origin
	start := time.Duration(key.Start - origin)
	const around = 2 * time.Millisecond
	near := query{from: max(start-around, 0), to: start + latency + around, path: key}
	for _, q := range []query{near, {from: v.from, to: v.to, path: key}} {
		found, err := t.view(ctx, q)
		var none *model.WindowError
		switch {
		case errors.As(err, &none):
			continue
		case err != nil:
			return nil, nil, err
		}
		if kept := found.rep.Why.Kept; len(kept) > 0 {
			return found, &kept[0], nil
		}
	}
	return v, nil, nil
}

// cache keeps what was made last.
type cache[K comparable, V any] struct {
	limit   int
	mu      sync.Mutex
	entries map[K]*list.Element
	order   list.List // the latest first
}

type entry[K comparable, V any] struct {
	key   K
	once  sync.Once
	value V
	err   error
}

// get returns what make makes, which runs once for several that ask at a time. Errors are
// not kept.
func (c *cache[K, V]) get(key K, make func() (V, error)) (V, error) {
	c.mu.Lock()
	if c.entries == nil {
		c.entries = map[K]*list.Element{}
	}
	e := c.entries[key]
	if e == nil {
		e = c.order.PushFront(&entry[K, V]{key: key})
		c.entries[key] = e
		for c.order.Len() > cmp.Or(c.limit, 1) {
			c.drop(c.order.Back())
		}
	}
	c.order.MoveToFront(e)
	c.mu.Unlock()
	x := e.Value.(*entry[K, V])
	x.once.Do(func() { x.value, x.err = make() })
	if x.err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.entries[key] == e {
			c.drop(e)
		}
	}
	return x.value, x.err
}

func (c *cache[K, V]) drop(e *list.Element) {
	c.order.Remove(e)
	delete(c.entries, e.Value.(*entry[K, V]).key)
}
