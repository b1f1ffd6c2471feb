package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime/trace"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// load reads a trace of testdata/traces.
func load(t *testing.T, name string) *Trace {
	t.Helper()
	return loadFile(t, testtrace.Path(name))
}

func loadFile(t *testing.T, file string) *Trace {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tr, err := Read(t.Context(), filepath.Base(file), f, func() (*os.File, error) { return os.Open(file) }, ReadOptions{})
	if tr == nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

// served is a server of pages at work.
type served struct {
	*Server
	url  string // of the first page
	temp string // folder for windows
}

func serve(t *testing.T, ui string, traces ...*Trace) served {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	address, err := url.Parse(ui)
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	s := NewServer(context.Background(), srv.Listener.Addr(), traces, Options{
		UI: address, Version: "test", TempFile: func() (*os.File, error) { return os.CreateTemp(temp, "window-*") },
	})
	srv.Config.Handler = s
	srv.Start()
	t.Cleanup(srv.Close)
	return served{s, srv.URL + s.Path(), temp}
}

// at is the address of a page, relative to the first one.
func (s served) at(relative string) string {
	base, err := url.Parse(s.url)
	if err != nil {
		return s.url
	}
	u, err := base.Parse(relative)
	if err != nil {
		return s.url
	}
	return u.String()
}

// get returns the body of a page.
func get(t *testing.T, address string) string {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		_, text, _ := strings.Cut(string(body), "<main")
		t.Fatalf("%s: %s, %v: %.500s", address, resp.Status, err, text)
	}
	return string(body)
}

// tableRows returns the values of the cells of a table: what it is sorted by, or its text.
func tableRows(t *testing.T, page, id string) [][]string {
	t.Helper()
	return rowsOf(t, page, id, "tbody")
}

// tableColumns returns the titles of the columns of a table.
func tableColumns(t *testing.T, page, id string) []string {
	t.Helper()
	if rows := rowsOf(t, page, id, "thead"); len(rows) == 1 {
		return rows[0]
	}
	return nil
}

// rowsOf returns the rows in the head or the body of a table.
func rowsOf(t *testing.T, page, id, part string) (rows [][]string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(n *html.Node, in bool)
	walk = func(n *html.Node, in bool) {
		in = in || n.Type == html.ElementNode && n.Data == "table" && attribute(n, "id") == id
		if in && n.Data == "tr" && n.Parent.Data == part {
			var row []string
			for c := n.FirstChild; c != nil; c = c.NextSibling {
				if c.Type == html.ElementNode {
					v := attribute(c, "data-v")
					if v == "" {
						v = textOf(c)
					}
					row = append(row, v)
				}
			}
			rows = append(rows, row)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, in)
		}
	}
	walk(doc, false)
	return rows
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(textOf(c))
	}
	return b.String()
}

