package otel

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/trace2x/trace2x/internal/testtrace"
)

// exported is a span that the program of testdata/gen/spanlink exported itself.
type exported struct {
	Name, TraceID, SpanID, ParentID string
	Goroutine                       int64
	Start, End                      int64
	Linked                          bool
}

func readExported(t *testing.T) (spans []exported) {
	t.Helper()
	data, err := os.ReadFile("../../testdata/traces/spanlink.spans.json")
	if err == nil {
		err = json.Unmarshal(data, &spans)
	}
	if err != nil || len(spans) == 0 {
		t.Fatal(len(spans), err)
	}
	return spans
}

// clockError is how far the clock of a trace, and the end of a task behind that
// of its span, may be off, in ns.
const clockError = 1_000_000

// forest is a set of spans with those that the program sent itself.
type forest struct {
	t     *testing.T
	spans map[string]*tracepb.Span // by trace and span ID
	sent  map[string]exported
}

func newForest(t *testing.T, spans []*tracepb.Span, sent []exported) *forest {
	f := &forest{t: t, spans: make(map[string]*tracepb.Span), sent: make(map[string]exported)}
	for _, s := range sent {
		f.sent[s.TraceID+s.SpanID] = s
	}
	for _, s := range spans {
		id := hex.EncodeToString(s.TraceId) + hex.EncodeToString(s.SpanId)
		if f.spans[id] != nil {
			t.Errorf("two spans %s", id)
		}
		f.spans[id] = s
	}
	return f
}

// above returns the span of the program that is nearest above s; false for a
// span in a trace of its own.
func (f *forest) above(s *tracepb.Span) (exported, bool) {
	for len(s.ParentSpanId) > 0 {
		id := hex.EncodeToString(s.TraceId) + hex.EncodeToString(s.ParentSpanId)
		if sent, ok := f.sent[id]; ok {
			return sent, true
		}
		parent := f.spans[id]
		if parent == nil {
			f.t.Errorf("%q has no parent in its trace", s.Name)
			break
		}
		s = parent
	}
	return exported{}, false
}

func attr(s *tracepb.Span, key string) any {
	for _, kv := range s.Attributes {
		if kv.Key == key {
			if v := kv.Value.GetStringValue(); v != "" {
				return v
			}
			return kv.Value.GetIntValue()
		}
	}
	return nil
}

// TestLinked: the runtime lanes of each span that the program sent stand below
// that span, in its trace and its time, and nothing else does.
func TestLinked(t *testing.T) {
	opts := DefaultOptions()
	opts.MinSpan = 0
	spans, stats := spansOf(t, testtrace.Data(t, "spanlink"), opts)
	sent := readExported(t)
	f := newForest(t, spans, sent)

	lanes := make(map[string][]*tracepb.Span) // by the span above
	for id, s := range f.spans {
		if _, ok := f.sent[id]; ok {
			t.Errorf("%q is sent again", s.Name)
		}
		above, ok := f.above(s)
		if !ok {
			continue
		}
		lanes[above.TraceID+above.SpanID] = append(lanes[above.TraceID+above.SpanID], s)
		if int64(s.StartTimeUnixNano) < above.Start-clockError || int64(s.EndTimeUnixNano) > above.End+clockError {
			t.Errorf("%q [%d, %d] is outside of its span %q [%d, %d]", s.Name, s.StartTimeUnixNano, s.EndTimeUnixNano, above.Name, above.Start, above.End)
		}
	}
	linked := 0
	for _, s := range sent {
		below := lanes[s.TraceID+s.SpanID]
		if !s.Linked {
			if len(below) > 0 {
				t.Errorf("%d spans below %q, which began before the trace", len(below), s.Name)
			}
			continue
		}
		linked++
		own, waiting := 0, false
		for _, x := range below {
			if attr(x, "go.span.kind") == "critical" {
				continue // of others, that it waited for
			}
			if attr(x, "go.goroutine.id") != s.Goroutine {
				t.Errorf("%q, begun by G%d, has %q of goroutine %v", s.Name, s.Goroutine, x.Name, attr(x, "go.goroutine.id"))
			}
			if attr(x, "go.span.kind") == "goroutine" && hex.EncodeToString(x.ParentSpanId) == s.SpanID {
				own++
			}
			waiting = waiting || attr(x, "go.state") == "waiting"
		}
		if own != 1 {
			t.Errorf("%q has %d lanes of its goroutine", s.Name, own)
		}
		// All but "outer" wait themselves, for some ms.
		if !waiting && s.Name != "outer" {
			t.Errorf("%q has no wait below it", s.Name)
		}
	}
	if stats.Linked != linked || linked < 30 {
		t.Errorf("%d spans linked, %d began while the trace was recorded", stats.Linked, linked)
	}
}

