package model

import (
	"testing"

	exptrace "golang.org/x/exp/trace"
)

// works is a sink that notes who is at work for what.
type works struct {
	NopSink
	*calls
}

func (w works) WorkStart(x *Work) { w.add("G%d for %d from %d", x.Goroutine.ID, x.Task.ID, x.Start) }
func (w works) WorkPause(x *Work) { w.add("G%d for %d pauses at %d", x.Goroutine.ID, x.Task.ID, x.End) }
func (w works) WorkResume(x *Work, now Time) {
	w.add("G%d for %d again at %d", x.Goroutine.ID, x.Task.ID, now)
}
func (w works) WorkEnd(x *Work, now Time) {
	w.add("G%d for %d until %d, told at %d", x.Goroutine.ID, x.Task.ID, x.End, now)
}

func (w works) GoroutineStart(*Goroutine)           {}
func (w works) GoroutineState(*Goroutine, *GoState) {}
func (w works) GoroutineEnd(*Goroutine)             {}
func (w works) Run(*Run)                            {}
func (w works) ProcState(*ProcState)                {}
func (w works) RegionStart(*Region)                 {}
func (w works) RegionEnd(*Region)                   {}
func (w works) TaskStart(*Task)                     {}
func (w works) TaskEnd(t *Task)                     { w.add("task %d ends", t.ID) }
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
			want: []string{"G1 for 5 from 60", "G1 for 5 until 70, told at 70", "task 5 ends"},
		},
		{
			name: "has regions",
			feed: func(f *feed, main, other on) {
				begin(f, main, 5, 0)
				region(f, exptrace.EventRegionBegin, other, 5)
				region(f, exptrace.EventRegionBegin, other, 5)
				region(f, exptrace.EventRegionEnd, other, 5)
				region(f, exptrace.EventRegionEnd, other, 5)
				region(f, exptrace.EventRegionBegin, other, 5)
				region(f, exptrace.EventRegionEnd, other, 5)
				end(f, main, 5)
			},
			want: []string{
				"G1 for 5 from 60", "G2 for 5 from 70", "G2 for 5 pauses at 100", "G2 for 5 again at 110", "G2 for 5 pauses at 120",
				"G2 for 5 until 120, told at 130", "G1 for 5 until 130, told at 130", "task 5 ends",
			},
		},
		{
			name: "has logs, one of them in a region",
			feed: func(f *feed, main, other on) {
				begin(f, main, 5, 0)
				log(f, other, 5)
				region(f, exptrace.EventRegionBegin, other, 5)
				log(f, other, 5)
				end(f, main, 5)
				region(f, exptrace.EventRegionEnd, other, 5)
			},
			want: []string{
				"G1 for 5 from 60", "G2 for 5 from 70", "G2 for 5 pauses at 70", "G2 for 5 again at 80",
				"G2 for 5 until 100, told at 100", "G1 for 5 until 100, told at 100", "task 5 ends",
			},
		},
		{
			name: "is started by one at work, for all its tasks, and exits",
			feed: func(f *feed, main, other on) {
				begin(f, main, 5, 0)
				begin(f, main, 6, 5)
				f.goroutine(main, 3, exptrace.GoNotExist, exptrace.GoRunnable, "")
				end(f, main, 6)
				f.goroutine(main, 1, exptrace.GoRunning, exptrace.GoNotExist, "")
				end(f, other, 5)
			},
			want: []string{
				"G1 for 5 from 60", "G1 for 6 from 70", "G3 for 5 from 80", "G3 for 6 from 80",
				"G3 for 6 until 90, told at 90", "G1 for 6 until 90, told at 90", "task 6 ends",
				"G1 for 5 until 100, told at 100", "G3 for 5 until 110, told at 110", "task 5 ends",
			},
		},
		{
			name: "is started by one in a pause, which is no reason",
			feed: func(f *feed, main, other on) {
				begin(f, main, 5, 0)
				log(f, other, 5)
				f.goroutine(other, 3, exptrace.GoNotExist, exptrace.GoRunnable, "")
				end(f, main, 5)
			},
			want: []string{
				"G1 for 5 from 60", "G2 for 5 from 70", "G2 for 5 pauses at 70",
				"G2 for 5 until 70, told at 90", "G1 for 5 until 90, told at 90", "task 5 ends",
			},
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
