package report_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// merge reports on several traces, and on each of them.
func merge(t *testing.T, opts report.Options, names ...string) (*report.Report, []*report.Report) {
	t.Helper()
	all := report.New(opts)
	var each []*report.Report
	for _, name := range names {
		b := report.New(opts)
		readModel(t, testtrace.Path(name), b)
		each = append(each, b.Report())
		all.Merge(b, "dumps/"+name+".trace")
	}
	return all.Report(), each
}

// totals are the numbers of a report that add up, by where they are.
func totals(t *testing.T, rep *report.Report) map[string]float64 {
	t.Helper()
	data, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	sums := make(map[string]float64)
	// What is decided by limits, and what is of one moment, does not add up.
	for _, name := range []string{"suspects", "singles", "cannot_tell", "percentile_error", "unit", "goroutine"} {
		delete(v, name)
	}
	addTotals(sums, "", v)
	return sums
}

// addTotals adds up the numbers in a JSON value. Entries of lists are told apart by the
// names in them.
func addTotals(sums map[string]float64, at string, v any) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			entry, ok := x.(map[string]any)
			if !ok {
				continue
			}
			name := at
			for _, key := range []string{"func", "type", "type_unknown", "reason", "state", "own", "function", "scheduler", "place"} {
				if s, ok := entry[key]; ok {
					b, _ := json.Marshal(s)
					name += "/" + string(b)
				}
			}
			addTotals(sums, name, entry)
		}
	case map[string]any:
		for key, x := range v {
			switch key {
			case "max", "max_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "longest", "goroutine", "max_of", "worst", "runnable", "max_runnable", "utilization",
				"max_heap_bytes", "max_goal_bytes", "max_alive", "gomaxprocs", "max_gomaxprocs", "tail", "place", "lost", "line":
				continue
			}
			addTotals(sums, at+"."+key, x)
		}
	case float64:
		sums[at] += v
	}
}

// TestMergeSums: all counts and sums of several traces are the sums of those of each.
func TestMergeSums(t *testing.T) {
	for _, names := range [][]string{
		{"httpserver", "httpserver-go1.25", "flightrecorder"},
		{"slow", "spanlink", "manytasks", "slow"},
		{"leak", "leak", "gc", "damaged"},
		{"syscalls", "pipeline", "states", "cgo", "empty", "cpuprofile", "chain"},
	} {
		rep, each := merge(t, report.Options{}, names...)
		got, want := totals(t, rep), make(map[string]float64)
		for _, r := range each {
			for k, x := range totals(t, r) {
				if strings.HasPrefix(k, ".units") || strings.Contains(k, "critical_path") || strings.Contains(k, ".in_units") {
					continue // the units may be of another kind than those of one trace
				}
				want[k] += x
			}
		}
		if len(want) < 500 {
			t.Errorf("%v: only %d sums", names, len(want))
		}
		bad := 0
		for k, x := range want {
			if got[k] != x {
				if bad++; bad < 10 {
					t.Errorf("%v: %s is %v, want %v", names, k, got[k], x)
				}
			}
		}
		if len(rep.Overview.Files) != len(names) || rep.Overview.Files[0] != "dumps/"+names[0]+".trace" {
			t.Errorf("files %q", rep.Overview.Files)
		}
	}
}

// TestMergeUnknownProcs: a trace that does not tell GOMAXPROCS changes nothing of the others.
func TestMergeUnknownProcs(t *testing.T) {
	for _, names := range [][]string{{"httpserver", "leak-go1.21"}, {"leak-go1.21", "httpserver"}} {
		rep, each := merge(t, report.Options{}, names...)
		idle := each[0].Overview.Procs.Idle + each[1].Overview.Procs.Idle
		if o := rep.Overview; o.GOMAXPROCS != 2 || o.MaxGOMAXPROCS != 2 || o.Procs.Idle != idle || idle == 0 {
			t.Errorf("%q: %+v", names, o)
		}
		if !slices.ContainsFunc(rep.CannotTell, func(s string) bool { return strings.Contains(s, "does not tell GOMAXPROCS") }) {
			t.Errorf("%q: %q", names, rep.CannotTell)
		}
	}
}

