package model

import (
	"bytes"
	"testing"

	exptrace "golang.org/x/exp/trace"

	"github.com/trace2x/trace2x/internal/testtrace"
)

// works is a sink that notes who is at work for what.
type works struct {
	NopSink
	*calls
}

func (w works) WorkStart(x *Work) { w.add("G%d for %d from %d", x.Goroutine.ID, x.Task.ID, x.Start) }
func (w works) WorkEnd(x *Work)   { w.add("G%d for %d until %d", x.Goroutine.ID, x.Task.ID, x.End) }

func (w works) GoroutineStart(*Goroutine)           {}
func (w works) GoroutineState(*Goroutine, *GoState) {}
func (w works) GoroutineEnd(*Goroutine)             {}
func (w works) Run(*Run)                            {}
func (w works) ProcState(*ProcState)                {}
func (w works) RegionStart(*Region)                 {}
func (w works) RegionEnd(*Region)                   {}
func (w works) TaskStart(*Task)                     {}
func (w works) TaskEnd(t *Task)                     { w.add("task %d ends", t.ID) }
func (w works) OldSpan(*OldSpan)                    {}
func (w works) Log(*Log)                            {}
func (w works) Range(*Range)                        {}
func (w works) Sample(*Sample)                      {}
func (w works) Sync(*Sync)                          {}

