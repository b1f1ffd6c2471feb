package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/e2e/axe"
	"github.com/trace2x/trace2x/e2e/chromium"
	"github.com/trace2x/trace2x/e2e/perfettoui"
	"github.com/trace2x/trace2x/e2e/traceprocessor"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
)

func watch(t *testing.T, b *chromium.Browser, address string) *chromium.Page {
	t.Helper()
	p, err := b.Watch(address)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func eval[T any](t *testing.T, p *chromium.Page, script string) (out T) {
	t.Helper()
	if err := p.Eval(script, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func wait(t *testing.T, p *chromium.Page, expression string) {
	t.Helper()
	if err := p.Wait(expression); err != nil {
		t.Fatalf("%v; %q", err, p.Problems())
	}
}

// pagesOf are the pages of a trace: those of the navigation, and one of each below them.
func pagesOf(s served) []string {
	l := links{}
	out := []string{".", "goroutines", "units", "blocking", "scheduling", "gc", "flame"}
	r := s.traces[0].whole.rep
	if len(r.Goroutines) > 0 {
		out = append(out, l.Func(r.Goroutines[0].Func))
	}
	if len(r.Scheduling.Worst) > 0 {
		out = append(out, l.Goroutine(r.Scheduling.Worst[0].Goroutine))
	}
	for _, typ := range r.Why.Types {
		if len(typ.Slowest) > 0 {
			return append(out, l.unitOf(&typ.Slowest[0].Unit), l.page("units", "kind", typ.Kind.String(), "type", typ.Name))
		}
	}
	return out
}

// checkPage checks that a page has no errors, and asked nobody else for anything.
func checkPage(t *testing.T, p *chromium.Page, origin string) {
	t.Helper()
	for _, problem := range p.Problems() {
		t.Errorf("%s: %s", p.URL, problem)
	}
	for _, r := range p.Requests() {
		if !strings.HasPrefix(r, origin) && !strings.HasPrefix(r, "data:") {
			t.Errorf("%s: asks for %s", p.URL, r)
		}
	}
}

// Each page on several traces has no errors, asks no other host for anything, fits into
// the window, and axe-core finds nothing wrong with it.
func TestPages(t *testing.T) {
	b := chromium.StartTest(t)
	traces := map[string]*Trace{"hostile": loadFile(t, hostile(t))}
	for _, name := range []string{"httpserver", "leak-go1.21", "damaged", "empty"} {
		traces[name] = load(t, name)
	}
	for name, tr := range traces {
		s := serve(t, "https://ui.example", tr)
		origin := strings.TrimSuffix(s.url, s.Path())
		for _, path := range pagesOf(s) {
			p := watch(t, b, s.at(path))
			checkPage(t, p, origin)
			for _, width := range []int{1280, 420} {
				if err := p.Resize(width, 800); err != nil {
					t.Fatal(err)
				}
				if w := eval[int](t, p, "document.documentElement.scrollWidth"); w > width {
					t.Errorf("%s %s: it is %d wide in a window of %d", name, path, w, width)
				}
				if n := eval[int](t, p, `[...document.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth).length`); width == 1280 && n > 0 {
					t.Errorf("%s %s: %d tables must be scrolled sideways", name, path, n)
				}
			}
			if err := p.Resize(a4, 1123); err != nil {
				t.Fatal(err)
			}
			checkPrint(t, p, name+" "+path)
			if name == "httpserver" {
				schemes := []string{"light", "dark"}
				if path != "." && path != "gc" {
					schemes = schemes[:1]
				}
				for _, scheme := range schemes {
					if err := p.Media("", "prefers-color-scheme", scheme); err != nil {
						t.Fatal(err)
					}
					checkAccessible(t, p, name+" "+path+" "+scheme)
				}
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// a4 is how wide a page of paper is that Chromium prints on, without its margins.
const a4 = 718

// checkPrint checks that nothing of a page is cut off on paper, with all columns of tables,
// and that heads of tables can be repeated.
func checkPrint(t *testing.T, p *chromium.Page, what string) {
	t.Helper()
	if err := p.Media("print", "prefers-color-scheme", "light"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		wide := eval[[]string](t, p, fmt.Sprintf(`[...document.querySelectorAll("main *, h1")].filter(e => !e.closest(".hidden, caption, svg") && e.getBoundingClientRect().right > %d + 1)
			.map(e => e.tagName + "." + e.className + " " + Math.round(e.getBoundingClientRect().right)).slice(0, 5)`, a4))
		if len(wide) > 0 {
			t.Errorf("%s: it is cut off on paper: %q", what, wide)
		}
		if n := eval[int](t, p, `[...document.querySelectorAll(".unfold")].map(e => e.click()).length`); n == 0 {
			break
		}
	}
	if bad := eval[int](t, p, `[...document.querySelectorAll(".table thead")].filter(e => getComputedStyle(e).display != "table-header-group" || [...e.querySelectorAll("button")].some(b => getComputedStyle(b).display != "contents")).length`); bad > 0 {
		t.Errorf("%s: Chromium cannot repeat %d heads of tables", what, bad)
	}
	if err := p.Media("", "prefers-color-scheme", "light"); err != nil {
		t.Fatal(err)
	}
}

// Pages of several traces, served and as a file, are as good.
func TestPagesTogether(t *testing.T) {
	b := chromium.StartTest(t)
	s := serveTogether(t)
	origin := strings.TrimSuffix(s.url, s.Path())
	for _, path := range []string{".", "all/", "all/goroutines", "all/" + links{}.Func("net/http.(*conn).serve"), "all/units", "all/blocking", "all/scheduling", "all/gc", "all/flame", "all/units?kind=task&type=assist"} {
		p := watch(t, b, s.at(path))
		checkPage(t, p, origin)
		for _, width := range []int{1280, 420} {
			if err := p.Resize(width, 800); err != nil {
				t.Fatal(err)
			}
			if w := eval[int](t, p, "document.documentElement.scrollWidth"); w > width {
				t.Errorf("%s: it is %d wide in a window of %d", path, w, width)
			}
		}
		if err := p.Resize(a4, 1123); err != nil {
			t.Fatal(err)
		}
		checkPrint(t, p, path)
		if path == "." || path == "all/" || path == "all/gc" || path == "all/scheduling" || strings.HasPrefix(path, "all/goroutines?") {
			checkAccessible(t, p, path)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// checkAccessible checks a page with axe-core. It first removes most of what is of one
// kind, as that takes axe-core minutes.
func checkAccessible(t *testing.T, p *chromium.Page, what string) {
	t.Helper()
	if err := p.Eval(`
		for (const body of document.querySelectorAll("tbody")) [...body.rows].slice(10).forEach(row => row.remove());
		for (const plot of document.querySelectorAll("svg")) [...plot.querySelectorAll("a, circle, rect")].slice(20).forEach(e => e.remove());`, nil); err != nil {
		t.Fatal(err)
	}
	found, err := axe.Check(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range found {
		t.Errorf("%s: %s", what, x)
	}
}

// The file works from the disk.
func TestFile(t *testing.T) {
	b := chromium.StartTest(t)
	var out bytes.Buffer
	if err := Write(t.Context(), &out, load(t, "httpserver"), "trace2x summary --html FILE httpserver.trace"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	p := watch(t, b, "file://"+file)
	checkPage(t, p, "file://"+file)
	checkAccessible(t, p, "the file")
	drag(t, p, "#overview [data-timeline]", .25, .5)
	wait(t, p, `document.getElementById("toast").textContent.includes("trace2x summary --html FILE httpserver.trace --from ")`)
}

// Columns sort, both ways, by what the cells stand for, and rows are filtered by typing.
func TestTable(t *testing.T) {
	b := chromium.StartTest(t)
	s := serve(t, "https://ui.example", load(t, "httpserver"))
	p := watch(t, b, s.at("goroutines"))
	const cells = `[...document.querySelectorAll("#goroutines-table tbody tr:not([hidden])")].map(r => r.cells[COLUMN].dataset.v ?? r.cells[COLUMN].textContent)`
	column := func(n int) []string {
		return eval[[]string](t, p, strings.ReplaceAll(cells, "COLUMN", strconv.Itoa(n)))
	}
	columns := eval[int](t, p, `document.querySelectorAll("#goroutines-table th button").length`)
	const shown = `[...document.querySelectorAll("#goroutines-table th")].filter(th => th.offsetWidth > 0).length`
	if n := eval[int](t, p, shown); n != columns-5 { // of 11 reasons of waits, 6 are always shown
		t.Errorf("%d columns are shown, of %d", n, columns)
	}
	if err := p.Click(".unfold"); err != nil {
		t.Fatal(err)
	}
	if n := eval[int](t, p, shown); n != columns {
		t.Errorf("%d columns are shown of %d, all are wanted", n, columns)
	}
	for n := range columns - 1 { // the last one is of pictures
		for _, descending := range []bool{n > 0, n == 0} {
			if err := p.Click(fmt.Sprintf("#goroutines-table th:nth-child(%d) button", n+1)); err != nil {
				t.Fatal(err)
			}
			list := column(n)
			for i := 1; i < len(list); i++ {
				a, b := list[i-1], list[i]
				wrong := a > b
				if n > 0 {
					x, _ := strconv.ParseFloat(a, 64)
					y, _ := strconv.ParseFloat(b, 64)
					wrong = x > y
				}
				if a != b && wrong != descending {
					t.Errorf("column %d, descending %v: %q before %q", n, descending, a, b)
				}
			}
		}
	}
	all := len(column(0))
	if err := p.Press("/", false); err != nil {
		t.Fatal(err)
	}
	if err := p.Type("CONN serve"); err != nil {
		t.Fatal(err)
	}
	list := column(0)
	if len(list) == 0 || len(list) == all {
		t.Errorf("%d of %d rows", len(list), all)
	}
	for _, name := range list {
		if !strings.Contains(strings.ToLower(name), "conn") || !strings.Contains(strings.ToLower(name), "serve") {
			t.Errorf("%s is shown", name)
		}
	}
	checkPage(t, p, strings.TrimSuffix(s.url, s.Path()))
}

// drag drags in a plot, from one share of its width to another.
func drag(t *testing.T, p *chromium.Page, timeline string, from, to float64) {
	t.Helper()
	box := eval[struct{ X, Y, Width, Height float64 }](t, p, fmt.Sprintf(`(() => {
		const plot = document.querySelector(%q + " .lane-plot");
		plot.scrollIntoView({block: "center", behavior: "instant"});
		const {x, y, width, height} = plot.getBoundingClientRect();
		return {x, y, width, height};
	})()`, timeline))
	if err := p.Drag(box.X+from*box.Width, box.Y+box.Height-2, box.X+to*box.Width, box.Y+box.Height-2); err != nil {
		t.Fatal(err)
	}
}

// A drag selects a range. The page shows this range then, and so do the pages it links to.
func TestDrag(t *testing.T) {
	b := chromium.StartTest(t)
	s := serve(t, "https://ui.example", load(t, "httpserver"))
	end := s.traces[0].whole.series.End
	near := func(got, share float64) bool { return got > share-.01 && got < share+.01 }
	for _, where := range []string{"[data-strip] [data-timeline]", "main [data-timeline]"} {
		p := watch(t, b, s.url)
		if err := p.Resize(1280, 800); err != nil {
			t.Fatal(err)
		}
		drag(t, p, where, .5, .25) // to the left
		wait(t, p, `location.search.includes("from=") && document.readyState == "complete" && document.querySelector(".range")`)
		q := ranges(t, p)
		if !near(float64(q.from)/float64(end), .25) || !near(float64(q.to)/float64(end), .5) {
			t.Errorf("%s: %v to %v of %v", where, q.from, q.to, end)
		}
		if text := eval[string](t, p, `document.querySelector("nav li:nth-child(2) a").search`); !strings.Contains(text, "from=") {
			t.Errorf("%s: the next page is of %q", where, text)
		}
		// A click selects nothing.
		drag(t, p, where, .5, .5005)
		time.Sleep(100 * time.Millisecond)
		if again := ranges(t, p); again != q {
			t.Errorf("%s: a click selects %v", where, again)
		}
		if err := p.Press("w", false); err != nil {
			t.Fatal(err)
		}
		wait(t, p, `location.search == "" && document.readyState == "complete"`)
		checkPage(t, p, strings.TrimSuffix(s.url, s.Path()))
	}
}

// A drag in the life of a goroutine shows that part of it, with what it did then.
func TestDragInLife(t *testing.T) {
	b := chromium.StartTest(t)
	s := serve(t, "https://ui.example", load(t, "httpserver"))
	p := watch(t, b, s.at("goroutine?id=317"))
	if n := eval[int](t, p, `[...document.querySelectorAll("main .life rect.waiting title")].filter(x => x.textContent.split(".go:").length > 3).length`); n < 80 {
		t.Errorf("%d waits in its life have stacks", n)
	}
	drag(t, p, "main [data-timeline]", .25, .5)
	wait(t, p, `location.search.includes("from=") && document.readyState == "complete" && document.querySelector(".range")`)
	q := ranges(t, p)
	whole, err := s.traces[0].view(t.Context(), query{goroutine: 317})
	if err != nil {
		t.Fatal(err)
	}
	g := whole.rep.Goroutine
	if from := g.Start + (g.End-g.Start)/4; q.from < from-10*time.Millisecond || q.from > from+10*time.Millisecond {
		t.Errorf("from %v, want about %v", q.from, from)
	}
	if text := eval[string](t, p, `document.querySelector("main h2").textContent`); !strings.HasPrefix(text, "Goroutine 317") {
		t.Errorf("it is the page of %q", text)
	}
	checkPage(t, p, strings.TrimSuffix(s.url, s.Path()))
}

// ranges is the range of a page.
func ranges(t *testing.T, p *chromium.Page) query {
	t.Helper()
	v, err := url.ParseQuery(strings.TrimPrefix(eval[string](t, p, "location.search"), "?"))
	if err != nil {
		t.Fatal(err)
	}
	q, err := parseQuery(v)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// The keyboard selects a range and changes pages too.
func TestKeyboard(t *testing.T) {
	b := chromium.StartTest(t)
	s := serve(t, "https://ui.example", load(t, "httpserver"))
	end := s.traces[0].whole.series.End
	p := watch(t, b, s.url)
	press := func(keys ...string) {
		t.Helper()
		for _, key := range keys {
			name, shift := strings.CutPrefix(key, "Shift+")
			if err := p.Press(name, shift); err != nil {
				t.Fatal(err)
			}
		}
	}
	wait(t, p, `document.querySelector("[data-strip] [data-timeline]").focus(), true`)
	press("ArrowRight", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "Enter")
	wait(t, p, `location.search.includes("from=") && document.readyState == "complete" && document.querySelector(".range")`)
	q, percent := ranges(t, p), end/100
	if d := q.to - q.from - 3*percent; d < -2 || d > 2 || q.from < 2*percent-2 || q.from > 2*percent+2 {
		t.Errorf("%v to %v of %v", q.from, q.to, end)
	}
	press("4")
	wait(t, p, `document.querySelector("nav [aria-current]").textContent == "Blocking" && document.readyState == "complete"`)
	if again := ranges(t, p); again != q {
		t.Errorf("the next page is of %v", again)
	}
	press("?")
	wait(t, p, `document.getElementById("keys").open`)
	press("Escape")
	checkPage(t, p, strings.TrimSuffix(s.url, s.Path()))
}

// A click hands the window around a moment to the UI, and the moment itself. The UI loads
// the window, which contains the moment.
func TestPerfetto(t *testing.T) {
	b := chromium.StartTest(t)
	ui := perfettoui.New()
	t.Cleanup(ui.Close)
	s := serve(t, ui.URL, load(t, "httpserver"))
	for _, test := range []struct{ page, link string }{
		{"scheduling", "#worst-table [data-perfetto]"},
		{"blocking", "#blocking-table small a + [data-perfetto]"}, // who ended it, and the wait
		{"goroutine?id=317", "main a.button[data-perfetto]"},
		{".", ".why [data-perfetto]"},
		{links{}.unitOf(&s.traces[0].whole.rep.Why.Types[0].Slowest[0].Unit), "main [data-perfetto]"},
		{"?from=400ms&to=500ms", "#open-range"},
	} {
		p := watch(t, b, s.at(test.page))
		href := eval[string](t, p, fmt.Sprintf("document.querySelector(%q).href", test.link))
		if err := p.Click(test.link); err != nil {
			t.Fatal(err)
		}
		wait(t, p, `document.getElementById("toast").textContent.startsWith("The Perfetto UI has it")`)
		checkPage(t, p, strings.TrimSuffix(s.url, s.Path()))
		tab := opened(t, b, ui.URL)
		got, err := perfettoui.Took(tab)
		if err != nil {
			t.Fatal(err)
		}
		window := []byte(get(t, href))
		sum := sha256.Sum256(window)
		if got.SHA256 != hex.EncodeToString(sum[:]) || got.Title != "httpserver.trace" {
			t.Errorf("%s: the UI has %+v, not the window, %d bytes", test.page, got, len(window))
		}
		if hash := eval[string](t, tab, "location.hash"); strings.Contains(href, "at=") != strings.Contains(hash, "visStart=") || !strings.Contains(hash, "startupCommands=") {
			t.Errorf("%s: the UI is not told where: %.200q", test.page, hash)
		}
		args, err := url.ParseQuery(strings.TrimPrefix(eval[string](t, tab, "location.hash"), "#!/?"))
		if err != nil {
			t.Fatal(err)
		}
		checkWindow(t, window, href, args)
		if err := tab.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(s.temp); err != nil || len(left) > 0 {
		t.Errorf("left on disk: %v, %v", left, err)
	}
}

// checkWindow loads a window into the trace processor and looks for the moment in it. args
// are what the UI gets: the event that it selects, and the lanes that it shows on top.
func checkWindow(t *testing.T, window []byte, href string, args url.Values) {
	t.Helper()
	u, err := url.Parse(href)
	if err != nil {
		t.Fatal(err)
	}
	q, err := parseQuery(u.Query())
	if err != nil {
		t.Fatal(err)
	}
	whole := summary(t, "httpserver", query{}.window())
	origin := int64(whole.Trace.Start)
	p, _ := converttest.Load(t, window)
	bounds := func(sql string) int64 {
		list, err := traceprocessor.Column[int64](p, sql)
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0]
	}
	from, to := bounds("SELECT MIN(ts) FROM thread_state"), bounds("SELECT MAX(ts + dur) FROM thread_state")
	if from < origin+int64(q.from) || to > origin+int64(q.to) || to-from < int64(q.to-q.from)*9/10 {
		t.Errorf("%s: it is from %d to %d", href, from-origin, to-origin)
	}
	if at := u.Query().Get("at"); at != "" {
		moment, err := time.ParseDuration(at)
		if err != nil {
			t.Fatal(err)
		}
		d, err := time.ParseDuration(u.Query().Get("for"))
		if err != nil || origin+int64(moment) < from || origin+int64(moment+d) > to {
			t.Errorf("%s: the moment is at %v for %v, %v; the window from %d to %d", href, moment, d, err, from-origin, to-origin)
		}
		running := bounds(fmt.Sprintf("SELECT COUNT(*) FROM thread_state WHERE ts <= %d AND ts + dur >= %[1]d", origin+int64(moment)))
		if running == 0 {
			t.Errorf("%s: no state of a goroutine is at the moment", href)
		}
	}
	if u.Query().Has("select") != args.Has("ts") {
		t.Errorf("%s: selected is %q at %q", href, args.Get("table"), args.Get("ts"))
	}
	if args.Has("ts") {
		if n := bounds(fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE ts = %s AND dur = %s", args.Get("table"), args.Get("ts"), args.Get("dur"))); n != 1 {
			t.Errorf("%s: the UI selects one of %d events", href, n)
		}
	}
	for _, g := range u.Query()["lane"] {
		// The lane's number is in the commands, and the goroutine on that lane.
		tid := bounds("SELECT tid FROM slice JOIN thread_track ON track_id = thread_track.id JOIN thread USING(utid) WHERE slice.name = 'G" + g + "'")
		on := regexp.MustCompile(` > \[\^>\]\+ \(([0-9|]+)\)\$`).FindStringSubmatch(args.Get("startupCommands"))
		if on == nil || !slices.Contains(strings.Split(on[1], "|"), fmt.Sprint(tid)) {
			t.Errorf("%s: lane %d is not shown on top: %s", href, tid, args.Get("startupCommands"))
		}
	}
}

// opened returns the tab that a page opened.
func opened(t *testing.T, b *chromium.Browser, prefix string) *chromium.Page {
	t.Helper()
	pages, err := b.Pages()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if strings.HasPrefix(p.URL, prefix) {
			return p
		}
	}
	t.Fatalf("no tab with %s", prefix)
	return nil
}

// pprof's own pages work, without errors and without other hosts.
func TestFlame(t *testing.T) {
	b := chromium.StartTest(t)
	s := serve(t, "https://ui.example", load(t, "httpserver"))
	origin := strings.TrimSuffix(s.url, s.Path())
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, ".config"))
	all := flames(links{}, "", "")
	for _, f := range append(all, flames(links{query: query{from: 100 * time.Millisecond, to: 200 * time.Millisecond}}, "func", "net/http.(*conn).serve")[0]) {
		if f.Name == "cpu" {
			continue // the program was not profiled
		}
		p := watch(t, b, s.at(f.Href))
		if n := eval[int](t, p, `document.querySelectorAll("#stack-chart .boxbg, .boxbg").length`); n < 2 {
			t.Errorf("%s: %d boxes", f.Href, n)
		}
		if title := eval[string](t, p, "document.title"); !strings.HasPrefix(title, "httpserver.trace") {
			t.Errorf("%s: the title is %q", f.Href, title)
		}
		checkPage(t, p, origin)
		for _, page := range []string{"top", "peek"} {
			p := watch(t, b, strings.TrimSuffix(s.at(f.Href), "flamegraph")+page)
			checkPage(t, p, origin)
		}
	}
	filepath.WalkDir(home, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("pprof wrote %s", path)
		}
		return err
	})
}

// The first page of the button Stop is the last.
func TestStop(t *testing.T) {
	b := chromium.StartTest(t)
	s := serve(t, "https://ui.example", loadFile(t, testtrace.Path("chain")))
	p := watch(t, b, s.url)
	if err := p.Click("#stop"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Stopped():
	case <-time.After(time.Minute):
		t.Fatal("it was not stopped")
	}
	wait(t, p, `document.title.includes("has ended")`)
}
