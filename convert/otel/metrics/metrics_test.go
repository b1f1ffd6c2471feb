package metrics

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"

	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

var update = flag.Bool("update", false, "write the golden files")

// series is what a time series has.
type series struct {
	value float64 // of a sum
	hist  pmetric.ExponentialHistogramDataPoint
	delta bool
}

// metricsOf returns the metrics of a trace by name and attributes, as
// "name{key=value}", after a way through the wire format.
func metricsOf(t *testing.T, data []byte, opts Options) (map[string]series, pmetric.ResourceMetrics) {
	t.Helper()
	c := New(opts)
	converttest.Read(t, data, c)
	encoded, err := new(pmetric.ProtoMarshaler).MarshalMetrics(c.Metrics())
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := new(pmetric.ProtoUnmarshaler).UnmarshalMetrics(encoded)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]series)
	add := func(m pmetric.Metric, attributes pcommon.Map, s series) {
		var pairs []string
		for k, v := range attributes.All() {
			pairs = append(pairs, k+"="+v.AsString())
		}
		sort.Strings(pairs)
		name := m.Name() + "{" + strings.Join(pairs, ",") + "}"
		if _, twice := out[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		out[name] = s
	}
	rm := decoded.ResourceMetrics().At(0)
	for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
		switch m.Type() {
		case pmetric.MetricTypeSum:
			for _, p := range m.Sum().DataPoints().All() {
				v := p.DoubleValue()
				if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
					v = float64(p.IntValue())
				}
				add(m, p.Attributes(), series{value: v, delta: m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta})
			}
		case pmetric.MetricTypeExponentialHistogram:
			for _, p := range m.ExponentialHistogram().DataPoints().All() {
				add(m, p.Attributes(), series{hist: p, delta: true})
			}
		default:
			t.Errorf("%s is a %s", m.Name(), m.Type())
		}
	}
	return out, rm
}

func nanos(seconds float64) time.Duration { return time.Duration(math.Round(seconds * 1e9)) }

