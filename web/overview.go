package web

import (
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
	"github.com/trace2x/trace2x/web/plot"
)

// overview is the first section.
type overview struct {
	Facts    []fact
	Procs    template.HTML
	Shares   []legendShare
	Suspects []suspect
	Why      []whyType
	MoreWhy  int
	NoWhy    string
	Timeline *timeline // nil for several traces
	Traces   *table    // these, nil for one
	Notes    []string
}

// fact is a number with what it is.
type fact struct{ Name, Value, Title string }

type legendShare struct{ Class, Name, Share string }

type suspect struct {
	Name, Why string
	Stack     []report.Place
	Longest   namedLink
	Links     []namedLink
	Perfetto  string
}

type namedLink struct{ Name, Href string }

// whyType is what units of one type spent their time on.
type whyType struct {
	Name, Kind    string
	Count         string
	P50, P99, Max string
	Cut           string
	All           string
	Tail          string // in words: how many, how long, and the others
	Rows          []whyRow
	Others        bool
	Rest          string
	LookAt        []namedLink
	Perfetto      string
	Href          string
	Bar           template.HTML
}

type whyRow struct {
	Share, Each, Others string
	Bar                 template.HTML
	StandsOut           bool
	What                string
	Notes               string
}

// mostWhy is how many types are shown, mostParts how many parts of their time.
const (
	mostWhy   = 4
	mostParts = 5
)

func newOverview(v *view, l links) *overview {
	o := &v.rep.Overview
	out := &overview{}
	p := &o.Procs
	var parts []plot.Part
	for _, s := range []struct {
		class, name string
		d           time.Duration
	}{{"running", "goroutines", p.Goroutines}, {"syscall", "system calls", p.Syscall}, {"gc", "GC", p.GC}, {"sched", "scheduler", p.Scheduler}, {"idle", "idle", p.Idle}} {
		parts = append(parts, plot.Part{Class: s.class, Value: float64(s.d)})
		if p.Total > 0 {
			share := fmt.Sprintf("%.1f%%", 100*float64(s.d)/float64(p.Total))
			if s.class == "idle" && o.MaxGOMAXPROCS == 0 {
				share = "not known; the others are of the rest"
			}
			out.Shares = append(out.Shares, legendShare{s.class, s.name, share})
		}
	}
	out.Procs = plot.Stack(parts, float64(p.Total))
	for i := range v.rep.Suspects {
		out.Suspects = append(out.Suspects, newSuspect(&v.rep.Suspects[i], l))
	}
	out.addWhy(v, l)
	out.Notes = notes(v.rep)
	if l.together != nil {
		folder := "../"
		if l.file {
			folder = ""
		}
		out.Traces = tracesTable(l.together.parts, folder, l.together.folder)
		return out
	}
	out.Timeline = newTimeline(v.series, l, unitKind(v), v.rep.Why.Types, o.MaxGOMAXPROCS)
	return out
}

// unitKind is the kind of units that were explained, nil for none.
func unitKind(v *view) *critical.Kind {
	var kind critical.Kind
	if v.rep.Unit == "" || kind.UnmarshalText([]byte(v.rep.Unit)) != nil {
		return nil
	}
	return &kind
}

// notes are what is not known of the trace, or wrong with it.
func notes(r *report.Report) (out []string) {
	for _, x := range r.Overview.Lost {
		when := fmt.Sprintf("%s from %s on", report.Duration(x.Duration), report.SecondsSince(x.At))
		if x.Open {
			when = "from " + report.SecondsSince(x.At) + " on"
		}
		out = append(out, "Data lost, "+when+": "+x.Why)
	}
	for _, what := range r.CannotTell {
		out = append(out, "Cannot tell: "+what)
	}
	for _, what := range slices.Sorted(maps.Keys(r.Overview.Misuse)) {
		out = append(out, fmt.Sprintf("Misuse of runtime/trace, %d times: %s", r.Overview.Misuse[what], what))
	}
	return out
}

func newSuspect(s *report.Suspect, l links) suspect {
	out := suspect{Name: s.Kind.Name(), Why: s.Why, Stack: s.Stack}
	if s.Kind == report.SlowTail {
		out.Stack = nil // the reason has it
	}
	if s.Longest.Duration > 0 && s.Kind != report.BlockedThroughout && s.Kind != report.GrowingLeak {
		out.Longest = namedLink{strings.TrimSpace(s.Longest.String() + " " + l.inFile(s.Longest.File)), l.in(s.Longest.File).Goroutine(s.Longest.Goroutine)}
		out.Perfetto = l.in(s.Longest.File).Perfetto(s.Longest.At, s.Longest.Duration, selectState, s.Longest.Goroutine)
	}
	for i, id := range s.Goroutines {
		link := namedLink{fmt.Sprintf("G%d", id), l.Goroutine(id)}
		if i == 0 && s.Longest.File != "" { // the others may be of other traces
			link = namedLink{link.Name + " " + l.inFile(s.Longest.File), l.in(s.Longest.File).Goroutine(id)}
		}
		out.Links = append(out.Links, link)
	}
	return out
}

