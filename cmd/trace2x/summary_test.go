package main

import (
	"encoding/json"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/report"
)

func TestSummary(t *testing.T) {
	in := trace(t, "httpserver")
	t.Chdir(t.TempDir())
	r := exec(t, "summary", in)
	r.want(t, exitOK)
	if r.stderr != "" {
		t.Errorf("stderr %q", r.stderr)
	}
	last := -1
	for _, section := range []string{"OVERVIEW\n", "\nWHY ", "\nSUSPECTS ", "\nGOROUTINES ", "\nBLOCKING ", "\nSCHEDULER LATENCY ", "\nGC AND STOP-THE-WORLD ", "\nTASKS ", "\nREGIONS "} {
		at := strings.Index(r.stdout, section)
		if at <= last {
			t.Errorf("stdout lacks %q, or it is not in its place", section)
		}
		last = at
	}
	if strings.Contains(r.stdout, "\x1b") {
		t.Error("escape sequences where there is no terminal")
	}
	if n := strings.Count(r.stdout, "\n"); n > 140 {
		t.Errorf("%d lines", n)
	}
	for _, re := range []string{
		`(?m)^  1\.21s of Go 1\.26, 80,191 events`,
		`(?m)^ +1,194 +[\d.]+ms .*  main\.\(\*server\)\.query\.func1$`,
		`(?m)^  … \d+ more start functions \(--top \d+\)$`,
		`(?m)^ +398 .* handleRequest$`,
	} {
		if !regexp.MustCompile(re).MatchString(r.stdout) {
			t.Errorf("stdout lacks %s", re)
		}
	}

	all := exec(t, "summary", "--top", "0", in)
	all.want(t, exitOK)
	if strings.Contains(all.stdout, "(--top") || strings.Count(all.stdout, "\n") <= strings.Count(r.stdout, "\n") {
		t.Error("--top 0 does not show all")
	}
	one := exec(t, "summary", "--top=1", in)
	one.want(t, exitOK)
	if strings.Count(one.stdout, "\n") >= strings.Count(r.stdout, "\n") {
		t.Error("--top 1 is not shorter")
	}
	stdin := execWith(t.Context(), strings.NewReader(zipped(t, read(t, in))), "summary", "-")
	stdin.want(t, exitOK)
	if stdin.stdout != r.stdout {
		t.Error("not the same from stdin, compressed")
	}
	wantFiles(t)
}

func TestSummarySort(t *testing.T) {
	in := trace(t, "httpserver")
	seen := make(map[string]string)
	for _, column := range []string{"exec", "wait", "block", "count", "max-wait", "block:select"} {
		r := exec(t, "summary", "--sort", column, "--top", "1", in)
		r.want(t, exitOK)
		if !strings.Contains(r.stdout, "sorted by "+column+";") {
			t.Errorf("%s: stdout does not say so", column)
		}
		_, rest, _ := strings.Cut(r.stdout, "\nGOROUTINES")
		seen[column] = strings.Split(rest, "\n")[2]
	}
	if len(slices.Compact(slices.Sorted(maps.Values(seen)))) < 3 {
		t.Errorf("the first goroutines are the same: %q", seen)
	}
}

// A selection has the latencies by type, and with --func the goroutines one by one, as
// many as --top says.
func TestSummarySelected(t *testing.T) {
	in := trace(t, "httpserver")
	r := exec(t, "summary", "--task", "^query$", in)
	r.want(t, exitOK)
	if !strings.Contains(r.stdout, "\nLATENCY  query  398 times") || strings.Contains(r.stdout, "SINGLE GOROUTINES") {
		t.Errorf("stdout:\n%s", r.stdout)
	}
	for top, want := range map[string]int{"2": 2, "0": 1194} {
		r = exec(t, "summary", "--func", "query", "--sort", "block", "--top", top, in)
		r.want(t, exitOK)
		_, list, _ := strings.Cut(r.stdout, "\nSINGLE GOROUTINES  main.(*server).query.func1, sorted by block\n")
		list, _, _ = strings.Cut(list, "\nBLOCKING")
		if got := len(regexp.MustCompile(`  G\d+ at `).FindAllString(list, -1)); got != want {
			t.Errorf("--top %s: %d goroutines", top, got)
		}
		if more := strings.Contains(list, "1,192 more goroutines (--top 1,194)"); more != (top == "2") {
			t.Errorf("--top %s: %s", top, list)
		}
	}
	r = exec(t, "summary", "--func", "query", "--json", in)
	r.want(t, exitOK)
	var rep report.Report
	if err := json.Unmarshal([]byte(r.stdout), &rep); err != nil || len(rep.Singles) != 1194 {
		t.Errorf("%v, %d goroutines", err, len(rep.Singles))
	}
	if r = exec(t, "summary", in); strings.Contains(r.stdout, "\nLATENCY  ") || strings.Contains(r.stdout, "SINGLE") {
		t.Error("sections of a selection without one")
	}
}

