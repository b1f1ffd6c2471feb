package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime/trace"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
	"github.com/trace2x/trace2x/report"
)

var update = flag.Bool("update", false, "write the goldens anew")

// The report adds up to what the model tells, to the nanosecond.
func TestSums(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		t.Run(name, func(t *testing.T) {
			rec := modeltest.NewRecord()
			sum := readModel(t, testtrace.Path(name), rec)
			rep := readReport(t, testtrace.Path(name), report.Options{})

			var all report.Times
			reasons := make(map[string]model.Time)
			goroutines := int64(0)
			for _, g := range rep.Goroutines {
				goroutines += g.Count
				all.Total += g.Sum.Total
				all.Execution += g.Sum.Execution
				all.SchedWait += g.Sum.SchedWait
				all.Syscall += g.Sum.Syscall
				all.SyscallBlock += g.Sum.SyscallBlock
				all.Block += g.Sum.Block
				for reason, d := range g.Sum.BlockByReason {
					reasons[reason] += model.Time(d)
				}
			}
			equal(t, "goroutines", goroutines, int64(sum.Goroutines))
			equal(t, "execution", model.Time(all.Execution), rec.States[model.Running])
			equal(t, "scheduler wait", model.Time(all.SchedWait), rec.States[model.Runnable])
			equal(t, "block", model.Time(all.Block), rec.States[model.Waiting])
			equal(t, "on a P", model.Time(all.Execution+all.Syscall), rec.OnProc)
			equal(t, "system calls without P", model.Time(all.SyscallBlock), rec.Blocked)
			equal(t, "total", all.Total, all.Execution+all.SchedWait+all.Block+all.Syscall+all.SyscallBlock)
			for reason, d := range rec.Reasons {
				equal(t, "blocked for "+reason, reasons[reason], d)
			}

			sites := make(map[string]time.Duration)
			count, syscalls := int64(0), int64(0)
			for _, s := range rep.Blocking {
				sites[s.Reason] += s.Total
				if s.Reason == "syscall" {
					syscalls += s.Count
				} else {
					count += s.Count
				}
				ended := int64(0)
				for _, by := range s.EndedBy {
					ended += by.Count
				}
				if ended > s.Count || s.Max > s.Total || s.P50 > s.P99 || s.P99 > s.Max || s.Longest.Duration != s.Max {
					t.Errorf("blocking %+v", s)
				}
			}
			equal(t, "waits", count, int64(len(rec.Waits)))
			equal(t, "time of system calls", model.Time(sites["syscall"]), rec.Blocked)
			for reason, d := range rec.Reasons {
				equal(t, "sites of "+reason, model.Time(sites[reason]), d)
			}

			equal(t, "total of waits for a P", model.Time(rep.Scheduling.Total), rec.States[model.Runnable])
			runnable, left := 0.0, float64(rep.Overview.Duration)
			for _, x := range rep.Scheduling.Runnable.Mean {
				width := min(float64(rep.Scheduling.Runnable.Step), left)
				left -= width
				runnable += x * width
			}
			if math.Abs(runnable-float64(rep.Scheduling.Total)) > 1 {
				t.Errorf("%v ns runnable over time, want %d", runnable, rep.Scheduling.Total)
			}

			annotations(t, "task", rep.Tasks, rec.Tasks)
			annotations(t, "region", rep.Regions, rec.Regions)
			ranges := make(map[string]int64)
			for _, r := range rec.Ranges {
				ranges[r.Name]++
			}
			equal(t, "GC cycles", rep.GC.Cycles, ranges["GC concurrent mark phase"])
			for _, p := range rep.GC.Pauses {
				equal(t, "pauses: "+p.Reason, p.Count, ranges["stop-the-world ("+p.Reason+")"])
			}
			p := rep.Overview.Procs
			equal(t, "time of the Ps", p.Total, p.Goroutines+p.GC+p.Syscall+p.Scheduler+p.Idle)
			equal(t, "time with goroutines", model.Time(p.Goroutines+p.GC+p.Syscall), rec.OnProc)
			if p.Idle < 0 || p.Scheduler < 0 || p.GC < 0 || p.Goroutines < 0 {
				t.Errorf("Ps: %+v", p)
			}
		})
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func annotations(t *testing.T, what string, got []report.Annotation, want []modeltest.Interval) {
	t.Helper()
	count, ends := make(map[string]int64), make(map[string]int64)
	for _, x := range want {
		count[x.Name]++
		if x.Open {
			ends[x.Name]++
		}
	}
	equal(t, what+" types", len(got), len(count))
	for _, a := range got {
		equal(t, what+" "+a.Type, a.Count, count[a.Type])
		if a.Cut < ends[a.Type] {
			t.Errorf("%s %s: only %d cut, but %d are open", what, a.Type, a.Cut, ends[a.Type])
		}
		if a.Cut == a.Count && a.Latency != (report.Spread{}) {
			t.Errorf("%s %s: latency %+v", what, a.Type, a.Latency)
		}
	}
}

// all is each wait for a P.
type latencies struct {
	model.NopSink
	all []model.Time
}

func (l *latencies) GoroutineState(_ *model.Goroutine, s *model.GoState) {
	if s.Kind == model.Runnable {
		l.all = append(l.all, s.Duration())
	}
}

// Percentiles of a real trace are within the error that the report states.
func TestPercentiles(t *testing.T) {
	for _, name := range []string{"httpserver", "gc", "states"} {
		var l latencies
		readModel(t, testtrace.Path(name), &l)
		slices.Sort(l.all)
		rep := readReport(t, testtrace.Path(name), report.Options{Worst: 7})
		s := rep.Scheduling
		equal(t, "count", s.Count, int64(len(l.all)))
		equal(t, "max", model.Time(s.Max), l.all[len(l.all)-1])
		for q, got := range map[float64]time.Duration{.5: s.P50, .9: s.P90, .99: s.P99, .999: s.P999} {
			want := float64(l.all[int(math.Ceil(q*float64(len(l.all))))-1])
			if math.Abs(float64(got)-want) > rep.PercentileError*want {
				t.Errorf("%s: p%v is %d, want %v", name, 100*q, got, want)
			}
		}
		for i, w := range s.Worst {
			equal(t, "worst", model.Time(w.Duration), l.all[len(l.all)-1-i])
		}
		equal(t, "number of worst", len(s.Worst), 7)
	}
}

// What tasks and regions spend their time on is known of a trace whose program
// says so itself (testdata/gen/states).
func TestRegions(t *testing.T) {
	rep := readReport(t, testtrace.Path("states"), report.Options{})
	regions := make(map[string]report.Annotation)
	for _, a := range rep.Regions {
		regions[a.Type] = a
	}
	for _, test := range []struct {
		region, reason    string
		block, exec, wait time.Duration
	}{
		{"asleep", "sleep", 10 * time.Millisecond, 0, 0},
		{"mutex", "sync", 20 * time.Millisecond, 0, 0},
		{"channel", "chan receive", 5 * time.Millisecond, 0, 0},
		{"work", "", 0, 30 * time.Millisecond, 20 * time.Millisecond},
	} {
		a := regions[test.region]
		near := func(what string, got, want time.Duration) {
			if got < want-want/50 || got > want+want/2+2*time.Millisecond {
				t.Errorf("%s: %v of %s, want %v", test.region, got, what, want)
			}
		}
		equal(t, "count", a.Count, 1)
		near("block", a.Times.BlockByReason[test.reason], test.block)
		if test.exec > 0 {
			near("execution", a.Times.Execution, test.exec)
			near("scheduler wait", a.Times.SchedWait, test.wait)
		}
		// It is one goroutine: its times are all there is of the region.
		equal(t, test.region, a.Times.Total, a.Latency.Max)
	}
}

func TestSameReport(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		var want []byte
		for range 3 {
			got, err := json.Marshal(readReport(t, testtrace.Path(name), report.Options{Goroutine: 1}))
			if err != nil {
				t.Fatal(err)
			}
			if want != nil && !bytes.Equal(got, want) {
				t.Errorf("%s: two reports differ", name)
			}
			want = got
		}
	}
}

