package report_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

func whyText(t *testing.T, rep *report.Report, opts report.TextOptions) string {
	t.Helper()
	var out strings.Builder
	if err := report.Text(&out, rep, opts); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// In 80 columns, the first line on the slow tasks of each type names the function and
// a line of the reason that the program slow was written to have.
func TestWhyPlanted(t *testing.T) {
	src, err := os.Open("../testdata/gen/slow/main.go")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	lines := make(map[string][]string) // by type
	sc := bufio.NewScanner(src)
	fn := ""
	for n := 1; sc.Scan(); n++ {
		if m := regexp.MustCompile(`^func (\w+)`).FindStringSubmatch(sc.Text()); m != nil {
			fn = m[1]
		}
		if _, name, ok := strings.Cut(sc.Text(), "// planted: "); ok {
			lines[name] = append(lines[name], fmt.Sprintf("%s main.go:%d", fn, n))
		}
	}
	if len(lines) < 9 {
		t.Fatalf("only %d reasons are planted", len(lines))
	}
	_, why, _ := strings.Cut(whyText(t, readReport(t, testtrace.Path("slow"), report.Options{}), report.TextOptions{Width: 80}), "\nWHY ")
	why, _, _ = strings.Cut(why, "\nSUSPECTS ")
	for name, want := range lines {
		_, about, ok := strings.Cut(why, "\n  "+name+"  ")
		if !ok {
			t.Errorf("%s is not in it", name)
			continue
		}
		_, tail, _ := strings.Cut(about, "if not awaited\n")
		first, _, _ := strings.Cut(tail, "\n")
		found := strings.HasPrefix(first, "    > ")
		for _, w := range want {
			if found && strings.HasSuffix(strings.Replace(first, "  main.", "  ", 1), "  "+w) {
				want = nil
			}
		}
		if want != nil {
			t.Errorf("%s: the first line is %q, want one of %q", name, first, want)
		}
	}
}

// The sums in the JSON are exact: of the segments, and of the latencies.
func TestCriticalPathSums(t *testing.T) {
	units := 0
	check := func(name, typ string, count, cut int64, latency report.Spread, p *report.CriticalPath) {
		n := count - cut
		if p == nil {
			if n > 0 {
				t.Errorf("%s, %s: no critical path of %d units", name, typ, n)
			}
			return
		}
		units++
		for what, s := range map[string]*report.PathSum{"all": &p.All, "tail": &p.Tail} {
			var sum time.Duration
			for i, x := range s.Segments {
				sum += x.Time
				if i > 0 && x.Time > s.Segments[i-1].Time || x.Units < 1 || x.Units > s.Units || x.State == "" {
					t.Errorf("%s, %s: %+v", name, typ, x)
				}
			}
			if sum != s.Total {
				t.Errorf("%s, %s, %s: %d ns of segments, %d ns in all", name, typ, what, sum, s.Total)
			}
		}
		if p.All.Units != n || p.All.Total != latency.Total || p.Tail.Units != (n+99)/100 || p.Tail.Total < latency.Max || p.Tail.Total > p.All.Total {
			t.Errorf("%s, %s: %d units with %v, latency %+v; tail %d with %v", name, typ, p.All.Units, p.All.Total, latency, p.Tail.Units, p.Tail.Total)
		}
	}
	for _, name := range testtrace.Readable(t) {
		for _, k := range critical.AllKinds {
			rep := readReport(t, testtrace.Path(name), report.Options{Units: critical.SumOptions{Options: critical.Options{Kinds: critical.KindsOf(k)}}})
			equal(t, name, rep.Unit, k.String())
			for _, u := range rep.Units {
				check(name, u.Type, u.Count, u.Cut, u.Latency, u.CriticalPath)
			}
			for kind, list := range map[critical.Kind][]report.Annotation{critical.Task: rep.Tasks, critical.Region: rep.Regions} {
				for _, a := range list {
					if k == kind {
						check(name, a.Type, a.Count, a.Cut, a.Latency, a.CriticalPath)
					} else if a.CriticalPath != nil {
						t.Errorf("%s: %s %s has a path", name, kind, a.Type)
					}
				}
			}
		}
	}
	if units < 50 {
		t.Errorf("only %d types", units)
	}
}

func TestNoUnits(t *testing.T) {
	rep := readReport(t, testtrace.Path("slow"), report.Options{NoUnits: true})
	if rep.Why != nil || rep.Unit != "" || rep.Units == nil || len(rep.Units) > 0 || rep.Tasks[0].CriticalPath != nil {
		t.Errorf("%v, %q, %v", rep.Why, rep.Unit, rep.Units)
	}
	if strings.Contains(whyText(t, rep, report.TextOptions{Slowest: 1}), "WHY") {
		t.Error("there is a section WHY")
	}
}

// A trace has no unit of work of a kind: that is said of this kind, not of all.
func TestWhyNone(t *testing.T) {
	for kinds, want := range map[critical.Kinds]string{
		0:                                        "no unit of work has ended\n  no task, region or HTTP request,",
		critical.KindsOf(critical.HTTP):          "no HTTP requests have ended\n",
		critical.KindsOf(critical.Region):        "no regions have ended\n",
		critical.KindsOf(critical.GoroutineLife): "no 20 goroutines of one start function have ended\n",
	} {
		opts := report.Options{Units: critical.SumOptions{Options: critical.Options{Kinds: kinds}}}
		if text := whyText(t, readReport(t, testtrace.Path("empty"), opts), report.TextOptions{}); !strings.Contains(text, "\nWHY  "+want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}

// Nothing that tells a place is cut off in 80 columns.
func TestWhyWidth(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		for _, k := range critical.AllKinds {
			rep := readReport(t, testtrace.Path(name), report.Options{Units: critical.SumOptions{Options: critical.Options{Kinds: critical.KindsOf(k)}}})
			text, _, _ := strings.Cut(whyText(t, rep, report.TextOptions{Width: 80, Top: 5, Slowest: 2}), "\nSUSPECTS ")
			part := "PATHS"
			for line := range strings.Lines(text) {
				line = strings.TrimSuffix(line, "\n")
				if strings.HasPrefix(line, "OVERVIEW") || strings.HasPrefix(line, "WHY") {
					part = line
				}
				if part == "OVERVIEW" {
					continue
				}
				if n := len([]rune(line)); n > 80 {
					t.Errorf("%s: %d characters: %q", name, n, line)
				}
				if strings.HasSuffix(line, "…") && !strings.HasSuffix(line, ", …") && !strings.HasSuffix(line, " …") {
					t.Errorf("%s, %v: cut off: %q", name, k, line)
				}
			}
		}
	}
}

// The outputs in docs/why.md are real.
func TestWhyDocs(t *testing.T) {
	doc, err := os.ReadFile("../docs/why.md")
	if err != nil {
		t.Fatal(err)
	}
	http := critical.SumOptions{Options: critical.Options{Kinds: critical.KindsOf(critical.HTTP)}}
	outputs := ""
	for _, x := range []struct {
		trace string
		opts  report.Options
		text  report.TextOptions
	}{
		{"slow", report.Options{Selection: model.Selection{Task: regexp.MustCompile("^lock of one that sleeps$")}}, report.TextOptions{Top: 5, Width: 80}},
		{"slow", report.Options{Selection: model.Selection{TaskID: 21}}, report.TextOptions{Top: 5, Width: 80}},
		{"slow", report.Options{Selection: model.Selection{TaskID: 126}}, report.TextOptions{Top: 5, Width: 80}},
		{"httpserver", report.Options{Units: http}, report.TextOptions{Top: 5, Width: 80}},
		{"httpserver", report.Options{Units: http}, report.TextOptions{Top: 5, Width: 80, Slowest: 1}},
	} {
		outputs += whyText(t, readReport(t, testtrace.Path(x.trace), x.opts), x.text) + "\n"
	}
	blocks := 0
	for _, block := range regexp.MustCompile(`(?m)^    (?:WHY|PATHS)(?:.*\n(?:    |\n    ))+.*`).FindAllString(string(doc), -1) {
		blocks++
		if block = regexp.MustCompile(`(?m)^    `).ReplaceAllString(block, ""); !strings.Contains(outputs, block) {
			t.Errorf("not what is printed:\n%s", block)
		}
	}
	if blocks != 5 {
		t.Errorf("%d outputs", blocks)
	}
}

// A part of a trace that has no units of work says nothing of the whole.
func TestNoUnitsInPart(t *testing.T) {
	b := report.New(report.Options{})
	at := func(d time.Duration) model.Moment { return model.Moment{Since: d} }
	if _, err := model.ReadWindow(t.Context(), bytes.NewReader(testtrace.Data(t, "httpserver")), b, model.Window{From: at(1_211_100 * time.Microsecond), To: at(1_211_200 * time.Microsecond)}); err != nil {
		t.Fatal(err)
	}
	if text := whyText(t, b.Report(), report.TextOptions{}); !strings.Contains(text, "WHY  no unit of work has ended that began in this range\n\n") {
		t.Errorf("%.600s", text)
	}
}

// TestOne: what there is once is said so.
func TestOne(t *testing.T) {
	text := whyText(t, readReport(t, testtrace.Path("chain"), report.Options{}), report.TextOptions{})
	if !strings.Contains(text, "\n  chain  once: 37.4ms\n") || strings.Contains(text, " 1 times") {
		t.Error(text)
	}
	rep := readReport(t, testtrace.Path("flightrecorder"), report.Options{})
	if want := "1 task or region that begins before the trace or ends after it: its latency is not known, and is left out"; !slices.Contains(rep.CannotTell, want) {
		t.Errorf("%q", rep.CannotTell)
	}
}
