package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
)

// Suspect is something that looks wrong. It may be as it should be: Why tells
// what to judge it by.
type Suspect struct {
	Kind SuspectKind `json:"kind"`
	// Why says in words why it is listed, with the numbers.
	Why string `json:"why"`
	// Count is how many goroutines, waits or system calls there are, Total how long
	// they took together.
	Count int64         `json:"count"`
	Total time.Duration `json:"total_ns"`
	// Longest is the one to look at first.
	Longest Moment `json:"longest"`
	// Goroutines are the IDs of the first goroutines that are concerned, where it
	// is about goroutines.
	Goroutines []model.GoID `json:"goroutines,omitempty"`
	// Stack is where Longest is, the innermost call first.
	Stack []Place `json:"stack"`
}

// SuspectKind says what looks wrong.
type SuspectKind string

const (
	// RunnableWhileIdle: goroutines were runnable for long while Ps were idle.
	// The machine had no CPU for the program (others use it, or a limit on the
	// container is below GOMAXPROCS), or the scheduler did not find them.
	RunnableWhileIdle SuspectKind = "runnable_while_idle"
	// ContendedMutex: goroutines queue for a mutex, which makes them run one after
	// the other.
	ContendedMutex SuspectKind = "contended_mutex"
	// SyscallsHoldProcs: system calls, or calls of C, keep Ps from running
	// goroutines.
	SyscallsHoldProcs SuspectKind = "syscalls_hold_procs"
	// BlockedThroughout: goroutines were blocked from before the trace until after
	// it. They may have leaked. A window that is only a part of the trace has no such
	// suspects. Such a wait begins before the window and ends behind it, if it ends.
	BlockedThroughout SuspectKind = "blocked_throughout"
	// SlowTail: the slowest hundredth of some units of work took much longer than the
	// others. Stack is the place at which most of that time passed.
	SlowTail SuspectKind = "slow_tail"
	// GrowingLeak: goroutines of one start function, from one place, are started and
	// do not end, in each third of the trace. Total is how long those were there that
	// have not ended, and Stack is where the go statement is.
	GrowingLeak SuspectKind = "growing_leak"
	// GCShare: the GC takes a good part of the time of the Ps.
	GCShare SuspectKind = "gc_share"
	// CPUStarvation: goroutines wait for a P, as all are busy.
	CPUStarvation SuspectKind = "cpu_starvation"
)

// From where on things are suspect.
const (
	// minWaste is the share of the trace in which goroutines were runnable while
	// Ps were idle, each time for at least longWaste.
	minWaste = 0.01
	// minWaiters is the mean number of goroutines that wait for a mutex at one
	// place, minLockWaits how often at least.
	minWaiters   = 0.5
	minLockWaits = 10
	// minHeld is the share of the time of all Ps that system calls at one place
	// hold them.
	minHeld = 0.05
)

// leaks has the goroutines that were blocked all the time, by stack and reason.
type leaks struct {
	groups map[leakKey]*leak
	// untold counts those about which the trace tells neither where nor what they are.
	untold int
	// signals says that the program asked for signals.
	signals bool
}

type leakKey struct {
	stack  *model.Stack
	fn     string // without a stack
	reason string
}

type leak struct {
	count      int64
	goroutines []model.GoID
	fn         string
	at         model.Time
	total      model.Time
	duration   model.Time
	// With several traces: the one with the first goroutine, and how many have such a
	// leak.
	file   string
	traces int
}

// maxExamples is how many goroutines a suspect names.
const maxExamples = 10

func (l *leaks) add(g *model.Goroutine, s *model.GoState) {
	switch {
	case model.OfRuntime(g.Func), waitsByDesign(g, s):
		return
	case s.Stack == nil && g.Func == "":
		l.untold++
		return
	}
	key := leakKey{stack: s.Stack, reason: s.Reason}
	if s.Stack == nil {
		key.fn = g.Func
	}
	k := l.groups[key]
	if k == nil {
		if l.groups == nil {
			l.groups = make(map[leakKey]*leak)
		}
		k = &leak{fn: g.Func, at: s.Start, duration: s.Duration()}
		l.groups[key] = k
	}
	k.count++
	k.total += s.Duration()
	if len(k.goroutines) < maxExamples {
		k.goroutines = append(k.goroutines, g.ID)
	}
}

// end drops all of them if only a part of the trace was read: the others tell whether they
// are still blocked.
func (l *leaks) end(s *model.Summary) {
	if s.IsPart() {
		*l = leaks{}
	}
}

