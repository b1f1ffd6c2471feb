package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	exptrace "golang.org/x/exp/trace"

	"github.com/trace2x/trace2x/internal/decode"
)

// calls is a sink that notes each call in a few words.
type calls struct {
	NopSink
	got []string
}

func (c *calls) add(format string, args ...any) { c.got = append(c.got, fmt.Sprintf(format, args...)) }

func span(start, end Time, before, open bool) string {
	s := fmt.Sprintf("%d-%d", start, end)
	if before {
		s = "<" + s
	}
	if open {
		s += ">"
	}
	return s
}

func (c *calls) GoroutineStart(g *Goroutine) {
	by := ""
	if g.Creator != nil {
		by = fmt.Sprintf(" by G%d", g.Creator.ID)
	}
	c.add("start G%d %v at %d%s", g.ID, g.State, g.Start, by)
}
func (c *calls) GoroutineState(g *Goroutine, s *GoState) {
	lost, reason, waker := "", "", ""
	if s.Kind == Syscall {
		lost = fmt.Sprintf(" lost %d", s.ProcLost)
	}
	if s.Reason != "" {
		reason = " " + s.Reason
	}
	if s.Waker.Goroutine != nil {
		waker = fmt.Sprintf(" woken by G%d", s.Waker.Goroutine.ID)
	}
	c.add("G%d %v %s%s%s%s", g.ID, s.Kind, span(s.Start, s.End, s.Before, s.Open), lost, reason, waker)
}
func (c *calls) GoroutineEnd(g *Goroutine) { c.add("end G%d %s", g.ID, g.Func) }
func (c *calls) Run(r *Run) {
	label := ""
	if r.Label != "" {
		label = " " + r.Label
	}
	c.add("run P%d G%d %s%s", r.Proc, r.Goroutine.ID, span(r.Start, r.End, r.Before, r.Open), label)
}
func (c *calls) ProcState(s *ProcState) {
	c.add("P%d running=%t %s", s.Proc, s.Running, span(s.Start, s.End, s.Before, s.Open))
}
func (c *calls) RegionStart(r *Region) {
	c.add("region G%d %s at %d task %d %t", r.Goroutine.ID, r.Type, r.Start, r.TaskID, r.Task != nil)
}
func (c *calls) RegionEnd(r *Region) {
	c.add("region-end G%d %s %s", r.Goroutine.ID, r.Type, span(r.Start, r.End, r.Before, r.Open))
}
func (c *calls) TaskStart(t *Task) {
	c.add("task %d %q at %d parent %d %t", t.ID, t.Type, t.Start, t.ParentID, t.Parent != nil)
}
func (c *calls) TaskEnd(t *Task) {
	c.add("task-end %d %s", t.ID, span(t.Start, t.End, t.Before, t.Open))
}
func (c *calls) OldSpan(s *OldSpan) {
	c.add("old-span %x %q %d to %d G%d task %d", s.SpanID[7], s.Name, s.Start, s.End, s.Goroutine.ID, s.TaskID)
}
func (c *calls) Log(l *Log) { c.add("log task %d %t %s", l.TaskID, l.Task != nil, l.Message) }
func (c *calls) Range(r *Range) {
	g := NoGoroutine
	if r.Goroutine != nil {
		g = r.Goroutine.ID
	}
	c.add("range %s G%d %s", r.Name, g, span(r.Start, r.End, r.Before, r.Open))
}
func (c *calls) Sample(s *Sample) { c.add("sample %t %s", s.Goroutine != nil, s.Stack.Frames[0].Func) }
func (c *calls) Sync(s *Sync)     { c.add("sync %d", s.N) }

// on is where an event happens.
type on struct {
	g exptrace.GoID
	p exptrace.ProcID
	m exptrace.ThreadID
}

// nowhere is no goroutine, P or thread.
var nowhere = on{exptrace.NoGoroutine, exptrace.NoProc, exptrace.NoThread}

// idle is thread m with P p and no goroutine.
func idle(p exptrace.ProcID, m exptrace.ThreadID) on { return on{exptrace.NoGoroutine, p, m} }