func TestGoldens(t *testing.T) {
	for name, opts := range map[string]report.Options{
		"httpserver":        {},
		"httpserver-go1.19": {},
		"leak":              {},
		"truncated":         {},
		"gc":                {Goroutine: 1},
	} {
		var out bytes.Buffer
		if err := report.Text(&out, readReport(t, testtrace.Path(name), opts), report.TextOptions{Top: 5, Width: 100}); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".golden", out.Bytes())
	}
	for name, slowest := range map[string]int{"slow": 0, "slow-paths": 1} {
		var out bytes.Buffer
		if err := report.Text(&out, readReport(t, testtrace.Path("slow"), report.Options{}), report.TextOptions{Width: 80, Top: 9, Slowest: slowest}); err != nil {
			t.Fatal(err)
		}
		text, _, _ := strings.Cut(out.String(), "\n\nSUSPECTS")
		if slowest > 0 {
			text, _, _ = strings.Cut(text, "\n\nOVERVIEW")
		}
		golden(t, name+".golden", []byte(text+"\n"))
	}
	for name, x := range map[string]struct {
		opts     report.Options
		from, to string
	}{
		"latency": {report.Options{Selection: model.Selection{Task: regexp.MustCompile("^handleRequest$")}}, "LATENCY", "\n\nSUSPECTS"},
		"singles": {report.Options{Selection: model.Selection{Func: regexp.MustCompile("serveClients")}, Singles: 4}, "SINGLE GOROUTINES", "\n\nBLOCKING"},
	} {
		var out bytes.Buffer
		if err := report.Text(&out, readReport(t, testtrace.Path("httpserver"), x.opts), report.TextOptions{Width: 80, Top: 2}); err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(out.String(), x.from)
		text, _, _ = strings.Cut(text, x.to)
		golden(t, name+".golden", []byte(x.from+text+"\n"))
	}
	// Two of each list show what its elements have.
	rep := readReport(t, testtrace.Path("chain"), report.Options{Goroutine: 1, Worst: 2})
	rep.Goroutines, rep.Blocking, rep.Regions = rep.Goroutines[:2], rep.Blocking[:2], rep.Regions[:2]
	rep.GC.Utilization, rep.Scheduling.Runnable.Mean = rep.GC.Utilization[:2], rep.Scheduling.Runnable.Mean[:2]
	rep.Goroutine.Longest = rep.Goroutine.Longest[:2]
	out, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "chain.json.golden", append(out, '\n'))
}