func TestWork(t *testing.T) {
	begin := func(f *feed, at on, id, parent exptrace.TaskID) {
		emit(f, exptrace.EventTaskBegin, at, exptrace.Task{ID: id, Parent: parent}, exptrace.NoStack)
	}
	end := func(f *feed, at on, id exptrace.TaskID) {
		emit(f, exptrace.EventTaskEnd, at, exptrace.Task{ID: id}, exptrace.NoStack)
	}
	region := func(f *feed, kind exptrace.EventKind, at on, id exptrace.TaskID) {
		emit(f, kind, at, exptrace.Region{Task: id, Type: "r"}, exptrace.NoStack)
	}
	log := func(f *feed, at on, id exptrace.TaskID) {
		emit(f, exptrace.EventLog, at, exptrace.Log{Task: id}, exptrace.NoStack)
	}
	tests := []struct {
		name string
		feed func(f *feed, main, other on)
		want []string
	}{
		{
			name: "begins the task, which another one ends",
			feed: func(f *feed, main, other on) { begin(f, main, 5, 0); end(f, other, 5) },
			want: []string{"G1 for 5 from 60", "G1 for 5 until 70", "task 5 ends"},
		},
		{
			name: "a handler begins a subtask, and goes on for the task when that ends",
			feed: func(f *feed, main, other on) {
				begin(f, main, 5, 0)
				begin(f, main, 6, 5)
				region(f, exptrace.EventRegionBegin, main, 6)
				region(f, exptrace.EventRegionEnd, main, 6)
				end(f, main, 6)
				end(f, main, 5)
			},
			want: []string{
				"G1 for 5 from 60", "G1 for 6 from 70", "G1 for 6 until 100", "task 6 ends", "G1 for 5 until 110", "task 5 ends",
			},
		},
		{
			name: "a dispatcher works for the last task that it began, until a sign of another",
			feed: func(f *feed, main, other on) {
				begin(f, main, 5, 0)
				f.goroutine(main, 3, exptrace.GoNotExist, exptrace.GoRunnable, "")
				begin(f, main, 6, 0)
				f.goroutine(main, 4, exptrace.GoNotExist, exptrace.GoRunnable, "")
				log(f, main, 5)
				end(f, other, 6)
				end(f, other, 5)
			},
			want: []string{
				"G1 for 5 from 60", "G3 for 5 from 70", "G1 for 6 from 80", "G1 for 5 until 80", "G4 for 6 from 90",
				"G1 for 5 from 100", "G1 for 6 until 100", "G4 for 6 until 110", "task 6 ends",
				"G1 for 5 until 120", "G3 for 5 until 120", "task 5 ends",
			},
		},
		{
			name: "a dispatcher in a region works for that when the task that it began ends",
			feed: func(f *feed, main, other on) {
				begin(f, other, 5, 0)
				region(f, exptrace.EventRegionBegin, main, 5)
				begin(f, main, 6, 0)
				end(f, other, 6)
				region(f, exptrace.EventRegionEnd, main, 5)
				end(f, other, 5)
			},
			want: []string{
				"G2 for 5 from 60", "G1 for 5 from 70", "G1 for 6 from 80", "G1 for 5 until 80",
				"G1 for 5 from 90", "G1 for 6 until 90", "task 6 ends", "G1 for 5 until 100", "G2 for 5 until 110", "task 5 ends",
			},
		},
		{
			name: "a subtask of one task among its siblings: the parent goes on",
			feed: func(f *feed, main, other on) {
				begin(f, main, 5, 0)
				begin(f, main, 6, 5)
				begin(f, main, 7, 5)
				end(f, other, 7)
				end(f, other, 6)
				end(f, main, 5)
			},
			want: []string{
				"G1 for 5 from 60", "G1 for 6 from 70", "G1 for 7 from 80", "G1 for 6 until 80",
				"G1 for 7 until 90", "task 7 ends", "task 6 ends", "G1 for 5 until 110", "task 5 ends",
			},
		},
		{
			name: "a goroutine of a pool is at work in regions, and after them does what it did before",
			feed: func(f *feed, main, other on) {
				begin(f, main, 5, 0)
				region(f, exptrace.EventRegionBegin, other, 5)
				region(f, exptrace.EventRegionBegin, other, 5)
				region(f, exptrace.EventRegionEnd, other, 5)
				region(f, exptrace.EventRegionEnd, other, 5)
				begin(f, other, 6, 0)
				region(f, exptrace.EventRegionBegin, other, 5)
				region(f, exptrace.EventRegionEnd, other, 5)
				end(f, main, 5)
				end(f, main, 6)
			},
			want: []string{
				"G1 for 5 from 60", "G2 for 5 from 70", "G2 for 5 until 100", "G2 for 6 from 110",
				"G2 for 5 from 120", "G2 for 6 until 120", "G2 for 6 from 130", "G2 for 5 until 130",
				"G1 for 5 until 140", "task 5 ends", "G2 for 6 until 150", "task 6 ends",
			},
		},
		{
			name: "a log in a region is no later sign if it is of the same task",
			feed: func(f *feed, main, other on) {
				begin(f, main, 5, 0)
				region(f, exptrace.EventRegionBegin, other, 5)
				log(f, other, 5)
				region(f, exptrace.EventRegionEnd, other, 5)
				log(f, other, 5)
				end(f, main, 5)
			},
			want: []string{
				"G1 for 5 from 60", "G2 for 5 from 70", "G2 for 5 until 90", "G2 for 5 from 100",
				"G2 for 5 until 110", "G1 for 5 until 110", "task 5 ends",
			},
		},
		{
			name: "is started by one at work, and goes on for the parent when the task ends",
			feed: func(f *feed, main, other on) {
				begin(f, main, 5, 0)
				begin(f, main, 6, 5)
				f.goroutine(main, 3, exptrace.GoNotExist, exptrace.GoRunnable, "")
				end(f, main, 6)
				f.goroutine(main, 1, exptrace.GoRunning, exptrace.GoNotExist, "")
				end(f, other, 5)
			},
			want: []string{
				"G1 for 5 from 60", "G1 for 6 from 70", "G3 for 6 from 80",
				"G3 for 5 from 90", "G3 for 6 until 90", "G1 for 6 until 90", "task 6 ends",
				"G1 for 5 until 100", "G3 for 5 until 110", "task 5 ends",
			},
		},
		{
			name: "a subtask outlives its parents: the next ancestor that is open counts",
			feed: func(f *feed, main, other on) {
				begin(f, main, 5, 0)
				begin(f, main, 6, 5)
				begin(f, main, 7, 6)
				end(f, main, 6)
				end(f, main, 7)
				end(f, main, 5)
			},
			want: []string{
				"G1 for 5 from 60", "G1 for 6 from 70", "G1 for 7 from 80", "G1 for 6 until 90", "task 6 ends",
				"G1 for 7 until 100", "task 7 ends", "G1 for 5 until 110", "task 5 ends",
			},
		},
		{
			name: "is started by one that is not at work any more",
			feed: func(f *feed, main, other on) {
				begin(f, main, 5, 0)
				region(f, exptrace.EventRegionBegin, other, 5)
				region(f, exptrace.EventRegionEnd, other, 5)
				f.goroutine(other, 3, exptrace.GoNotExist, exptrace.GoRunnable, "")
				end(f, main, 5)
			},
			want: []string{"G1 for 5 from 60", "G2 for 5 from 70", "G2 for 5 until 80", "G1 for 5 until 100", "task 5 ends"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFeed(t)
			f.b.sink = works{calls: f.sink}
			main := f.begin()
			f.proc(nowhere, 1, exptrace.ProcUndetermined, exptrace.ProcRunning)
			f.goroutine(idle(1, 2), 2, exptrace.GoUndetermined, exptrace.GoRunning, "")
			tt.feed(f, main, on{2, 1, 2})
			f.want(tt.want...)
			f.wantInconsistent()
		})
	}
}

// counted is a sink that counts calls about work and regions.
type counted struct {
	NopSink
	works, regions, atOnce, most int
}

func (c *counted) WorkStart(*Work) {
	c.works++
	c.atOnce++
	c.most = max(c.most, c.atOnce)
}
func (c *counted) WorkEnd(*Work)       { c.atOnce-- }
func (c *counted) RegionStart(*Region) { c.regions++ }