// summary is what trace2x summary --json says of a window.
func summary(t *testing.T, name string, w model.Window) *report.Report {
	t.Helper()
	f, err := os.Open(testtrace.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := report.New(report.Options{})
	if sum, err := model.ReadWindow(t.Context(), f, b, w); sum == nil {
		t.Fatal(err)
	}
	return b.Report()
}

func ns(d time.Duration) string { return strconv.FormatInt(int64(d), 10) }

// The numbers in the tables are those of the report, of the whole trace and of a window.
func TestNumbers(t *testing.T) {
	for _, name := range []string{"httpserver", "gc", "slow", "leak", "leak-go1.21", "pipeline", "damaged"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, "https://ui.example", load(t, name))
			end := s.traces[0].whole.series.End
			for _, q := range []query{{}, {from: end / 4, to: end / 2}} {
				v := links{}.rangeValues(q.from, q.to)
				want := summary(t, name, q.window())
				checkTable(t, s.at(join("goroutines", v)), "goroutines-table", want.Goroutines, func(g *report.Group) []string {
					return []string{report.ShortFunc(g.Func), strconv.FormatInt(g.Count, 10), ns(g.Sum.Execution), ns(g.Sum.SchedWait), ns(g.Sum.Block), ns(g.Sum.Syscall + g.Sum.SyscallBlock), ns(g.Sum.GCAssist)}
				})
				checkReasons(t, s.at(join("goroutines", v)), want.Goroutines)
				checkTable(t, s.at(join("blocking", v)), "blocking-table", want.Blocking, func(b *report.Blocking) []string {
					return []string{b.Reason, "", strconv.FormatInt(b.Count, 10), ns(b.Total), ns(b.P50), ns(b.P99), ns(b.Max)}
				})
				checkTable(t, s.at(join("gc", v)), "pauses-table", want.GC.Pauses, func(p *report.Pause) []string {
					return []string{p.Reason, strconv.FormatInt(p.Count, 10), ns(p.Total), ns(p.P50), ns(p.P99), ns(p.Max), ns(p.Longest.At)}
				})
				checkTable(t, s.at(join("gc", v)), "assists-table", want.GC.Assists, func(a *report.Assist) []string {
					return []string{report.ShortFunc(a.Func), strconv.FormatInt(a.Count, 10), ns(a.Total), ns(a.Max)}
				})
				checkTable(t, s.at(join("units", v)), "tasks-table", want.Tasks, func(a *report.Annotation) []string {
					return []string{"", strconv.FormatInt(a.Count, 10), strconv.FormatInt(a.Cut, 10), ns(a.Latency.Total), ns(a.Latency.P50), ns(a.Latency.P90), ns(a.Latency.P99), ns(a.Latency.Max), ns(a.Times.Execution), ns(a.Times.SchedWait), ns(a.Times.Block)}
				})
				checkTable(t, s.at(join("gc", v)), "mmu-table", want.GC.Utilization, func(u *report.Utilization) []string {
					return []string{ns(u.Length), strconv.FormatFloat(u.MMU, 'g', -1, 64), ns(u.At)}
				})
				worst := want.Scheduling.Worst[:min(len(want.Scheduling.Worst), mostWorst)]
				checkTable(t, s.at(join("scheduling", v)), "worst-table", worst, func(w *report.SchedWait) []string {
					return []string{ns(w.Duration), ns(w.At), strconv.FormatInt(int64(w.Goroutine), 10), report.ShortFunc(w.Func), w.After}
				})
				overview := get(t, s.at(join(".", v)))
				for _, typ := range want.Why.Types[:min(len(want.Why.Types), mostWhy)] {
					if line := report.UnitType(typ.Kind, typ.Name); !strings.Contains(overview, html.EscapeString(line)) {
						t.Errorf("%+v: the overview does not have %s", q, line)
					}
				}
			}
		})
	}
}

// checkTable compares a table with what a report has. "" is not compared.
func checkTable[T any](t *testing.T, address, id string, list []T, want func(*T) []string) {
	t.Helper()
	rows := tableRows(t, get(t, address), id)
	if len(rows) < len(list) {
		t.Errorf("%s: %s has %d rows, the report %d", address, id, len(rows), len(list))
		return
	}
	for i := range list {
		for c, w := range want(&list[i]) {
			if w != "" && rows[i][c] != w {
				t.Errorf("%s: %s, row %d: %q, the report has %q", address, id, i, rows[i], want(&list[i]))
				break
			}
		}
	}
}

// checkReasons checks that each reason of waits has a column, with the numbers of the
// report.
func checkReasons(t *testing.T, address string, list []report.Group) {
	t.Helper()
	page := get(t, address)
	rows, names := tableRows(t, page, "goroutines-table"), tableColumns(t, page, "goroutines-table")
	for i := range list {
		of := list[i].Sum.BlockByReason
		found := 0
		for c, name := range names[7 : len(names)-1] { // behind assist
			d := of[name]
			if rows[i][7+c] != ns(d) {
				t.Errorf("%s: %s: %s is %s, the report has %v", address, list[i].Func, name, rows[i][7+c], d)
			}
			if d > 0 {
				found++
			}
		}
		if found != len(of) {
			t.Errorf("%s: %s: columns for %d of %d reasons", address, list[i].Func, found, len(of))
		}
	}
}

