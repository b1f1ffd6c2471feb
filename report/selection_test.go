package report_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime/trace"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// TestSelection compares what is summed of a selection with a profile of it, whose own
// tests add it up in another way; and the sections with each other.
func TestSelection(t *testing.T) {
	re := regexp.MustCompile
	var spans firstSpan
	converttest.Read(t, testtrace.Data(t, "spanlink"), &spans)
	tests := []struct {
		name   string
		sel    model.Selection
		traces []string // in which something has to be found
	}{
		{"goroutines", model.Selection{Goroutines: []model.GoID{1, 20}}, []string{"httpserver", "pipeline"}},
		{"func", model.Selection{Func: re(`^net/http\.|^main\.main$`)}, []string{"httpserver", "httpserver-go1.22", "httpserver-go1.21"}},
		{"task", model.Selection{Task: re(`.`)}, []string{"httpserver", "manytasks", "cgo", "httpserver-go1.21"}},
		{"task ID", model.Selection{TaskID: 1}, []string{"manytasks", "flightrecorder"}},
		{"task of func", model.Selection{Task: re(`.`), Func: re(`main\.`)}, []string{"httpserver"}},
		{"trace ID", model.Selection{TraceID: spans.trace}, []string{"spanlink"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found := make(map[string]bool)
			for _, name := range testtrace.Readable(t) {
				data := testtrace.Data(t, name)
				b := report.New(report.Options{Selection: tt.sel})
				c := pprof.NewCollector(pprof.Options{Type: pprof.Wall, Selection: tt.sel})
				converttest.Read(t, data, b)
				converttest.Read(t, data, c)
				r := b.Report()
				compareWithProfile(t, name, r, c)
				compareSections(t, name, r)
				found[name] = len(r.Goroutines) > 0
			}
			for _, name := range tt.traces {
				if !found[name] {
					t.Errorf("nothing in %s", name)
				}
			}
		})
	}
}

func compareWithProfile(t *testing.T, name string, r *report.Report, c *pprof.Collector) {
	t.Helper()
	type key struct{ fn, state, reason string }
	want := make(map[key]time.Duration)
	for _, s := range c.Profile().Sample {
		label := func(k string) string { return strings.Join(s.Label[k], "") }
		if label("state") != model.Unknown.String() { // a gap, which no sum has
			want[key{label("func"), label("state"), label("reason")}] += time.Duration(s.Value[1])
		}
	}
	got := make(map[key]time.Duration)
	for _, g := range r.Goroutines {
		got[key{g.Func, "running", ""}] = g.Sum.Execution
		got[key{g.Func, "runnable", ""}] = g.Sum.SchedWait
		got[key{g.Func, "syscall", ""}] = g.Sum.Syscall + g.Sum.SyscallBlock
		for reason, d := range g.Sum.BlockByReason {
			got[key{g.Func, "waiting", reason}] = d
		}
	}
	for k, d := range got {
		if d != want[k] {
			t.Errorf("%s: %v: %v, the profile has %v", name, k, d, want[k])
		}
		delete(want, k)
	}
	for k, d := range want {
		t.Errorf("%s: only the profile has %v: %v", name, k, d)
	}
}

func compareSections(t *testing.T, name string, r *report.Report) {
	t.Helper()
	want, got := make(map[string]time.Duration), make(map[string]time.Duration)
	wait := time.Duration(0)
	for _, g := range r.Goroutines {
		for reason, d := range g.Sum.BlockByReason {
			want[reason] += d
		}
		want["syscall"] += g.Sum.SyscallBlock
		wait += g.Sum.SchedWait
	}
	for _, b := range r.Blocking {
		got[b.Reason] += b.Total
	}
	for reason := range want {
		if got[reason] != want[reason] {
			t.Errorf("%s: blocking for %s: %v, the goroutines have %v", name, reason, got[reason], want[reason])
		}
	}
	if r.Scheduling.Total != wait {
		t.Errorf("%s: scheduling: %v, the goroutines have %v", name, r.Scheduling.Total, wait)
	}
}

// firstSpan finds a distributed trace.
type firstSpan struct {
	model.NopSink
	trace [16]byte
}

func (f *firstSpan) TaskStart(t *model.Task) {
	if t.Span != nil && f.trace == [16]byte{} {
		f.trace = t.Span.TraceID
	}
}

// Requests of HTTP/2 are goroutines of their own, with their own start function, by which
// they are selected.
func TestRequestsByFunc(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	var buf bytes.Buffer
	if err := trace.Start(&buf); err != nil {
		t.Fatal(err)
	}
	const made = 30
	for range made {
		resp, err := server.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	trace.Stop()
	for fn, want := range map[string]int64{`\.runHandler$`: made, `\.\(\*conn\)\.serve$`: 0} {
		opts := report.Options{Selection: model.Selection{Func: regexp.MustCompile(fn)}}
		opts.Units.Kinds = critical.KindsOf(critical.HTTP)
		r, err := report.Read(t.Context(), bytes.NewReader(buf.Bytes()), opts)
		if err != nil {
			t.Fatal(err)
		}
		found := int64(0)
		for _, u := range r.Units {
			found += u.Count
		}
		if found != want {
			t.Errorf("%s: %d requests, want %d", fn, found, want)
		}
	}
	// Its goroutine that serves the connection waits for all requests, and for none.
	opts := report.Options{}
	opts.Units.Kinds = critical.KindsOf(critical.HTTP)
	r, err := report.Read(t.Context(), bytes.NewReader(buf.Bytes()), opts)
	if err != nil {
		t.Fatal(err)
	}
	inServe := int64(0)
	for _, b := range r.Blocking {
		if strings.HasSuffix(b.Place.Func, "erverConn).serve") || strings.Contains(b.Place.Func, "erverConn).readFrames") {
			inServe += b.Count
			if b.InUnits > 0 {
				t.Errorf("%d of %d waits in %s are in requests", b.InUnits, b.Count, b.Place.Func)
			}
		}
	}
	if inServe == 0 {
		t.Error("the connection waited for nothing")
	}
}
