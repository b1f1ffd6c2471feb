package report_test

import (
	"testing"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// requestWaits sums up the waits of goroutines that serve connections, except for those
// for the next request, and of those that they started.
type requestWaits struct {
	model.NopSink
	in    map[model.GoID]bool
	count int64
	total model.Time
	idle  model.Time
}

func (w *requestWaits) GoroutineStart(g *model.Goroutine) {
	w.in[g.ID] = g.Creator != nil && (w.in[g.Parent] || g.Creator.Func == "net/http.(*conn).serve") && g.Func != "net/http.(*connReader).backgroundRead"
}

func (w *requestWaits) GoroutineState(g *model.Goroutine, s *model.GoState) {
	serves := g.Func == "net/http.(*conn).serve"
	if s.Kind != model.Waiting || !serves && !w.in[g.ID] {
		return
	}
	if s.Stack != nil && serves {
		for _, f := range s.Stack.Frames {
			if f.Func == "net/http.(*conn).readRequest" || f.Func == "bufio.(*Reader).Peek" {
				w.idle += s.Duration()
				return
			}
		}
	}
	w.count++
	w.total += s.Duration()
}

// The idle waits of a server are those for the next request.
func TestBlockingInRequests(t *testing.T) {
	for _, name := range []string{"httpserver", "httpserver-go1.22"} {
		want := requestWaits{in: make(map[model.GoID]bool)}
		readModel(t, testtrace.Path(name), &want)
		opts := report.Options{Units: critical.SumOptions{Options: critical.Options{Kinds: critical.KindsOf(critical.HTTP)}}}
		count, total := int64(0), time.Duration(0)
		for _, b := range readReport(t, testtrace.Path(name), opts).Blocking {
			if b.Reason != "syscall" {
				count += b.InUnits
				total += b.InUnitsTime
			}
		}
		equal(t, name+": waits in requests", count, want.count)
		equal(t, name+": their time", model.Time(total), want.total)
		if count == 0 || want.idle == 0 {
			t.Errorf("%s: %d waits in requests, %v idle", name, count, want.idle)
		}
	}
}

// The waits of goroutines whose lives are units are those of their start functions.
func TestBlockingInLives(t *testing.T) {
	opts := report.Options{Units: critical.SumOptions{Options: critical.Options{Kinds: critical.KindsOf(critical.GoroutineLife)}}}
	r := readReport(t, testtrace.Path("httpserver"), opts)
	units := make(map[string]bool)
	for _, u := range r.Units {
		units[u.Type] = true
	}
	want, got := time.Duration(0), time.Duration(0)
	for _, g := range r.Goroutines {
		if units[g.Func] {
			want += g.Sum.Block + g.Sum.SyscallBlock
		}
	}
	for _, b := range r.Blocking {
		got += b.InUnitsTime
	}
	if want == 0 || got != want {
		t.Errorf("%v in units, their goroutines were blocked for %v", got, want)
	}
}