// TestSummary: sums and distributions are what trace2x summary --json says, to the
// nanosecond.
func TestSummary(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		t.Run(name, func(t *testing.T) {
			data := testtrace.Data(t, name)
			got, _ := metricsOf(t, data, Options{})
			b := report.New(report.Options{})
			converttest.Read(t, data, b)
			text, err := json.Marshal(b.Report())
			if err != nil {
				t.Fatal(err)
			}
			var want struct {
				Goroutines []struct {
					Sum struct {
						Execution, Syscall int64
						SchedWait          int64            `json:"sched_wait_ns"`
						Exec               int64            `json:"execution_ns"`
						Sys                int64            `json:"syscall_ns"`
						SysBlock           int64            `json:"syscall_block_ns"`
						Assist             int64            `json:"gc_assist_ns"`
						Block              map[string]int64 `json:"block_by_reason_ns"`
					}
				}
				Scheduling struct {
					Count int64
					Total int64 `json:"total_ns"`
					Max   int64 `json:"max_ns"`
				}
				Overview struct {
					GOMAXPROCS int
					Procs      map[string]int64
				}
				GC struct {
					Cycles int64
					Mark   struct {
						Total int64 `json:"total_ns"`
						Max   int64 `json:"max_ns"`
					}
					Pauses []struct {
						Reason string
						Count  int64
						Total  int64 `json:"total_ns"`
						Max    int64 `json:"max_ns"`
					}
				}
				Tasks, Regions []struct {
					Type        string
					TypeUnknown bool `json:"type_unknown"`
					Count, Cut  int64
					Latency     struct {
						Total int64 `json:"total_ns"`
						Max   int64 `json:"max_ns"`
					}
				}
			}
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			seen := make(map[string]bool)
			sum := func(name string, ns int64) {
				t.Helper()
				s, ok := got[name]
				if !ok || nanos(s.value) != time.Duration(ns) || !s.delta {
					t.Errorf("%s: %v (%v, %v), want %d", name, nanos(s.value), ok, s.delta, ns)
				}
				seen[name] = true
			}
			hist := func(name string, count, total, longest int64) {
				t.Helper()
				s, ok := got[name]
				if !ok {
					t.Errorf("no %s", name)
					return
				}
				seen[name] = true
				if int64(s.hist.Count()) != count || nanos(s.hist.Sum()) != time.Duration(total) || nanos(s.hist.Max()) != time.Duration(longest) {
					t.Errorf("%s: %d, %v, %v; want %d, %d, %d", name, s.hist.Count(), nanos(s.hist.Sum()), nanos(s.hist.Max()), count, total, longest)
				}
				n := s.hist.ZeroCount()
				for _, c := range s.hist.Positive().BucketCounts().All() {
					n += c
				}
				if n != s.hist.Count() {
					t.Errorf("%s: %d in buckets, %d counted", name, n, s.hist.Count())
				}
			}

			var exec, wait, sys, sysBlock, assist int64
			block := make(map[string]int64)
			for _, g := range want.Goroutines {
				exec, wait, sys, sysBlock, assist = exec+g.Sum.Exec, wait+g.Sum.SchedWait, sys+g.Sum.Sys, sysBlock+g.Sum.SysBlock, assist+g.Sum.Assist
				for reason, ns := range g.Sum.Block {
					block[reason] += ns
				}
			}
			sum("go.goroutine.time{go.state=running}", exec)
			sum("go.goroutine.time{go.state=runnable}", wait)
			sum("go.goroutine.time{go.state=syscall}", sys)
			sum("go.goroutine.time{go.state=syscall without P}", sysBlock)
			for reason, ns := range block {
				sum("go.goroutine.time{go.reason="+reason+",go.state=waiting}", ns)
			}
			sum("go.goroutine.gc_assist.time{}", assist)
			for state, ns := range want.Overview.Procs {
				if state = strings.TrimSuffix(state, "_ns"); state != "total" {
					sum("go.processor.time{go.processor.state="+state+"}", ns)
				}
			}
			if s, ok := got["go.processor.limit{}"]; ok != (want.Overview.GOMAXPROCS > 0) || int(s.value) != want.Overview.GOMAXPROCS {
				t.Errorf("%v Ps, want %d", s.value, want.Overview.GOMAXPROCS)
			}
			hist("go.schedule.duration{}", want.Scheduling.Count, want.Scheduling.Total, want.Scheduling.Max)
			if want.GC.Cycles > 0 {
				hist("go.memory.gc.mark.duration{}", want.GC.Cycles, want.GC.Mark.Total, want.GC.Mark.Max)
			}
			for _, p := range want.GC.Pauses {
				name := "go.pause.duration"
				if strings.HasPrefix(p.Reason, "GC ") {
					name = "go.memory.gc.pause.duration"
				}
				hist(name+"{go.reason="+p.Reason+"}", p.Count, p.Total, p.Max)
			}
			for _, x := range want.Tasks {
				if x.Count > x.Cut {
					hist("go.task.duration{go.task.type="+x.Type+"}", x.Count-x.Cut, x.Latency.Total, x.Latency.Max)
				}
			}
			for _, x := range want.Regions {
				if x.Count > x.Cut {
					hist("go.region.duration{go.region.type="+x.Type+"}", x.Count-x.Cut, x.Latency.Total, x.Latency.Max)
				}
			}

			// What the summary does not have.
			o := &observer{alive: make(map[model.StateKind]int64)}
			converttest.Read(t, data, o)
			now := func(name string, v int64) {
				t.Helper()
				if s, ok := got[name]; !ok || int64(s.value) != v {
					t.Errorf("%s: %v (%v), want %d", name, s.value, ok, v)
				}
				seen[name] = true
			}
			for _, k := range []model.StateKind{model.Running, model.Runnable, model.Waiting, model.Syscall} {
				now("go.goroutine.count{go.state="+k.String()+"}", o.alive[k])
			}
			now("go.memory.gc.cycles{}", o.cycles)
			if o.heap > 0 {
				now("go.memory.used{go.memory.detailed_type=heap/objects,go.memory.type=other}", o.heap)
			}
			if o.goal > 0 {
				now("go.memory.gc.goal{}", o.goal)
			}
			seen["go.processor.limit{}"] = true
			for name := range got {
				if !seen[name] {
					t.Errorf("%s is not in the summary", name)
				}
			}
		})
	}
}

// observer takes what a trace tells last.
type observer struct {
	model.NopSink
	last               map[model.GoID]model.StateKind
	alive              map[model.StateKind]int64
	cycles, heap, goal int64
}

func (o *observer) GoroutineState(g *model.Goroutine, s *model.GoState) {
	if o.last == nil {
		o.last = make(map[model.GoID]model.StateKind)
	}
	o.last[g.ID] = s.Kind
}

func (o *observer) GoroutineEnd(g *model.Goroutine) {
	if g.Open {
		o.alive[o.last[g.ID]]++
	}
}

func (o *observer) Range(r *model.Range) {
	if r.Kind == model.GCMark && !r.Open {
		o.cycles++
	}
}

func (o *observer) Metric(m *model.Metric) {
	switch m.Name {
	case model.HeapObjects:
		o.heap = int64(m.Value)
	case model.HeapGoal:
		if o.goal = int64(m.Value); m.Value >= 1<<62 {
			o.goal = 0
		}
	}
}

// inBucket reports whether a duration is above base^i seconds, and not above base^(i+1),
// with base = 2^(2^-scale). It computes with integers.
func inBucket(d model.Time, i, scale int) bool {
	power := int64(1) << scale
	x := new(big.Int).Exp(big.NewInt(int64(d)), big.NewInt(power), nil)
	second := new(big.Int).Exp(big.NewInt(1e9), big.NewInt(power), nil)
	compare := func(i int) int { // d with base^i
		if i >= 0 {
			return x.Cmp(new(big.Int).Lsh(second, uint(i)))
		}
		return new(big.Int).Lsh(x, uint(-i)).Cmp(second)
	}
	return compare(i) > 0 && compare(i+1) <= 0
}