// feed gives events to a builder, one each 10 ns, the first at 10.
type feed struct {
	t    *testing.T
	x    *decode.Compactor
	b    *builder
	sink *calls
	now  exptrace.Time
}

func newFeed(t *testing.T) *feed {
	sink := &calls{}
	return &feed{t: t, x: decode.NewCompactor(), b: newBuilder(sink, Trace{Format: "Go 1.26"}), sink: sink}
}

func emit[T exptrace.EventDetails](f *feed, kind exptrace.EventKind, at on, details T, stack exptrace.Stack) {
	f.t.Helper()
	f.now += 10
	ev, err := exptrace.MakeEvent(exptrace.EventConfig[T]{
		Time: f.now, Kind: kind, Goroutine: at.g, Proc: at.p, Thread: at.m, Stack: stack, Details: details,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	c := decode.NewChunk()
	f.x.Add(c, &ev)
	f.b.take(c, nil)
}

func (f *feed) goroutine(at on, id exptrace.GoID, from, to exptrace.GoState, reason string) {
	f.t.Helper()
	st := exptrace.MakeGoStateTransition(id, from, to)
	st.Reason = reason
	emit(f, exptrace.EventStateTransition, at, st, exptrace.NoStack)
}

func (f *feed) proc(at on, id exptrace.ProcID, from, to exptrace.ProcState) {
	f.t.Helper()
	emit(f, exptrace.EventStateTransition, at, exptrace.MakeProcStateTransition(id, from, to), exptrace.NoStack)
}

func (f *feed) sync(n int) {
	f.t.Helper()
	emit(f, exptrace.EventSync, nowhere, exptrace.Sync{N: n}, exptrace.NoStack)
}

// begin has P0 run G1 on M1, since before the trace. The next event is at 40.
func (f *feed) begin() on {
	f.t.Helper()
	f.sync(1)
	f.proc(nowhere, 0, exptrace.ProcUndetermined, exptrace.ProcRunning)
	f.goroutine(idle(0, 1), 1, exptrace.GoUndetermined, exptrace.GoRunning, "")
	return on{1, 0, 1}
}

// want checks the calls since the last time.
func (f *feed) want(want ...string) {
	f.t.Helper()
	if !slices.Equal(f.sink.got, want) {
		f.t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(f.sink.got, "\n\t"), strings.Join(want, "\n\t"))
	}
	f.sink.got = nil
}

func (f *feed) wantMisuse(want map[string]int) {
	f.t.Helper()
	if got := f.b.summary.Misuse; !maps.Equal(got, want) {
		f.t.Errorf("misuse: %v, want %v", got, want)
	}
}

func (f *feed) wantInconsistent(want ...string) {
	f.t.Helper()
	if got := slices.Sorted(maps.Keys(f.b.summary.Inconsistent)); !slices.Equal(got, want) {
		f.t.Errorf("inconsistent: %q, want %q", got, want)
	}
}

func TestFound(t *testing.T) {
	f := newFeed(t)
	f.begin()
	f.proc(idle(0, 1), 1, exptrace.ProcUndetermined, exptrace.ProcIdle)
	f.goroutine(nowhere, 2, exptrace.GoUndetermined, exptrace.GoWaiting, "")
	f.goroutine(nowhere, 3, exptrace.GoUndetermined, exptrace.GoRunnable, "")
	f.goroutine(on{exptrace.NoGoroutine, exptrace.NoProc, 7}, 4, exptrace.GoUndetermined, exptrace.GoSyscall, "")
	f.want("sync 1", "start G1 running at 10", "start G2 waiting at 10", "start G3 runnable at 10", "start G4 syscall at 10")
	f.b.finish()
	f.want(
		"G1 running <10-70>", "run P0 G1 <10-70>", "end G1 main.main",
		"G2 waiting <10-70> unknown", "end G2 ",
		"G3 runnable <10-70>", "end G3 ",
		"G4 syscall <10-70> lost 10", "end G4 ",
		"P0 running=true <10-70>", "P1 running=false <10-70>",
	)
	f.wantInconsistent()
}

func TestSyscallFound(t *testing.T) {
	t.Run("with its P", func(t *testing.T) {
		f := newFeed(t)
		f.sync(1)
		f.proc(nowhere, 0, exptrace.ProcUndetermined, exptrace.ProcRunning)
		f.goroutine(idle(0, 1), 2, exptrace.GoUndetermined, exptrace.GoSyscall, "")
		f.proc(idle(exptrace.NoProc, 9), 0, exptrace.ProcRunning, exptrace.ProcIdle) // stolen, at 40
		f.b.finish()
		f.want("sync 1", "start G2 syscall at 10", "run P0 G2 <10-40", "P0 running=true <10-40",
			"G2 syscall <10-40> lost 40", "end G2 ", "P0 running=false 40-40>")
		f.wantInconsistent()
	})
	t.Run("told by another thread", func(t *testing.T) {
		f := newFeed(t)
		at := f.begin()
		f.goroutine(at, 2, exptrace.GoUndetermined, exptrace.GoSyscall, "")
		f.b.finish()
		f.want("sync 1", "start G1 running at 10", "start G2 syscall at 10",
			"G1 running <10-40>", "run P0 G1 <10-40>", "end G1 main.main",
			"G2 syscall <10-40> lost 10", "end G2 ", "P0 running=true <10-40>")
		f.wantInconsistent()
	})
}

func TestLife(t *testing.T) {
	f := newFeed(t)
	main := f.begin()
	f.sink.got = nil
	f.goroutine(main, 2, exptrace.GoNotExist, exptrace.GoRunnable, "")                // 40
	f.goroutine(main, 1, exptrace.GoRunning, exptrace.GoWaiting, "chan receive")      // 50
	f.goroutine(idle(0, 1), 2, exptrace.GoRunnable, exptrace.GoRunning, "")           // 60
	f.goroutine(on{2, 0, 1}, 2, exptrace.GoRunning, exptrace.GoRunnable, "preempted") // 70
	f.goroutine(idle(0, 1), 2, exptrace.GoRunnable, exptrace.GoRunning, "")           // 80
	emit(f, exptrace.EventLabel, on{2, 0, 1}, exptrace.Label{Label: "GC (idle)", Resource: exptrace.MakeResourceID[exptrace.GoID](2)}, exptrace.NoStack)
	f.goroutine(on{2, 0, 1}, 1, exptrace.GoWaiting, exptrace.GoRunnable, "") // 100
	f.goroutine(on{2, 0, 1}, 2, exptrace.GoRunning, exptrace.GoNotExist, "") // 110
	f.goroutine(idle(0, 1), 1, exptrace.GoRunnable, exptrace.GoRunning, "")  // 120
	f.goroutine(main, 2, exptrace.GoNotExist, exptrace.GoRunnable, "")       // 130, the number again
	f.want(
		"start G2 runnable at 40 by G1",
		"G1 running <10-50", "run P0 G1 <10-50",
		"G2 runnable 40-60",
		"G2 running 60-70", "run P0 G2 60-70",
		"G2 runnable 70-80 preempted",
		"G1 waiting 50-100 chan receive woken by G2",
		"G2 running 80-110", "run P0 G2 80-110 GC (idle)", "end G2 ",
		"G1 runnable 100-120",
		"start G2 runnable at 130 by G1",
	)
	f.wantInconsistent()
}

func TestSyscall(t *testing.T) {
	tests := []struct {
		name string
		feed func(f *feed, main on)
		want []string
	}{
		{
			name: "keeps its P",
			feed: func(f *feed, main on) {
				f.goroutine(main, 1, exptrace.GoRunning, exptrace.GoSyscall, "") // 40
				f.goroutine(main, 1, exptrace.GoSyscall, exptrace.GoRunning, "") // 50
				f.goroutine(main, 1, exptrace.GoRunning, exptrace.GoNotExist, "")
			},
			want: []string{"G1 running <10-40", "G1 syscall 40-50 lost 50", "G1 running 50-60", "run P0 G1 <10-60", "end G1 main.main"},
		},
		{
			name: "loses its P",
			feed: func(f *feed, main on) {
				f.goroutine(main, 1, exptrace.GoRunning, exptrace.GoSyscall, "")              // 40
				f.proc(idle(exptrace.NoProc, 9), 0, exptrace.ProcRunning, exptrace.ProcIdle)  // 50
				f.proc(idle(exptrace.NoProc, 9), 0, exptrace.ProcIdle, exptrace.ProcRunning)  // 60
				f.proc(idle(0, 9), 0, exptrace.ProcRunning, exptrace.ProcIdle)                // 70
				f.proc(on{1, exptrace.NoProc, 1}, 0, exptrace.ProcIdle, exptrace.ProcRunning) // 80
				f.goroutine(on{1, 0, 1}, 1, exptrace.GoSyscall, exptrace.GoRunnable, "")      // 90
				f.goroutine(idle(0, 1), 1, exptrace.GoRunnable, exptrace.GoRunning, "")       // 100
			},
			want: []string{
				"G1 running <10-40", "run P0 G1 <10-50", "P0 running=true <10-50", "P0 running=false 50-60",
				"P0 running=true 60-70", "P0 running=false 70-80", "G1 syscall 40-90 lost 50", "G1 runnable 90-100",
			},
		},
		{
			name: "created in one, from C",
			feed: func(f *feed, main on) {
				c := on{exptrace.NoGoroutine, exptrace.NoProc, 5}
				f.goroutine(c, 7, exptrace.GoNotExist, exptrace.GoSyscall, "") // 40
				in := on{7, exptrace.NoProc, 5}
				f.proc(in, 1, exptrace.ProcIdle, exptrace.ProcRunning)                   // 50
				f.goroutine(on{7, 1, 5}, 7, exptrace.GoSyscall, exptrace.GoRunnable, "") // 60
				f.goroutine(idle(1, 5), 7, exptrace.GoRunnable, exptrace.GoRunning, "")  // 70
				f.goroutine(on{7, 1, 5}, 7, exptrace.GoRunning, exptrace.GoSyscall, "")  // 80
				f.goroutine(on{7, 1, 5}, 7, exptrace.GoSyscall, exptrace.GoNotExist, "") // 90
				f.goroutine(c, 7, exptrace.GoNotExist, exptrace.GoSyscall, "")           // 100
			},
			want: []string{
				"start G7 syscall at 40", "P1 running=false <10-50", "G7 syscall 40-60 lost 40", "G7 runnable 60-70",
				"G7 running 70-80", "G7 syscall 80-90 lost 90", "run P1 G7 70-90", "end G7 ", "start G7 syscall at 100",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFeed(t)
			main := f.begin()
			f.sink.got = nil
			tt.feed(f, main)
			f.want(tt.want...)
			f.wantInconsistent()
		})
	}
}

// A coroutine is made waiting, and woken and run by who waits for it.
func TestCoroutine(t *testing.T) {
	f := newFeed(t)
	main := f.begin()
	f.sink.got = nil
	f.goroutine(main, 2, exptrace.GoNotExist, exptrace.GoWaiting, "")        // 40
	f.goroutine(main, 2, exptrace.GoWaiting, exptrace.GoRunnable, "")        // 50
	f.goroutine(main, 1, exptrace.GoRunning, exptrace.GoWaiting, "")         // 60
	f.goroutine(idle(0, 1), 2, exptrace.GoRunnable, exptrace.GoRunning, "")  // 70
	f.goroutine(on{2, 0, 1}, 1, exptrace.GoWaiting, exptrace.GoRunnable, "") // 80
	f.want(
		"start G2 waiting at 40 by G1",
		"G2 waiting 40-50 coroutine woken by G1",
		"G1 running <10-60", "run P0 G1 <10-60",
		"G2 runnable 50-70",
		"G1 waiting 60-80 coroutine woken by G2",
	)
	f.wantInconsistent()
}

// A generation that was decoded alone begins with statuses that come out of
// nowhere: those of what is known must not make any calls.
func TestKnownStatus(t *testing.T) {
	for _, from := range []string{"undetermined", "the same"} {
		t.Run(from, func(t *testing.T) {
			gFrom := func(state exptrace.GoState) exptrace.GoState {
				if from == "undetermined" {
					return exptrace.GoUndetermined
				}
				return state
			}
			pFrom := func(state exptrace.ProcState) exptrace.ProcState {
				if from == "undetermined" {
					return exptrace.ProcUndetermined
				}
				return state
			}
			f := newFeed(t)
			main := f.begin()
			f.proc(main, 1, exptrace.ProcUndetermined, exptrace.ProcIdle)
			f.goroutine(main, 2, exptrace.GoNotExist, exptrace.GoRunnable, "")
			f.goroutine(nowhere, 3, exptrace.GoUndetermined, exptrace.GoWaiting, "")
			f.goroutine(main, 1, exptrace.GoRunning, exptrace.GoSyscall, "") // 70
			active := exptrace.Range{Name: decode.MarkPhase}
			emit(f, exptrace.EventRangeBegin, main, active, exptrace.NoStack)
			sweep := exptrace.Range{Name: decode.Sweep, Scope: exptrace.MakeResourceID[exptrace.ProcID](0)}
			emit(f, exptrace.EventRangeBegin, main, sweep, exptrace.NoStack)
			assist := exptrace.Range{Name: decode.MarkAssist, Scope: exptrace.MakeResourceID[exptrace.GoID](1)}
			emit(f, exptrace.EventRangeBegin, main, assist, exptrace.NoStack)
			f.sync(2)
			f.sink.got = nil

			f.proc(nowhere, 0, pFrom(exptrace.ProcRunning), exptrace.ProcRunning)
			f.proc(nowhere, 1, pFrom(exptrace.ProcIdle), exptrace.ProcIdle)
			f.goroutine(idle(0, 1), 1, gFrom(exptrace.GoSyscall), exptrace.GoSyscall, "")
			f.goroutine(nowhere, 2, gFrom(exptrace.GoRunnable), exptrace.GoRunnable, "")
			f.goroutine(nowhere, 3, gFrom(exptrace.GoWaiting), exptrace.GoWaiting, "")
			emit(f, exptrace.EventRangeActive, nowhere, active, exptrace.NoStack)
			emit(f, exptrace.EventRangeActive, nowhere, sweep, exptrace.NoStack)
			emit(f, exptrace.EventRangeActive, nowhere, assist, exptrace.NoStack)
			f.want()
			f.wantInconsistent()

			f.goroutine(main, 1, exptrace.GoSyscall, exptrace.GoRunning, "") // 200
			emit(f, exptrace.EventRangeEnd, main, assist, exptrace.NoStack)
			emit(f, exptrace.EventRangeEnd, main, sweep, exptrace.NoStack)
			emit(f, exptrace.EventRangeEnd, main, active, exptrace.NoStack)
			f.want(
				"G1 syscall 70-200 lost 200",
				"range GC mark assist G1 100-210",
				"range GC incremental sweep G1 90-220",
				"range GC concurrent mark phase G1 80-230",
			)
		})
	}
}

func TestRanges(t *testing.T) {
	gc := exptrace.Range{Name: decode.MarkPhase}
	stw := exptrace.Range{Name: "stop-the-world (GC sweep termination)", Scope: exptrace.MakeResourceID[exptrace.GoID](1)}
	assist := exptrace.Range{Name: decode.MarkAssist, Scope: exptrace.MakeResourceID[exptrace.GoID](1)}
	tests := []struct {
		name         string
		feed         func(f *feed, main on)
		want         []string
		inconsistent []string
	}{
		{
			name: "ended but not begun",
			feed: func(f *feed, main on) {
				emit(f, exptrace.EventRangeEnd, main, stw, exptrace.NoStack)
				emit(f, exptrace.EventRangeEnd, main, gc, exptrace.NoStack)
			},
			want: []string{"range stop-the-world (GC sweep termination) G1 <10-40", "range GC concurrent mark phase G1 <10-50"},
		},
		{
			name: "active, then ended",
			feed: func(f *feed, main on) {
				emit(f, exptrace.EventRangeActive, nowhere, gc, exptrace.NoStack)
				emit(f, exptrace.EventRangeActive, nowhere, assist, exptrace.NoStack)
				emit(f, exptrace.EventRangeEnd, main, gc, exptrace.NoStack)
				emit(f, exptrace.EventRangeEnd, main, assist, exptrace.NoStack)
			},
			want: []string{"range GC concurrent mark phase G-1 <10-60", "range GC mark assist G1 <10-70"},
		},
		{
			name: "begun twice",
			feed: func(f *feed, main on) {
				emit(f, exptrace.EventRangeBegin, main, gc, exptrace.NoStack)
				emit(f, exptrace.EventRangeBegin, main, gc, exptrace.NoStack)
				emit(f, exptrace.EventRangeBegin, main, assist, exptrace.NoStack)
				emit(f, exptrace.EventRangeBegin, main, assist, exptrace.NoStack)
				emit(f, exptrace.EventRangeEnd, main, gc, exptrace.NoStack)
				emit(f, exptrace.EventRangeEnd, main, assist, exptrace.NoStack)
			},
			want:         []string{"range GC concurrent mark phase G1 40-80", "range GC mark assist G1 60-90"},
			inconsistent: []string{"range begun twice: " + decode.MarkPhase, "range begun twice: " + decode.MarkAssist},
		},
		{
			name: "its goroutine exits within",
			feed: func(f *feed, main on) {
				emit(f, exptrace.EventRangeBegin, main, gc, exptrace.NoStack)
				emit(f, exptrace.EventRangeBegin, main, assist, exptrace.NoStack)
				f.goroutine(main, 1, exptrace.GoRunning, exptrace.GoNotExist, "") // 60
				emit(f, exptrace.EventRangeEnd, idle(0, 1), gc, exptrace.NoStack)
			},
			want: []string{
				"G1 running <10-60", "run P0 G1 <10-60", "range GC mark assist G1 50-60", "end G1 main.main",
				"range GC concurrent mark phase G-1 40-70",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFeed(t)
			main := f.begin()
			f.sink.got = nil
			tt.feed(f, main)
			f.want(tt.want...)
			f.wantInconsistent(tt.inconsistent...)
		})
	}
}

func TestRangesOpen(t *testing.T) {
	f := newFeed(t)
	main := f.begin()
	emit(f, exptrace.EventRangeBegin, main, exptrace.Range{Name: decode.MarkPhase}, exptrace.NoStack)
	emit(f, exptrace.EventRangeBegin, main, exptrace.Range{Name: decode.Sweep, Scope: exptrace.MakeResourceID[exptrace.ProcID](0)}, exptrace.NoStack)
	emit(f, exptrace.EventRangeBegin, main, exptrace.Range{Name: decode.MarkAssist, Scope: exptrace.MakeResourceID[exptrace.GoID](1)}, exptrace.NoStack)
	f.sink.got = nil
	f.b.finish()
	f.want("range GC concurrent mark phase G1 40-60>", "range GC incremental sweep G1 50-60>", "G1 running <10-60>", "run P0 G1 <10-60>",
		"range GC mark assist G1 60-60>", "end G1 main.main", "P0 running=true <10-60>")
}

func TestTasks(t *testing.T) {
	begin := func(f *feed, at on, id, parent exptrace.TaskID) {
		emit(f, exptrace.EventTaskBegin, at, exptrace.Task{ID: id, Parent: parent, Type: "work"}, exptrace.NoStack)
	}
	end := func(f *feed, at on, id exptrace.TaskID) {
		emit(f, exptrace.EventTaskEnd, at, exptrace.Task{ID: id}, exptrace.NoStack)
	}
	log := func(f *feed, at on, id exptrace.TaskID) {
		emit(f, exptrace.EventLog, at, exptrace.Log{Task: id, Message: "m"}, exptrace.NoStack)
	}
	tests := []struct {
		name   string
		feed   func(f *feed, main on)
		want   []string
		misuse map[string]int
	}{
		{
			name: "begun and ended",
			feed: func(f *feed, main on) { begin(f, main, 5, 0); log(f, main, 5); end(f, main, 5) },
			want: []string{`task 5 "work" at 40 parent 0 false`, "log task 5 true m", "task-end 5 40-60"},
		},
		{
			name: "ended before it begun",
			feed: func(f *feed, main on) { end(f, main, 5); begin(f, main, 6, 5); log(f, main, 5) },
			want: []string{`task 5 "" at 10 parent 0 false`, "task-end 5 <10-40", `task 6 "work" at 50 parent 5 false`, "log task 5 false m"},
		},
		{
			name: "named first by a child, ended twice",
			feed: func(f *feed, main on) {
				begin(f, main, 6, 5)
				end(f, main, 5)
				end(f, main, 5)
				end(f, main, 6)
				end(f, main, 6)
			},
			want: []string{
				`task 5 "" at 10 parent 0 false`, `task 6 "work" at 40 parent 5 true`, "task-end 5 <10-50", "task-end 6 40-70",
			},
			misuse: map[string]int{"task ended that is not open": 2},
		},
		{
			name: "named after its end",
			feed: func(f *feed, main on) { begin(f, main, 5, 0); end(f, main, 5); log(f, main, 5); begin(f, main, 6, 5) },
			want: []string{
				`task 5 "work" at 40 parent 0 false`, "task-end 5 40-50", "log task 5 false m", `task 6 "work" at 70 parent 5 false`,
			},
		},
		{
			name:   "begun twice",
			feed:   func(f *feed, main on) { begin(f, main, 5, 0); begin(f, main, 5, 0); end(f, main, 5) },
			want:   []string{`task 5 "work" at 40 parent 0 false`, "task-end 5 40-60"},
			misuse: map[string]int{"task begun twice": 1},
		},
		{
			name:   "begun after it ended",
			feed:   func(f *feed, main on) { end(f, main, 5); begin(f, main, 5, 0); end(f, main, 5) },
			want:   []string{`task 5 "" at 10 parent 0 false`, "task-end 5 <10-40"},
			misuse: map[string]int{"task begun twice": 1, "task ended that is not open": 1},
		},
		{
			name: "its own parent",
			feed: func(f *feed, main on) { begin(f, main, 5, 5); end(f, main, 5) },
			want: []string{`task 5 "work" at 40 parent 5 false`, "task-end 5 40-50"},
		},
		{
			name: "no task at all",
			feed: func(f *feed, main on) {
				log(f, main, exptrace.BackgroundTask)
				log(f, main, exptrace.NoTask)
				end(f, main, 0)
			},
			want: []string{"log task 0 false m", "log task 0 false m"},
		},
		{
			name: "ended by no known goroutine",
			feed: func(f *feed, main on) { begin(f, on{99, 0, 1}, 5, 0); end(f, on{99, 0, 1}, 5) },
			want: []string{`task 5 "work" at 40 parent 0 false`, "task-end 5 40-50"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFeed(t)
			main := f.begin()
			f.sink.got = nil
			tt.feed(f, main)
			f.want(tt.want...)
			f.wantInconsistent()
			f.wantMisuse(tt.misuse)
		})
	}
}

// The list of the open tasks does not grow with all that ever were.
func TestTasksForgotten(t *testing.T) {
	f := newFeed(t)
	main := f.begin()
	emit(f, exptrace.EventTaskBegin, main, exptrace.Task{ID: 1, Type: "first"}, exptrace.NoStack)
	for id := exptrace.TaskID(2); id < 2000; id++ {
		emit(f, exptrace.EventTaskBegin, main, exptrace.Task{ID: id}, exptrace.NoStack)
		if id%500 != 0 {
			emit(f, exptrace.EventTaskEnd, main, exptrace.Task{ID: id}, exptrace.NoStack)
		}
	}
	if n := len(f.b.taskOrder); n > 64 {
		t.Errorf("%d tasks are remembered, 4 are open", n)
	}
	f.sink.got = nil
	f.b.finish()
	var ids []string
	for _, call := range f.sink.got {
		if strings.HasPrefix(call, "task-end ") {
			ids = append(ids, strings.Fields(call)[1])
		}
	}
	if want := []string{"1500", "1000", "500", "1"}; !slices.Equal(ids, want) {
		t.Errorf("the tasks %v were open at the end, want %v", ids, want)
	}
}

// What contradicts the scheduler's rules is counted and left out, and the
// states remain those of the runs.
func TestInconsistent(t *testing.T) {
	tests := []struct {
		name         string
		feed         func(f *feed, main on)
		want         []string
		inconsistent string
	}{
		{
			name: "runs without a P",
			feed: func(f *feed, main on) {
				f.goroutine(main, 2, exptrace.GoNotExist, exptrace.GoRunnable, "")
				f.goroutine(nowhere, 2, exptrace.GoRunnable, exptrace.GoRunning, "")
			},
			want:         []string{"start G2 runnable at 40 by G1"},
			inconsistent: "goroutine runs without a P",
		},
		{
			name:         "ran without a P",
			feed:         func(f *feed, main on) { f.goroutine(nowhere, 2, exptrace.GoUndetermined, exptrace.GoRunning, "") },
			want:         []string{"start G2 waiting at 10"},
			inconsistent: "goroutine runs without a P",
		},
		{
			name:         "ran on the P of another",
			feed:         func(f *feed, main on) { f.goroutine(idle(0, 1), 2, exptrace.GoUndetermined, exptrace.GoRunning, "") },
			want:         []string{"start G2 waiting at 10"},
			inconsistent: "goroutine runs without a P",
		},
		{
			name: "returns from a system call without a P",
			feed: func(f *feed, main on) {
				f.goroutine(main, 1, exptrace.GoRunning, exptrace.GoSyscall, "")             // 40
				f.proc(idle(exptrace.NoProc, 9), 0, exptrace.ProcRunning, exptrace.ProcIdle) // 50
				f.goroutine(main, 1, exptrace.GoSyscall, exptrace.GoRunning, "")             // 60
			},
			want:         []string{"G1 running <10-40", "run P0 G1 <10-50", "P0 running=true <10-50", "G1 syscall 40-60 lost 50"},
			inconsistent: "goroutine runs without a P",
		},
		{
			name: "two on one P",
			feed: func(f *feed, main on) {
				f.goroutine(main, 2, exptrace.GoNotExist, exptrace.GoRunnable, "")
				f.goroutine(idle(0, 1), 2, exptrace.GoRunnable, exptrace.GoRunning, "") // 50
			},
			want:         []string{"start G2 runnable at 40 by G1", "G2 runnable 40-50", "G1 running <10-50", "run P0 G1 <10-50"},
			inconsistent: "P taken from a running goroutine",
		},
		{
			name:         "P stops under a goroutine",
			feed:         func(f *feed, main on) { f.proc(main, 0, exptrace.ProcRunning, exptrace.ProcIdle) },
			want:         []string{"G1 running <10-40", "run P0 G1 <10-40", "P0 running=true <10-40"},
			inconsistent: "P taken from a running goroutine",
		},
		{
			name:         "created twice",
			feed:         func(f *feed, main on) { f.goroutine(idle(1, 2), 1, exptrace.GoNotExist, exptrace.GoRunnable, "") },
			want:         []string{"G1 running <10-40", "run P0 G1 <10-40", "end G1 main.main", "start G1 runnable at 40"},
			inconsistent: "goroutine created twice",
		},
		{
			name:         "leaves another state",
			feed:         func(f *feed, main on) { f.goroutine(idle(1, 2), 1, exptrace.GoWaiting, exptrace.GoRunnable, "") },
			inconsistent: "goroutine leaves a state that it is not in",
		},
		{
			name:         "status of another state",
			feed:         func(f *feed, main on) { f.goroutine(idle(1, 2), 1, exptrace.GoWaiting, exptrace.GoWaiting, "") },
			inconsistent: "goroutine status differs from its state",
		},
		{
			name:         "unknown one exits",
			feed:         func(f *feed, main on) { f.goroutine(idle(1, 2), 5, exptrace.GoRunning, exptrace.GoNotExist, "") },
			inconsistent: "unknown goroutine exited",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFeed(t)
			main := f.begin()
			f.sink.got = nil
			tt.feed(f, main)
			f.want(tt.want...)
			f.wantInconsistent(tt.inconsistent)
		})
	}
}

func TestSample(t *testing.T) {
	f := newFeed(t)
	main := f.begin()
	f.sink.got = nil
	stack := exptrace.MakeStack([]exptrace.StackFrame{{PC: 1, Func: "main.burn", Line: 3}})
	emit(f, exptrace.EventStackSample, main, exptrace.StackSample{}, stack)
	emit(f, exptrace.EventStackSample, on{77, 0, 1}, exptrace.StackSample{}, stack)
	f.want("sample true main.burn", "sample false main.burn")
}
