package report

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// Each latency is in the row that it belongs to, whatever they are.
func TestLatencyRows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		var all []time.Duration
		l := make(latencies)
		spread := math.Pow(2, 55*random.Float64())
		for range 1 + n {
			d := time.Duration(spread * (1 + random.Float64()*math.Pow(10, 4*random.Float64()-2)))
			all = append(all, d)
			l.add(&critical.Unit{End: model.Time(d)})
		}
		checkRows(t, l, all)
	}
	for _, all := range [][]time.Duration{{0}, {0, 9, 10, 11}, {math.MaxInt64}, {1, math.MaxInt64}, {99, 100, 101}, {999_999_999, 1_000_000_000}, {}} {
		l := make(latencies)
		for _, d := range all {
			l.add(&critical.Unit{End: model.Time(d)})
		}
		checkRows(t, l, all)
	}
}

func checkRows(t *testing.T, l latencies, all []time.Duration) {
	t.Helper()
	rows := l.rows()
	sum := int64(0)
	for i, r := range rows {
		want := int64(0)
		for _, d := range all {
			if d >= r.From && (d < r.To || r.To == math.MaxInt64) {
				want++
			}
		}
		if r.Units != want || i > 0 && r.From != rows[i-1].To || r.To <= r.From {
			t.Errorf("%+v of %v, want %d", r, all, want)
		}
		sum += r.Units
	}
	if sum != int64(len(all)) || len(rows) > 20 {
		t.Errorf("%d units in %d rows, want %d", sum, len(rows), len(all))
	}
	if len(rows) > 0 && (rows[0].Units == 0 || rows[len(rows)-1].Units == 0) {
		t.Errorf("the first or the last of the rows is empty: %+v", rows)
	}
}

// taskLatencies has the latencies of the tasks of one type.
type taskLatencies struct {
	model.NopSink
	typ string
	all []time.Duration
	ids map[model.TaskID]time.Duration
}

func (l *taskLatencies) TaskEnd(t *model.Task) {
	if t.Type == l.typ && !t.Before && !t.Open {
		l.all = append(l.all, time.Duration(t.End-t.Start))
		l.ids[t.ID] = time.Duration(t.End - t.Start)
	}
}

// The histogram of a type has all of its tasks, the percentiles in their rows, and the
// tasks that it names are of the median, and the slowest.
func TestLatencies(t *testing.T) {
	read := func(sink model.Sink) {
		t.Helper()
		f, err := os.Open(testtrace.Path("httpserver"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := model.Read(context.Background(), f, sink); err != nil {
			t.Fatal(err)
		}
	}
	b := New(Options{Selection: model.Selection{Task: regexp.MustCompile("^handleRequest$")}})
	read(b)
	rep := b.Report()
	want := taskLatencies{typ: "handleRequest", ids: make(map[model.TaskID]time.Duration)}
	read(&want)
	l := rep.Why.latencies[unitKey{critical.Task, "handleRequest"}]
	checkRows(t, l, want.all)

	slices.Sort(want.all)
	n := len(want.all)
	seen := int64(0)
	for _, r := range l.rows() {
		marks := percentilesIn(seen, r.Units, int64(n))
		seen += r.Units
		for name, d := range map[string]time.Duration{"p50": want.all[(n+1)/2-1], "p90": want.all[(9*n+9)/10-1], "p99": want.all[(99*n+99)/100-1], "max": want.all[n-1]} {
			if in := r.From <= d && d < r.To; in != strings.Contains(marks, " "+name) {
				t.Errorf("%v to %v: %q, %s is %v", r.From, r.To, marks, name, d)
			}
		}
	}
	i := slices.IndexFunc(rep.Why.Types, func(t *critical.Type) bool { return t.Name == "handleRequest" })
	typ := rep.Why.Types[i]
	j := slices.IndexFunc(rep.Latencies, func(l Latencies) bool { return l.Kind == critical.Task && l.Type == "handleRequest" })
	if out := rep.Latencies[j]; !slices.Equal(out.Rows, l.rows()) || len(out.Slowest) != mostExamples || len(out.AroundP50) != mostExamples ||
		out.Slowest[0].Duration != typ.Max || want.ids[out.AroundP50[0].Task] != out.AroundP50[0].Duration {
		t.Errorf("latencies are reported as %+v", out)
	}
	near, slowest := l.near(typ.P50), rep.Why.slowestOf(typ, l)
	if len(near) != mostExamples || len(slowest) != mostExamples {
		t.Fatalf("%d near the median, %d slowest", len(near), len(slowest))
	}
	for i, u := range slowest {
		if u.Duration() != want.all[n-1-i] || want.ids[u.Task] != u.Duration() {
			t.Errorf("task %d with %v is one of the slowest, want %v", u.Task, u.Duration(), want.all[n-1-i])
		}
	}
	for _, u := range near {
		if off := (u.Duration() - typ.P50).Abs(); want.ids[u.Task] != u.Duration() || off > typ.P50/20 {
			t.Errorf("task %d with %v, which was %v, is near the median of %v", u.Task, u.Duration(), want.ids[u.Task], typ.P50)
		}
	}
}
