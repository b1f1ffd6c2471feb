package report_test

import (
	"testing"
	"time"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// wakings has who made goroutines runnable.
type wakings struct {
	model.NopSink
	origin model.Time
	by     map[waking]model.GoID
}

// waking is when a goroutine became runnable.
type waking struct {
	id model.GoID
	at time.Duration
}

func (w *wakings) Begin(t *model.Trace) { w.origin = t.Origin }

func (w *wakings) GoroutineStart(g *model.Goroutine) {
	if g.Creator != nil {
		w.by[waking{g.ID, time.Duration(g.Start - w.origin)}] = g.Creator.ID
	}
}

func (w *wakings) GoroutineState(g *model.Goroutine, s *model.GoState) {
	if s.Kind != model.Waiting || s.Open || s.Next != model.Runnable {
		return
	}
	if s.Waker.Goroutine != nil {
		w.by[waking{g.ID, time.Duration(s.End - w.origin)}] = s.Waker.Goroutine.ID
	}
}

// TestEnders: a report names the goroutine that ended the longest of some waits, and the one
// that made another goroutine runnable, as the trace does.
func TestEnders(t *testing.T) {
	for _, name := range []string{"httpserver", "httpserver-go1.19", "pipeline", "slow", "states"} {
		w := &wakings{by: make(map[waking]model.GoID)}
		readModel(t, testtrace.Path(name), w)
		rep := readReport(t, testtrace.Path(name), report.Options{})
		enders, created, ended := 0, 0, 0
		for _, b := range rep.Blocking {
			longest := time.Duration(0)
			for _, e := range b.EndedBy {
				m := e.Longest
				longest = max(longest, m.Duration)
				if by := w.by[waking{m.Goroutine, m.At + m.Duration}]; by != e.Goroutine || e.Scheduler && by != 0 || m.Duration > b.Max {
					t.Errorf("%s, %s at %v: G%d ended %+v, want G%d", name, b.Reason, b.Place, e.Goroutine, m, by)
				}
				if e.Goroutine != 0 {
					enders++
				}
			}
			if len(b.EndedBy) > 0 && longest != b.Max && b.Longest.At+b.Longest.Duration < rep.Overview.Duration {
				t.Errorf("%s, %s at %v: the longest wait is %v, those that ended took up to %v", name, b.Reason, b.Place, b.Max, longest)
			}
		}
		g := readReport(t, testtrace.Path(name), report.Options{Goroutine: 1}).Goroutine
		for _, x := range g.Waits {
			if by := w.by[waking{g.ID, x.MaxAt + x.Max}]; by != x.MaxEndedBy {
				t.Errorf("%s: G%d ended the longest %s at %v of G1, want G%d", name, x.MaxEndedBy, x.Reason, x.MaxAt, by)
			}
		}
		for _, s := range rep.Scheduling.Worst {
			switch s.After {
			case "wait":
				ended++
			case "created":
				created++
			default:
				if s.By != 0 {
					t.Errorf("%s: %+v", name, s)
				}
				continue
			}
			if by := w.by[waking{s.Goroutine, s.At}]; by != s.By {
				t.Errorf("%s: %+v, want G%d", name, s, by)
			}
		}
		if enders < 3 || created+ended == 0 {
			t.Errorf("%s: %d ended waits, of the worst waits for a P %d came from a wait, %d from a go statement", name, enders, ended, created)
		}
	}
}