// noUnits says why there are no units of work.
func noUnits(v *view) string {
	none, wanted := v.rep.Why.NoUnits()
	none = strings.ToUpper(none[:1]) + none[1:]
	if wanted != "" {
		none += ": " + wanted
	}
	return none + "."
}

func (o *overview) addWhy(v *view, l links) {
	types := v.rep.Why.Types
	if len(types) == 0 {
		o.NoWhy = noUnits(v)
	}
	for i, t := range types {
		if i == mostWhy {
			o.MoreWhy = len(types) - i
			break
		}
		o.Why = append(o.Why, newWhyType(v, t, l))
	}
}

func newWhyType(v *view, t *critical.Type, l links) whyType {
	w := v.rep.Why
	out := whyType{
		Name: report.UnitType(t.Kind, t.Name), Kind: report.UnitsName(t.Kind), Count: english.Sprintf("%d", t.Count),
		P50: report.Duration(t.P50), P99: report.Duration(t.P99), Max: report.Duration(t.Max),
		Href: l.page("units", "kind", t.Kind.String(), "type", t.Name),
	}
	if t.Count == 1 {
		out.Kind = strings.TrimSuffix(out.Kind, "s")
	}
	if t.Cut > 0 {
		edges := "trace"
		if v.rep.Trace.IsPart() {
			edges = "range"
		}
		are := "are"
		if t.Cut == 1 {
			are = "is"
		}
		out.Cut = english.Sprintf("%d more %s cut by the edges of the %s", t.Cut, are, edges)
	}
	if t.Count == 0 {
		return out
	}
	out.All = report.AllLine(&t.All)
	out.Bar = stateBar(&t.All)
	rows, others := report.Tail(t)
	slow := t.Tail.Total / time.Duration(max(t.Tail.Units, 1))
	out.Tail = fmt.Sprintf("The slowest took %s", report.Duration(slow))
	if t.Tail.Units > 1 {
		out.Tail = english.Sprintf("The slowest %d took %s each", t.Tail.Units, report.Duration(slow))
	}
	if others > 0 {
		out.Others = true
		out.Tail += fmt.Sprintf(", the others %s", report.Duration(others))
	}
	rest := t.Tail.Total
	ran := false
	for i, r := range rows {
		share := float64(r.Time) / float64(max(t.Tail.Total, 1))
		if i > 0 && (!r.StandsOut || i >= 2*mostParts) && (i >= mostParts || share < .05) {
			continue
		}
		rest -= r.Time
		x := whyRow{
			Share: fmt.Sprintf("%.0f%%", 100*share), Each: report.Duration(r.Each), Others: dur(r.Others).Text,
			StandsOut: r.StandsOut, What: r.What, Notes: strings.Join(r.Notes, "; "),
			Bar: plot.Stack([]plot.Part{{Class: stateClass(r.State), Value: float64(r.Time)}}, float64(t.Tail.Total)),
		}
		if r.State == model.Runnable && !ran && len(t.Ran.Ran) > 0 {
			ran = true
			x.Notes = strings.Trim(x.Notes+"; meanwhile the Ps ran "+report.RanLine(t.Ran.Ran), "; ")
		}
		out.Rows = append(out.Rows, x)
	}
	if share := float64(rest) / float64(max(t.Tail.Total, 1)); share >= .05 {
		out.Rest = fmt.Sprintf("%.0f%%", 100*share)
	}
	for i := range t.TailUnits {
		if i == 3 {
			break
		}
		u := &t.TailUnits[i]
		out.LookAt = append(out.LookAt, namedLink{fmt.Sprintf("%s (%s)", w.UnitID(u), report.Duration(u.Duration())), l.unitOf(u)})
		if i == 0 {
			out.Perfetto = l.in(u.File).PerfettoUnit(u.Kind, unitID(u), time.Duration(u.Start-w.Origin), u.Duration())
		}
	}
	return out
}

// stateBar shows what states critical paths consist of.
func stateBar(s *critical.PathSum) template.HTML {
	var times [model.Unknown + 1]time.Duration
	for i := range s.Segments {
		times[s.Segments[i].State] += s.Segments[i].Time
	}
	var parts []plot.Part
	for _, k := range []model.StateKind{model.Running, model.Runnable, model.Syscall, model.Waiting, model.Unknown} {
		parts = append(parts, plot.Part{Class: stateClass(k), Value: float64(times[k]), Title: fmt.Sprintf("%v %s", k, report.Duration(times[k]))})
	}
	return plot.Stack(parts, float64(s.Total))
}

// stateClass is the class, and so the colour, of a state.
func stateClass(k model.StateKind) string {
	switch k {
	case model.Running:
		return "running"
	case model.Runnable:
		return "runnable"
	case model.Waiting:
		return "waiting"
	case model.Syscall:
		return "syscall"
	}
	return "unknown"
}
