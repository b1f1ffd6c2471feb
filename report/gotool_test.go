package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// goTool is "go tool trace", serving its pages on one trace.
type goTool struct {
	base string
	log  *lockedBuffer
}

// startGoTool starts it; the error says why it cannot read the trace.
func startGoTool(t *testing.T, file string) (*goTool, error) {
	t.Helper()
	// Not through the go command, which is not the process to end then.
	path, err := exec.Command("go", "tool", "-n", "trace").Output()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(strings.TrimSpace(string(path)), "-http=127.0.0.1:0", file)
	cmd.Env = append(os.Environ(), "BROWSER=true") // opens none
	log := &lockedBuffer{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		cmd.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-exited
	})
	listening := regexp.MustCompile(`listening on (http://\S+)`)
	for {
		if m := listening.FindStringSubmatch(log.String()); m != nil {
			return &goTool{m[1], log}, nil
		}
		select {
		case <-exited:
			return nil, errors.New(strings.TrimSpace(log.String()))
		case <-time.After(20 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(log.String())
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (g *goTool) get(t *testing.T, path string, query url.Values) []byte {
	t.Helper()
	u := g.base + path + "?" + query.Encode()
	// The server may listen a moment after it has said so.
	var resp *http.Response
	var err error
	for range 100 {
		if resp, err = http.Get(u); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("%s: %v; %s", u, err, g.log)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v %s", u, resp.Status, err, body)
	}
	return body
}

// htmlTable is the texts of a table, by rows.
type htmlTable [][]string

// tables returns the tables of a page.
func tables(t *testing.T, page []byte) (out []htmlTable) {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var text func(n *html.Node) string
	text = func(n *html.Node) string {
		if n.Type == html.TextNode {
			return n.Data
		}
		s := ""
		for c := range n.ChildNodes() {
			s += text(c)
		}
		return s
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "table":
			out = append(out, nil)
		case "tr":
			last := len(out) - 1
			out[last] = append(out[last], nil)
		case "td", "th":
			table := out[len(out)-1]
			row := &table[len(table)-1]
			*row = append(*row, strings.TrimSpace(text(n)))
		}
	}
	return out
}

// goRow is what the page of a goroutine's start function has about the goroutine,
// by column. Its durations are written in full, to the nanosecond.
type goRow struct {
	name   string
	times  map[string]time.Duration
	ranges map[string]time.Duration
}

func (r *goRow) total() time.Duration { return r.times["Total"] }

// goGroup is a row of the page of all goroutines.
type goGroup struct {
	count int
	exec  time.Duration
}

// goroutines reads the pages of the goroutine analysis.
func (g *goTool) goroutines(t *testing.T) (map[string]goGroup, map[model.GoID]*goRow) {
	t.Helper()
	groups, rows := make(map[string]goGroup), make(map[model.GoID]*goRow)
	all := tables(t, g.get(t, "/goroutines", nil))
	for _, cells := range all[0][1:] {
		name := cells[0]
		if name == "(Inactive, no stack trace sampled)" {
			name = ""
		}
		groups[name] = goGroup{atoi(t, cells[1]), duration(t, cells[2])}
	}
	for name := range groups {
		page := tables(t, g.get(t, "/goroutine", url.Values{"name": {name}}))
		if len(page) != 3 {
			t.Fatalf("the page of %q has %d tables", name, len(page))
		}
		for id, times := range columns(t, page[1]) {
			rows[id] = &goRow{name, times, nil}
		}
		for id, times := range columns(t, page[2]) {
			rows[id].ranges = times
		}
	}
	return groups, rows
}

// columns are the durations of a table of goroutines.
func columns(t *testing.T, table htmlTable) map[model.GoID]map[string]time.Duration {
	t.Helper()
	out := make(map[model.GoID]map[string]time.Duration)
	for _, cells := range table[1:] {
		times := make(map[string]time.Duration)
		for i, cell := range cells[1:] {
			if header := table[0][i+1]; header != "" { // that of the bars is empty
				if d := duration(t, cell); d != 0 {
					times[header] = d
				}
			}
		}
		out[model.GoID(atoi(t, cells[0]))] = times
	}
	return out
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// mmuPoint is a window of the plot of the minimum mutator utilization.
type mmuPoint struct {
	window time.Duration
	mmu    float64
}

// mmu reads the plot for what counts as not the program's.
func (g *goTool) mmu(t *testing.T, flags string) []mmuPoint {
	t.Helper()
	var plot struct{ Curve [][2]float64 }
	body := g.get(t, "/mmu", url.Values{"mode": {"plot"}, "flags": {flags}})
	if err := json.Unmarshal(body, &plot); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	var out []mmuPoint
	for _, p := range plot.Curve {
		out = append(out, mmuPoint{time.Duration(p[0]), p[1]})
	}
	return out
}

// newTraces are the paths of the traces in testdata that are in the format of
// Go 1.22 and later, by name.
func newTraces(t *testing.T) map[string]string {
	t.Helper()
	paths := make(map[string]string)
	for _, name := range testtrace.All(t) {
		var minor int
		if _, err := fmt.Sscanf(string(testtrace.Data(t, name)[:8]), "go 1.%d", &minor); err != nil {
			t.Fatal(err)
		}
		if minor >= 22 {
			paths[name] = testtrace.Path(name)
		}
	}
	return paths
}

// On every trace in testdata that go tool trace reads, and on one of tests of the
// standard library, the report agrees with go tool trace.
func TestAsGoTool(t *testing.T) {
	if testing.Short() {
		t.Skip("starts go tool trace on many traces, and runs tests of net/http")
	}
	files := newTraces(t)
	delete(files, "damaged") // go tool trace does not read on behind the damage
	files["net_http"] = testtrace.NetHTTP(t)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		t.Run(name, func(t *testing.T) {
			// It reads truncated traces up to there, as the model does.
			tool, err := startGoTool(t, files[name])
			if err != nil {
				t.Fatalf("go tool trace does not read this trace: %v", err)
			}
			t.Run("goroutines", func(t *testing.T) { testGoroutines(t, files[name], tool) })
			t.Run("utilization", func(t *testing.T) { testUtilization(t, files[name], tool) })
		})
	}
}

// readReport reports on a trace, up to its damage if it has any.
func readReport(t *testing.T, file string, opts report.Options) *report.Report {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rep, err := report.Read(t.Context(), f, opts)
	if damage := (*model.Damage)(nil); err != nil && !errors.As(err, &damage) {
		t.Fatal(err)
	}
	return rep
}

// readModel reads a trace, without what is damaged of it.
func readModel(t *testing.T, file string, sink model.Sink) *model.Summary {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return converttest.Read(t, data, sink)
}