// --sort sorts the waits by their own columns, and says by which.
func TestSummarySortBlocking(t *testing.T) {
	in := trace(t, "httpserver")
	columns := map[string]func(*report.Blocking) int64{
		"count": func(b *report.Blocking) int64 { return b.Count },
		"total": func(b *report.Blocking) int64 { return int64(b.Total) },
		"p50":   func(b *report.Blocking) int64 { return int64(b.P50) },
		"p99":   func(b *report.Blocking) int64 { return int64(b.P99) },
		"max":   func(b *report.Blocking) int64 { return int64(b.Max) },
		"units": func(b *report.Blocking) int64 { return int64(b.InUnitsTime) },
		"exec":  func(b *report.Blocking) int64 { return int64(b.InUnitsTime) },
	}
	for name, of := range columns {
		r := exec(t, "summary", "--json", "--sort", name, in)
		r.want(t, exitOK)
		var rep report.Report
		if err := json.Unmarshal([]byte(r.stdout), &rep); err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(rep.Blocking); i++ {
			if a, b := &rep.Blocking[i-1], &rep.Blocking[i]; a.System && !b.System || a.System == b.System && of(a) < of(b) {
				t.Errorf("--sort %s: number %d is %+v, behind %+v", name, i, b, a)
			}
		}
		want := map[string]string{"units": "time in tasks", "exec": "time in tasks"}[name]
		if want == "" {
			want = name
		}
		r = exec(t, "summary", "--sort", name, "--func", ".", in)
		r.want(t, exitOK)
		if !strings.Contains(r.stdout, "BLOCKING  by reason and place, sorted by "+want+";") {
			t.Errorf("--sort %s: stdout does not say so", name)
		}
	}
	r := exec(t, "summary", "--sort", "p98", in)
	r.want(t, exitUsage)
}

func TestSummaryJSON(t *testing.T) {
	in := trace(t, "httpserver")
	var rep report.Report
	parse := func(args ...string) {
		t.Helper()
		r := exec(t, append([]string{"summary", "--json", in}, args...)...)
		r.want(t, exitOK)
		rep = report.Report{}
		dec := json.NewDecoder(strings.NewReader(r.stdout))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&rep); err != nil {
			t.Fatal(err)
		}
		if _, err := dec.Token(); err != io.EOF {
			t.Errorf("more behind the JSON: %v", err)
		}
	}
	parse()
	if rep.Overview.Events != 80191 || len(rep.Goroutines) != 21 || rep.Goroutine != nil || rep.PercentileError != 1.0/128 || len(rep.Scheduling.Worst) != 10 {
		t.Errorf("%d events, %d groups, %d worst", rep.Overview.Events, len(rep.Goroutines), len(rep.Scheduling.Worst))
	}
	parse("--top", "3", "--sort", "count")
	if len(rep.Goroutines) != 3 || len(rep.Blocking) != 3 || rep.Goroutines[0].Func != "main.(*server).query.func1" {
		t.Errorf("%d groups, %d places", len(rep.Goroutines), len(rep.Blocking))
	}
	parse("--top", "20")
	if len(rep.Scheduling.Worst) != 20 {
		t.Errorf("%d worst", len(rep.Scheduling.Worst))
	}
	parse("--goroutine", "27")
	if g := rep.Goroutine; g == nil || g.ID != 27 || g.Func != "main.(*server).serveClients.func1" || g.Parent != 1 || g.Open || g.End < time.Second {
		t.Errorf("%+v", g)
	}
}

func TestSummaryGoroutine(t *testing.T) {
	in := trace(t, "httpserver")
	r := exec(t, "summary", "--goroutine", "27", in)
	r.want(t, exitOK)
	for _, want := range []string{"GOROUTINE 27  main.(*server).serveClients.func1\n", " by G1, exited at ", "\nSTATES\n", "waiting (select)", "\nLONGEST STATES ", "\nWHERE IT WAITED ", "    runtime.selectgo\t"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("stdout lacks %q", want)
		}
	}
	r = exec(t, "summary", "--goroutine", "123456", in)
	r.want(t, exitFailed, "trace2x: "+in+": there is no goroutine 123456 in the trace")
	if r.stdout != "" {
		t.Errorf("stdout %q", r.stdout)
	}
}

