package pprof_test

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// history keeps all that a profile may be of, to add it up in another way: when
// all is known.
type history struct {
	model.NopSink
	goroutines []*life
	alive      map[int]*life // by slot
	tasks      map[*model.Task]bool
	works      map[*model.Work]*work
	asked      func(*model.Task) bool
	samples    int
}

type life struct {
	id      model.GoID
	fn      string
	states  []model.GoState
	samples []model.Time
	regions []region
	works   []*work
}

type interval struct{ start, end model.Time }

type region struct {
	interval
	typ string
}

// work is for a task that is asked for.
type work struct{ interval }

func newHistory(asked func(*model.Task) bool) *history {
	return &history{
		alive: make(map[int]*life),
		tasks: make(map[*model.Task]bool),
		works: make(map[*model.Work]*work),
		asked: asked,
	}
}

func (h *history) GoroutineStart(g *model.Goroutine) {
	h.alive[g.Slot] = &life{id: g.ID}
	h.goroutines = append(h.goroutines, h.alive[g.Slot])
}
func (h *history) GoroutineState(g *model.Goroutine, s *model.GoState) {
	l := h.alive[g.Slot]
	l.states = append(l.states, *s)
}
func (h *history) GoroutineEnd(g *model.Goroutine) {
	h.alive[g.Slot].fn = g.Func
	delete(h.alive, g.Slot)
}
func (h *history) Sample(s *model.Sample) {
	h.samples++
	if s.Goroutine != nil {
		l := h.alive[s.Goroutine.Slot]
		l.samples = append(l.samples, s.Time)
	}
}
func (h *history) RegionEnd(r *model.Region) {
	l := h.alive[r.Goroutine.Slot]
	l.regions = append(l.regions, region{interval{r.Start, r.End}, r.Type})
}
func (h *history) TaskStart(t *model.Task) {
	h.tasks[t] = h.tasks[t.Parent] || h.asked != nil && h.asked(t)
}
func (h *history) WorkStart(w *model.Work) {
	if h.tasks[w.Task] {
		x := &work{interval{start: w.Start}}
		h.works[w] = x
		l := h.alive[w.Goroutine.Slot]
		l.works = append(l.works, x)
	}
}
func (h *history) WorkEnd(w *model.Work) {
	if x := h.works[w]; x != nil {
		x.end = w.End
		delete(h.works, w) // the next work may be in its place
	}
}

// union sorts intervals and joins those that touch.
func union(in []interval) (out []interval) {
	slices.SortFunc(in, func(a, b interval) int { return int(a.start - b.start) })
	for _, i := range in {
		if n := len(out); n > 0 && i.start <= out[n-1].end {
			out[n-1].end = max(out[n-1].end, i.end)
		} else {
			out = append(out, i)
		}
	}
	return out
}

// spans returns when the time of a goroutine counts.
func (l *life) spans(opts *pprof.Options) []interval {
	const ever = model.Time(1) << 62
	spans := []interval{{-ever, ever}}
	intersect := func(with []interval) {
		var out []interval
		for _, a := range spans {
			for _, b := range with {
				if i := (interval{max(a.start, b.start), min(a.end, b.end)}); i.start <= i.end {
					out = append(out, i)
				}
			}
		}
		spans = out
	}
	if opts.ByTask() {
		var all []interval
		for _, w := range l.works {
			all = append(all, w.interval)
		}
		intersect(union(all))
	}
	if opts.Region != nil {
		var all []interval
		for _, r := range l.regions {
			if opts.Region.MatchString(r.typ) {
				all = append(all, r.interval)
			}
		}
		intersect(union(all))
	}
	return spans
}

