package web

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report/series"
)

// links makes the addresses in pages. They are relative. In a file, only those of its own
// sections lead anywhere: the others are "".
//
// Pages of several traces lead to those of each: see in.
type links struct {
	file     bool
	together *Together // the page is of several traces
	// prefix leads to the pages of the trace that is linked to, and origin is the moment
	// of it from which times of the page count; see in.
	prefix string
	origin model.Time
	query
}

// in returns the links to what is in one of several traces; l itself on a page of one.
func (l links) in(file string) links {
	if l.together == nil || l.file {
		return l
	}
	p := l.together.find(file)
	if p == nil || p.number == 0 {
		return l
	}
	return links{prefix: fmt.Sprintf("../%d/", p.number), origin: p.origin, query: l.query}
}

// nowhere reports whether a page cannot lead to what one trace has.
func (l links) nowhere() bool { return l.file || l.together != nil }

// inFile says in which of several traces something is, "" on a page of one.
func (l links) inFile(file string) string {
	if l.together == nil || file == "" {
		return ""
	}
	return "in " + l.together.shortName(file)
}

// page is the address of a page of the same range, with more parameters: names and values
// in turn.
func (l links) page(name string, parameters ...string) string {
	if l.file {
		if len(parameters) > 0 {
			return ""
		}
		return "#" + name
	}
	v := l.rangeValues(l.from, l.to)
	if l.unit > 0 {
		v.Set("unit", critical.Kind(l.unit-1).String())
	}
	for i := 0; i+1 < len(parameters); i += 2 {
		v.Set(parameters[i], parameters[i+1])
	}
	if name == "overview" {
		name = "."
	}
	return l.prefix + join(name, v)
}

func join(name string, v url.Values) string {
	if len(v) == 0 {
		return name
	}
	return name + "?" + v.Encode()
}

func (l links) rangeValues(from, to time.Duration) url.Values {
	v := url.Values{}
	if from > 0 {
		v.Set("from", from.String())
	}
	if to > 0 {
		v.Set("to", to.String())
	}
	return v
}

// whole is the address of the same page, of the whole trace.
func (l links) whole(page string) string {
	l.from, l.to = 0, 0
	return l.page(page)
}

// Func is the page of the goroutines of a start function, "" for one that is not known.
func (l links) Func(fn string) string {
	if l.file || fn == "" {
		return ""
	}
	return l.page("goroutines", "func", fn)
}

// Goroutine is the page of one goroutine, "" for none.
func (l links) Goroutine(id model.GoID) string {
	if id <= 0 || l.nowhere() {
		return ""
	}
	return l.page("goroutine", "id", strconv.FormatUint(uint64(id), 10))
}

// Row is the page of the units of a type with about one latency.
func (l links) Row(kind critical.Kind, typ string, row series.Row) string {
	return l.page("units", "kind", kind.String(), "type", typ, "least", row.From.String())
}

// Unit is the page of one unit, with its critical path.
func (l links) Unit(kind critical.Kind, id series.ID, latency time.Duration) string {
	if l.nowhere() {
		return ""
	}
	v := url.Values{}
	id.Start += l.origin
	setUnit(v, kind, id)
	return l.page("unit", "kind", v.Get("kind"), "task", v.Get("task"), "goroutine", v.Get("goroutine"), "start", v.Get("start"), "latency", latency.String())
}

// unitOf is Unit of a unit that was found.
func (l links) unitOf(u *critical.Unit) string {
	return l.in(u.File).Unit(u.Kind, unitID(u), u.Duration())
}

// Around is how much of the trace is shown to each side of what is looked at.
func around(d time.Duration) time.Duration {
	return min(max(d/2, time.Millisecond), 50*time.Millisecond)
}

// What of an interval the Perfetto UI selects: the state of a goroutine, or a slice, such as
// a region or the life of a goroutine.
const (
	selectState = "thread_state"
	selectSlice = "slice"
	selectNone  = ""
)

// Perfetto is the address of a window around an interval, converted for Perfetto. The UI
// shows the lanes of these goroutines above all others.
func (l links) Perfetto(at, d time.Duration, selected string, of ...model.GoID) string {
	v := l.rangeValues(max(at-around(d), 0), at+d+around(d))
	v.Set("at", at.String())
	v.Set("for", d.String())
	if selected != selectNone {
		v.Set("select", selected)
	}
	for _, g := range of {
		if g > 0 {
			v.Add("lane", strconv.FormatInt(int64(g), 10))
		}
	}
	return l.convert(v)
}

// PerfettoUnit is Perfetto of a unit of work, whose critical path the UI then shows.
func (l links) PerfettoUnit(kind critical.Kind, id series.ID, at, latency time.Duration) string {
	v := l.rangeValues(max(at-around(latency), 0), at+latency+around(latency))
	v.Set("at", at.String())
	v.Set("for", latency.String())
	id.Start += l.origin
	setUnit(v, kind, id)
	return l.convert(v)
}

// perfettoRange is the address of the range of the page, converted for Perfetto.
func (l links) perfettoRange() string { return l.convert(l.rangeValues(l.from, l.to)) }

// convert is the address of a window, "" if the page cannot lead to it.
func (l links) convert(v url.Values) string {
	if l.nowhere() {
		return ""
	}
	return l.prefix + join("trace.pftrace", v)
}

// setUnit puts a unit of work into the parameters of an address, and parseUnit reads it.
func setUnit(v url.Values, kind critical.Kind, id series.ID) {
	v.Set("kind", kind.String())
	v.Set("task", strconv.FormatUint(uint64(id.Task), 10))
	v.Set("goroutine", strconv.FormatInt(int64(id.Goroutine), 10))
	v.Set("start", strconv.FormatInt(int64(id.Start), 10))
}

func parseUnit(v url.Values) (key unitKey, err error) {
	if err := key.kind.UnmarshalText([]byte(v.Get("kind"))); err != nil {
		return key, err
	}
	task, err1 := strconv.ParseUint(v.Get("task"), 10, 64)
	g, err2 := strconv.ParseInt(v.Get("goroutine"), 10, 64)
	start, err3 := strconv.ParseInt(v.Get("start"), 10, 64)
	key.ID = series.ID{Task: model.TaskID(task), Goroutine: model.GoID(g), Start: model.Time(start)}
	return key, errors.Join(err1, err2, err3)
}

// unitID tells a unit that was found from the others.
func unitID(u *critical.Unit) series.ID {
	return series.ID{Task: u.Task, Goroutine: u.Goroutine, Start: u.Start, File: u.File}
}