func TestSummarySelection(t *testing.T) {
	in := trace(t, "httpserver")
	parse := func(args ...string) (rep report.Report) {
		t.Helper()
		r := exec(t, append([]string{"summary", "--json", in}, args...)...)
		r.want(t, exitOK)
		if err := json.Unmarshal([]byte(r.stdout), &rep); err != nil {
			t.Fatal(err)
		}
		return rep
	}
	all := parse()
	if all.Selected != nil {
		t.Errorf("selected without being asked: %+v", all.Selected)
	}
	rep := parse("--func", `^main\.\(\*server\)\.query\.func1$`)
	if len(rep.Goroutines) != 1 || rep.Goroutines[0].Count != 1194 || rep.Selected == nil || rep.Selected.Goroutines != 1194 {
		t.Errorf("%+v, %d groups", rep.Selected, len(rep.Goroutines))
	}
	if rep.Scheduling.MaxRunnable != all.Scheduling.MaxRunnable || rep.Overview.Procs != all.Overview.Procs {
		t.Error("what is of the program is not")
	}
	rep = parse("--task", "^handleRequest$")
	if rep.Selected == nil || rep.Selected.Tasks != 398 || len(rep.Goroutines) == 0 || rep.Goroutine != nil {
		t.Errorf("%+v, %d groups", rep.Selected, len(rep.Goroutines))
	}
	if rep = parse("--goroutine", "27,28"); rep.Goroutine != nil || rep.Selected.Goroutines != 2 {
		t.Errorf("%+v", rep.Selected)
	}
	r := exec(t, "summary", "--task", "^handleRequest$", in)
	r.want(t, exitOK)
	if !strings.Contains(r.stdout, "at work for 398 tasks") {
		t.Errorf("stdout: %s", r.stdout)
	}
	exec(t, "summary", "--task", "^nothing$", in).want(t, exitFailed, "no task matches --task ^nothing$: nothing was written")
	exec(t, "summary", "--func", "^nothing$", in).want(t, exitFailed, "no goroutine matches --func ^nothing$: nothing was written")
}

func TestSummaryUnits(t *testing.T) {
	in := trace(t, "httpserver")
	for unit, want := range map[string]string{
		"task": "\nWHY  .*: tasks by type\n  handleRequest  398 times", "region": "\nWHY  .*: regions by type\n  worker  1,194 times",
		"http": `\nWHY  .*: HTTP requests by handler\n  main\.\(\*server\)\.handleRequest  398 times`, "goroutine": `\nWHY  .*: goroutines by start function\n(?s:.*)\n  main\.\(\*server\)\.query\.func1  1,194 times`,
	} {
		r := exec(t, "summary", "--unit", unit, in)
		r.want(t, exitOK)
		if !regexp.MustCompile(want).MatchString(r.stdout) {
			t.Errorf("--unit %s: stdout lacks %q", unit, want)
		}
	}
	if r := exec(t, "summary", "--unit", "none", in); r.code != exitOK || strings.Contains(r.stdout, "WHY") {
		t.Error("--unit none explains units")
	}
	r := exec(t, "summary", "--slowest", "2", "--task", "^query$", in)
	r.want(t, exitOK)
	if !regexp.MustCompile(`^PATHS .*\n  of a running step.*\n  query  2\.75ms  task 935 at 0\.939245s\n( {6,}.*\n)+\n  query  2\.05ms .*\n( {6,}.*\n)+\nOVERVIEW\n`).MatchString(r.stdout) {
		t.Errorf("stdout %s", r.stdout)
	}
}

func TestSummaryTask(t *testing.T) {
	in := trace(t, "chain")
	r := exec(t, "summary", "--task", "1", in)
	r.want(t, exitOK)
	for _, want := range []string{"PATHS ", "\n  chain  37.4ms  task 1 at ", "waiting for sync.WaitGroup  main.work main.go:58\n", "└   30.1ms  main.goroutineA  waiting for chan receive  main.go:64\n"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("stdout lacks %q", want)
		}
	}
	exec(t, "summary", "--task", "77", in).want(t, exitFailed, "no task matches --task 77")
	exec(t, "summary", "--task", "^nothing$", in).want(t, exitFailed, "no task matches --task ^nothing$")

	in, id := trace(t, "spanlink"), spanNamed(t, "request")
	r = exec(t, "summary", "--trace-id", id, in)
	r.want(t, exitOK)
	if !regexp.MustCompile(`^DISTRIBUTED TRACE  ` + id + `  3 spans\n  request  .*, span .*\n( {6,}.*\n)+\n      query  .*\n( {8,}.*\n)+\n      query  .*\n( {8,}.*\n)+`).MatchString(r.stdout) {
		t.Errorf("stdout %s", r.stdout)
	}
	exec(t, "summary", "--trace-id", strings.Repeat("1", 32), in).want(t, exitFailed, "no task is a span of the distributed trace")
}

