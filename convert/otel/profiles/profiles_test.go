package profiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// sample is a sample as a backend reads it.
type sample struct {
	kind, unit string
	value      int64
	stack      string // functions and lines, the innermost first
	attributes map[string]any
	link       model.SpanContext
}

// profilesOf returns what a backend gets of a trace. It checks each message on the way.
func profilesOf(t testing.TB, data []byte, opts Options) (samples []sample, messages int) {
	t.Helper()
	ids := make(map[pprofile.ProfileID]bool)
	opts.WallStart = time.Unix(1_700_000_000, 0)
	c := New(opts, func(p pprofile.Profiles) error {
		messages++
		encoded, err := new(pprofile.ProtoMarshaler).MarshalProfiles(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range validate(encoded, ids) {
			t.Error(err)
		}
		decoded, err := new(pprofile.ProtoUnmarshaler).UnmarshalProfiles(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if n := decoded.SampleCount(); opts.MaxSamples > 0 && n > opts.MaxSamples {
			t.Errorf("%d samples in a message", n)
		}
		samples = append(samples, read(decoded)...)
		return nil
	})
	converttest.Read(t, data, c)
	return samples, messages
}

// read returns the samples of a message, with what they refer to.
func read(p pprofile.Profiles) (out []sample) {
	d := p.Dictionary()
	str := d.StringTable().At
	for _, rp := range p.ResourceProfiles().All() {
		for _, sp := range rp.ScopeProfiles().All() {
			for _, pr := range sp.Profiles().All() {
				for _, s := range pr.Samples().All() {
					x := sample{kind: str(int(pr.SampleType().TypeStrindex())), unit: str(int(pr.SampleType().UnitStrindex())), attributes: make(map[string]any)}
					for _, v := range s.Values().All() {
						x.value += v
					}
					for _, i := range s.AttributeIndices().All() {
						a := d.AttributeTable().At(int(i))
						x.attributes[str(int(a.KeyStrindex()))] = a.Value().AsRaw()
					}
					for _, i := range d.StackTable().At(int(s.StackIndex())).LocationIndices().All() {
						for _, l := range d.LocationTable().At(int(i)).Lines().All() {
							f := d.FunctionTable().At(int(l.FunctionIndex()))
							x.stack += fmt.Sprintf("%s %s:%d\n", str(int(f.NameStrindex())), str(int(f.FilenameStrindex())), l.Line())
						}
					}
					l := d.LinkTable().At(int(s.LinkIndex()))
					x.link = model.SpanContext{TraceID: l.TraceID(), SpanID: l.SpanID()}
					out = append(out, x)
				}
			}
		}
	}
	return out
}

// sums adds samples up by kind, stack, state, reason and start function.
func sums(samples []sample, want func(*sample) bool) map[string]int64 {
	out := make(map[string]int64)
	for i := range samples {
		if s := &samples[i]; want(s) {
			text := func(key string) string { v, _ := s.attributes[key].(string); return v }
			out[fmt.Sprintf("%s|%s|%s|%s|%s", s.kind, text("go.state"), text("go.reason"), text("go.goroutine.function"), s.stack)] += s.value
		}
	}
	return out
}

// pprofSums returns the same of what trace2x pprof adds up, of all types that are
// profiles.
func pprofSums(t testing.TB, data []byte, sel model.Selection) map[string]int64 {
	t.Helper()
	types := []pprof.Type{pprof.CPU, pprof.Wall, pprof.Critical}
	var profilers []pprof.Profiler
	var sinks []model.Sink
	for _, typ := range types {
		p := pprof.New(pprof.Options{Type: typ, Selection: sel})
		profilers, sinks = append(profilers, p), append(sinks, p)
	}
	if _, err := model.Read(t.Context(), bytes.NewReader(data), model.Tee(sinks...)); err != nil && !model.IsDamage(err) {
		t.Fatal(err)
	}
	out := make(map[string]int64)
	for i, profiler := range profilers {
		var file bytes.Buffer
		if err := profiler.Profile().Write(&file); err != nil {
			t.Fatal(err)
		}
		p, err := profile.ParseData(file.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		addProfile(out, types[i], p)
	}
	return out
}

// addProfile adds up what trace2x pprof writes.
func addProfile(out map[string]int64, typ pprof.Type, p *profile.Profile) {
	for _, s := range p.Sample {
		label := func(key string) string {
			if v := s.Label[key]; len(v) > 0 {
				return v[0]
			}
			return ""
		}
		kind := map[pprof.Type]string{pprof.CPU: "cpu", pprof.Critical: "critical_path"}[typ]
		if typ == pprof.Wall {
			if kind = map[string]string{"waiting": "off_cpu", "runnable": "runnable", "syscall": "syscall"}[label("state")]; kind == "" {
				continue
			}
		}
		stack := ""
		for _, l := range s.Location {
			for _, line := range l.Line {
				stack += fmt.Sprintf("%s %s:%d\n", line.Function.Name, line.Function.Filename, line.Line)
			}
		}
		out[fmt.Sprintf("%s|%s|%s|%s|%s", kind, label("state"), label("reason"), label("func"), stack)] += s.Value[1]
	}
}

// compare reports what differs.
func compare(t *testing.T, got, want map[string]int64) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%d ns, want %d: %s", got[k], v, k)
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok && v != 0 {
			t.Errorf("%d ns too much: %s", v, k)
		}
	}
}

func all(*sample) bool { return true }

// TestSums: profiles add up to what trace2x pprof says, to the nanosecond, by stack and
// state, also in many messages.
func TestSums(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		t.Run(name, func(t *testing.T) {
			data := testtrace.Data(t, name)
			want := pprofSums(t, data, model.Selection{})
			whole, few := profilesOf(t, data, Options{OwnSpans: true})
			compare(t, sums(whole, all), want)
			if len(data) > 100_000 {
				return // the others are enough, and this one takes long
			}
			parts, many := profilesOf(t, data, Options{OwnSpans: true, MaxSamples: 100})
			compare(t, sums(parts, all), want)
			if len(whole) > 200 && many <= few {
				t.Errorf("%d messages, %d with a limit", few, many)
			}
			for _, s := range whole {
				if s.unit != "nanoseconds" {
					t.Fatalf("unit %q", s.unit)
				}
			}
		})
	}
}

