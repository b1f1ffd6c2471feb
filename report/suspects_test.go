package report_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"runtime/trace"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// traced reports on the trace of what run does.
func traced(t *testing.T, run func()) *report.Report {
	t.Helper()
	var buf bytes.Buffer
	if err := trace.Start(&buf); err != nil {
		t.Fatal(err)
	}
	run()
	trace.Stop()
	rep, err := report.Read(t.Context(), &buf, report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

//go:noinline
func poolOfWorkers(work <-chan int, done chan<- int) {
	for n := range work {
		done <- n
	}
}

//go:noinline
func neverEnds(ch <-chan int) { <-ch }

// What waits as it should is no leak: a server that accepts, its idle connections, a
// signal handler, a worker that gets no work while others do, a goroutine that sleeps.
func TestNoLeaks(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	work, idle, done := make(chan int), make(chan int), make(chan int)
	defer close(work)
	defer close(idle)
	go poolOfWorkers(work, done)
	go poolOfWorkers(work, done)
	go poolOfWorkers(idle, done)
	go func() { <-signals }()
	go time.Sleep(time.Hour)
	stop := make(chan int)
	defer close(stop)
	for range 2 {
		go neverEnds(stop)
	}
	time.Sleep(20 * time.Millisecond)

	rep := traced(t, func() {
		for n := range 50 {
			work <- n
			<-done
			time.Sleep(time.Millisecond)
		}
	})
	var blocked []string
	for _, s := range rep.Suspects {
		if s.Kind == report.BlockedThroughout {
			blocked = append(blocked, s.Longest.Func)
		}
	}
	if len(blocked) != 1 || !strings.HasSuffix(blocked[0], ".neverEnds") {
		t.Errorf("%q may have leaked, want neverEnds alone", blocked)
	}
}

// Goroutines that are blocked throughout a part of a trace are no suspects: only the rest
// of the trace tells whether they are still blocked.
func TestLeaksInWindow(t *testing.T) {
	ms := func(n time.Duration) model.Moment { return model.Moment{Since: n * time.Millisecond} }
	for _, test := range []struct {
		window model.Window
		want   int
	}{
		{model.Window{}, 8},
		{model.Window{To: ms(10)}, 0},
		{model.Window{From: ms(300), To: ms(310)}, 0},
		{model.Window{From: ms(300)}, 0},
		{model.Window{To: ms(100_000)}, 8}, // everything
	} {
		b := report.New(report.Options{})
		if _, err := model.ReadWindow(t.Context(), bytes.NewReader(testtrace.Data(t, "leak")), b, test.window); err != nil {
			t.Fatal(err)
		}
		alone := leaksOf(b.Report())
		merged := report.New(report.Options{})
		merged.Merge(b, "leak.trace")
		if together := leaksOf(merged.Report()); alone != test.want || together != test.want {
			t.Errorf("%v: %d suspects, %d when merged, want %d", test.window, alone, together, test.want)
		}
	}
}

func leaksOf(r *report.Report) (n int) {
	for _, s := range r.Suspects {
		if s.Kind == report.BlockedThroughout {
			n++
		}
	}
	return n
}

// If a trace does not tell how many Ps there are, it does not tell that all were busy.
func TestStarvedByUnknown(t *testing.T) {
	rep := readReport(t, testtrace.Path("leak-go1.21"), report.Options{})
	if rep.Overview.GOMAXPROCS != 0 {
		t.Fatalf("the trace tells GOMAXPROCS, %d", rep.Overview.GOMAXPROCS)
	}
	for _, s := range rep.Suspects {
		if s.Kind == report.CPUStarvation {
			t.Errorf("%+v", s)
		}
	}
}

func TestGrowingLeak(t *testing.T) {
	stop := make(chan int)
	defer close(stop)
	n := int64(0)
	rep := traced(t, func() {
		// For long enough that what trace.Stop takes on a busy machine is no third of it.
		for start := time.Now(); time.Since(start) < 500*time.Millisecond; n++ {
			go neverEnds(stop)
			time.Sleep(2 * time.Millisecond)
		}
	})
	i := slices.IndexFunc(rep.Suspects, func(s report.Suspect) bool { return s.Kind == report.GrowingLeak })
	if i < 0 {
		t.Fatalf("%+v", rep.Suspects)
	}
	s := rep.Suspects[i]
	if s.Count != n || !strings.HasSuffix(s.Longest.Func, ".neverEnds") || len(s.Goroutines) != 10 || s.Total < time.Duration(n)*s.Longest.Duration/4 ||
		!slices.ContainsFunc(s.Stack, func(p report.Place) bool { return strings.Contains(p.Func, ".TestGrowingLeak") && p.Line > 0 }) {
		t.Errorf("%+v", s)
	}
}

// What costs time comes first, the most of it first.
func TestSuspectsByHarm(t *testing.T) {
	rep := readReport(t, testtrace.Path("slow"), report.Options{})
	var kinds []report.SuspectKind
	for i, s := range rep.Suspects {
		kinds = append(kinds, s.Kind)
		if i > 0 && s.Total > rep.Suspects[i-1].Total {
			t.Errorf("%s with %v comes behind %v", s.Kind, s.Total, rep.Suspects[i-1].Total)
		}
	}
	if want := []report.SuspectKind{report.GCShare, report.SlowTail, report.SlowTail, report.SlowTail, report.RunnableWhileIdle}; !slices.Equal(kinds, want) {
		t.Errorf("%v, want %v", kinds, want)
	}
	if s := rep.Suspects[1]; !strings.Contains(s.Why, "tasks assist took") || !strings.Contains(s.Why, "main.allocate main.go:") || s.Total != s.Longest.Duration-rep.Tasks[0].Latency.P50 {
		t.Errorf("%+v", s)
	}
	if gc := rep.Suspects[0]; gc.Total != rep.Overview.Procs.GC || gc.Count != int64(rep.GC.Cycles) {
		t.Errorf("%+v", gc)
	}
	rep = readReport(t, testtrace.Path("gc"), report.Options{})
	if !slices.ContainsFunc(rep.Suspects, func(s report.Suspect) bool { return s.Kind == report.CPUStarvation && s.Count == rep.Scheduling.Count }) {
		t.Errorf("%+v", rep.Suspects)
	}
}