// hostile is a trace whose names are HTML, which its test may look at.
func hostile(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	if err := trace.Start(&out); err != nil {
		t.Skip(err) // the tests themselves are traced
	}
	for range 30 {
		ctx, task := trace.NewTask(t.Context(), hostileName)
		trace.WithRegion(ctx, hostileName+"region", func() { time.Sleep(10 * time.Microsecond) })
		trace.Log(ctx, hostileName, hostileName)
		task.End()
	}
	_, task := trace.NewTask(t.Context(), "\x1b[31m\u202e\x00"+strings.Repeat("Endless", 30))
	task.End()
	trace.Stop()
	file := filepath.Join(t.TempDir(), "<img src=x onerror=alert(1)>.trace")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const hostileName = `</script></style></title>"'><script>alert(1)</script><img src=x onerror=alert(1)>`

// Names in a trace are text, wherever they are.
func TestHostileNames(t *testing.T) {
	tr := loadFile(t, hostile(t))
	s := serve(t, "https://ui.example", tr)
	var file bytes.Buffer
	if err := Write(t.Context(), &file, tr, "trace2x summary --html FILE <script>"); err != nil {
		t.Fatal(err)
	}
	v := url.Values{"kind": {"task"}, "type": {hostileName}}
	pages := map[string]string{"the file": file.String()}
	for _, p := range []string{".", "goroutines", "units", "units?" + v.Encode(), "units?unit=region", "blocking", "scheduling", "gc", "flame"} {
		pages[p] = get(t, s.at(p))
	}
	u := tr.whole.rep.Why.Types[0].Slowest[0]
	pages["unit"] = get(t, s.at(links{}.unitOf(&u.Unit)))
	for name, page := range pages {
		doc, err := html.Parse(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		var walk func(n *html.Node)
		scripts := 0
		walk = func(n *html.Node) {
			if n.Type == html.ElementNode {
				switch {
				case n.Data == "script" && attribute(n, "type") == "":
					if scripts++; textOf(n) != script {
						t.Errorf("%s: a script of another: %.80s", name, textOf(n))
					}
				case n.Data == "style" && textOf(n) != style:
					t.Errorf("%s: a style of another", name)
				case n.Data == "img", n.Data == "iframe", n.Data == "base":
					t.Errorf("%s: <%s>", name, n.Data)
				}
				for _, a := range n.Attr {
					if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "href" && strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript") {
						t.Errorf("%s: <%s %s=%q>", name, n.Data, a.Key, a.Val)
					}
				}
			}
			for c := n.FirstChild; c != nil; c = c.NextSibling {
				walk(c)
			}
		}
		walk(doc)
		if i := strings.IndexAny(page, "\x1b\u202e\x00\ufffd"); i >= 0 {
			t.Errorf("%s: a character that cannot be seen: %q", name, page[max(i-80, 0):i+10])
		}
		if scripts != 1 {
			t.Errorf("%s: %d scripts", name, scripts)
		}
	}
	if !strings.Contains(pages["units"], "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the name of the task is not on the page")
	}
}

// So they are on pprof's pages, whose policy would let scripts run, and on those of several
// traces.
func TestHostileElsewhere(t *testing.T) {
	s := serve(t, "https://ui.example", loadFile(t, hostile(t)), loadFile(t, hostile(t)))
	v := url.Values{"kind": {"task"}, "type": {hostileName}}
	fn := links{}.Func(s.traces[0].whole.rep.Goroutines[0].Func)
	paths := []string{"", "all/", "all/goroutines", "all/" + fn, "all/units?" + v.Encode(), "all/blocking", "all/scheduling", "all/flame"}
	for _, page := range []string{"flamegraph", "top", "peek?f=."} {
		paths = append(paths, "1/flame/wall/all/"+page, "all/flame/critical/all/"+page, "1/flame/wall/"+url.PathEscape(url.Values{"task": {hostileName}}.Encode())+"/"+page)
	}
	for _, path := range paths {
		doc, err := html.Parse(strings.NewReader(get(t, s.url+path)))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "iframe" || n.Data == "base" || n.Data == "img" && attribute(n, "src") == "x" || attribute(n, "onerror") != "" {
				t.Errorf("%s: <%s>", path, n.Data)
			}
			if n.Data == "script" && strings.HasPrefix(strings.TrimSpace(textOf(n)), "alert") {
				t.Errorf("%s: its script ran", path)
			}
		}
	}
}