func find(t *testing.T, spans []*tracepb.Span, name string) *tracepb.Span {
	t.Helper()
	for _, s := range spans {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no span %q", name)
	return nil
}

// TestNotLinked: tasks that are no exported spans stay what they are.
func TestNotLinked(t *testing.T) {
	spans, stats := spansOf(t, testtrace.Data(t, "spanlink"), DefaultOptions())
	f := newForest(t, spans, readExported(t))
	for _, name := range []string{"record only", "plain outer", "datadog", "program"} {
		s := find(t, spans, name)
		if len(s.ParentSpanId) > 0 || slices.ContainsFunc(readExported(t), func(x exported) bool { return x.TraceID == hex.EncodeToString(s.TraceId) }) {
			t.Errorf("%q is not a root of its own", name)
		}
	}
	if stats.Traces != 5 { // two are of Datadog
		t.Errorf("%d traces", stats.Traces)
	}
	if above, _ := f.above(find(t, spans, "plain inner")); above.Name != "between" {
		t.Errorf("plain inner is below %q", above.Name)
	}
	var ids []string
	for _, s := range spans {
		if s.Name == "dropped" {
			t.Error("a dropped span is there")
		}
		if id := attr(s, "dd.span_id"); id != nil {
			ids = append(ids, fmt.Sprint(s.Name, " ", id))
		}
		for _, e := range s.Events {
			if strings.Contains(e.Name, "traceparent") || strings.Contains(e.Name, "datadog") {
				t.Errorf("%q has the event %q", s.Name, e.Name)
			}
		}
	}
	slices.Sort(ids)
	if want := []string{"datadog 1152921504606846976", "datadog 2305843009213693952"}; !slices.Equal(ids, want) {
		t.Errorf("IDs of Datadog %q", ids)
	}
}

// TestLinkedLogs: logs of a span that is not sent are events of its goroutine,
// those in a region of the region.
func TestLinkedLogs(t *testing.T) {
	spans, _ := spansOf(t, testtrace.Data(t, "spanlink"), DefaultOptions())
	got := make(map[string]int)
	for _, s := range spans {
		for _, e := range s.Events {
			got[fmt.Sprint(attr(s, "go.span.kind"), " ", e.Attributes[0].Value.GetStringValue())]++
		}
	}
	if got["goroutine in the span"] != 2 || got["region in the region"] != 2 || len(got) != 2 {
		t.Errorf("events %v", got)
	}
}

// TestLinkedMutex: what a slow span waited for, where, how long, and because of
// whom.
func TestLinkedMutex(t *testing.T) {
	spans, _ := spansOf(t, testtrace.Data(t, "spanlink"), DefaultOptions())
	f := newForest(t, spans, readExported(t))
	var waits, held int
	for _, s := range spans {
		if above, _ := f.above(s); above.Name != "slow" || attr(s, "go.state") != "waiting" {
			continue
		}
		if attr(s, "go.span.kind") == "critical" {
			held++
			if above := f.spans[hex.EncodeToString(s.TraceId)+hex.EncodeToString(s.ParentSpanId)]; above.GetName() != "sync" || s.Name != "main.holdMutex: sleep" || attr(s, "code.function.name") != "main.holdMutex" {
				t.Errorf("below %q is %s", above.GetName(), s)
			}
			continue
		}
		waits++
		ms := (s.EndTimeUnixNano - s.StartTimeUnixNano) / 1e6
		if s.Name != "sync" || ms < 29 || ms > 40 || attr(s, "code.function.name") != "main.waitForMutex" || attr(s, "go.waker.goroutine.function") != "main.holdMutex" || attr(s, "go.waker.code.function.name") != "main.holdMutex" {
			t.Errorf("%d ms %s", ms, s)
		}
	}
	if waits != 1 || held != 1 {
		t.Errorf("%d waits below the slow span, and below these %d of what held the mutex", waits, held)
	}
}

// TestTraceID: only what is below the spans of one distributed trace, the same
// as without the limit.
func TestTraceID(t *testing.T) {
	data := testtrace.Data(t, "spanlink")
	all, _ := spansOf(t, data, DefaultOptions())
	want := make(map[string]string)
	for _, s := range all {
		want[string(s.SpanId)] = s.String()
	}
	for _, x := range readExported(t) {
		if !x.Linked {
			continue
		}
		opts := DefaultOptions()
		id, _ := hex.DecodeString(x.TraceID)
		opts.TraceID = [16]byte(id)
		spans, stats := spansOf(t, data, opts)
		n := 0
		for _, s := range all {
			if string(s.TraceId) == string(id) {
				n++
			}
		}
		if len(spans) != n || n == 0 || stats.Linked == 0 || stats.Traces != 0 {
			t.Errorf("%d spans in the trace of %q, of %d; %d linked, %d traces", len(spans), x.Name, n, stats.Linked, stats.Traces)
		}
		for _, s := range spans {
			if want[string(s.SpanId)] != s.String() {
				t.Errorf("%q differs with the limit", s.Name)
			}
		}
	}
}