// suspects returns what looks wrong: what costs time first, the most of it first, then
// what may be leaks.
func (b *Builder) suspects(w *Why, procs *Procs) []Suspect {
	out := append([]Suspect{}, b.tailSuspects(w)...)
	out = append(out, b.gcSuspect(procs)...)
	out = append(out, b.starvedSuspect(procs)...)
	length := b.summary.End - b.summary.Start
	if w := &b.sched.wasted; float64(w.total) >= minWaste*float64(length) && w.count > 0 {
		end := "no P was idle any more"
		switch {
		case w.longest.goroutine != 0:
			end = fmt.Sprintf("G%d ran", w.longest.goroutine)
		case b.merged == nil && w.longest.at+w.longest.duration >= b.summary.End:
			end = "the trace ended"
		}
		who := fmt.Sprintf("In the longest time, up to %s waited; it ended when %s.", count(w.maxQueue, "goroutine"), end)
		out = append(out, Suspect{
			Kind:    RunnableWhileIdle,
			Why:     fmt.Sprintf("Goroutines were runnable while Ps were idle %s, for %s in all (%s of the time), %s or more each time. %s", often(w.count), Duration(w.total), percent(w.total, length), Duration(longWaste), who),
			Count:   w.count,
			Total:   time.Duration(w.total),
			Longest: w.longest.moment(b),
			Stack:   []Place{},
		})
	}
	out = append(out, b.siteSuspects(ContendedMutex, func(s *site) (model.Time, *longest, int64, string) {
		waiters := float64(s.total) / float64(max(length, 1))
		if !s.mutex || s.reason == ofSyscalls || waiters < minWaiters || s.spread.N < minLockWaits {
			return 0, nil, 0, ""
		}
		return s.total, &s.longest, s.spread.N, fmt.Sprintf("On average %.1f goroutines waited for this mutex: %d times, %s in all, in %s of trace.", waiters, s.spread.N, Duration(s.total), Duration(length))
	})...)
	out = append(out, b.siteSuspects(SyscallsHoldProcs, func(s *site) (model.Time, *longest, int64, string) {
		if float64(s.held) < minHeld*float64(b.procs.total) || s.holds == 0 || b.procs.total == 0 {
			return 0, nil, 0, ""
		}
		return s.held, &s.longestHold, s.holds, fmt.Sprintf("System calls here held a P %s, for %s in all: %s of the time of the Ps, in which they ran nothing else.", often(s.holds), Duration(s.held), percent(s.held, b.procs.total))
	})...)
	slices.SortStableFunc(out, func(a, b Suspect) int { return cmp.Compare(b.Total, a.Total) })
	out = append(out, b.growing.suspects(b)...)
	return append(out, b.leakSuspects(length)...)
}

// siteSuspects are the sites for which judge says why; the ones that took longest
// come first.
func (b *Builder) siteSuspects(kind SuspectKind, judge func(*site) (total model.Time, l *longest, n int64, why string)) []Suspect {
	var out []Suspect
	for _, s := range b.share.blocking.sites {
		total, l, n, why := judge(s)
		if why == "" {
			continue
		}
		out = append(out, Suspect{
			Kind: kind, Why: why, Count: n, Total: time.Duration(total),
			Longest: l.moment(b), Stack: placesOf(l.stack),
		})
	}
	slices.SortFunc(out, func(a, b Suspect) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Longest.At, b.Longest.At), cmp.Compare(a.Longest.Goroutine, b.Longest.Goroutine))
	})
	return out
}

func (b *Builder) leakSuspects(length model.Time) []Suspect {
	var out []Suspect
	for key, l := range b.leaks.groups {
		if b.merged == nil && b.byDesign(key, l) {
			continue
		}
		where := ""
		if key.stack == nil {
			where = "; it does not tell where"
		}
		out = append(out, Suspect{
			Kind:       BlockedThroughout,
			Why:        fmt.Sprintf("%s of %s blocked for all %s (%s)%s.", count(int(l.count), "goroutine"), funcName(l.fn), b.length(length, l.traces), address.Name(key.reason), where),
			Count:      l.count,
			Total:      time.Duration(l.total),
			Longest:    Moment{b.since(l.at), time.Duration(l.duration), l.goroutines[0], l.fn, l.file},
			Goroutines: l.goroutines,
			Stack:      placesOf(key.stack),
		})
	}
	slices.SortFunc(out, func(a, b Suspect) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Longest.Func, b.Longest.Func), cmp.Compare(a.Goroutines[0], b.Goroutines[0]), compareStacks(a.Stack, b.Stack))
	})
	return out
}

// length is how much trace there was, of as many as n of several traces.
func (b *Builder) length(d model.Time, n int) string {
	if b.merged == nil {
		return Duration(d) + " of the trace"
	}
	return fmt.Sprintf("of %d of %d traces", n, len(b.merged.files))
}

func compareStacks(a, b []Place) int { return slices.CompareFunc(a, b, Place.compare) }

func often(n int64) string {
	if n == 1 {
		return "once"
	}
	return english.Sprintf("%d times", n)
}

func percent(part, whole model.Time) string {
	return fmt.Sprintf("%.1f%%", 100*float64(part)/float64(max(whole, 1)))
}

// funcName is what to call a start function.
func funcName(fn string) string { return address.Name(model.FuncName(fn)) }
