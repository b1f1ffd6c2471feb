package report_test

import (
	"bufio"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	exptrace "golang.org/x/exp/trace"

	"github.com/trace2x/trace2x/report"
)

// mutator is the mutator utilization over time, from all events of a trace: the
// long way that package report does not take.
type mutator struct {
	// asGoTool makes the mistakes of go tool trace (MutatorUtilizationV2 in
	// internal/trace/gc.go, Go 1.22 to 1.26). No issue of Go's is about them, as
	// far as we found; https://go.dev/issue/35330 is about what the windows of the
	// plot depend on.
	//
	//   - A mark worker counts again each time that it starts after its first time,
	//     once because it starts and once because it has a label. It is taken away
	//     once when it stops. So its P is lost to the program for ever from its
	//     second time on. (The parser of Go 1.21 forgot workers that stopped.)
	//   - An assist that is under way when the trace begins, of a goroutine that is
	//     not running then, is put down to the P that tells of it, and not taken
	//     back from there.
	//   - A trace in whose end there is no utilization ends for it where that begins,
	//     which, with the first mistake, is soon.
	//
	// Without, a worker also has its P from its start on, not from when its label
	// follows some nanoseconds later.
	asGoTool bool
	// background and assist say what counts besides stop-the-world pauses.
	background, assist bool

	procs     int
	gc        []int // by P: reasons why it is the GC's
	stopped   int
	assisting map[exptrace.GoID]bool
	worker    map[exptrace.GoID]bool
	running   map[exptrace.GoID]exptrace.ProcID
	started   map[exptrace.GoID]exptrace.Time // of those that are running
	again     bool                            // a worker started more than once
	steps     []utilStep
	end       exptrace.Time
}

type utilStep struct {
	at   exptrace.Time
	util float64
}

func (m *mutator) read(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := exptrace.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	m.assisting = make(map[exptrace.GoID]bool)
	m.worker = make(map[exptrace.GoID]bool)
	m.running = make(map[exptrace.GoID]exptrace.ProcID)
	m.started = make(map[exptrace.GoID]exptrace.Time)
	for {
		ev, err := r.ReadEvent()
		if err != nil {
			if err != io.EOF {
				t.Logf("read up to: %v", err)
			}
			if last := m.steps[len(m.steps)-1]; m.asGoTool && last.util == 0 {
				m.end = last.at
			}
			return
		}
		m.event(&ev)
	}
}

func (m *mutator) event(ev *exptrace.Event) {
	m.end = ev.Time()
	switch ev.Kind() {
	case exptrace.EventMetric:
		if x := ev.Metric(); x.Name == "/sched/gomaxprocs:threads" {
			m.procs = int(x.Value.Uint64())
			for len(m.gc) < m.procs {
				m.gc = append(m.gc, 0)
			}
		}
	case exptrace.EventRangeBegin, exptrace.EventRangeActive, exptrace.EventRangeEnd:
		m.rangeEvent(ev)
	case exptrace.EventLabel:
		label := ev.Label().Label
		if m.background && strings.HasPrefix(label, "GC ") && label != "GC (idle)" {
			g := ev.Goroutine()
			m.again = m.again || m.worker[g]
			m.worker[g] = true
			m.gc[ev.Proc()]++
			if !m.asGoTool {
				m.backdate(m.started[g])
			}
		}
	case exptrace.EventStateTransition:
		if st := ev.StateTransition(); st.Resource.Kind == exptrace.ResourceGoroutine {
			from, to := st.Goroutine()
			m.transition(st.Resource.Goroutine(), from.Executing(), to.Executing(), ev)
		}
	}
	m.step(ev.Time())
}

func (m *mutator) transition(g exptrace.GoID, was, is bool, ev *exptrace.Event) {
	counts := m.assisting[g] || m.worker[g]
	switch {
	case !was && is:
		m.running[g], m.started[g] = ev.Proc(), ev.Time()
		if counts && ev.Proc() >= 0 {
			m.gc[ev.Proc()]++
		}
	case was && !is:
		p, ok := m.running[g]
		delete(m.running, g)
		if m.asGoTool {
			p, ok = ev.Proc(), true
		}
		if counts && ok && p >= 0 {
			m.gc[p]--
		}
		if !m.asGoTool {
			delete(m.worker, g)
		}
	}
}

func (m *mutator) rangeEvent(ev *exptrace.Event) {
	r := ev.Range()
	begins := ev.Kind() != exptrace.EventRangeEnd
	switch {
	case strings.HasPrefix(r.Name, "stop-the-world") && strings.Contains(r.Name, "GC"):
		if begins {
			m.stopped++
		} else {
			m.stopped--
		}
	case r.Name == "GC mark assist" && m.assist:
		g := r.Scope.Goroutine()
		if ev.Kind() == exptrace.EventRangeActive && m.assisting[g] {
			return // told again at the border of a generation
		}
		p, running := m.running[g]
		if ev.Kind() == exptrace.EventRangeActive && running {
			m.backdate(math.MinInt64)
		}
		if m.asGoTool {
			p, running = ev.Proc(), true
		}
		switch {
		case begins:
			m.assisting[g] = true
			if running {
				m.gc[p]++
			}
		default:
			delete(m.assisting, g)
			if running {
				m.gc[p]--
			}
		}
	}
}