func TestSummaryUsage(t *testing.T) {
	in := trace(t, "states")
	for _, args := range [][]string{
		{"summary"},
		{"summary", in, "-"},
		{"summary", "--nonsense", in},
		{"summary", "--top", "-1", in},
		{"summary", "--sort", "nonsense", in},
		{"summary", "--sort", "", in},
		{"summary", "--goroutine", "0", in},
		{"summary", "--goroutine", "G12", in},
		{"summary", "--task", "0", in},
		{"summary", "--func", "(", in},
		{"summary", "--trace-id", "1", in},
		{"summary", "--unit", "request", in},
		{"summary", "--slowest", "-1", in},
		{"summary", "--task", "(", in},
	} {
		r := exec(t, args...)
		r.want(t, exitUsage, "trace2x: ", " --help' for usage.")
		if r.stdout != "" {
			t.Errorf("%q: stdout %q", args, r.stdout)
		}
	}
	exec(t, "summary", "--sort", "nonsense", in).want(t, exitUsage, "max-wait", "block:sync")
}

// What comes before damage is summed up, in words that say what is lost.
func TestSummaryDamaged(t *testing.T) {
	for _, name := range []string{"damaged", "truncated"} {
		in := trace(t, name)
		r := exec(t, "summary", in)
		r.want(t, exitFailed, "trace2x: "+in+": "+name+" at ")
		if !strings.Contains(r.stdout, ": "+name+" at ") || !strings.Contains(r.stdout, "\nGOROUTINES ") {
			t.Errorf("%s: stdout %q", name, r.stdout)
		}
		r = exec(t, "summary", "--json", in)
		r.want(t, exitFailed, "trace2x: "+in+": "+name+" at ")
		var rep report.Report
		if err := json.Unmarshal([]byte(r.stdout), &rep); err != nil {
			t.Fatal(err)
		}
		if len(rep.Overview.Lost) != 1 || rep.Overview.Lost[0].Offset < 16 || len(rep.Goroutines) < 5 {
			t.Errorf("%s: %+v", name, rep.Overview)
		}
		exec(t, "summary", "--goroutine", "123456", in).want(t, exitFailed, "there is no goroutine 123456", name+" at ")
	}
	old := trace(t, "truncated-go1.21")
	r := exec(t, "summary", old)
	r.want(t, exitFailed, old, "truncated")
	if r.stdout != "" {
		t.Errorf("stdout %q", r.stdout)
	}
}

// TestNothingComplete: what ends before its first generation does says so, and
// that nothing can be shown.
func TestNothingComplete(t *testing.T) {
	in := filepath.Join(t.TempDir(), "short.trace")
	write(t, in, read(t, trace(t, "states"))[:40])
	t.Chdir(t.TempDir())
	const why = "truncated at byte 40, in generation 1: its 24 bytes are lost: unexpected EOF; no generation is complete"
	exec(t, "summary", in).want(t, exitFailed, why)
	r := exec(t, "perfetto", in)
	r.want(t, exitFailed, why)
	if strings.Contains(r.stderr, "per event") {
		t.Errorf("there is no event: %s", r.stderr)
	}
}

func TestSummaryOldTrace(t *testing.T) {
	for _, name := range []string{"httpserver-go1.19", "leak-go1.21"} {
		r := exec(t, "summary", trace(t, name))
		r.want(t, exitOK)
		for _, want := range []string{
			"from before the trace: the trace does not tell their start functions",
			"from before the trace: the trace does not tell their reasons or",
		} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("%s: stdout lacks %q", name, want)
			}
		}
	}
}

func TestSummaryFailures(t *testing.T) {
	good := trace(t, "states")
	t.Chdir(t.TempDir())
	write(t, "text", "This is not a trace.\n")
	for _, test := range []struct {
		arg    string
		stderr string
	}{
		{"missing", "missing"},
		{"text", "text: not a Go execution trace"},
		{".", ".: no Go execution trace in it; it has 1 file of other kinds"},
		{"-", "standard input: the input is empty"},
	} {
		for _, args := range [][]string{{"summary", test.arg}, {"summary", "--json", test.arg}} {
			r := exec(t, args...)
			r.want(t, exitFailed, "trace2x: ", test.stderr)
			if r.stdout != "" {
				t.Errorf("%q: stdout %q", args, r.stdout)
			}
		}
	}
	for _, args := range [][]string{{"summary", good}, {"summary", "--json", good}} {
		pr, pw := io.Pipe()
		pr.Close()
		var stderr strings.Builder
		code := run(t.Context(), args, strings.NewReader(""), pw, &stderr)
		result{code: code, stderr: stderr.String()}.want(t, exitFailed, "trace2x: writing standard output: ", io.ErrClosedPipe.Error())
	}
	wantFiles(t, "text")
}
