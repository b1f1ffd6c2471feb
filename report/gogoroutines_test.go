package report_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// lives adds up the time of each goroutine, in the columns of go tool trace: once
// as the model has it, and once as go tool trace does where that differs.
type lives struct {
	model.NopSink
	alive map[int]*life
	ended []*life
}

type life struct {
	id     model.GoID
	fn     string
	before bool
	open   bool
	total  time.Duration
	times  map[string]time.Duration // without zeros
	assist time.Duration

	goTimes map[string]time.Duration
	goTotal time.Duration
	forever bool
	// split is set if go tool trace does not know when a system call had a P.
	split bool
}

const (
	execTime    = "Execution time"
	schedTime   = "Sched wait time"
	syscallTime = "Syscall execution time"
	syscallWait = "Block time (syscall)"
	assistRange = "GC mark assist"
)

func blockTime(reason string) string { return "Block time (" + reason + ")" }

func (l *lives) GoroutineStart(g *model.Goroutine) {
	l.alive[g.Slot] = newLife()
	l.alive[g.Slot].id, l.alive[g.Slot].before = g.ID, g.Before
}

func (l *lives) GoroutineState(g *model.Goroutine, s *model.GoState) {
	x := l.alive[g.Slot]
	both := func(column string, d model.Time) {
		x.times[column] += time.Duration(d)
		if !x.forever {
			x.goTimes[column] += time.Duration(d)
		}
	}
	d := s.Duration()
	switch s.Kind {
	case model.Running:
		both(execTime, d)
	case model.Runnable:
		both(schedTime, d)
	case model.Waiting:
		x.times[blockTime(s.Reason)] += time.Duration(d)
		reason := s.Reason
		switch {
		case s.Before, reason == "coroutine":
			// The trace has no reason for these, and go tool trace makes up none.
			reason = ""
		case reason == "forever":
			// For go tool trace, the goroutine is gone then.
			x.forever = true
			x.goTotal = time.Duration(s.Start - g.Start)
			return
		}
		x.goTimes[blockTime(reason)] += time.Duration(d)
	case model.Syscall:
		held, lost := s.ProcLost-s.Start, s.End-s.ProcLost
		switch {
		case s.Before:
			both(syscallTime, held)
			both(syscallWait, lost)
			x.split = true
		case s.Start == g.Start && held == 0:
			// A thread of C that calls Go has no P yet. go tool trace counts that as
			// system call "execution": it becomes a block only when a P goes idle later.
			x.times[syscallWait] += time.Duration(lost)
			x.goTimes[syscallTime] += time.Duration(lost)
		case s.Open && lost > 0:
			// A system call that the end of the trace cuts is all "execution" for
			// go tool trace, and what it lasts without a P is scheduler wait, in
			// which nobody waits for anything of the scheduler's: snapshotStat in
			// internal/trace/summary.go adds to the wrong fields.
			x.times[syscallTime] += time.Duration(held)
			x.times[syscallWait] += time.Duration(lost)
			x.goTimes[syscallTime] += time.Duration(d)
			x.goTimes[schedTime] += time.Duration(lost)
		default:
			both(syscallTime, held)
			both(syscallWait, lost)
		}
	}
}

func (l *lives) Range(r *model.Range) {
	if r.Kind == model.MarkAssist && r.Goroutine != nil {
		l.alive[r.Goroutine.Slot].assist += time.Duration(r.End - r.Start)
	}
}

func (l *lives) GoroutineEnd(g *model.Goroutine) {
	x := l.alive[g.Slot]
	delete(l.alive, g.Slot)
	x.fn, x.open, x.total = g.Func, g.Open, time.Duration(g.End-g.Start)
	if !x.forever {
		x.goTotal = x.total
	}
	for _, m := range []map[string]time.Duration{x.times, x.goTimes} {
		maps.DeleteFunc(m, func(_ string, d time.Duration) bool { return d == 0 })
	}
	l.ended = append(l.ended, x)
}

func newLife() *life {
	return &life{times: make(map[string]time.Duration), goTimes: make(map[string]time.Duration)}
}

func newLives() *lives { return &lives{alive: make(map[int]*life)} }