// TestBuckets: each duration is in its bucket, also when buckets are put together.
func TestBuckets(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	durations := []model.Time{1, 2, 3, 10, 1e9, 1e9 + 1, 1e9 - 1, 2e9, 2e9 + 1, 5e8, 5e8 + 1, 250e6, 1 << 40, 1 << 53}
	for range 3000 {
		durations = append(durations, 1+model.Time(r.Uint64N(1<<(1+r.UintN(50)))))
	}
	for _, d := range durations {
		if !inBucket(d, bucket(d), finest) {
			t.Errorf("%d ns in bucket %d", d, bucket(d))
		}
	}
	if b := bucket(math.MaxInt64); b < bucket(1<<62) {
		t.Errorf("the longest duration is in bucket %d", b)
	}
	for range 100 {
		var e exponential
		var all []model.Time
		bits := 1 + r.UintN(50)
		for range r.IntN(300) {
			d := model.Time(r.Uint64N(1<<bits)) * model.Time(r.UintN(2))
			e.add(d)
			all = append(all, d)
		}
		p := pmetric.NewExponentialHistogramDataPoint()
		e.put(p)
		if n := p.Positive().BucketCounts().Len(); n > maxBuckets {
			t.Errorf("%d buckets", n)
		}
		zero := uint64(0)
		got := make([]uint64, p.Positive().BucketCounts().Len())
		for _, d := range all {
			if d == 0 {
				zero++
				continue
			}
			found := false
			for i := range got {
				if inBucket(d, int(p.Positive().Offset())+i, int(p.Scale())) {
					got[i]++
					found = true
				}
			}
			if !found {
				t.Errorf("%d ns has no bucket", d)
			}
		}
		if zero != p.ZeroCount() {
			t.Errorf("%d zeros, want %d", p.ZeroCount(), zero)
		}
		for i, n := range got {
			if p.Positive().BucketCounts().At(i) != n {
				t.Errorf("bucket %d: %d, want %d", i, p.Positive().BucketCounts().At(i), n)
			}
		}
	}
}

// TestManyTypes: a program that gives each task a name of its own does not make a time
// series for each.
func TestManyTypes(t *testing.T) {
	c := New(Options{})
	c.Begin(&model.Trace{})
	for i := range MaxTypes + 500 {
		task := &model.Task{ID: model.TaskID(i + 1), Type: fmt.Sprint("task ", i%(MaxTypes+250)), End: 10}
		c.TaskStart(task)
		c.TaskEnd(task)
	}
	c.End(&model.Summary{})
	n, others := 0, uint64(0)
	for _, m := range c.Metrics().ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if m.Name() == "go.task.duration" {
			for _, p := range m.ExponentialHistogram().DataPoints().All() {
				n++
				if _, ok := p.Attributes().Get("otel.metric.overflow"); ok {
					others += p.Count()
				}
			}
		}
	}
	if n != MaxTypes+1 || others != 250 {
		t.Errorf("%d time series, %d others", n, others)
	}
}

// TestGolden has the metrics of a trace to read.
func TestGolden(t *testing.T) {
	got, rm := metricsOf(t, testtrace.Data(t, "httpserver"), Options{Version: "v1", Resource: []attribute.KeyValue{attribute.String("service.name", "shop")}})
	var out bytes.Buffer
	fmt.Fprintln(&out, rm.Resource().Attributes().AsRaw(), rm.SchemaUrl(), rm.ScopeMetrics().At(0).Scope().Name(), rm.ScopeMetrics().At(0).Scope().Version())
	for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
		fmt.Fprintf(&out, "\n%s [%s] %s: %s\n", m.Name(), m.Unit(), m.Type(), m.Description())
		var names []string
		for name := range got {
			if strings.HasPrefix(name, m.Name()+"{") {
				names = append(names, name)
			}
		}
		sort.Strings(names)
		for _, name := range names {
			s := got[name]
			label := strings.TrimPrefix(name, m.Name())
			if m.Type() == pmetric.MetricTypeSum {
				fmt.Fprintf(&out, "  %s %v\n", label, s.value)
				continue
			}
			h := s.hist
			fmt.Fprintf(&out, "  %s %d, sum %v, min %v, max %v; scale %d, zero %d, from bucket %d:", label, h.Count(), h.Sum(), h.Min(), h.Max(), h.Scale(), h.ZeroCount(), h.Positive().Offset())
			for _, n := range h.Positive().BucketCounts().All() {
				fmt.Fprintf(&out, " %d", n)
			}
			fmt.Fprintln(&out)
		}
	}
	p := rm.ScopeMetrics().At(0).Metrics().At(0).ExponentialHistogram().DataPoints().At(0)
	fmt.Fprintf(&out, "\nfrom %s to %s\n", p.StartTimestamp().AsTime().Format(time.RFC3339Nano), p.Timestamp().AsTime().Format(time.RFC3339Nano))
	golden := filepath.Join("testdata", "httpserver.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, out.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("differs from %s:\n%s", golden, out.Bytes())
	}
}
