// Package distributed tests, with two real services and a real Jaeger, that the
// runtime lanes of a service stand below the spans that it sent, in the
// distributed traces that both services are in.
package distributed

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trace2x/trace2x/e2e/jaegertest"
	"github.com/trace2x/trace2x/e2e/traceprocessor"
)

const (
	clients  = 8
	requests = 20 // of each client
	// clockError is how far a lane may stand out of its span, in µs: the times of
	// spans are from another clock. The SDK takes the end of a span just before it
	// ends the task. If the thread loses its CPU in between, a lane may end later.
	// That happens to one in thousands.
	clockError = 1000
)

// build builds a program of a module.
func build(t *testing.T, module, pkg string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "-C", module, "build", "-o", program, pkg).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// service is a running service.
type service struct{ name, url string }

// start starts a service that sends its spans to an address, "" for nowhere.
func start(t *testing.T, program, otlp, name, next string) *service {
	t.Helper()
	cmd := exec.Command(program, "-name", name, "-next", next)
	cmd.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT="+otlp)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return &service{name, strings.TrimSpace(line)}
}

func (s *service) get(t *testing.T, path string) {
	resp, err := http.Get(s.url + path)
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s%s: %s %s %v", s.url, path, resp.Status, body, err)
	}
}

// load sends requests from several clients at once.
func (s *service) load(t *testing.T, n int) {
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range n {
				s.get(t, "/work")
			}
		})
	}
	wg.Wait()
}

// TestLanes: each server span that began while a service was traced has its own
// runtime lanes below it, and no other span has any.
func TestLanes(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Jaeger")
	}
	program := build(t, "service", ".")
	trace2x := build(t, "../..", "./cmd/trace2x")
	j := jaegertest.StartTest(t)
	back := start(t, program, j.OTLPHTTP, "back", "")
	front := start(t, program, j.OTLPHTTP, "front", back.url)
	services := []*service{front, back}
	dir := t.TempDir()
	file := func(s *service) string { return filepath.Join(dir, s.name+".trace") }

	// Spans from before, over the beginning, over the end and from after the
	// traces, and those in them.
	front.load(t, 2)
	var open sync.WaitGroup
	open.Go(func() { back.get(t, "/hold?ms=200") })
	time.Sleep(50 * time.Millisecond)
	begin := time.Now().UnixMicro()
	for _, s := range services {
		s.get(t, "/trace/start?file="+url.QueryEscape(file(s)))
	}
	open.Wait()
	front.load(t, requests)
	front.get(t, "/slow")
	open.Go(func() { back.get(t, "/hold?ms=300") })
	time.Sleep(100 * time.Millisecond)
	for _, s := range services {
		s.get(t, "/trace/stop")
	}
	end := time.Now().UnixMicro()
	open.Wait()
	front.load(t, 2)
	for _, s := range services {
		s.get(t, "/flush")
	}

	lanes := 0
	linked := make(map[string]int)
	for _, s := range services {
		cmd := exec.Command(trace2x, "otel", "--service", s.name, "--endpoint", j.OTLPHTTP, "--min-span", "500us", file(s))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		m := regexp.MustCompile(`([\d,]+) linked spans? .*\n.* ([\d,]+) spans accepted, 0 rejected`).FindStringSubmatch(string(out))
		if m == nil {
			t.Fatalf("%s", out)
		}
		linked[s.name] = number(t, m[1])
		lanes += number(t, m[2])
	}
	v := &view{t: t, begin: begin, end: end, linked: make(map[string]int)}
	// Per request to front: its span, 3 parts and the call; to back: its span and
	// 3 parts. The slow one: 2 and 1. And the two that hold.
	sent := clients*(2+requests+2)*(5+4) + 3 + 2
	traces := make(map[string]jaegertest.Trace)
	for _, s := range services {
		of, err := j.Traces(t.Context(), s.name, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, tr := range of {
			traces[tr.TraceID] = tr
		}
	}
	stored := 0
	for _, tr := range traces {
		stored += len(tr.Spans)
		v.check(tr)
	}
	if stored != sent+lanes {
		t.Errorf("Jaeger has %d spans; the services sent %d, trace2x %d", stored, sent, lanes)
	}
	if want := clients * requests * 2; v.servers < want {
		t.Errorf("%d server spans with lanes, want %d at least", v.servers, want)
	}
	if v.slow != 1 {
		t.Errorf("%d slow requests", v.slow)
	}
	for _, s := range services {
		if linked[s.name] != v.linked[s.name] {
			t.Errorf("%s: %d spans linked, %d were traced", s.name, linked[s.name], v.linked[s.name])
		}
	}
	if v.late*100 > v.lanes {
		t.Errorf("%d of %d lanes and states end later than their spans", v.late, v.lanes)
	}
	t.Logf("%d linked spans, %d lanes and states below them, at most %d µs out of their spans", v.linked["front"]+v.linked["back"], v.lanes, v.out)

	perfetto(t, trace2x, file(back), v.slowTrace)
}

