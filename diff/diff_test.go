package diff_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/diff"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// runOf reads a trace, with its halves if they are wanted.
func runOf(t testing.TB, data []byte, name string, halves bool) *diff.Run {
	t.Helper()
	read := func(w model.Window) *diff.Run {
		b := report.New(report.Options{})
		if sum, err := model.ReadWindow(t.Context(), bytes.NewReader(data), b, w); sum == nil {
			t.Fatal(err)
		}
		return diff.NewRun(name, b.Report())
	}
	run := read(model.Window{})
	if halves {
		middle := model.Moment{Since: run.Length / 2}
		run.Halves = []*diff.Run{read(model.Window{To: middle}), read(model.Window{From: middle})}
	}
	return run
}

// TestItself: a trace does not differ from itself, nor do several from themselves.
func TestItself(t *testing.T) {
	var runs []*diff.Run
	for _, name := range []string{"httpserver", "slow", "leak", "gc", "spanlink"} {
		run := runOf(t, testtrace.Data(t, name), name, true)
		r := diff.Compare([]*diff.Run{run}, []*diff.Run{run})
		if len(r.Changes) > 0 || len(r.OnlyBefore)+len(r.OnlyAfter) > 0 || r.Compared < 5 || !strings.HasPrefix(r.Headline, "no difference in ") || r.Significance {
			t.Errorf("%s: %q, %d changes, %d compared", name, r.Headline, len(r.Changes), r.Compared)
		}
		for _, x := range r.Others {
			if x.Delta != 0 || x.P != nil {
				t.Errorf("%s: %+v", name, x)
			}
		}
		runs = append(runs, run)
	}
	for range 3 {
		runs = append(runs, runs[0])
	}
	r := diff.Compare(runs, runs)
	if len(r.Changes) > 0 || !r.Significance {
		t.Errorf("%q, %d changes", r.Headline, len(r.Changes))
	}
}

// TestVersions: traces of one program by two versions of Go have the same functions.
func TestVersions(t *testing.T) {
	a, b := runOf(t, testtrace.Data(t, "httpserver-go1.22"), "a", true), runOf(t, testtrace.Data(t, "httpserver-go1.25"), "b", true)
	r := diff.Compare([]*diff.Run{a}, []*diff.Run{b})
	for _, only := range [][]string{r.OnlyBefore, r.OnlyAfter} {
		for _, name := range only {
			if strings.Contains(name, "main.") {
				t.Errorf("only on one side: %s", name)
			}
		}
	}
	if r.Unit != "task handleRequest" || len(r.Before.Formats) != 1 || r.Before.Formats[0] != "Go 1.22" {
		t.Errorf("per %s, before %+v", r.Unit, r.Before)
	}
}

// TestPlants records a server with and without regressions, and finds each: it comes
// first, with its function. All sides are recorded in turn, so that what else the machine
// does is on all of them.
func TestPlants(t *testing.T) {
	if testing.Short() {
		t.Skip("records 30 traces of a second")
	}
	program := filepath.Join(t.TempDir(), "plants")
	if out, err := exec.Command("go", "build", "-o", program, "../testdata/gen/plants").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, test := range []struct {
		flag string
		want []string // in the first line
	}{
		{"-slower", []string{" of ", "µs running main.price"}}, // of the median, or of the tail
		{"-waits", []string{"sleep in main.ship"}},
		{"-holds", []string{"p99 of request ", "ms sleep in main.(*store).put"}},
		{"-leaks", []string{" more goroutines of main.watch each second that do not end: 0/s → "}},
		{"", []string{"no significant difference in "}},
	} {
		t.Run(strings.TrimPrefix(test.flag, "-"), func(t *testing.T) {
			// On a machine that does other things too, one of a few tries must find it.
			for try := range 4 {
				r := compareTwo(t, program, test.flag)
				if !slices.ContainsFunc(test.want, func(s string) bool { return !strings.Contains(r.Headline, s) }) {
					return
				}
				var buf bytes.Buffer
				diff.Text(&buf, r, diff.TextOptions{All: true})
				t.Logf("try %d: %s", try+1, buf.String())
			}
			t.Errorf("no try found %q", test.want)
		})
	}
}

// compareTwo compares five runs of the program with five with a regression.
func compareTwo(t *testing.T, program, flag string) *diff.Result {
	var sides [2][]*diff.Run
	for i := range diff.MinRuns {
		for side := range sides {
			file := filepath.Join(t.TempDir(), fmt.Sprintf("%d-%d.trace", side, i))
			args := []string{"-d", "700ms"}
			if side == 1 && flag != "" {
				args = append(args, flag)
			}
			if out, err := quiet(program, append(args, file)...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sides[side] = append(sides[side], runOf(t, data, file, false))
		}
	}
	return diff.Compare(sides[0], sides[1])
}

// quiet is a command that other programs do not interrupt, if the system allows that.
func quiet(name string, args ...string) *exec.Cmd {
	if chrt, err := exec.LookPath("chrt"); err == nil && exec.Command(chrt, "-f", "10", "true").Run() == nil {
		return exec.Command(chrt, append([]string{"-f", "10", name}, args...)...)
	}
	return exec.Command(name, args...)
}

// TestJSON: the numbers are what the documentation says, and the same each time.
func TestJSON(t *testing.T) {
	a, b := runOf(t, testtrace.Data(t, "httpserver-go1.22"), "a", true), runOf(t, testtrace.Data(t, "httpserver-go1.25"), "b", true)
	var last []byte
	for range 3 {
		data, err := json.Marshal(diff.Compare([]*diff.Run{a}, []*diff.Run{b}))
		if err != nil {
			t.Fatal(err)
		}
		if last != nil && !bytes.Equal(data, last) {
			t.Fatal("another result")
		}
		last = data
	}
	docs, err := os.ReadFile("../docs/diff.md")
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(last, &v); err != nil {
		t.Fatal(err)
	}
	var names func(v any)
	names = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, x := range v {
				if !bytes.Contains(docs, []byte("| `"+name+"` |")) {
					t.Errorf("docs/diff.md does not have %q", name)
				}
				names(x)
			}
		case []any:
			for _, x := range v {
				names(x)
			}
		}
	}
	names(v)
}

// TestText: lines fit into 80 columns, and the page has the headline.
func TestText(t *testing.T) {
	a, b := runOf(t, testtrace.Data(t, "httpserver-go1.22"), "a", true), runOf(t, testtrace.Data(t, "slow"), "b", true)
	r := diff.Compare([]*diff.Run{a}, []*diff.Run{b})
	r.Before.Length = time.Second
	var text, page bytes.Buffer
	if err := diff.Text(&text, r, diff.TextOptions{Width: 80, All: true}); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(text.String(), "\n") {
		if len([]rune(line)) > 80 {
			t.Errorf("%d columns: %s", len([]rune(line)), line)
		}
	}
	if !strings.Contains(text.String(), "only after: ") {
		t.Errorf("text %s", text.String())
	}
	if err := diff.HTML(&page, r); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(page.String(), "<!DOCTYPE html>\n") || !strings.Contains(page.String(), "numbers that did not change") {
		t.Errorf("page %s", page.String())
	}
}