// workWaits sums up the waits that end between the begin and the end of work for a task.
type workWaits struct {
	model.NopSink
	at    map[model.GoID]int
	count int64
	total model.Time
}

func (w *workWaits) WorkStart(x *model.Work) { w.at[x.Goroutine.ID]++ }
func (w *workWaits) WorkEnd(x *model.Work)   { w.at[x.Goroutine.ID]-- }

func (w *workWaits) GoroutineState(g *model.Goroutine, s *model.GoState) {
	d := s.Duration()
	if s.Kind == model.Syscall {
		d = s.End - s.ProcLost
	}
	if w.at[g.ID] > 0 && (s.Kind == model.Waiting || s.Kind == model.Syscall && d > 0) {
		w.count++
		w.total += d
	}
}

// The waits in tasks are those that end while goroutines are at work.
func TestBlockingInTasks(t *testing.T) {
	found := 0
	for _, name := range testtrace.Readable(t) {
		want := workWaits{at: make(map[model.GoID]int)}
		readModel(t, testtrace.Path(name), &want)
		count, total := int64(0), time.Duration(0)
		for _, b := range readReport(t, testtrace.Path(name), report.Options{Units: critical.SumOptions{Options: critical.Options{Kinds: critical.KindsOf(critical.Task)}}}).Blocking {
			count += b.InUnits
			total += b.InUnitsTime
			if b.InUnits > b.Count || b.InUnitsTime > b.Total {
				t.Errorf("%s: %+v", name, b)
			}
		}
		equal(t, name+": waits in tasks", count, want.count)
		equal(t, name+": their time", model.Time(total), want.total)
		if count > 0 {
			found++
		}
	}
	if found < 5 {
		t.Errorf("waits in tasks only in %d traces", found)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update writes it anew); got:\n%s", file, got)
	}
}