// longSpan is how long a span takes at least, in µs, to be linked when it ends
// (spanlink.LongSpan).
const longSpan = 20_000

// view checks traces as Jaeger has them.
type view struct {
	t          *testing.T
	begin, end int64          // of the execution traces, in µs since 1970
	linked     map[string]int // spans that began in between, or were linked when they ended, by service
	servers    int            // server spans among them
	slow       int
	slowTrace  string
	lanes      int   // and states below them
	late       int   // that end later than their spans
	out        int64 // how far one is out of its span, in µs
}

func (v *view) check(tr jaegertest.Trace) {
	t := v.t
	spans := make(map[string]*jaegertest.Span)
	children := make(map[string][]*jaegertest.Span)
	for i := range tr.Spans {
		s := &tr.Spans[i]
		if spans[s.SpanID] != nil {
			t.Errorf("two spans %s in trace %s", s.SpanID, tr.TraceID)
		}
		spans[s.SpanID] = s
		for _, r := range s.References {
			children[r.SpanID] = append(children[r.SpanID], s)
		}
	}
	if isProgram(tr) {
		return // what belongs to no span
	}
	for _, s := range spans {
		if s.Tags.Get("go.span.kind") != nil {
			v.lane(spans, s)
			continue
		}
		if s.StartTime >= v.begin && s.StartTime < v.end {
			v.linked[tr.Processes[s.ProcessID].ServiceName]++
			v.below(s, children)
			continue
		}
		lanes := slices.ContainsFunc(children[s.SpanID], func(c *jaegertest.Span) bool { return c.Tags.Get("go.span.kind") != nil })
		switch end := s.StartTime + s.Duration; {
		case !lanes:
		case s.StartTime < v.begin && end > v.begin && end < v.end && s.Duration >= longSpan:
			v.linked[tr.Processes[s.ProcessID].ServiceName]++ // its end told that it is a span
		default:
			t.Errorf("%s of %s, which is not in the execution trace, has lanes below it", s.OperationName, tr.TraceID)
		}
	}
}

func isProgram(tr jaegertest.Trace) bool {
	return slices.ContainsFunc(tr.Spans, func(s jaegertest.Span) bool { return s.Tags.Get("go.span.kind") == "program" })
}

// lane checks that a lane is below a span that was sent, of the same service,
// and in its time.
func (v *view) lane(spans map[string]*jaegertest.Span, lane *jaegertest.Span) {
	above := lane
	for above.Tags.Get("go.span.kind") != nil {
		if len(above.References) == 0 || spans[above.References[0].SpanID] == nil {
			v.t.Errorf("%s of trace %s is below nothing", lane.OperationName, lane.TraceID)
			return
		}
		above = spans[above.References[0].SpanID]
	}
	v.lanes++
	early := above.StartTime - lane.StartTime
	late := lane.StartTime + lane.Duration - above.StartTime - above.Duration
	v.out = max(v.out, early, late)
	if late > clockError {
		v.late++
	}
	if early > clockError || late > 0 && lane.StartTime > above.StartTime+above.Duration+clockError {
		v.t.Errorf("%s [%d, %d] is out of its span %s [%d, %d]", lane.OperationName, lane.StartTime, lane.StartTime+lane.Duration, above.OperationName, above.StartTime, above.StartTime+above.Duration)
	}
}

