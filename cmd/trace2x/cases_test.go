package main

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/report"
)

// oddCase is a trace of testdata/cases, as all formats show it.
type oddCase struct {
	report report.Report
	text   string
	spans  []oddSpan
	kinds  map[string]int // of spans
	slices map[string]int // Perfetto's by name
}

type oddSpan struct {
	TraceID, SpanID, Name              string
	StartTimeUnixNano, EndTimeUnixNano string
	Attributes                         []struct {
		Key   string
		Value struct{ StringValue string }
	}
}

// annotation returns the tasks or regions of a type.
func annotation(t *testing.T, list []report.Annotation, typ string) report.Annotation {
	t.Helper()
	i := slices.IndexFunc(list, func(a report.Annotation) bool { return a.Type == typ && !a.TypeUnknown && !a.Other })
	if i < 0 {
		t.Fatalf("there is no %q: %+v", typ, list)
	}
	return list[i]
}

// TestCases: what is odd about a trace is said, the same by all commands, and costs
// nothing else.
func TestCases(t *testing.T) {
	for name, c := range map[string]struct {
		code   int
		stderr string // of all commands
		check  func(*testing.T, *oddCase)
	}{
		"regionorder": {exitOK, "misuse of runtime/trace by the program, 1 time: region ended that is not the innermost one", func(t *testing.T, c *oddCase) {
			if n := annotation(t, c.report.Tasks, "request").Count; n != 100 || len(c.report.Regions) != 2 || c.kinds["region"] != 2 || c.kinds["task"] != 100 || c.slices["request"] != 100 || c.slices["a"] != 1 || c.slices["b"] != 1 {
				t.Errorf("%d tasks, regions %+v; spans %v; slices %v", n, c.report.Regions, c.kinds, c.slices)
			}
		}},
		"regionother": {exitOK, "misuse of runtime/trace by the program, 20 times: region ended on another goroutine", func(t *testing.T, c *oddCase) {
			if n := annotation(t, c.report.Regions, "crossing").Count; n != 20 || c.kinds["region"] != 20 || c.slices["crossing"] != 20 {
				t.Errorf("%d regions in the report, %d spans, %d slices", n, c.kinds["region"], c.slices["crossing"])
			}
		}},
		"async": {exitOK, "", func(t *testing.T, c *oddCase) {
			task := annotation(t, c.report.Tasks, "request")
			if task.Count != 400 || task.Times.Block > task.Latency.Total || len(c.spans) > 5*400+100 {
				t.Errorf("%d tasks, %v in all, blocked for %v, %d spans", task.Count, task.Latency.Total, task.Times.Block, len(c.spans))
			}
		}},
		"opentasks": {exitOK, "", func(t *testing.T, c *oddCase) {
			task := annotation(t, c.report.Tasks, "open")
			if task.Count != 2000 || task.Cut != 2000 || c.kinds["task"] != 2000 || len(c.spans) > 2*2000+100 {
				t.Errorf("%d tasks, %d of them cut, %d spans", task.Count, task.Cut, len(c.spans))
			}
		}},
		"emptyname": {exitOK, "", func(t *testing.T, c *oddCase) {
			task, region := annotation(t, c.report.Tasks, ""), annotation(t, c.report.Regions, "")
			if task.Count != 1 || task.Cut != 0 || region.Count != 1 || region.Cut != 0 || !strings.Contains(c.text, "(no name)") || c.kinds["task"] != 1 || c.kinds["region"] != 1 {
				t.Errorf("task %+v, region %+v, spans %v\n%s", task, region, c.kinds, c.text)
			}
		}},
		"escapes": {exitOK, "", func(t *testing.T, c *oddCase) {
			for _, want := range []string{`"\x1b[2J\x1b]0;owned\a"`, `"a\nb\rc"`, `"\xff\xfe"`} {
				if strings.Count(c.text, want) < 2 {
					t.Errorf("not at least twice %s in\n%s", want, c.text)
				}
			}
		}},
		"concat": {exitFailed, "another trace begins here", func(t *testing.T, c *oddCase) {
			if annotation(t, c.report.Tasks, "").Count != 1 {
				t.Errorf("%+v", c.report.Tasks)
			}
		}},
		"manyps": {exitOK, "", func(t *testing.T, c *oddCase) {
			if o := c.report.Overview; o.MaxGOMAXPROCS != 1100 {
				t.Errorf("%+v", o)
			}
		}},
		"wallstep": {exitOK, "the time of day was set 1 time during the recording", nil},
		"wallzero": {exitOK, "", func(t *testing.T, c *oddCase) {
			if c.report.Overview.Start != nil {
				t.Errorf("begins at %v", c.report.Overview.Start)
			}
		}},
		"missing-stack":        {exitFailed, "1 reference to stacks or strings that are not in the trace", wantEvents(3736)},
		"missing-stack-go1.19": {exitFailed, "1 reference to stacks or strings that are not in the trace", wantEvents(14048)},
		"dropped-batch":        {exitFailed, "goroutine that was never created: events are missing", wantEvents(6624)},
		"contradicts-itself":   {exitFailed, "the trace contradicts itself", wantEvents(8889)},
		"clock-overflows":      {exitOK, "", wantEvents(3736)},
		"time-leaps":           {exitFailed, "days later than the one before it: its time is damaged", wantEvents(198)},
		"time-overflows":       {exitOK, "", wantEvents(449)},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := filepath.Abs(filepath.Join(filepath.Dir(testtrace.Path("")), "..", "cases", name+".trace.gz"))
			if err != nil {
				t.Fatal(err)
			}
			t.Chdir(t.TempDir())
			odd := &oddCase{kinds: make(map[string]int), slices: make(map[string]int)}
			want := []string{}
			if c.stderr != "" {
				want = append(want, c.stderr)
			}
			r := exec(t, "summary", "--json", in)
			r.want(t, c.code, want...)
			if err := json.Unmarshal([]byte(r.stdout), &odd.report); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(r.stdout, "_ns\": -") {
				t.Error("the report has a negative time")
			}
			r = exec(t, "summary", in)
			r.want(t, c.code, want...)
			odd.text = r.stdout
			if !utf8.ValidString(r.stdout) || strings.ContainsFunc(r.stdout, func(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) }) {
				t.Errorf("the report has what a terminal does not show: %q", r.stdout)
			}
			if odd.report.Overview.Start == nil {
				want = append(want, "does not tell the time of day")
			}
			r = exec(t, "otel", "--max-spans-per-trace=0", "--max-bytes-per-trace=0", "-o", "spans.jsonl", in)
			r.want(t, c.code, want...)
			odd.readSpans(t, read(t, "spans.jsonl"))
			if odd.report.Overview.Start == nil {
				want = want[:len(want)-1]
			}
			r = exec(t, "perfetto", "-o", "trace.pftrace", in)
			r.want(t, c.code, want...)
			odd.readSlices(t, read(t, "trace.pftrace"))
			exec(t, "pprof", "--type", "wall", "-o", "wall.pb.gz", in).want(t, c.code, want...)
			if c.check != nil {
				c.check(t, odd)
			}
		})
	}
}

