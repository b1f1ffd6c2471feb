package report

import (
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/model"
)

const ms = model.Time(time.Millisecond)

// A goroutine that is runnable for long although a P is idle is a suspect, and
// only then.
func TestRunnableWhileIdle(t *testing.T) {
	for _, test := range []struct {
		name   string
		idle   bool
		wait   model.Time
		listed bool
	}{
		{"idle", true, 5 * ms, true},
		{"no P idle", false, 5 * ms, false},
		{"waking up takes time", true, ms / 2, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := New(Options{})
			b.Begin(&model.Trace{})
			b.Metric(&model.Metric{Name: "/sched/gomaxprocs:threads", Value: 2})
			if test.idle {
				// P1 has been running until 1 ms.
				b.ProcState(&model.ProcState{Proc: 1, Running: true, End: ms, Before: true})
			}
			g := &model.Goroutine{ID: 7, Func: "main.late", Start: 2 * ms, State: model.Runnable}
			b.GoroutineStart(g)
			at := g.Start + test.wait
			b.GoroutineState(g, &model.GoState{Kind: model.Runnable, Start: g.Start, End: at, Next: model.Running})
			b.GoroutineState(g, &model.GoState{Kind: model.Running, Start: at, End: 20 * ms, Next: model.NotExist})
			g.End = 20 * ms
			b.GoroutineEnd(g)
			b.End(&model.Summary{End: 20 * ms})
			suspects := b.Report().Suspects
			if !test.listed {
				if len(suspects) > 0 {
					t.Errorf("%+v", suspects)
				}
				return
			}
			if len(suspects) != 1 {
				t.Fatalf("%+v", suspects)
			}
			s := suspects[0]
			if s.Kind != RunnableWhileIdle || s.Count != 1 || s.Longest != (Moment{At: 2e6, Duration: 5e6, Goroutine: 7, Func: "main.late"}) ||
				!strings.Contains(s.Why, "once") || !strings.Contains(s.Why, "5.00ms") || !strings.Contains(s.Why, "25.0%") {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0ns", 1: "1ns", 999: "999ns", 1000: "1.00µs", 9_994: "9.99µs", 9_996: "10.0µs", 99_940: "99.9µs", 99_960: "100µs",
		999_499: "999µs", 999_501: "1.00ms", time.Second: "1.00s", 59_949 * time.Millisecond: "59.9s", 100 * time.Second: "1m40s",
		-1500: "-1.50µs",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}