// taskTree has the spans of tasks, as the program sent them or package otel sends them.
type taskTree struct {
	model.NopSink
	parents map[model.TaskID]model.TaskID
	linked  map[model.TaskID]model.SpanContext
}

func (x *taskTree) TaskStart(t *model.Task) {
	x.parents[t.ID] = 0
	if t.Parent != nil {
		x.parents[t.ID] = t.Parent.ID
	}
	if t.Span != nil {
		x.linked[t.ID] = *t.Span
	}
}

// TestSpans: what is linked to the spans of a task and its subtasks is what trace2x pprof
// says of the task.
func TestSpans(t *testing.T) {
	for _, name := range []string{"spanlink", "manytasks", "httpserver-go1.25", "slow", "pipeline"} {
		t.Run(name, func(t *testing.T) {
			data := testtrace.Data(t, name)
			tree := &taskTree{parents: make(map[model.TaskID]model.TaskID), linked: make(map[model.TaskID]model.SpanContext)}
			converttest.Read(t, data, tree)
			spans := ownSpans(t, data)
			samples, _ := profilesOf(t, data, Options{OwnSpans: true, MaxSamples: 500})
			tasks := 0
			for task := range tree.parents {
				if tasks++; tasks > 8 {
					break
				}
				below := make(map[model.SpanContext]bool)
				for x := range tree.parents {
					for up := x; up != 0; up = tree.parents[up] {
						if up == task {
							below[spans[x]] = true
						}
					}
				}
				got := sums(samples, func(s *sample) bool {
					if s.kind == "critical_path" {
						return s.link == spans[task]
					}
					return below[s.link]
				})
				compare(t, got, pprofSums(t, data, model.Selection{TaskID: task}))
			}
			if tasks == 0 {
				t.Error("no tasks")
			}
			// Without the spans of our own, links lead only to spans of the program.
			sent := make(map[model.SpanContext]bool)
			for _, s := range tree.linked {
				sent[s] = true
			}
			links := 0
			only, _ := profilesOf(t, data, Options{})
			for _, s := range only {
				if s.link != (model.SpanContext{}) {
					links++
					if !sent[s.link] {
						t.Fatalf("a link to %x, which the program did not send", s.link.SpanID)
					}
				}
			}
			if (links > 0) != (len(sent) > 0) {
				t.Errorf("%d links, %d spans", links, len(sent))
			}
		})
	}
}

// TestSelection: only the work for selected tasks counts.
func TestSelection(t *testing.T) {
	data := testtrace.Data(t, "httpserver")
	sel := model.Selection{TaskID: 7}
	samples, _ := profilesOf(t, data, Options{OwnSpans: true, Selection: sel})
	compare(t, sums(samples, all), pprofSums(t, data, sel))
	for _, s := range samples {
		if s.link == (model.SpanContext{}) {
			t.Errorf("a sample without a link: %v", s)
		}
	}
}

// TestWakers: waits have who ended them, as the states of the model say.
func TestWakers(t *testing.T) {
	data := testtrace.Data(t, "pipeline")
	samples, _ := profilesOf(t, data, Options{})
	got := make(map[string]int64)
	for _, s := range samples {
		if s.kind == "off_cpu" {
			got[fmt.Sprint(s.attributes["go.reason"], "|", s.attributes["go.waker"], "|", s.attributes["go.waker.goroutine.function"], "|",
				s.attributes["go.waker.code.function.name"], "|", s.attributes["go.waker.code.file.path"], "|", s.attributes["go.waker.code.line.number"])] += s.value
		}
	}
	o := &wakerSums{sums: make(map[string]int64)}
	converttest.Read(t, data, o)
	compare(t, got, o.sums)
}