// Lines are no longer than asked for, and escape sequences only where asked for.
func TestWidth(t *testing.T) {
	for _, name := range []string{"httpserver", "leak", "syscalls", "truncated", "httpserver-go1.19"} {
		rep := readReport(t, testtrace.Path(name), report.Options{})
		for _, opts := range []report.TextOptions{{Width: 100}, {Width: 60}, {Width: 10}, {}, {Color: true}, {Width: 80, Color: true}} {
			var out strings.Builder
			if err := report.Text(&out, rep, opts); err != nil {
				t.Fatal(err)
			}
			text := out.String()
			if strings.Contains(text, "\x1b") != opts.Color {
				t.Errorf("%s, %+v: escape sequences: %v", name, opts, !opts.Color)
			}
			text = strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[2m", "").Replace(text)
			for line := range strings.Lines(text) {
				line = strings.TrimSuffix(line, "\n")
				if n := len([]rune(line)); opts.Width > 10 && n > opts.Width {
					t.Errorf("%s, %+v: %d characters: %q", name, opts, n, line)
				}
				if strings.TrimRight(line, " ") != line {
					t.Errorf("%s, %+v: blanks at the end of %q", name, opts, line)
				}
			}
		}
	}
}

// In 80 columns nothing is cut off: a line ends in "…" only where a list does, or where
// the name of the file goes.
func TestNothingCutOff(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		var out bytes.Buffer
		if err := report.Text(&out, readReport(t, testtrace.Path(name), report.Options{}), report.TextOptions{Width: 80, Top: 5}); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(out.String(), "\n") {
			if strings.HasSuffix(line, "…") && !strings.HasSuffix(line, ", …") && !strings.Contains(line, "trace2x summary") {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

func TestSort(t *testing.T) {
	rep := readReport(t, testtrace.Path("httpserver"), report.Options{})
	for name, key := range map[string]func(report.Group) time.Duration{
		"count":          func(g report.Group) time.Duration { return time.Duration(g.Count) },
		"wait":           func(g report.Group) time.Duration { return g.Sum.SchedWait },
		"max-wait":       func(g report.Group) time.Duration { return g.Max.SchedWait },
		"block:sync":     func(g report.Group) time.Duration { return g.Sum.BlockByReason["sync"] },
		"max-block:sync": func(g report.Group) time.Duration { return g.Max.BlockByReason["sync"] },
		"syscall":        func(g report.Group) time.Duration { return g.Sum.Syscall + g.Sum.SyscallBlock },
	} {
		if err := rep.Sort(name); err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(rep.Goroutines, func(a, b report.Group) int { return int(key(b) - key(a)) }) {
			t.Errorf("not sorted by %s", name)
		}
		if key(rep.Goroutines[0]) == 0 {
			t.Errorf("nothing has any %s", name)
		}
	}
	for _, name := range report.Columns() {
		if err := rep.Sort(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "nonsense", "max-count", "max-", "blockade"} {
		if err := rep.Sort(name); err == nil {
			t.Errorf("sorted by %q", name)
		}
	}
	// The time in units of work is called by what the units are, too.
	if err := rep.Sort("units"); err != nil {
		t.Fatal(err)
	}
	byUnits := slices.Clone(rep.Blocking)
	for _, name := range []string{"tasks", "requests"} {
		if err := rep.Sort(name); err != nil || !reflect.DeepEqual(rep.Blocking, byUnits) {
			t.Errorf("by %s: %v", name, err)
		}
	}
	for name, known := range map[string]bool{"exec": true, "block:sync": true, "max-block:select": true, "block:nonsense": false, "max-block:": false} {
		if err := rep.CheckReason(name); (err == nil) != known {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The leaks of testdata/gen/leak are found, each with its place and reason, and
// nothing else.
func TestLeaks(t *testing.T) {
	rep := readReport(t, testtrace.Path("leak"), report.Options{})
	want := map[string]string{
		"main.leakNilChannel": "chan receive", "main.leakEmptySelect": "forever", "main.leakMutex": "sync",
		"main.leakReceive": "chan receive", "main.leakSend": "chan send", "main.leakSelect": "select",
		"main.leakWaitGroup": "sync", "main.leakCond": "sync.(*Cond).Wait",
	}
	for _, s := range rep.Suspects {
		fn := s.Longest.Func
		reason := want[fn]
		delete(want, fn)
		if reason == "" || s.Kind != report.BlockedThroughout || s.Count != 1 || len(s.Goroutines) != 1 ||
			!strings.Contains(s.Why, reason) || s.Longest.Duration != rep.Overview.Duration {
			t.Errorf("%+v", s)
		}
		if !slices.ContainsFunc(s.Stack, func(p report.Place) bool { return p.Func == fn && p.Line > 0 }) {
			t.Errorf("%s: stack %v", fn, s.Stack)
		}
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
	// Formats before Go 1.22 do not tell where.
	old := readReport(t, testtrace.Path("leak-go1.21"), report.Options{})
	if !slices.ContainsFunc(old.CannotTell, func(s string) bool { return strings.Contains(s, "neither what they are nor where") }) {
		t.Errorf("cannot tell: %q", old.CannotTell)
	}
}

func TestSyscallSuspect(t *testing.T) {
	rep := readReport(t, testtrace.Path("syscalls"), report.Options{})
	i := slices.IndexFunc(rep.Suspects, func(s report.Suspect) bool { return s.Kind == report.SyscallsHoldProcs })
	if i < 0 {
		t.Fatalf("%+v", rep.Suspects)
	}
	s := rep.Suspects[i]
	if s.Count < 10 || s.Total < 10*time.Millisecond || s.Longest.Goroutine == 0 || s.Longest.Duration > s.Total ||
		!slices.ContainsFunc(s.Stack, func(p report.Place) bool { return strings.HasPrefix(p.Func, "main.") }) {
		t.Errorf("%+v", s)
	}
}

// serialized makes goroutines queue for a mutex.
func serialized(mu *sync.Mutex) {
	mu.Lock()
	time.Sleep(time.Millisecond)
	mu.Unlock()
}

func TestMutexSuspect(t *testing.T) {
	var buf bytes.Buffer
	if err := trace.Start(&buf); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			for range 20 {
				serialized(&mu)
			}
		})
	}
	wg.Wait()
	trace.Stop()
	rep, err := report.Read(t.Context(), &buf, report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rep.Suspects, func(s report.Suspect) bool { return s.Kind == report.ContendedMutex })
	if i < 0 {
		t.Fatalf("%+v", rep.Suspects)
	}
	s := rep.Suspects[i]
	if s.Count < 10 || float64(s.Total) < .5*float64(rep.Overview.Duration) || s.Longest.Goroutine == 0 ||
		!slices.ContainsFunc(s.Stack, func(p report.Place) bool { return strings.HasSuffix(p.Func, ".serialized") }) {
		t.Errorf("%+v", s)
	}
	// The same place is the one where the mutex is unlocked.
	site := slices.IndexFunc(rep.Blocking, func(b report.Blocking) bool {
		return b.Reason == "sync" && strings.HasSuffix(b.Place.Func, ".serialized")
	})
	if site < 0 {
		t.Fatalf("%+v", rep.Blocking)
	}
	if by := rep.Blocking[site].EndedBy; len(by) == 0 || !strings.HasSuffix(by[0].Place.Func, ".serialized") || by[0].Place.Line == rep.Blocking[site].Place.Line {
		t.Errorf("ended by %+v", by)
	}
}

// The life of a goroutine is what the group of its function has, if it is the only
// one.
func TestOneGoroutine(t *testing.T) {
	rep := readReport(t, testtrace.Path("states"), report.Options{})
	i := slices.IndexFunc(rep.Goroutines, func(g report.Group) bool { return g.Func == "main.known" })
	if i < 0 || rep.Goroutines[i].Count != 1 {
		t.Fatal("no main.known")
	}
	var id model.GoID
	for _, s := range rep.Blocking {
		if s.Longest.Func == "main.known" {
			id = s.Longest.Goroutine
		}
	}
	g := readReport(t, testtrace.Path("states"), report.Options{Goroutine: id}).Goroutine
	if g == nil {
		t.Fatalf("no G%d", id)
	}
	if !reflect.DeepEqual(g.Times, rep.Goroutines[i].Sum) || g.Func != "main.known" || g.Lives != 1 || g.Parent == 0 || len(g.Creation) == 0 {
		t.Errorf("%+v", g)
	}
	total := time.Duration(0)
	for _, s := range g.States {
		total += s.Total
	}
	equal(t, "time of its states", total, g.End-g.Start)
	sleeps := slices.ContainsFunc(g.Waits, func(w report.Wait) bool {
		return w.Reason == "sleep" && w.Total > 10*time.Millisecond && slices.ContainsFunc(w.Stack, func(p report.Place) bool { return p.Func == "main.known" })
	})
	if !sleeps {
		t.Errorf("waits: %+v", g.Waits)
	}
	if !slices.IsSortedFunc(g.Longest, func(a, b report.State) int { return int(a.At - b.At) }) || len(g.Longest) == 0 || g.Last == nil {
		t.Errorf("longest: %+v", g.Longest)
	}
	if readReport(t, testtrace.Path("states"), report.Options{Goroutine: 123456}).Goroutine != nil {
		t.Error("there is a G123456")
	}
}

func TestLimit(t *testing.T) {
	rep := readReport(t, testtrace.Path("httpserver"), report.Options{})
	rep.Limit(2)
	if len(rep.Goroutines) != 2 || len(rep.Blocking) != 2 || len(rep.Regions) != 2 || len(rep.Scheduling.Worst) != 2 || len(rep.GC.Pauses) != 2 {
		t.Error("lists are longer")
	}
}

// docs/summary.md has each field of the JSON, in the section of its type.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile("../docs/summary.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[string]string)
	for section := range strings.SplitSeq(string(data), "\n## ") {
		title, body, _ := strings.Cut(section, "\n")
		sections[title] = body
	}
	seen := make(map[reflect.Type]bool)
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(typ.Elem())
		case reflect.Struct:
			if seen[typ] || typ == reflect.TypeFor[time.Time]() {
				return
			}
			seen[typ] = true
			body, ok := sections[typ.Name()]
			if !ok {
				t.Errorf("there is no section %s", typ.Name())
			}
			for field := range typ.Fields() {
				name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				if name == "-" {
					continue
				}
				walk(field.Type)
				switch {
				case field.Anonymous && name == "":
					if !strings.Contains(body, "["+field.Type.Name()+"]") {
						t.Errorf("%s does not say that it has the fields of %s", typ.Name(), field.Type.Name())
					}
				case !strings.Contains(body, "| `"+name+"` |"):
					t.Errorf("%s lacks %s", typ.Name(), name)
				}
				if name == "" && !field.Anonymous {
					t.Errorf("%s.%s has no JSON name", typ.Name(), field.Name)
				}
				if ns := field.Type == reflect.TypeFor[time.Duration](); ns != strings.HasSuffix("_"+name, "_ns") && !field.Anonymous && field.Type.Kind() != reflect.Map {
					t.Errorf("%s.%s: %s", typ.Name(), field.Name, name)
				}
			}
		}
	}
	walk(reflect.TypeFor[report.Report]())
}

// Bytes that are changed at random make a report all the same, or an error.
func TestMutated(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	reports := 0
	for _, name := range []string{"chain", "states", "cgo", "gc", "manytasks", "httpserver-go1.19", "httpserver-go1.23"} {
		data := testtrace.Data(t, name)
		for range 40 {
			mutated := bytes.Clone(data)
			for range 1 + rng.IntN(20) {
				mutated[16+rng.IntN(len(mutated)-16)] = byte(rng.Uint32())
			}
			if render(t, mutated) {
				reports++
			}
		}
	}
	if reports < 20 {
		t.Errorf("only %d reports", reports)
	}
}