// A page says that a range has no units of work, or that Ps may have been idle, where that
// is so.
func TestNotThere(t *testing.T) {
	s := serve(t, "https://ui.example", load(t, "httpserver"), load(t, "leak-go1.21"), load(t, "empty"))
	for path, want := range map[string]string{
		"1/?from=1211100us&to=1211200us":      "No unit of work has ended that began in this range.",
		"1/units?from=1211100us&to=1211200us": "No unit of work has ended that began in this range.",
		"3/":                                  "No unit of work has ended: no task, region or HTTP request",
		"3/units":                             "No unit of work has ended: no task, region or HTTP request",
		"3/units?unit=region":                 "No regions have ended.",
		"2/":                                  "idle <b>not known",
		"2/gc":                                "GOMAXPROCS is not known",
	} {
		if page := get(t, s.url+path); !strings.Contains(page, want) {
			t.Errorf("%s does not say %q", path, want)
		}
	}
	// Goroutines whose start function is not known have no page.
	if page := get(t, s.url+"2/goroutines"); !strings.Contains(page, model.UnknownFunc) || strings.Contains(page, `href="goroutines?func="`) {
		t.Error("a start function that is not known has a page")
	}
	// A file of a range.
	part, err := Read(t.Context(), "part", bytes.NewReader(testtrace.Data(t, "httpserver")), nil, ReadOptions{Window: query{from: 500 * time.Millisecond, to: 510 * time.Millisecond}.window()})
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	p := page{File: true}
	if err := p.addSections(t.Context(), noneRan, part.whole, links{file: true}, withoutFlames()); err != nil || p.write(&file) != nil {
		t.Fatal(err)
	}
	if page := file.String(); !strings.Contains(page, "1 more is cut by the edges of the range") || strings.Contains(page, "leads to its instances") {
		t.Error("the file does not say that it is of a range, or leads to instances that it does not have")
	}
	var text bytes.Buffer
	if err := report.Text(&text, s.traces[1].Report(), report.TextOptions{}); err != nil || !strings.Contains(text.String(), "Ps while not idle: 32.1% running goroutines") || strings.Contains(text.String(), "% idle") {
		t.Errorf("%v: %.800s", err, text.String())
	}
}

// What does not exist is said so, on a page.
func TestMissing(t *testing.T) {
	s := serve(t, "https://ui.example", load(t, "chain"))
	for path, want := range map[string]int{
		"nothing": 404, "goroutine?id=99999": 404, "goroutine?id=x": 404, "goroutines?func=nobody": 404, "?from=1h": 404, "?from=x": 400, "?from=-1s": 400,
		"?from=2s&to=1s": 400, "?unit=week": 400, "unit?kind=task": 404, "unit?kind=task&task=77&goroutine=1&start=5&latency=1ms": 404, "units?kind=x": 404,
		"units?kind=task&least=x": 404, "trace.pftrace?from=1h": 404, "trace.pftrace?from=x": 400, "trace.pftrace?at=1ms&for=1ms&select=x": 400, "trace.pftrace?at=1ms&for=1ms&lane=x": 400, "flame/wall/all/": 301, "flame/week/all/top": 404, "flame/cpu/all/top": 404,
		"flame/wall/from=x/top": 404, "flame/wall/task-id=x/top": 404, "flame/wall": 404, "flame/wall/all/saveconfig": 404, "flame/wall/all/source": 404, "flame/wall/all/disasm": 404,
	} {
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s, want %d: %.200s", path, resp.Status, want, body)
		}
	}
}