type wakerSums struct {
	model.NopSink
	sums map[string]int64
}

func (o *wakerSums) GoroutineState(g *model.Goroutine, s *model.GoState) {
	if s.Kind != model.Waiting || s.Duration() == 0 {
		return
	}
	var who, fn, name, file, line any
	if !s.Open {
		who = "scheduler"
		if by := s.Waker.Goroutine; by != nil {
			who = "goroutine"
			if by.Func != "" {
				fn = by.Func
			}
		}
		if f := s.Waker.Stack.Place(); f != nil {
			name, file, line = f.Func, f.File, int64(f.Line)
		}
	}
	o.sums[fmt.Sprint(s.Reason, "|", who, "|", fn, "|", name, "|", file, "|", line)] += int64(s.Duration())
}

// TestSameBytes: the same trace makes the same messages.
func TestSameBytes(t *testing.T) {
	data := testtrace.Data(t, "httpserver")
	make := func() (out []byte) {
		c := New(Options{OwnSpans: true, MaxSamples: 500}, func(p pprofile.Profiles) error {
			b, err := new(pprofile.ProtoMarshaler).MarshalProfiles(p)
			out = append(out, b...)
			return err
		})
		converttest.Read(t, data, c)
		return out
	}
	if !bytes.Equal(make(), make()) {
		t.Error("not the same bytes")
	}
}

// TestMessage: what a message says of itself.
func TestMessage(t *testing.T) {
	data := testtrace.Data(t, "cpuprofile")
	var got []pprofile.Profiles
	c := New(Options{Version: "v1", Resource: []attribute.KeyValue{attribute.String("service.name", "shop")}}, func(p pprofile.Profiles) error {
		got = append(got, p)
		return nil
	})
	sum := converttest.Read(t, data, c)
	if len(got) != 2 {
		t.Fatalf("%d messages", len(got))
	}
	rp := got[0].ResourceProfiles().At(0)
	if v, _ := rp.Resource().Attributes().Get("service.name"); v.Str() != "shop" {
		t.Errorf("service.name %q", v.Str())
	}
	if s := rp.ScopeProfiles().At(0).Scope(); s.Version() != "v1" || s.Name() != scopeName {
		t.Errorf("scope %s %s", s.Name(), s.Version())
	}
	for _, p := range rp.ScopeProfiles().At(0).Profiles().All() {
		if p.DurationNano() != uint64(sum.End-sum.Start) || p.Time() < pcommon.Timestamp(1.7e18) {
			t.Errorf("%s + %d ns", p.Time().AsTime(), p.DurationNano())
		}
	}
}

// TestErr: an error of the receiver of messages ends the reading.
func TestErr(t *testing.T) {
	failed := errors.New("no")
	calls := 0
	c := New(Options{MaxSamples: 10}, func(pprofile.Profiles) error { calls++; return failed })
	_, err := model.Read(t.Context(), bytes.NewReader(testtrace.Data(t, "httpserver")), c)
	if !errors.Is(err, failed) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// ownSpans returns the spans of tasks: those that package otel sends, and those of the
// program. It checks that the former have the ID of their profile.
func ownSpans(t *testing.T, data []byte) map[model.TaskID]model.SpanContext {
	t.Helper()
	c := &spanClient{t: t, spans: make(map[model.TaskID]model.SpanContext)}
	if _, err := otel.Convert(t.Context(), bytes.NewReader(data), c, otel.Options{ProfileIDs: true}); err != nil {
		t.Fatal(err)
	}
	tree := &taskTree{parents: make(map[model.TaskID]model.TaskID), linked: make(map[model.TaskID]model.SpanContext)}
	converttest.Read(t, data, tree)
	maps.Copy(c.spans, tree.linked)
	return c.spans
}

type spanClient struct {
	t     *testing.T
	mu    sync.Mutex
	spans map[model.TaskID]model.SpanContext
}

func (c *spanClient) Export(_ context.Context, request []byte) (otel.Answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	traces, err := new(ptrace.ProtoUnmarshaler).UnmarshalTraces(request)
	for _, rs := range traces.ResourceSpans().All() {
		for _, s := range rs.ScopeSpans().At(0).Spans().All() {
			if kind, _ := s.Attributes().Get("go.span.kind"); kind.Str() != "task" {
				continue
			}
			id, _ := s.Attributes().Get("go.task.id")
			c.spans[model.TaskID(id.Int())] = model.SpanContext{TraceID: s.TraceID(), SpanID: s.SpanID()}
			if p, _ := s.Attributes().Get("pyroscope.profile.id"); p.AsString() != s.SpanID().String() {
				c.t.Errorf("span %s has profile %s", s.SpanID(), p.AsString())
			}
		}
	}
	return otel.Answer{}, err
}

func (*spanClient) Close() error { return nil }
