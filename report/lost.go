package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
)

// From where on lost time is suspect.
const (
	// minTailTimes is how many times as long as the median the slowest hundredth
	// took, minTail how much longer, and minTailUnits how many units there are.
	minTailTimes = 3
	minTail      = time.Millisecond
	minTailUnits = 20
	// maxTails is how many types of units are suspects.
	maxTails = 3
	// minGCShare is the share of the GC in the time of the Ps that are not idle.
	minGCShare = 0.2
	// minStarved is the share of the time in which goroutines could run that they
	// waited for a P, minBusy the share of the time of the Ps in which these were not
	// idle.
	minStarved = 0.3
	minBusy    = 0.7
)

// tailSuspects are the types of units whose slowest hundredth took much longer than
// the others, with the reason.
func (b *Builder) tailSuspects(w *Why) []Suspect {
	if w == nil {
		return nil
	}
	var out []Suspect
	for _, t := range w.Types {
		slow := each(t.Tail.Total, t.Tail.Units)
		if t.Count < minTailUnits || slow < minTailTimes*t.P50 || slow-t.P50 < minTail {
			continue
		}
		x := mostSlower(t)
		slowest, took := fmt.Sprintf("slowest %d", t.Tail.Units), Duration(slow)+" each"
		if t.Tail.Units == 1 {
			slowest, took = "slowest", Duration(slow)
		}
		why := fmt.Sprintf("The %s of %d %s %s took %s, the median %s. %.0f%% of it: %s", slowest, t.Count, unitNames[t.Kind].units, unitType(t.Kind, t.Name),
			took, Duration(t.P50), 100*ratio(x.Time, t.Tail.Total), segmentAt(x.State, x.Reason, framePlace(x.Place), x.Func, 0))
		if x.WaitReason != "" {
			why += ", while they waited: " + address.Name(x.WaitReason)
			if x.WaitPlace != nil {
				why += " " + placeOf(x.WaitPlace).short()
			}
		}
		u := &t.TailUnits[0]
		s := Suspect{
			Kind: SlowTail, Why: why + ".", Count: t.Tail.Units, Total: t.Tail.Total - time.Duration(t.Tail.Units)*t.P50,
			Longest: Moment{At: time.Duration(u.Start - w.Origin), Duration: u.Duration(), Goroutine: u.Goroutine, File: u.File},
			Stack:   []Place{},
		}
		if x.Place != nil {
			s.Stack = append(s.Stack, placeOf(x.Place))
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b Suspect) int { return cmp.Compare(b.Total, a.Total) })
	return out[:min(len(out), maxTails)]
}

// mostSlower is what made the slowest units of a type slower than the others most.
func mostSlower(t *critical.Type) *critical.SegmentSum {
	o := othersOf(t)
	return slices.MaxFunc(pointers(t.Tail.Segments), func(x, y *critical.SegmentSum) int {
		return cmp.Compare(
			each(x.Time, t.Tail.Units)-each(o.times[kindOf(x)], o.units),
			each(y.Time, t.Tail.Units)-each(o.times[kindOf(y)], o.units))
	})
}

func pointers[T any](list []T) []*T {
	out := make([]*T, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

// gcSuspect is that the GC takes a good part of the time of the Ps.
func (b *Builder) gcSuspect(p *Procs) []Suspect {
	used := p.Total - p.Idle
	if used <= 0 || ratio(p.GC, used) < minGCShare {
		return nil
	}
	why := fmt.Sprintf("The GC took %s of the time in which the Ps were not idle, %s", percentOf(p.GC, used), Duration(p.GC))
	if b.procs.assists > 0 {
		why += fmt.Sprintf(", %s of it in goroutines of the program that had to assist it", Duration(b.procs.assists))
	}
	return []Suspect{{Kind: GCShare, Why: why + ".", Count: int64(b.gcReport().Cycles), Total: p.GC, Stack: []Place{}}}
}

// starvedSuspect is that goroutines wait for Ps, as these are busy.
func (b *Builder) starvedSuspect(p *Procs) []Suspect {
	var ran, waited time.Duration
	for fn, g := range b.groups.byFunc {
		if !model.OfRuntime(fn) {
			ran += time.Duration(g.sum.Execution)
			waited += time.Duration(g.sum.SchedWait)
		}
	}
	if !b.procs.known || p.Total <= 0 || ratio(waited, ran+waited) < minStarved || ratio(p.Total-p.Idle, p.Total) < minBusy {
		return nil
	}
	s := Suspect{
		Kind: CPUStarvation, Count: b.share.latency.waits.N, Total: waited, Stack: []Place{},
		Why: fmt.Sprintf("Goroutines could run for %s, and %s of that they waited for a P: the %d Ps were busy %s of the time.", Duration(ran+waited), percentOf(waited, ran+waited), b.procs.max, percentOf(p.Total-p.Idle, p.Total)),
	}
	if len(b.share.latency.worst) > 0 {
		s.Longest = b.share.latency.worst[0].moment(b)
	}
	return []Suspect{s}
}