// below checks what is right below a span that was sent.
func (v *view) below(s *jaegertest.Span, children map[string][]*jaegertest.Span) {
	t := v.t
	own, _ := s.Tags.Get("goroutine").(int64)
	var started []int64
	if list, ok := s.Tags.Get("goroutines").(string); ok {
		if err := json.Unmarshal([]byte(list), &started); err != nil {
			t.Error(err)
		}
	}
	var got []int64
	n := 0
	for _, c := range children[s.SpanID] {
		if c.Tags.Get("go.span.kind") != "goroutine" {
			continue
		}
		id, _ := c.Tags.Get("go.goroutine.id").(int64)
		fn, _ := c.Tags.Get("go.goroutine.function").(string)
		switch {
		case id == own:
			n++
			if fn == "main.(*server).work.func1" != (s.OperationName == "part") {
				t.Errorf("%s is served by %s", s.OperationName, fn)
			}
			if s.OperationName == "GET /slow" {
				v.wait(s, children[c.SpanID])
			}
		case strings.HasPrefix(fn, "main."):
			got = append(got, id)
		}
	}
	if s.Tags.Get("span.kind") == "server" {
		v.servers++
	}
	if s.Tags.Get("span.kind") != "client" && n != 1 {
		t.Errorf("%s %s has %d lanes of its goroutine %d", s.OperationName, s.SpanID, n, own)
	}
	slices.Sort(got)
	slices.Sort(started)
	if s.OperationName == "GET /work" && !slices.Equal(got, started) {
		t.Errorf("%s has lanes of the goroutines %v, it started %v", s.SpanID, got, started)
	}
}

// wait finds the wait for the mutex below the slow request of the back service.
func (v *view) wait(s *jaegertest.Span, states []*jaegertest.Span) {
	for _, x := range states {
		if x.OperationName != "sync" {
			continue
		}
		v.slow++
		v.slowTrace = s.TraceID
		if x.Duration < 75_000 || x.Duration > s.Duration {
			v.t.Errorf("the slow request waits for %d of %d µs", x.Duration, s.Duration)
		}
		for key, want := range map[string]string{
			"code.function.name":          "main.(*server).wait",
			"go.waker.goroutine.function": "main.(*server).hold",
			"go.waker.code.function.name": "main.(*server).hold",
		} {
			if got := x.Tags.Get(key); got != want {
				v.t.Errorf("%s of the wait is %v, want %s", key, got, want)
			}
		}
	}
}

func number(t *testing.T, s string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(strings.ReplaceAll(s, ",", ""), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// perfetto looks at one distributed trace in the trace processor.
func perfetto(t *testing.T, trace2x, file, id string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.pftrace")
	if text, err := exec.Command(trace2x, "perfetto", "--trace-id", id, "-o", out, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	p, err := traceprocessor.Open(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for query, want := range map[string]string{
		"select name from stats where value != 0 and severity in ('error', 'data_loss')": "[]",
		`select s.name, a.display_value from slice s join args a using (arg_set_id)
		where s.category = 'task' and a.key = 'debug.trace_id'`: fmt.Sprintf("[[GET / %s]]", id),
		`select distinct waker.name from thread_state s
		join thread t on t.utid = s.waker_utid join process waker on waker.upid = t.upid
		join thread w on w.utid = s.utid join process p on p.upid = w.upid
		where p.name = 'net/http.(*conn).serve' and s.blocked_function is null and waker.name like 'main.%'`: "[[main.(*server).hold]]",
	} {
		r, err := p.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(r.Rows); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}
