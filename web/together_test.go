package web

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/convert/pprof"
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
	return mergedBy(t, names, opts)
}

// mergedBy is merged with other options.
func mergedBy(t *testing.T, names []string, opts report.Options) *report.Report {
	t.Helper()
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
	for _, page := range []string{"units", "blocking", "scheduling", "gc", "flame", "units?unit=http"} {
		get(t, s.url+"all/"+page)
	}
	http := merged(t, togetherTraces, critical.KindsOf(critical.HTTP))
	if page := get(t, s.url+"all/?unit=http"); !strings.Contains(page, "p99 <b>"+report.Duration(http.Why.Types[0].P99)) {
		t.Error("not of HTTP requests")
	}
	// All units of a type are in its histogram.
	total := int64(0)
	v := s.all.cache.order.Back().Value.(*entry[query, *togetherView]).value
	for _, r := range v.view.units.Rows(critical.Task, "handleRequest") {
		total += r.Count
	}
	for _, typ := range want.Why.Types {
		if typ.Name == "handleRequest" && typ.Count != total {
			t.Errorf("%d requests in the histogram, want %d", total, typ.Count)
		}
	}
}

// The page of a function has its goroutines in all traces, with the numbers of the report.
func TestTogetherFunction(t *testing.T) {
	s := serveTogether(t)
	const fn = "net/http.(*conn).serve"
	opts := report.Options{Singles: maxSingles}
	opts.Selection.Func = regexp.MustCompile(`^net/http\.\(\*conn\)\.serve$`)
	want := mergedBy(t, togetherTraces, opts)
	page := get(t, s.at("all/"+links{}.Func(fn)))
	if rows := tableRows(t, get(t, s.url+"all/goroutines"), "goroutines-table"); len(rows) == 0 || !strings.Contains(get(t, s.url+"all/goroutines"), `href="goroutines?func=`) {
		t.Error("the goroutines of all traces do not lead to those of a function")
	}
	rows := tableRows(t, page, "singles-table")
	if len(want.Singles) == 0 || len(rows) != len(want.Singles) {
		t.Fatalf("%d goroutines, want %d", len(rows), len(want.Singles))
	}
	files := make(map[string]bool)
	for i := range want.Singles {
		g := &want.Singles[i]
		files[g.File] = true
		if row := rows[i]; row[0] != strconv.FormatInt(int64(g.ID), 10) || row[1] != g.File || row[2] != ns(g.Start) || row[4] != ns(g.Times.Execution) {
			t.Errorf("row %d is %q, want %+v", i, row[:5], g)
		}
	}
	if len(files) < 2 {
		t.Errorf("goroutines only of %v", files)
	}
	checkTable(t, s.at("all/"+links{}.Func(fn)), "blocking-table", want.Blocking, func(b *report.Blocking) []string {
		return []string{b.Reason, "", strconv.FormatInt(b.Count, 10), ns(b.Total)}
	})
	// Each goroutine leads to its page, in its trace.
	for _, n := range []string{"1", "3"} {
		m := regexp.MustCompile(`href="(\.\./` + n + `/goroutine\?id=(\d+))"`).FindStringSubmatch(page)
		if m == nil {
			t.Errorf("nothing leads to a goroutine of trace %s", n)
			continue
		}
		if body := get(t, s.at("all/"+m[1])); !strings.Contains(body, "<h2>Goroutine "+m[2]) {
			t.Errorf("%s is not its page", m[1])
		}
	}
}

// The worst waits of several traces say what ran instead, and all waits are counted.
func TestTogetherScheduling(t *testing.T) {
	s := serveTogether(t)
	page := get(t, s.url+"all/scheduling")
	want := mergedBy(t, togetherTraces, report.Options{Worst: mostWorst})
	for i, row := range tableRows(t, page, "worst-table") {
		w := &want.Scheduling.Worst[i]
		n := slices.IndexFunc(togetherTraces, func(name string) bool { return name+".trace" == w.File })
		of := s.traces[n]
		ran, err := of.ran(t.Context(), []report.SchedWait{*w})
		if err != nil {
			t.Fatal(err)
		}
		if text := report.RanLine(ran[0].ran); text == "" || !strings.HasPrefix(row[5], text) {
			t.Errorf("row %d: %q ran, want %q", i, row[5], text)
		}
	}
	all, err := s.all.view(t.Context(), query{})
	if err != nil {
		t.Fatal(err)
	}
	total, sum := int64(0), int64(0)
	for _, n := range all.view.waits.Rows {
		total += n
	}
	for _, tr := range s.traces {
		for _, rows := range tr.whole.series.Waits {
			for _, n := range rows {
				sum += int64(n)
			}
		}
	}
	if total != sum || total == 0 {
		t.Errorf("%d waits, want %d", total, sum)
	}
}

// Flame graphs of several traces are of the profiles of all of them, added up.
func TestTogetherFlame(t *testing.T) {
	s := serveTogether(t)
	for _, opts := range []pprof.Options{{Type: pprof.Sync}, {Type: pprof.Wall}, {Type: pprof.Critical}} {
		var total int64
		for _, name := range togetherTraces {
			p := pprof.New(opts)
			if _, err := model.Read(t.Context(), bytes.NewReader(testtrace.Data(t, name)), p); err != nil {
				t.Fatal(err)
			}
			total += p.Stats().Time
		}
		made, stats, err := s.all.profile(t.Context(), opts)
		if err != nil || stats.Time != total {
			t.Errorf("%v: %d, want %d, %v", opts.Type, stats.Time, total, err)
			continue
		}
		of := int64(0)
		for _, x := range made.Sample {
			of += x.Value[len(x.Value)-1]
		}
		if of != total {
			t.Errorf("%v: samples of %d, want %d", opts.Type, of, total)
		}
		page := get(t, s.url+"all/flame/"+opts.Type.String()+"/all/top")
		if !strings.Contains(page, "<title>3 traces ") {
			t.Errorf("%v: the page is not of all traces", opts.Type)
		}
	}
	if page := get(t, s.url+"all/"+flames(links{}, "func", "net/http.(*conn).serve")[0].Href); !strings.Contains(page, "<title>3 traces, goroutines of ") {
		t.Error("not of one function")
	}
	for _, path := range []string{"flame/wall/from=1ms/top", "flame/wall/goroutine=1/top", "flame/wall/task-id=1/top", "goroutine?id=1", "nothing", "goroutines?func=nobody"} {
		resp, err := http.Get(s.url + "all/" + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, resp.Status)
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
	again := func(ctx context.Context, file string, sink model.Sink, w model.Window) (*model.Summary, error) {
		name := strings.TrimSuffix(filepath.Base(file), ".trace")
		return model.ReadWindow(ctx, bytes.NewReader(testtrace.Data(t, name)), sink, w)
	}
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
		if err := WriteTogether(t.Context(), &b, all, "3 traces", again); err != nil {
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
	// What ran instead is what the pages of them say.
	served := serveTogether(t)
	rows := tableRows(t, last, "worst-table")
	for i, row := range tableRows(t, get(t, served.url+"all/scheduling"), "worst-table") {
		if row[5] == "" || i >= len(rows) || rows[i][5] != row[5] {
			t.Errorf("row %d is %q, the page has %q", i, rows[min(i, len(rows)-1)], row)
		}
	}
	if m := regexp.MustCompile(`href="[^"#]+"`).FindAllString(strings.ReplaceAll(last, `href="data:,"`, ""), 3); len(m) > 0 {
		t.Errorf("it leads to %q", m)
	}
}