// wall adds up what a profile of the type Wall should have, by its labels.
func (h *history) wall(opts *pprof.Options) map[string]sum {
	sums := make(map[string]sum)
	for _, l := range h.goroutines {
		if !l.wanted(opts) {
			continue
		}
		spans := l.spans(opts)
		for _, s := range l.states {
			var in model.Time
			for _, w := range spans {
				in += max(0, min(w.end, s.End)-max(w.start, s.Start))
			}
			if in > 0 {
				key := l.fn + "|" + s.Kind.String() + "|"
				if s.Kind == model.Waiting {
					key += s.Reason
				}
				sum := sums[key]
				sum.count++
				sum.time += int64(in)
				sums[key] = sum
			}
		}
	}
	return sums
}

func (l *life) wanted(opts *pprof.Options) bool {
	return (opts.Goroutines == nil || slices.Contains(opts.Goroutines, l.id)) &&
		(opts.Func == nil || l.fn != "" && opts.Func.MatchString(l.fn))
}

// cpu counts the samples that a profile of the type CPU should have.
func (h *history) cpu(opts *pprof.Options) (n int64) {
	for _, l := range h.goroutines {
		if !l.wanted(opts) {
			continue
		}
		for _, t := range l.samples {
			for _, w := range l.spans(opts) {
				if w.start <= t && t < w.end {
					n++
				}
			}
		}
	}
	return n
}

func byLabels(p *profile.Profile) map[string]sum {
	sums := make(map[string]sum)
	for _, s := range p.Sample {
		label := func(key string) string { return strings.Join(s.Label[key], ",") }
		key := label("func") + "|" + label("state") + "|" + label("reason")
		sum := sums[key]
		sum.count += s.Value[0]
		sum.time += s.Value[1]
		sums[key] = sum
	}
	return sums
}

// spanlinkTrace returns the distributed trace of spanlink.trace that has most spans.
func spanlinkTrace(t *testing.T) [16]byte {
	t.Helper()
	h := spanCounter{spans: make(map[[16]byte]int)}
	converttest.Read(t, testtrace.Data(t, "spanlink"), &h)
	var most [16]byte
	for id, n := range h.spans {
		if n > h.spans[most] || n == h.spans[most] && bytes.Compare(id[:], most[:]) < 0 {
			most = id
		}
	}
	return most
}

type spanCounter struct {
	model.NopSink
	spans map[[16]byte]int
}

func (c *spanCounter) TaskStart(t *model.Task) {
	if t.Span != nil {
		c.spans[t.Span.TraceID]++
	}
}

// TestFilters compares profiles with what can be added up when the whole trace
// is in memory.
func TestFilters(t *testing.T) {
	re := regexp.MustCompile
	tests := []struct {
		name   string
		opts   pprof.Options
		traces []string // in which something has to be found
	}{
		{"all", pprof.Options{}, []string{"httpserver", "cgo", "leak", "leak-go1.21", "gc"}},
		{"goroutine", pprof.Options{Selection: model.Selection{Goroutines: []model.GoID{1, 20}}}, []string{"httpserver", "pipeline"}},
		{"func", pprof.Options{Selection: model.Selection{Func: re(`^net/http\.|^main\.main$`)}}, []string{"httpserver", "httpserver-go1.22", "httpserver-go1.21"}},
		{"task", pprof.Options{Selection: model.Selection{Task: re(`.`)}}, []string{"httpserver", "manytasks", "cgo", "httpserver-go1.21"}},
		{"trace ID", pprof.Options{Selection: model.Selection{TraceID: spanlinkTrace(t)}}, []string{"spanlink"}},
		{"task ID", pprof.Options{Selection: model.Selection{TaskID: 1}}, []string{"manytasks", "flightrecorder"}},
		{"region", pprof.Options{Region: re(`.`)}, []string{"states", "chain", "httpserver", "flightrecorder", "manytasks"}},
		{"region asleep", pprof.Options{Region: re(`^asleep$`)}, []string{"states"}},
		{"region in task", pprof.Options{Selection: model.Selection{Task: re(`.`)}, Region: re(`.`)}, []string{"httpserver"}},
		{"task of func", pprof.Options{Selection: model.Selection{Task: re(`.`), Func: re(`main\.`)}}, []string{"httpserver"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found := make(map[string]bool)
			for _, name := range testtrace.Readable(t) {
				data := testtrace.Data(t, name)
				h := newHistory(func(task *model.Task) bool {
					return task.ID == tt.opts.TaskID || tt.opts.Task != nil && tt.opts.Task.MatchString(task.Type) ||
						task.Span != nil && tt.opts.TraceID != [16]byte{} && task.Span.TraceID == tt.opts.TraceID
				})
				converttest.Read(t, data, h)
				opts := tt.opts
				opts.Type = pprof.Wall
				c := pprof.NewCollector(opts)
				converttest.Read(t, data, c)
				want := h.wall(&opts)
				got := byLabels(c.Profile())
				compare(t, pprof.Wall, got, want)
				if t.Failed() {
					t.Fatalf("of %s", name)
				}
				found[name] = len(got) > 0

				if name == "cpuprofile" || name == "httpserver" {
					opts.Type = pprof.CPU
					c := pprof.NewCollector(opts)
					converttest.Read(t, data, c)
					got, want := c.Stats().Count, h.cpu(&opts)
					if tt.name == "all" {
						want = int64(h.samples)
					}
					if got != want {
						t.Errorf("%s: %d samples, want %d", name, got, want)
					}
				}
			}
			for _, name := range tt.traces {
				if !found[name] {
					t.Errorf("nothing in %s", name)
				}
			}
		})
	}
}

