package web

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

var togetherTraces = []string{"httpserver", "slow", "httpserver-go1.25"}

func serveTogether(t *testing.T) served {
	var traces []*Trace
	for _, name := range togetherTraces {
		traces = append(traces, load(t, name))
	}
	return serve(t, "https://ui.example", traces...)
}

// merged is the report that trace2x summary makes of several traces.
func merged(t *testing.T, names []string, kinds critical.Kinds) *report.Report {
	t.Helper()
	var opts report.Options
	opts.Units.Kinds = kinds
	all := report.New(opts)
	for _, name := range names {
		b := report.New(opts)
		if _, err := model.Read(t.Context(), bytes.NewReader(testtrace.Data(t, name)), b); err != nil {
			t.Fatal(err)
		}
		all.Merge(b, name+".trace")
	}
	return all.Report()
}

// Numbers on the pages of several traces are those that summary prints of them together.
func TestTogether(t *testing.T) {
	s := serveTogether(t)
	if index := get(t, s.url); !strings.Contains(index, `href="all/"`) {
		t.Error("the index does not lead to all together")
	}
	want := merged(t, togetherTraces, 0)
	rows := tableRows(t, get(t, s.url+"all/goroutines"), "goroutines-table")
	if len(rows) != len(want.Goroutines) {
		t.Errorf("%d start functions, want %d", len(rows), len(want.Goroutines))
	}
	for i, row := range rows {
		if g := &want.Goroutines[i]; row[0] != report.ShortFunc(g.Func) || row[1] != strconv.FormatInt(g.Count, 10) || row[2] != strconv.FormatInt(int64(g.Sum.Execution), 10) {
			t.Errorf("row %d is %q, want %s, %d times, %v", i, row[:3], g.Func, g.Count, g.Sum.Execution)
		}
	}
	overview := get(t, s.url+"all/")
	for _, typ := range want.Why.Types[:mostWhy] {
		if text := report.Duration(typ.P99); !strings.Contains(overview, "p99 <b>"+text) {
			t.Errorf("no p99 of %s, %s", typ.Name, text)
		}
	}
	if len(tableRows(t, overview, "traces-table")) != len(togetherTraces) || strings.Contains(overview, `class="timeline"`) {
		t.Error("the overview should have a line for each trace, and nothing over time")
	}
	for _, page := range []string{"units", "blocking", "scheduling", "gc", "units?unit=http"} {
		get(t, s.url+"all/"+page)
	}
	http := merged(t, togetherTraces, critical.KindsOf(critical.HTTP))
	if page := get(t, s.url+"all/?unit=http"); !strings.Contains(page, "p99 <b>"+report.Duration(http.Why.Types[0].P99)) {
		t.Error("not of HTTP requests")
	}
	// All units of a type are in its histogram.
	total := int64(0)
	v := s.all.cache.order.Back().Value.(*entry[int, *togetherView]).value
	for _, r := range v.view.units.Rows(critical.Task, "handleRequest") {
		total += r.Count
	}
	for _, typ := range want.Why.Types {
		if typ.Name == "handleRequest" && typ.Count != total {
			t.Errorf("%d requests in the histogram, want %d", total, typ.Count)
		}
	}
}

// What is in one of several traces leads to the pages of that one.
func TestTogetherLinks(t *testing.T) {
	s := serveTogether(t)
	links := regexp.MustCompile(`href="(\.\./[^"]+)"`)
	kinds := map[string]int{"unit?": 0, "goroutine?": 0, "trace.pftrace?": 0}
	for _, page := range []string{"", "blocking", "scheduling", "gc", "units?kind=task&type=assist"} {
		seen := 0
		for _, m := range links.FindAllStringSubmatch(get(t, s.url+"all/"+page), -1) {
			if seen++; seen > 12 {
				break // all are made alike
			}
			href := strings.ReplaceAll(m[1], "&amp;", "&")
			body := get(t, s.at("all/"+href))
			for kind := range kinds {
				if strings.Contains(href, "/"+kind) {
					kinds[kind]++
				}
			}
			if strings.Contains(href, "/unit?") && !strings.Contains(body, "Critical path") {
				t.Errorf("%s leads to no critical path", href)
			}
		}
	}
	for kind, n := range kinds {
		if n == 0 {
			t.Errorf("nothing leads to a %s", kind)
		}
	}
	if page := get(t, s.url+"1/"); !strings.Contains(page, `href="../"`) {
		t.Error("the page of one does not lead back")
	}
	// The slowest request of all is that one, in its trace.
	why := merged(t, togetherTraces, 0).Why
	u := &why.Types[0].TailUnits[0]
	overview := get(t, s.url+"all/")
	at := strings.Index(overview, "in "+u.File+" ("+report.Duration(u.Duration())+")</a>")
	if at < 0 {
		t.Fatalf("the overview does not lead to %s in %s", why.UnitID(u), u.File)
	}
	href := regexp.MustCompile(`href="([^"]+)">[^<]*$`).FindStringSubmatch(overview[:at])
	if page := get(t, s.at("all/"+strings.ReplaceAll(href[1], "&amp;", "&"))); !strings.Contains(page, report.SecondsSince(time.Duration(u.Start))) || !strings.Contains(page, report.Duration(u.Duration())) {
		t.Errorf("%s is not the one at %v", href[1], u.Start)
	}
}

// One file has several traces together, says which trace a moment is in, and leads nowhere.
func TestWriteTogether(t *testing.T) {
	var last string
	for range 2 {
		all := NewTogether(0)
		for _, name := range togetherTraces {
			f, err := os.Open(testtrace.Path(name))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			p := NewPart(0)
			if _, err := model.Read(t.Context(), f, p); err != nil {
				t.Fatal(err)
			}
			all.Add("dumps/"+name+".trace", p, nil)
		}
		var b bytes.Buffer
		if err := WriteTogether(&b, all, "3 traces"); err != nil {
			t.Fatal(err)
		}
		if last != "" && b.String() != last {
			t.Error("the file is not the same")
		}
		last = b.String()
	}
	for _, want := range []string{`<section id="overview"`, `<section id="gc"`, "in httpserver.trace", "they are of different times", "3 traces"} {
		if !strings.Contains(last, want) {
			t.Errorf("it has no %s", want)
		}
	}
	if m := regexp.MustCompile(`href="[^"#]+"`).FindAllString(strings.ReplaceAll(last, `href="data:,"`, ""), 3); len(m) > 0 {
		t.Errorf("it leads to %q", m)
	}
}
