package diff

import (
	"strings"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// Run has the numbers of one trace that are compared.
type Run struct {
	File   string
	Format string
	Length time.Duration
	// Halves are the two halves of the trace, which show how much its numbers differ
	// among themselves. They are needed where a side has only one run.
	Halves []*Run

	units   map[unit]*unitRun
	numbers map[key]float64
}

// unit is a type of unit of work.
type unit struct{ kind, name string }

type unitRun struct {
	count int64
	total time.Duration
	waits map[part]wait // by the kind of segment
}

// key is what a number is of.
type key struct {
	section, name string
	measure       *measure
	part          part // of a critical path
}

// part is a kind of segment of critical paths.
type part struct {
	state      model.StateKind
	reason, fn string
}

// wait is what a unit waited for while another goroutine was in a segment.
type wait struct {
	ns         time.Duration // of the segments
	reason, fn string
}

// measure is a kind of number.
type measure struct {
	name string
	// unit is what the JSON calls it: ns, ns/unit, 1/s, share, bytes or count.
	unit string
	// class orders what has changed: what a user notices (0), the parts of it (1), what
	// the runtime did (2), and what may come from that (3).
	class int
	// total says that a run has the time of all units, which is divided by their number.
	total bool
}

var (
	p50       = &measure{"p50", "ns", 0, false}
	p99       = &measure{"p99", "ns", 0, false}
	leaked    = &measure{"more each second", "1/s", 0, false}
	partOfAll = &measure{"all", "ns/unit", 1, false}
	// partOfTail is the share of a part in the slowest hundredth of the units.
	partOfTail = &measure{"slowest 1%", "ns/unit", 1, false}
	execution  = &measure{"execution", "ns/unit", 2, true}
	schedWait  = &measure{"scheduler wait", "ns/unit", 2, true}
	blockedIn  = &measure{"blocked at work", "ns/unit", 2, true}
	blocked    = &measure{"blocked", "ns/unit", 3, true}
	blockedFor = &measure{"blocked for", "ns/unit", 3, true}
	latency50  = &measure{"latency, p50", "ns", 2, false}
	latency99  = &measure{"latency, p99", "ns", 2, false}
	gcShare    = &measure{"share of the Ps' time", "share", 2, false}
	pauses     = &measure{"pauses", "ns/unit", 2, true}
	assists    = &measure{"mark assists", "ns/unit", 2, true}
	cycles     = &measure{"cycles", "1/s", 3, false}
	heap       = &measure{"largest heap", "bytes", 3, false}
	alive      = &measure{"most alive", "count", 3, false}
	perSecond  = &measure{"each second", "1/s", 3, false}
)

// The sections, beside the kinds of units of work.
const (
	goroutines = "goroutines"
	blocking   = "blocking"
	scheduler  = "scheduler"
	gc         = "gc"
)

// minUnits is how many units of a type must be complete for its percentiles to count.
const minUnits = 20

// NewRun takes the numbers of a report on a whole trace. It keeps nothing of the report.
func NewRun(file string, r *report.Report) *Run {
	o := &r.Overview
	run := &Run{
		File: file, Format: o.Format, Length: o.Duration,
		units: make(map[unit]*unitRun), numbers: make(map[key]float64),
	}
	if r.Why != nil {
		for _, t := range r.Why.Types {
			run.addUnits(t)
		}
	}
	for kind, list := range map[string][]report.Annotation{"task": r.Tasks, "region": r.Regions} {
		for i := range list {
			if a := &list[i]; !a.TypeUnknown && !a.Other {
				run.addLatency(unit{kind, a.Type}, a.Count-a.Cut, a.Latency.Total, a.Latency.P50, a.Latency.P99)
			}
		}
	}
	run.addGoroutines(r.Goroutines)
	for i := range r.Blocking {
		run.addBlocking(&r.Blocking[i])
	}
	run.set(key{section: goroutines, measure: alive}, float64(o.MaxAlive))
	s := &r.Scheduling
	run.set(key{section: scheduler, measure: latency50}, float64(s.P50))
	run.set(key{section: scheduler, measure: latency99}, float64(s.P99))
	run.addGC(r)
	return run
}

func (r *Run) set(k key, x float64) { r.numbers[k] = x }
func (r *Run) add(k key, x float64) { r.numbers[k] += x }

// each returns a number as it is in each second.
func (r *Run) each(n float64) float64 { return n / max(r.Length.Seconds(), 1e-9) }

func (r *Run) addLatency(u unit, count int64, total, median, tail time.Duration) {
	if _, known := r.units[u]; known || count == 0 {
		return
	}
	r.units[u] = &unitRun{count: count, total: total, waits: make(map[part]wait)}
	r.set(key{section: u.kind, name: u.name, measure: perSecond}, r.each(float64(count)))
	if count >= minUnits {
		r.set(key{section: u.kind, name: u.name, measure: p50}, float64(median))
		r.set(key{section: u.kind, name: u.name, measure: p99}, float64(tail))
	}
}

func (r *Run) addUnits(t *critical.Type) {
	u := unit{t.Kind.String(), t.Name}
	if t.Kind == critical.HTTP || t.Kind == critical.GoroutineLife {
		u.name = Function(t.Name)
	}
	if r.units[u] != nil { // of two closures
		r.units[u].count += t.Count
		r.units[u].total += t.Total
		return
	}
	r.addLatency(u, t.Count, t.Total, t.P50, t.P99)
	if t.Count < minUnits {
		return
	}
	for _, sum := range []struct {
		measure *measure
		*critical.PathSum
	}{{partOfAll, &t.All}, {partOfTail, &t.Tail}} {
		for i := range sum.Segments {
			s := &sum.Segments[i]
			p := partOf(s)
			r.add(key{u.kind, u.name, sum.measure, p}, float64(s.Time)/float64(sum.Units))
			if w := r.units[u].waits[p]; sum.measure == partOfTail && s.Time > w.ns {
				r.units[u].waits[p] = wait{s.Time, s.WaitReason, ""}
				if s.WaitPlace != nil {
					r.units[u].waits[p] = wait{s.Time, s.WaitReason, Function(s.WaitPlace.Func)}
				}
			}
		}
	}
}

// partOf returns the kind of a segment. Whose it is does not matter.
func partOf(s *critical.SegmentSum) part {
	fn := s.Func
	if s.Place != nil {
		fn = s.Place.Func
	}
	return part{s.State, s.Reason, Function(fn)}
}

func (r *Run) addGoroutines(groups []report.Group) {
	for i := range groups {
		g := &groups[i]
		if model.IsMechanism(g.Func) || g.Func == "" {
			continue // the runtime's, or not known
		}
		fn := Function(g.Func)
		r.add(key{section: goroutines, name: fn, measure: execution}, float64(g.Sum.Execution))
		r.add(key{section: goroutines, name: fn, measure: schedWait}, float64(g.Sum.SchedWait))
		r.add(key{section: goroutines, name: fn, measure: leaked}, r.each(float64(g.Started-g.Ended)))
		for reason, d := range g.Sum.BlockByReason {
			r.add(key{goroutines, fn, blockedFor, part{reason: reason}}, float64(d))
		}
	}
}

func (r *Run) addBlocking(b *report.Blocking) {
	if b.System || b.Place.Func == "" {
		return
	}
	k := key{blocking, Function(b.Place.Func), blocked, part{reason: b.Reason}}
	r.add(k, float64(b.Total-b.InUnitsTime))
	if b.InUnits > 0 {
		k.measure = blockedIn
		r.add(k, float64(b.InUnitsTime))
	}
}

func (r *Run) addGC(rep *report.Report) {
	p := &rep.Overview.Procs
	if busy := p.Total - p.Idle; busy > 0 {
		r.set(key{section: gc, measure: gcShare}, float64(p.GC)/float64(p.Total))
	}
	r.set(key{section: gc, measure: cycles}, r.each(float64(rep.GC.Cycles)))
	r.set(key{section: gc, measure: heap}, float64(rep.GC.MaxHeap))
	for _, x := range rep.GC.Pauses {
		r.add(key{section: gc, measure: pauses}, float64(x.Total))
	}
	for _, x := range rep.GC.Assists {
		r.add(key{section: gc, measure: assists}, float64(x.Total))
	}
}

// String returns what a goroutine did, and where.
func (p part) String() string { return p.text(model.ShortFunc(p.fn)) }

// brief is String without the package of the function.
func (p part) brief() string {
	return p.text(strings.TrimPrefix(p.fn, model.PackageOf(p.fn)+"."))
}

func (p part) text(fn string) string {
	fn = address.Name(fn)
	in := ""
	if p.fn != "" {
		in = " in " + fn
	}
	reason := ""
	if p.reason != "" {
		reason = address.Name(p.reason)
	}
	switch p.state {
	case model.Running:
		if reason != "" {
			return reason + in
		}
		return "running " + fn
	case model.Runnable:
		return "waiting for a P" + in
	case model.Waiting:
		return reason + in
	case model.Syscall:
		return "system call" + in
	}
	return strings.TrimSpace("unknown " + reason)
}