// TestStates: testdata/gen/states does known things for known times.
func TestStates(t *testing.T) {
	for _, tt := range []struct {
		region string
		typ    pprof.Type
		labels string
		ms     float64
		within float64
		fn     string // that is in the stacks
	}{
		{"asleep", pprof.Wall, "|waiting|sleep", 10, 8, "time.Sleep"},
		{"mutex", pprof.Sync, "||", 20, 8, "sync.(*Mutex).Lock"},
		{"channel", pprof.Sync, "||", 5, 8, "runtime.chanrecv1"},
		{"work", pprof.Wall, "|running|", 30, 15, "main.known"},
	} {
		p := convert(t, testtrace.Path("states"), pprof.Options{Type: tt.typ, Region: regexp.MustCompile("^" + tt.region + "$")})
		var ms float64
		for labels, s := range byLabels(p) {
			if strings.HasSuffix(labels, tt.labels) {
				ms += float64(s.time) / 1e6
			}
		}
		if ms < tt.ms-1 || ms > tt.ms+tt.within {
			t.Errorf("%v in %s: %.1f ms, want %.1f", tt.typ, tt.region, ms, tt.ms)
		}
		if !slices.ContainsFunc(p.Function, func(f *profile.Function) bool { return f.Name == tt.fn }) {
			t.Errorf("%v in %s: no function %s", tt.typ, tt.region, tt.fn)
		}
	}
}

func TestCPU(t *testing.T) {
	p := convert(t, testtrace.Path("cpuprofile"), pprof.Options{Type: pprof.CPU})
	if got := p.SampleType[0].Type + "/" + p.SampleType[0].Unit + " " + p.SampleType[1].Type + "/" + p.SampleType[1].Unit; got != "samples/count cpu/nanoseconds" {
		t.Errorf("sample types %s", got)
	}
	if p.PeriodType.Type != "cpu" || p.PeriodType.Unit != "nanoseconds" || p.Period != 1e7 {
		t.Errorf("period %d %v", p.Period, p.PeriodType)
	}
	in := make(map[string]int64)
	for _, s := range p.Sample {
		if s.Value[1] != s.Value[0]*1e7 {
			t.Errorf("%d samples in %d ns", s.Value[0], s.Value[1])
		}
		for _, l := range s.Location {
			in[l.Line[0].Function.Name] += s.Value[0]
		}
	}
	for _, fn := range []string{"main.burnIntegers", "main.burnFloats", "main.burnMemory"} {
		if in[fn] < 5 {
			t.Errorf("%d samples in %s", in[fn], fn)
		}
	}
}