// The goroutine table has the goroutines, the counts and the times of go tool
// trace's pages, to the nanosecond, but where the comments here say why not.
func testGoroutines(t *testing.T, file string, tool *goTool) {
	l := newLives()
	readModel(t, file, l)
	goGroups, rows := tool.goroutines(t)

	// Of goroutines with the same ID, which threads of C that call Go have one
	// after the other, go tool trace knows only the last one.
	last := make(map[model.GoID]*life)
	for _, x := range l.ended {
		last[x.id] = x
	}
	if len(rows) != len(last) {
		t.Errorf("%d goroutines, go tool trace has %d", len(last), len(rows))
	}
	renamed := make(map[model.GoID]bool)
	differences := make(map[string]int)
	errors := 0
	for _, id := range slices.Sorted(maps.Keys(last)) {
		x, row := last[id], rows[id]
		if row == nil {
			t.Errorf("go tool trace has no goroutine %d", id)
			continue
		}
		switch name := strings.Replace(row.name, "runtime.main", "main.main", 1); {
		case name == x.fn:
		case name == "" && x.before:
			// go tool trace looks only at the stacks of the goroutine's own state
			// transitions, not at those of its other events.
			differences["named by other stacks"]++
			renamed[id] = true
		default:
			t.Errorf("G%d is of %q, for go tool trace of %q", id, x.fn, row.name)
		}
		got := maps.Clone(row.times)
		delete(got, "Total")
		want := x.goTimes
		if x.split {
			// In which part of a system call from before the trace it had a P, go
			// tool trace takes from whether the event that tells of it came from a
			// P, which need not be the goroutine's, and it takes the time after that
			// for time with a P: the fields that it sets when a goroutine enters a
			// system call do not tell that this one had lost its P before.
			differences["system call from before the trace"]++
			got, want = joined(got), joined(want)
		}
		if x.forever {
			differences["blocked forever"]++
		}
		if !maps.Equal(x.times, x.goTimes) {
			differences["times"]++
		}
		if row.total() != x.goTotal || !maps.Equal(got, want) {
			if errors++; errors < 5 {
				t.Errorf("G%d %s: %v in %v, go tool trace has %v in %v", id, x.fn, want, x.goTotal, got, row.total())
			}
		}
		if assist := row.ranges[assistRange]; assist != x.assist {
			t.Errorf("G%d: %v of assists, go tool trace has %v", id, x.assist, assist)
		}
	}
	t.Logf("goroutines that go tool trace has otherwise: %v", differences)

	// The report has the groups of the goroutines above.
	groups, wantGroups := make(map[string]goGroup), make(map[string]goGroup)
	rep := readReport(t, file, report.Options{})
	checkGroups(t, rep, l.ended)
	for _, g := range rep.Goroutines {
		groups[g.Func] = goGroup{int(g.Count), g.Sum.Execution}
	}
	for name, g := range goGroups {
		name = strings.Replace(name, "runtime.main", "main.main", 1)
		wantGroups[name] = goGroup{wantGroups[name].count + g.count, wantGroups[name].exec + g.exec}
	}
	move := func(from, to string, x *life) {
		g := wantGroups[from]
		wantGroups[from] = goGroup{g.count - 1, g.exec - x.times[execTime]}
		if wantGroups[from].count == 0 {
			delete(wantGroups, from)
		}
		g = wantGroups[to]
		wantGroups[to] = goGroup{g.count + 1, g.exec + x.times[execTime]}
	}
	for _, x := range l.ended {
		switch {
		case x != last[x.id]: // which go tool trace does not know
			g := wantGroups[x.fn]
			wantGroups[x.fn] = goGroup{g.count + 1, g.exec + x.times[execTime]}
		case renamed[x.id]:
			move("", x.fn, x)
		}
	}
	if !maps.Equal(groups, wantGroups) {
		t.Errorf("groups %v, go tool trace has %v", groups, wantGroups)
	}
}

// checkGroups compares the report with the sums of single goroutines.
func checkGroups(t *testing.T, rep *report.Report, ended []*life) {
	t.Helper()
	byFunc := make(map[string][]*life)
	for _, x := range ended {
		byFunc[x.fn] = append(byFunc[x.fn], x)
	}
	if len(rep.Goroutines) != len(byFunc) {
		t.Errorf("%d groups, want %d", len(rep.Goroutines), len(byFunc))
	}
	for _, g := range rep.Goroutines {
		want, most := newLife(), newLife()
		for _, x := range byFunc[g.Func] {
			for column, d := range x.times {
				want.times[column] += d
				most.times[column] = max(most.times[column], d)
			}
			want.total, most.total = want.total+x.total, max(most.total, x.total)
			want.assist, most.assist = want.assist+x.assist, max(most.assist, x.assist)
		}
		if int(g.Count) != len(byFunc[g.Func]) {
			t.Errorf("%s: %d goroutines, want %d", g.Func, g.Count, len(byFunc[g.Func]))
		}
		for name, pair := range map[string]struct {
			got  report.Times
			want *life
		}{"sum": {g.Sum, want}, "max": {g.Max, most}} {
			got := map[string]time.Duration{
				execTime: pair.got.Execution, schedTime: pair.got.SchedWait,
				syscallTime: pair.got.Syscall, syscallWait: pair.got.SyscallBlock,
			}
			for reason, d := range pair.got.BlockByReason {
				got[blockTime(reason)] = d
			}
			maps.DeleteFunc(got, func(_ string, d time.Duration) bool { return d == 0 })
			if !maps.Equal(got, pair.want.times) || pair.got.Total != pair.want.total || pair.got.GCAssist != pair.want.assist {
				t.Errorf("%s of %s: %+v, want %v in %v, %v assisting", name, g.Func, pair.got, pair.want.times, pair.want.total, pair.want.assist)
			}
		}
	}
}

// joined puts the time of system calls in one column.
func joined(times map[string]time.Duration) map[string]time.Duration {
	out := maps.Clone(times)
	out[syscallTime] += out[syscallWait]
	delete(out, syscallWait)
	return out
}