// backdate makes the utilization what it is one P more for the GC, since a moment
// in the past.
func (m *mutator) backdate(since exptrace.Time) {
	for i := len(m.steps) - 1; i >= 0; i-- {
		s := &m.steps[i]
		util := max(s.util-1/float64(m.procs), 0)
		if s.at < since {
			m.steps = slices.Insert(m.steps, i+1, utilStep{since, util})
			return
		}
		s.util = util
	}
}

func (m *mutator) step(now exptrace.Time) {
	if m.procs == 0 {
		return
	}
	taken := 0
	for _, n := range m.gc[:m.procs] {
		if n > 0 {
			taken++
		}
	}
	util := 1 - float64(taken)/float64(m.procs)
	if m.stopped > 0 {
		util = 0
	}
	if n := len(m.steps); n == 0 || m.steps[n-1].util != util {
		m.steps = append(m.steps, utilStep{now, util})
	}
}

// mmu is the minimum over all windows of this size.
func (m *mutator) mmu(window time.Duration) float64 {
	n := len(m.steps)
	integral := make([]float64, n+1) // up to each step, and the end
	for i, s := range m.steps {
		next := m.end
		if i+1 < n {
			next = m.steps[i+1].at
		}
		integral[i+1] = integral[i] + s.util*float64(next-s.at)
	}
	start := m.steps[0].at
	w := exptrace.Time(window)
	w = min(w, m.end-start)
	upTo := func(t exptrace.Time) float64 {
		i, found := slices.BinarySearchFunc(m.steps, t, func(s utilStep, t exptrace.Time) int { return int(s.at - t) })
		if !found {
			i--
		}
		return integral[i] + m.steps[i].util*float64(t-m.steps[i].at)
	}
	least := 1.0
	offer := func(from exptrace.Time) {
		if from >= start && from+w <= m.end {
			least = min(least, (upTo(from+w)-upTo(from))/float64(w))
		}
	}
	for _, s := range m.steps {
		offer(s.at)
		offer(s.at - w)
	}
	offer(m.end - w)
	return least
}

// The minimum mutator utilization agrees with the plot of go tool trace, except for the
// tool's mistakes.
func testUtilization(t *testing.T, file string, tool *goTool) {
	of := func(flags string, asGoTool bool) *mutator {
		m := &mutator{asGoTool: asGoTool, background: strings.Contains(flags, "background"), assist: strings.Contains(flags, "assist")}
		m.read(t, file)
		return m
	}
	plot := func(flags string) []mmuPoint {
		// A window of 1 ns, go tool trace puts behind the end of the trace too.
		return slices.DeleteFunc(tool.mmu(t, flags), func(p mmuPoint) bool { return p.window < time.Microsecond })
	}

	// What is computed here is right: without workers, with which the mistakes
	// are, it is what go tool trace has; and with the mistakes too.
	for _, flags := range []string{"stw", "stw|assist"} {
		m := of(flags, false)
		for _, p := range plot(flags) {
			if got := m.mmu(p.window); math.Abs(got-p.mmu) > 1e-6 {
				t.Errorf("%s, window %v: %v, go tool trace has %v", flags, p.window, got, p.mmu)
			}
		}
	}
	const all = "stw|background|assist"
	points, wrong, right := plot(all), of(all, true), of(all, false)
	off := func(m *mutator) (most float64) {
		for _, p := range points {
			most = max(most, math.Abs(m.mmu(p.window)-p.mmu))
		}
		return most
	}
	if w, r := off(wrong), off(right); w > 1e-6 && r > 1e-3 {
		t.Errorf("go tool trace is off by %v, and by %v from what it has with its mistakes", r, w)
	}

	lengths := slices.Clone(defaultLengths)
	for _, p := range points {
		lengths = append(lengths, p.window)
	}
	rep := readReport(t, file, report.Options{MMULengths: lengths})
	if len(rep.GC.Utilization) == 0 {
		t.Error("no utilization")
	}
	most := 0.0
	for _, u := range rep.GC.Utilization {
		if want := right.mmu(u.Length); math.Abs(u.MMU-want) > 1e-9 {
			t.Errorf("window %v: %v, want %v", u.Length, u.MMU, want)
		}
		if i := slices.IndexFunc(points, func(p mmuPoint) bool { return p.window == u.Length }); i >= 0 {
			most = max(most, math.Abs(u.MMU-points[i].mmu))
		}
	}
	if !wrong.again && most > 1e-3 {
		t.Errorf("differs from go tool trace by %v, although no mark worker started twice", most)
	}
	t.Logf("%d windows; go tool trace is wrong by %.3f at most", len(rep.GC.Utilization), most)
}

var defaultLengths = []time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second,
}
