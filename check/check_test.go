package check_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/trace2x/trace2x/check"
	"github.com/trace2x/trace2x/diff"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/report"
)

func values(t testing.TB, name string) (check.Values, *report.Report) {
	t.Helper()
	f, err := os.Open(testtrace.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := report.Read(t.Context(), f, report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := check.Summary(r)
	if err != nil {
		t.Fatal(err)
	}
	run := diff.NewRun(name, r)
	if err := v.AddDiff(diff.Compare([]*diff.Run{run}, []*diff.Run{run})); err != nil {
		t.Fatal(err)
	}
	return v, r
}

func TestEvaluate(t *testing.T) {
	v, r := values(t, "spanlink")
	var task *report.Annotation
	for i := range r.Tasks {
		if r.Tasks[i].Type == "request" {
			task = &r.Tasks[i]
		}
	}
	p99 := report.Duration(task.Latency.P99)
	for _, test := range []struct {
		requirement string
		holds       bool
		values      string
	}{
		{`tasks["request"].p99 < 50ms`, true, `tasks.request.p99 = ` + p99},
		{`tasks.request.p99 < 1ns`, false, "tasks.request.p99 = " + p99},
		{`tasks["request"].latency.p99_ns < 0.05s`, true, `tasks.request.latency.p99_ns = ` + p99},
		{`tasks["request"].p99 < 2 * tasks["request"].p50 or leaks == 0`, true, ""},
		{`gc.share < 10%`, true, "gc.share = 0%"},
		{`gc.share>=10%`, false, "gc.share = 0%"},
		{`gc.share < 10% && leaks==0`, true, ""},
		{`overview.events > 1_00 and 7 % 2 == 1`, true, ""},
		{`gc.max_heap < 1GiB`, true, ""},
		{`overview.duration < 1m30s`, true, "overview.duration = " + report.Duration(r.Overview.Duration)},
		{`all(values(tasks), .count > 0)`, true, ""},
		{`len(suspects) == 0`, true, "suspects = 0 entries"},
		{`diff.tasks["request"].p50.delta == 0`, r.Tasks[0].Count >= 20, ""},
		{`len(diff.changes) == 0`, true, "diff.changes = 0 entries"},
		{`goroutines["main.main"].execution < 1h`, true, ""},
	} {
		got, err := check.Evaluate(test.requirement, v)
		if err != nil {
			if strings.Contains(test.requirement, "diff.tasks") { // too few
				continue
			}
			t.Errorf("%v", err)
			continue
		}
		var shown []string
		for _, x := range got.Values {
			shown = append(shown, x.Name+" = "+x.Value)
		}
		if got.Holds != test.holds || test.values != "" && strings.Join(shown, ", ") != test.values {
			t.Errorf("%s: %v, %s; want %v, %s", test.requirement, got.Holds, strings.Join(shown, ", "), test.holds, test.values)
		}
	}
}

// A requirement on all entries of a list names those that fail it.
func TestFailing(t *testing.T) {
	entry := func(p99 float64) map[string]any { return map[string]any{"p99": p99, "p99_ns": p99} }
	v := check.Values{"tasks": map[string]any{
		"e": entry(5e6), "a": entry(1e6), "d": entry(4e6), "b": entry(2e6), "c": entry(3e6),
	}, "list": []any{entry(7e6), entry(1e6)}}
	for requirement, want := range map[string]string{
		`all(values(tasks), .p99 < 3ms)`:                 `"c".p99 3.00ms, "d".p99 4.00ms, "e".p99 5.00ms`,
		`all(values(tasks), .p99 < 2ms and .p99_ns > 0)`: `"b".p99 2.00ms, "b".p99_ns 2.00ms, "c".p99 3.00ms, … (5 more)`,
		`all(values(tasks), .p99 < 1s)`:                  ``,
		`all(list, .p99 < 5ms)`:                          `p99 7.00ms`,
		`not all(values(tasks), .p99 < 1s)`:              ``,
	} {
		for range 3 { // whatever order maps are read in
			r, err := check.Evaluate(requirement, v)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, x := range r.Failing {
				got = append(got, x.Name+" "+x.Value)
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("%s: %s; want %s", requirement, strings.Join(got, ", "), want)
			}
		}
	}
}

// Tasks from before the trace are of no type, so that what is said of all does not fail
// because of them.
func TestTasksFromBefore(t *testing.T) {
	v, r := values(t, "flightrecorder")
	if !slices.ContainsFunc(r.Tasks, func(a report.Annotation) bool { return a.TypeUnknown }) {
		t.Fatal("the trace has no task from before")
	}
	if got, err := check.Evaluate(`all(values(tasks), .p99 < 1s)`, v); err != nil || !got.Holds {
		t.Errorf("%+v, %v", got, err)
	}
}

// What cannot be understood, names what is not there or cannot fail is an error.
func TestErrors(t *testing.T) {
	v, _ := values(t, "spanlink")
	for requirement, want := range map[string]string{
		` `:                                 `a requirement is empty`,
		`all(values(tasks), .p99 < 1s)`:     `: an entry does not have what is compared: the name is wrong, or there is nothing`,
		`tasks["reqest"].p99 < 50ms`:        `tasks["reqest"].p99 < 50ms: tasks has no "reqest"; did you mean request?`,
		`task["request"].p99 < 50ms`:        `the trace has no "task"; did you mean tasks?`,
		`tasks["request"].p95 < 50ms`:       `tasks.request has no "p95"; did you mean p90 or p99?`,
		`tasks["request"].p99 < 50msec`:     `50msec has an unknown unit, msec; did you mean ms`,
		`gc.share < .1`:                     `.1 begins with a point: write 0.1`,
		`1ms < 2ms`:                         `it uses nothing of the trace, so it cannot fail`,
		`true`:                              `it uses nothing of the trace`,
		`gc.share`:                          `it is 0, and must be true or false`,
		`gc.share <`:                        `unexpected token`,
		`tasks["request"].p99 < "50ms"`:     `invalid operation`,
		`all(values(regions), .p99 < 1s)`:   ``,
		`all(suspects, .count == 0)`:        `suspects is empty, so that it says nothing`,
		`gc.share.x < 1`:                    `gc.share has nothing in it: there is no x`,
		`suspects[0].count == 0`:            `suspects has 0 entries: there is no [0]`,
		``:                                  `a requirement is empty`,
		`gc.share < 1m30`:                   `1m30 has a number without a unit at its end`,
		`all(values(tasks), .nonsense > 1)`: `the name is wrong`,
	} {
		_, err := check.Evaluate(requirement, v)
		if want == "" {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", requirement, err, want)
		}
	}
}

// Percentiles of nothing are not 0.
func TestNothing(t *testing.T) {
	r := &report.Report{Tasks: []report.Annotation{{Type: "open", Count: 2, Cut: 2}}}
	v, err := check.Summary(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := check.Evaluate(`tasks.open.p99 < 1s`, v); err == nil || !strings.Contains(err.Error(), `tasks.open has no "p99"`) {
		t.Errorf("%v", err)
	}
	if r, err := check.Evaluate(`tasks.open.count == 2`, v); err != nil || !r.Holds {
		t.Errorf("%v, %v", r, err)
	}
}

// TestDocs: each requirement in docs/ci.md can be understood.
func TestDocs(t *testing.T) {
	docs, err := os.ReadFile("../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	v, _ := values(t, "httpserver")
	found := regexp.MustCompile(`--require '([^']+)'`).FindAllSubmatch(docs, -1)
	if len(found) < 5 {
		t.Fatalf("%d requirements in docs/ci.md", len(found))
	}
	for _, m := range found {
		_, err := check.Evaluate(string(m[1]), v)
		if err != nil && !strings.Contains(err.Error(), `has no "request"`) && !strings.Contains(err.Error(), `has no "main.worker"`) {
			t.Errorf("%v", err)
		}
	}
}

func FuzzEvaluate(f *testing.F) {
	for _, s := range []string{
		`tasks["request"].p99 < 50ms`, `gc.share < 10%`, `leaks == 0`, `1m30s > overview.duration`, `all(values(tasks), .p99 < 1.5s)`,
		`"10%" == tasks.request.type`, "`\\` in [1..3]", `0x1f < 1_0e3kB`, `10%3 == 1`, `10 % 3`, `a?.b ?? 3µs`, `'\`, `99999999999999999999h`, `1e999s`,
	} {
		f.Add(s)
	}
	data := []byte(`{"tasks":{"request":{"p99":5,"p99_ns":5,"type":"request"}},"gc":{"share":0.1},"leaks":0,"overview":{"duration":1},"list":[1,{"a":2}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		v := make(check.Values)
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		r, err := check.Evaluate(s, v)
		again, errAgain := check.Evaluate(s, v)
		if (err == nil) != (errAgain == nil) || err == nil && r.Holds != again.Holds && !strings.Contains(s, "now") {
			t.Errorf("%q: %v, %v; then %v, %v", s, r, err, again, errAgain)
		}
		if err != nil && strings.Contains(strings.TrimPrefix(err.Error(), s), "\n") {
			t.Errorf("%q: %q has more than one line", s, err)
		}
	})
}