// Only the user's own pages get an answer.
func TestGuard(t *testing.T) {
	s := serve(t, "https://ui.example", load(t, "chain"))
	host := strings.TrimPrefix(strings.TrimSuffix(s.url, s.Path()), "http://")
	_, port, _ := strings.Cut(host, ":")
	for _, test := range []struct {
		name, method, path string
		header             map[string]string
		want               int
	}{
		{"a page", "GET", s.Path(), nil, 200},
		{"a page by name", "GET", s.Path(), map[string]string{"Host": "localhost:" + port}, 200},
		{"from the address bar", "GET", s.Path(), map[string]string{"Sec-Fetch-Site": "none"}, 200},
		{"a page of the server", "GET", s.Path(), map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://" + host}, 200},
		{"root", "GET", "/", nil, 404},
		{"a guess", "GET", "/AAAAAAAAAAAAAAAAAAAAAAAAAA/1/", nil, 404},
		{"another trace", "GET", s.folder + "2/", nil, 404},
		{"another name", "GET", s.Path(), map[string]string{"Host": "evil.example:" + port}, 421},
		{"another port", "GET", s.Path(), map[string]string{"Host": "127.0.0.1:1"}, 421},
		{"another address", "GET", s.Path(), map[string]string{"Host": "10.0.0.1:" + port}, 421},
		{"another origin", "GET", s.Path(), map[string]string{"Origin": "https://evil.example"}, 403},
		{"a sandboxed frame", "GET", s.Path(), map[string]string{"Origin": "null"}, 403},
		{"a link of another site", "GET", s.Path(), map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"another port of this machine", "GET", s.Path(), map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"a window for another origin", "GET", s.Path() + "trace.pftrace", map[string]string{"Origin": "https://ui.example"}, 403},
		{"POST", "POST", s.Path(), nil, 405},
		{"stop by GET", "GET", s.folder + "stop", nil, 405},
		{"stop by nobody", "POST", s.folder + "stop", nil, 405},
		{"stop by another site", "POST", s.folder + "stop", map[string]string{"Origin": "https://evil.example"}, 403},
	} {
		req := httptest.NewRequest(test.method, "http://"+host+test.path, nil)
		for k, v := range test.header {
			req.Header.Set(k, v)
			if k == "Host" {
				req.Host = v
			}
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		h := w.Header()
		if w.Code != test.want {
			t.Errorf("%s: %d, want %d", test.name, w.Code, test.want)
		}
		if h.Get("Cache-Control") != "no-store" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Referrer-Policy") != "same-origin" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: headers %v", test.name, h)
		}
		if csp := h.Get("Content-Security-Policy"); w.Code == 200 && (!strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'")) {
			t.Errorf("%s: policy %q", test.name, csp)
		}
	}
	select {
	case <-s.Stopped():
		t.Error("it was stopped")
	default:
	}
	req := httptest.NewRequest("POST", "http://"+host+s.folder+"stop", nil)
	req.Header.Set("Origin", "http://"+host)
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, req); w.Code != 200 {
		t.Errorf("stop: %d", w.Code)
	}
	select {
	case <-s.Stopped():
	default:
		t.Error("it was not stopped")
	}
}

// A file has all sections, is the same each time, and refers to nothing.
func TestWrite(t *testing.T) {
	var last string
	for range 2 {
		var b bytes.Buffer
		if err := Write(t.Context(), &b, load(t, "gc"), "trace2x"); err != nil {
			t.Fatal(err)
		}
		if last != "" && b.String() != last {
			t.Error("the file is not the same")
		}
		last = b.String()
	}
	for _, id := range []string{"overview", "goroutines", "units", "blocking", "scheduling", "gc"} {
		if !strings.Contains(last, `<section id="`+id+`"`) {
			t.Errorf("no section %s", id)
		}
	}
	for _, bad := range []string{"http://", "https://", "src=", "url("} {
		if i := strings.Index(strings.ReplaceAll(last, script, ""), bad); i >= 0 {
			t.Errorf("it has %s: %.100s", bad, last[i:])
		}
	}
}

// A window that would be slow to load has less detail, or only its beginning, and says so.
func TestBudget(t *testing.T) {
	s := serve(t, "https://ui.example", load(t, "httpserver"))
	for budget, want := range map[int64]string{100_000_000: "", 700_000: "slices of waits", 250_000: "what comes"} {
		s.budget = budget
		resp, err := http.Get(s.url + "trace.pftrace")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status, err)
		}
		if int64(len(body)) > budget || len(body) < 10_000 {
			t.Errorf("%d bytes, may be %d", len(body), budget)
		}
		leftOut, err := url.PathUnescape(resp.Header.Get("Trace2x-Left-Out"))
		if err != nil || (leftOut == "") != (want == "") || !strings.Contains(leftOut, want) {
			t.Errorf("budget %d: left out is %q, %v", budget, leftOut, err)
		}
	}
}