// TestMergePercentiles: what one trace has, its parts have too: here the same trace
// three times, so that all percentiles and maxima are those of one.
func TestMergePercentiles(t *testing.T) {
	rep, each := merge(t, report.Options{}, "httpserver", "httpserver", "httpserver")
	one := each[0]
	spreads := func(r *report.Report) (out []report.Spread) {
		out = append(out, r.Scheduling.Spread, r.GC.Mark)
		for _, b := range r.Blocking {
			out = append(out, b.Spread)
		}
		for _, u := range r.Units {
			out = append(out, u.Latency)
		}
		for _, u := range r.Regions {
			out = append(out, u.Latency)
		}
		return out
	}
	got, want := spreads(rep), spreads(one)
	if len(got) != len(want) || len(got) < 20 {
		t.Fatalf("%d spreads, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := &got[i], &want[i]
		if g.Total != 3*w.Total || g.Max != w.Max || !alike(g.P50, w.P50) || !alike(g.P90, w.P90) || !alike(g.P99, w.P99) {
			t.Errorf("%+v, want %+v", *g, *w)
		}
	}
	if rep.Overview.MaxAlive != one.Overview.MaxAlive || rep.GC.Utilization[0].MMU != one.GC.Utilization[0].MMU {
		t.Errorf("at most %d alive, MMU %v; want %d, %v", rep.Overview.MaxAlive, rep.GC.Utilization[0], one.Overview.MaxAlive, one.GC.Utilization[0])
	}
}

// alike reports whether two percentiles may be of the same durations: the largest of
// all is exact, so that it may be one of them and not the other.
func alike(a, b time.Duration) bool {
	return float64((a - b).Abs()) <= report.PercentileError*float64(max(a, b))
}

// TestMergeParts: the parts of a trace, cut at a moment when it is read, have together
// what the whole trace has, except what the cut divides.
func TestMergeParts(t *testing.T) {
	const name = "httpserver"
	whole := readReport(t, testtrace.Path(name), report.Options{})
	all := report.New(report.Options{})
	parts := 4
	length := whole.Overview.Duration
	for i := range parts {
		from, to := length*time.Duration(i)/time.Duration(parts), length*time.Duration(i+1)/time.Duration(parts)
		w := model.Window{From: model.Moment{Since: from}, To: model.Moment{Since: to}}
		if i == parts-1 {
			w.To = model.Moment{}
		}
		b := report.New(report.Options{})
		if _, err := model.ReadWindow(t.Context(), bytes.NewReader(testtrace.Data(t, name)), b, w); err != nil {
			t.Fatal(err)
		}
		all.Merge(b, "part")
	}
	rep := all.Report()
	if d := rep.Overview.Duration - whole.Overview.Duration; d.Abs() > time.Millisecond {
		t.Errorf("%v, want %v", rep.Overview.Duration, whole.Overview.Duration)
	}
	var got, want report.Times
	for _, sum := range []struct {
		groups []report.Group
		to     *report.Times
	}{{rep.Goroutines, &got}, {whole.Goroutines, &want}} {
		for _, g := range sum.groups {
			sum.to.Execution += g.Sum.Execution
			sum.to.SchedWait += g.Sum.SchedWait
		}
	}
	near := func(what string, got, want time.Duration) {
		t.Helper()
		if float64((got - want).Abs()) > .01*float64(want) {
			t.Errorf("%s %v, want %v", what, got, want)
		}
	}
	near("execution", got.Execution, want.Execution)
	near("scheduler wait", got.SchedWait, want.SchedWait)
	near("scheduler latency, p99", rep.Scheduling.P99, whole.Scheduling.P99)
}

// TestMergeText: text names the trace of each moment.
func TestMergeText(t *testing.T) {
	rep, _ := merge(t, report.Options{}, "slow", "manytasks")
	var buf bytes.Buffer
	if err := report.Text(&buf, rep, report.TextOptions{Top: 5, Width: 100}); err != nil {
		t.Fatal(err)
	}
	text := buf.String()
	for _, want := range []string{"  2 traces, ", "in slow.trace", "trace2x summary --task ", " dumps/slow.trace\n", "goroutines runnable at a time"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestMergeTwice: merging gives the same bytes each time.
func TestMergeTwice(t *testing.T) {
	var last []byte
	for range 3 {
		rep, _ := merge(t, report.Options{}, "httpserver", "leak", "leak", "flightrecorder", "gc", "syscalls")
		data, err := json.Marshal(rep)
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if err := report.Text(&buf, rep, report.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		data = append(data, buf.Bytes()...)
		if last != nil && !bytes.Equal(data, last) {
			t.Fatal("another report")
		}
		last = data
	}
}