// TestWallStacks: where goroutines are while they do not run.
func TestWallStacks(t *testing.T) {
	p := convert(t, testtrace.Path("httpserver"), pprof.Options{Type: pprof.Wall})
	found := make(map[string]int)
	for _, s := range p.Sample {
		if len(s.Location) == 0 {
			t.Fatal("a sample without stack")
		}
		state, leaf := s.Label["state"][0], s.Location[0].Line[0].Function.Name
		switch {
		case state == "running" && (len(s.Location) != 1 || len(s.Label["func"]) > 0 && leaf != s.Label["func"][0]):
			t.Errorf("runs in %s, of %d frames", leaf, len(s.Location))
		case state == "waiting" && len(s.Label["reason"]) != 1:
			t.Errorf("waits in %s for %q", leaf, s.Label["reason"])
		}
		found[state+" "+leaf]++
	}
	// The last is ready to run again where it was blocked.
	for _, want := range []string{"running net/http.(*conn).serve", "syscall syscall.write", "waiting runtime.selectgo", "runnable runtime.selectgo"} {
		if found[want] == 0 {
			t.Errorf("nothing is %s", want)
		}
	}
}

// TestTime: the profile begins when the trace does.
func TestTime(t *testing.T) {
	for name, told := range map[string]bool{"httpserver": true, "httpserver-go1.25": true, "httpserver-go1.24": false} {
		clock := &firstClock{}
		sum := converttest.Read(t, testtrace.Data(t, name), clock)
		p := convert(t, testtrace.Path(name), pprof.Options{Type: pprof.Net})
		if p.DurationNanos != int64(sum.End-sum.Start) {
			t.Errorf("%s: %d ns, want %d", name, p.DurationNanos, sum.End-sum.Start)
		}
		want := int64(0)
		if told {
			want = clock.wall - int64(clock.trace-sum.Start)
		}
		if p.TimeNanos != want || (want != 0) != told {
			t.Errorf("%s: begins at %d, want %d", name, p.TimeNanos, want)
		}
	}
}

type firstClock struct {
	model.NopSink
	trace model.Time
	wall  int64
}

func (c *firstClock) Sync(s *model.Sync) {
	if s.Clock != nil && c.wall == 0 {
		c.trace, c.wall = s.Clock.Trace, s.Clock.Wall.UnixNano()
	}
}

func TestSameBytes(t *testing.T) {
	data := testtrace.Data(t, "httpserver")
	for typ := pprof.Net; typ <= pprof.Critical; typ++ {
		var outs [3]bytes.Buffer
		for i := range outs {
			if _, err := pprof.Convert(t.Context(), bytes.NewReader(data), &outs[i], pprof.Options{Type: typ}); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(outs[0].Bytes(), outs[1].Bytes()) || !bytes.Equal(outs[0].Bytes(), outs[2].Bytes()) {
			t.Errorf("%v: the bytes differ", typ)
		}
		p, err := profile.Parse(&outs[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := p.CheckValid(); err != nil {
			t.Errorf("%v: %v", typ, err)
		}
	}
}

func TestWriteFails(t *testing.T) {
	failed := errors.New("no space left")
	_, err := pprof.Convert(t.Context(), bytes.NewReader(testtrace.Data(t, "states")), writeFunc(func([]byte) (int, error) { return 0, failed }), pprof.Options{})
	if !errors.Is(err, failed) {
		t.Errorf("the error is %v", err)
	}
}

type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(p []byte) (int, error) { return f(p) }

func TestParseType(t *testing.T) {
	for typ := pprof.Net; typ <= pprof.Critical; typ++ {
		if got, ok := pprof.ParseType(typ.String()); !ok || got != typ {
			t.Errorf("%v is %v, %v", typ, got, ok)
		}
	}
	if got, ok := pprof.ParseType(""); ok {
		t.Errorf("nothing is %v", got)
	}
}