// Several traces have a page that leads to each.
func TestIndex(t *testing.T) {
	s := serve(t, "https://ui.example", load(t, "chain"), load(t, "gc"))
	index := get(t, s.url)
	if rows := tableRows(t, index, "traces-table"); len(rows) != 2 || rows[0][5] != ns(s.traces[0].whole.rep.Why.Types[0].P99) {
		t.Errorf("the list of traces is %q", rows)
	}
	for i, name := range []string{"chain.trace", "gc.trace"} {
		if !strings.Contains(index, name) {
			t.Errorf("no %s in the index", name)
		}
		if page := get(t, s.url+strconv.Itoa(i+1)+"/"); !strings.Contains(page, "<title>"+name+": Overview") {
			t.Errorf("page %d is not of %s", i+1, name)
		}
	}
}

// Who ended waits leads to that goroutine, and to the moment in Perfetto; also on the page
// of a function, and of several traces to those of the right one.
func TestEnders(t *testing.T) {
	s := serveTogether(t)
	one := summary(t, "httpserver", model.Window{})
	for page, want := range map[string]*report.Report{"1/blocking": one, "all/blocking": merged(t, togetherTraces, 0)} {
		body := strings.ReplaceAll(get(t, s.url+page), "&amp;", "&")
		leads := 0
		for i := range want.Blocking {
			b := &want.Blocking[i]
			_, list := b.Enders()
			for _, e := range list {
				if e.EndedBy == nil {
					continue
				}
				prefix := ""
				if page == "all/blocking" {
					prefix = "../" + strconv.Itoa(1+slices.Index(togetherTraces, strings.TrimSuffix(e.Longest.File, ".trace"))) + "/"
				}
				its := links{prefix: prefix}
				moment := html.EscapeString(its.Perfetto(e.Longest.At, e.Longest.Duration, selectState, e.Longest.Goroutine, e.Goroutine))
				if !strings.Contains(body, `href="`+strings.ReplaceAll(moment, "&amp;", "&")+`"`) {
					t.Errorf("%s: %s: nothing leads to %s", page, e.Text, moment)
				}
				if e.Goroutine == 0 {
					continue
				}
				if href := its.Goroutine(e.Goroutine); !strings.Contains(body, `<a href="`+href+`" title="the longest of these waits: G`) {
					t.Errorf("%s: %s: nothing leads to %s", page, e.Text, href)
				} else if leads++; leads == 1 {
					get(t, s.at(strings.Split(page, "/")[0]+"/"+href))
				}
			}
		}
		if leads < 10 {
			t.Errorf("%s: only %d goroutines that ended waits", page, leads)
		}
	}
	slow, err := s.traces[1].view(t.Context(), query{goroutine: 1})
	if err != nil {
		t.Fatal(err)
	}
	ended, life := 0, get(t, s.url+"2/goroutine?id=1")
	for _, w := range slow.rep.Goroutine.Waits {
		if w.MaxEndedBy == 0 {
			continue
		}
		ended++
		if want := fmt.Sprintf(`at %s, ended by <a href="%s">G%d</a>`, report.SecondsSince(w.MaxAt), links{}.Goroutine(w.MaxEndedBy), w.MaxEndedBy); !strings.Contains(life, want) {
			t.Errorf("the life of G1 does not have %s", want)
		}
	}
	if ended < 5 {
		t.Errorf("%d waits of G1 were ended by a goroutine", ended)
	}
	body := get(t, s.url+"1/scheduling")
	for _, w := range one.Scheduling.Worst[:min(len(one.Scheduling.Worst), mostWorst)] {
		if href := (links{}).Goroutine(w.By); w.By > 0 && !strings.Contains(body, `by <a href="`+href+`">`) {
			t.Errorf("the wait for a P at %v does not lead to G%d", w.At, w.By)
		}
	}
}

func TestBreakable(t *testing.T) {
	long := strings.Repeat("é", longWord)
	for name, want := range map[string]string{
		"":                                     "",
		"net/http.(*conn).serve":               "net/http.<wbr>(*conn).<wbr>serve",
		"<b> & a.b":                            "&lt;b&gt; &amp; a.<wbr>b",
		long + "x":                             long + "<wbr>x",
		long[2:] + " " + long[2:]:              long[2:] + " " + long[2:],
		strings.Repeat("\xff", longWord) + "x": strings.Repeat("\xff", longWord) + "<wbr>x",
	} {
		if got := string(breakable(name)); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