// The calls about work grow with the events, whatever the shape of the tasks: a goroutine
// that begins many works for few.
func TestWorkIsLinear(t *testing.T) {
	const n = 1000
	begin := func(f *feed, at on, id, parent int) {
		emit(f, exptrace.EventTaskBegin, at, exptrace.Task{ID: exptrace.TaskID(id), Parent: exptrace.TaskID(parent)}, exptrace.NoStack)
	}
	end := func(f *feed, at on, id int) {
		emit(f, exptrace.EventTaskEnd, at, exptrace.Task{ID: exptrace.TaskID(id)}, exptrace.NoStack)
	}
	region := func(f *feed, kind exptrace.EventKind, at on, id int) {
		emit(f, kind, at, exptrace.Region{Task: exptrace.TaskID(id), Type: "r"}, exptrace.NoStack)
	}
	chain := func(f *feed, main on) {
		for i := range n {
			begin(f, main, i+1, i)
		}
	}
	tests := []struct {
		name        string
		feed        func(f *feed, main, other on)
		works, most int // for each of n; at once
	}{
		{"nobody ends them", func(f *feed, main, other on) {
			for i := range n {
				begin(f, main, i+1, 0)
			}
		}, 1, 2},
		{"subtasks that are open at once", func(f *feed, main, other on) {
			begin(f, main, n+1, 0)
			for i := range n {
				begin(f, main, n+2+i, n+1)
			}
			for i := range n {
				end(f, other, n+2+i)
			}
		}, 1, 3},
		{"a chain, the innermost ends first", func(f *feed, main, other on) {
			chain(f, main)
			for i := range n {
				end(f, main, n-i)
			}
		}, 1, n},
		{"a chain, the outermost ends first", func(f *feed, main, other on) {
			chain(f, main)
			for i := range n {
				end(f, main, i+1)
			}
		}, 1, n},
		{"a chain, one open at a time", func(f *feed, main, other on) {
			begin(f, main, 1, 0)
			for i := range n {
				begin(f, main, i+2, i+1)
				end(f, main, i+1)
			}
		}, 1, 3},
		{"signs of both ends of a chain in turn", func(f *feed, main, other on) {
			chain(f, main)
			for range n {
				region(f, exptrace.EventRegionBegin, other, 1)
				region(f, exptrace.EventRegionBegin, other, n)
				region(f, exptrace.EventRegionEnd, other, n)
				region(f, exptrace.EventRegionEnd, other, 1)
			}
		}, 4, n + 3},
		{"nested regions", func(f *feed, main, other on) {
			begin(f, main, 1, 0)
			for range n {
				region(f, exptrace.EventRegionBegin, other, 1)
			}
			for range n {
				region(f, exptrace.EventRegionEnd, other, 1)
			}
		}, 0, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFeed(t)
			c := &counted{}
			f.b.sink = c
			main := f.begin()
			f.proc(nowhere, 1, exptrace.ProcUndetermined, exptrace.ProcRunning)
			f.goroutine(idle(1, 2), 2, exptrace.GoUndetermined, exptrace.GoRunning, "")
			tt.feed(f, main, on{2, 1, 2})
			f.b.finish()
			if limit := tt.works*n + 3; c.works > limit {
				t.Errorf("work is told of %d times, for %d tasks or regions", c.works, n)
			}
			if c.most > tt.most {
				t.Errorf("%d works go on at once, want at most %d", c.most, tt.most)
			}
			if c.atOnce != 0 {
				t.Errorf("%d works have not ended", c.atOnce)
			}
		})
	}
}

// Tasks that have ended are not kept by those that they led to.
func TestEndedParents(t *testing.T) {
	f := newFeed(t)
	main := f.begin()
	const n = 100
	emit(f, exptrace.EventTaskBegin, main, exptrace.Task{ID: 1}, exptrace.NoStack)
	for id := exptrace.TaskID(2); id <= n; id++ {
		emit(f, exptrace.EventTaskBegin, main, exptrace.Task{ID: id, Parent: id - 1}, exptrace.NoStack)
		emit(f, exptrace.EventTaskEnd, main, exptrace.Task{ID: id - 1}, exptrace.NoStack)
	}
	depth := 0
	for up := f.b.tasks[n].up; up != nil; up = up.up {
		depth++
	}
	if depth > 1 {
		t.Errorf("the last of %d tasks keeps %d of those before it", n, depth)
	}
}

// works of coroutines.
type coroutineWorks struct {
	NopSink
	coroutines, works int
}

func (w *coroutineWorks) GoroutineStart(g *Goroutine) {
	if g.Func == coroutineStart {
		w.coroutines++
	}
}

func (w *coroutineWorks) WorkStart(x *Work) {
	if x.Goroutine.Func == coroutineStart {
		w.works++
	}
}

// TestCoroutineWork: a coroutine works for the task of the goroutine that began it, as it
// is none of the runtime's goroutines.
func TestCoroutineWork(t *testing.T) {
	var w coroutineWorks
	if _, err := Read(t.Context(), bytes.NewReader(testtrace.Data(t, "pipeline")), &w); err != nil {
		t.Fatal(err)
	}
	if w.coroutines == 0 || w.works != w.coroutines {
		t.Errorf("%d of %d coroutines work for a task", w.works, w.coroutines)
	}
	for fn, want := range map[string]bool{
		"runtime.gcBgMarkWorker": true, "runtime/trace.Start.func1": true, coroutineStart: false, "main.main": false, "runtimes.f": false, "": false,
	} {
		if got := OfRuntime(fn); got != want {
			t.Errorf("%q is of the runtime: %v", fn, got)
		}
	}
}