func wantEvents(n int64) func(*testing.T, *oddCase) {
	return func(t *testing.T, c *oddCase) {
		if c.report.Overview.Events != n {
			t.Errorf("%d events, want %d", c.report.Overview.Events, n)
		}
	}
}

// readSpans reads the spans of a file: each has an ID of its own, and times that can
// be.
func (c *oddCase) readSpans(t *testing.T, file string) {
	t.Helper()
	ids := make(map[string]bool)
	for line := range strings.Lines(file) {
		var request struct {
			ResourceSpans []struct{ ScopeSpans []struct{ Spans []oddSpan } }
		}
		if err := json.Unmarshal([]byte(line), &request); err != nil {
			t.Fatal(err)
		}
		for _, r := range request.ResourceSpans {
			for _, s := range r.ScopeSpans {
				c.spans = append(c.spans, s.Spans...)
			}
		}
	}
	for _, s := range c.spans {
		start, err1 := strconv.ParseUint(s.StartTimeUnixNano, 10, 64)
		end, err2 := strconv.ParseUint(s.EndTimeUnixNano, 10, 64)
		if err1 != nil || err2 != nil || start > end || end > math.MaxInt64 {
			t.Errorf("span %q is from %s to %s", s.Name, s.StartTimeUnixNano, s.EndTimeUnixNano)
		}
		if id := s.TraceID + s.SpanID; ids[id] {
			t.Errorf("span %q has the ID of another one", s.Name)
		} else {
			ids[id] = true
		}
		for _, a := range s.Attributes {
			if a.Key == "go.span.kind" {
				c.kinds[a.Value.StringValue]++
			}
		}
	}
	if len(c.spans) == 0 {
		t.Error("there are no spans")
	}
}

// readSlices reads the names of the slices of a Perfetto file, of no more CPUs than
// the trace processor has.
func (c *oddCase) readSlices(t *testing.T, file string) {
	t.Helper()
	var trace perfettopb.Trace
	if err := proto.Unmarshal([]byte(file), &trace); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]string)
	key := func(sequence uint32, iid uint64) string { return fmt.Sprint(sequence, " ", iid) }
	for _, p := range trace.Packet {
		seq := p.GetTrustedPacketSequenceId()
		for _, n := range p.GetInternedData().GetEventNames() {
			names[key(seq, n.GetIid())] = n.GetName()
		}
		if e := p.GetTrackEvent(); e.GetType() == perfettopb.TrackEvent_TYPE_SLICE_BEGIN {
			name := e.GetName()
			if e.GetNameIid() != 0 {
				name = names[key(seq, e.GetNameIid())]
			}
			c.slices[name]++
		}
		if b := p.GetFtraceEvents(); b.GetCpu() >= 1024 {
			t.Fatalf("events of CPU %d", b.GetCpu())
		}
	}
}
