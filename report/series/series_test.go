package series

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// everything has the states of a trace.
type everything struct {
	model.NopSink
	states []model.GoState
}

func (e *everything) GoroutineState(_ *model.Goroutine, s *model.GoState) {
	e.states = append(e.states, *s)
}

func read(t *testing.T, name string, w model.Window) (*report.Report, *Series, *Units, *everything) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, units := New(), NewUnits()
	opts := report.Options{}
	opts.Units.Only = func(u *critical.Unit) bool {
		s.Unit(u)
		units.Add(u)
		return true
	}
	b, all := report.New(opts), &everything{}
	if sum, err := model.ReadWindow(context.Background(), f, model.Tee(s, b, all), w); sum == nil {
		t.Fatal(err)
	}
	return b.Report(), s.Series(), units, all
}

func sum(list []time.Duration) (total time.Duration) {
	for _, d := range list {
		total += d
	}
	return total
}

// What the buckets add up to is what the report says of the whole.
func TestSums(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		whole, _, _, _ := read(t, testtrace.Path(name), model.Window{})
		third := whole.Overview.Duration / 3
		for _, w := range []model.Window{{}, {From: model.Moment{Since: third}, To: model.Moment{Since: 2*third + 7}}} {
			r, s, units, all := read(t, testtrace.Path(name), w)
			p := &r.Overview.Procs
			for _, c := range []struct {
				what      string
				got, want time.Duration
			}{
				{"syscalls", sum(s.Syscalls), p.Syscall},
				{"GC", sum(s.GC), p.GC},
				{"goroutines", sum(s.Goroutines), p.Goroutines},
				{"scheduler", sum(s.Scheduler), p.Scheduler},
				{"mark", sum(s.Mark), r.GC.Mark.Total},
				{"runnable", sum(s.Runnable), r.Scheduling.Total},
				{"end", s.End - s.Start, r.Overview.Duration},
			} {
				if c.got != c.want {
					t.Errorf("%s %v: %s: %v, the report has %v", name, w, c.what, c.got, c.want)
				}
			}
			waits := int64(0)
			for _, rows := range s.Waits {
				for _, n := range rows {
					waits += int64(n)
				}
			}
			if waits != r.Scheduling.Count {
				t.Errorf("%s %v: %d waits for a P, the report has %d", name, w, waits, r.Scheduling.Count)
			}
			longest := time.Duration(0)
			for _, x := range s.Pauses {
				longest = max(longest, x.Duration)
			}
			for _, x := range r.GC.Pauses {
				if x.Max > longest {
					t.Errorf("%s %v: the longest pause is %v, the report has %v", name, w, longest, x.Max)
				}
			}
			checkBuckets(t, name, s, all)
			checkUnits(t, name, r, s, units)
		}
	}
}

// checkBuckets computes each bucket anew.
func checkBuckets(t *testing.T, name string, s *Series, all *everything) {
	t.Helper()
	if n := s.Len(); n > Buckets || s.At(n-1) >= s.End && s.End > s.Start || s.At(n) < s.End {
		t.Errorf("%s: %d buckets of %v, for %v to %v", name, n, s.Step, s.Start, s.End)
	}
	first := all.states[0].Start
	for i := range all.states {
		first = min(first, all.states[i].Start)
	}
	random := rand.New(rand.NewPCG(1, 2))
	origin := first - model.Time(s.Start)
	for range 30 {
		b := random.IntN(s.Len())
		from := origin + model.Time(s.At(b))
		to := from + model.Time(s.Step)
		want := make(map[model.StateKind]time.Duration)
		for i := range all.states {
			x := &all.states[i]
			if d := min(x.End, to) - max(x.Start, from); d > 0 {
				want[x.Kind] += time.Duration(d)
			}
		}
		if s.Running[b] != want[model.Running] || s.Runnable[b] != want[model.Runnable] || s.Waiting[b] != want[model.Waiting] || s.Syscall[b] != want[model.Syscall] {
			t.Fatalf("%s: bucket %d has %v %v %v %v, want %v", name, b, s.Running[b], s.Runnable[b], s.Waiting[b], s.Syscall[b], want)
		}
	}
}

// checkUnits compares the rows with the report's histograms.
func checkUnits(t *testing.T, name string, r *report.Report, s *Series, units *Units) {
	t.Helper()
	for _, typ := range r.Why.Types {
		n := int64(0)
		rows := units.Rows(typ.Kind, typ.Name)
		for _, row := range rows {
			n += row.Count
			for _, e := range row.Examples {
				if e.Latency < row.From || e.Latency >= row.To {
					t.Errorf("%s: %v is not from %v to %v", name, e.Latency, row.From, row.To)
				}
			}
		}
		if n != typ.Count {
			t.Errorf("%s: %d units of %v %q, the report has %d", name, n, typ.Kind, typ.Name, typ.Count)
		}
		if typ.Count > 0 && rows[len(rows)-1].Examples[0].Latency != typ.Max {
			t.Errorf("%s: the slowest of %q took %v, the report has %v", name, typ.Name, rows[len(rows)-1].Examples[0].Latency, typ.Max)
		}
	}
	if types := r.Why.Types; len(types) > 0 && types[0].Count > 0 {
		longest := time.Duration(0)
		for _, p := range s.Points {
			if p.Kind == types[0].Kind && p.Type == types[0].Name {
				longest = max(longest, p.Latency)
			}
		}
		if longest != types[0].Max {
			t.Errorf("%s: the slowest point of %q is %v, the report has %v", name, types[0].Name, longest, types[0].Max)
		}
	}
}

// A line is right wherever its intervals lie, and however often its buckets were merged.
func TestLine(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	g := &grid{start: 1000, shift: firstShift}
	l := g.newLine()
	type interval struct{ from, to, n model.Time }
	var all []interval
	end := model.Time(0)
	for i := range 3000 {
		to := model.Time(1000 + i*random.IntN(20_000) + random.IntN(5000))
		from := to - model.Time(random.IntN(int(to)))
		n := model.Time(random.IntN(5))
		l.add(from, to, n)
		all = append(all, interval{max(from, 1000), to, n})
		end = max(end, to)
	}
	n := g.bucket(end) + 1
	for b, got := range l.times(n) {
		from := g.start + model.Time(b)*g.width()
		want := model.Time(0)
		for _, x := range all {
			want += x.n * max(min(x.to, from+g.width())-max(x.from, from), 0)
		}
		if model.Time(got) != want {
			t.Fatalf("bucket %d of %d: %d, want %d", b, n, got, want)
		}
	}
}

func TestWaitRow(t *testing.T) {
	for _, test := range []struct {
		d   time.Duration
		row int
	}{{0, 0}, {99, 0}, {100, 1}, {199, 1}, {200, 2}, {time.Microsecond, 4}, {10 * time.Second, WaitRows - 1}, {time.Hour, WaitRows - 1}} {
		if got := WaitRow(test.d); got != test.row || WaitFrom(got) > test.d {
			t.Errorf("%v is in row %d, from %v; want %d", test.d, got, WaitFrom(got), test.row)
		}
	}
}

func TestRowOf(t *testing.T) {
	last := -1
	for d := time.Duration(0); d < 9e18/2; d = d + 1 + d/50 {
		row := rowOf(d)
		if row < last || row >= rowCount || d < rowFrom(row) || d >= rowFrom(row+1) {
			t.Fatalf("%d is in row %d, from %d to %d", d, row, rowFrom(row), rowFrom(row+1))
		}
		last = row
	}
}

// A bounded number of units is kept, of each row the slowest.
func TestManyUnits(t *testing.T) {
	us := NewUnits()
	u := critical.Unit{Kind: critical.Task}
	for i := range 2_000_000 {
		u.Type = string(rune('a' + i%1000))
		u.End = model.Time(i % 5_000_011)
		us.Add(&u)
	}
	if us.examples > maxExamples {
		t.Errorf("%d units are kept", us.examples)
	}
	kept := 0
	for _, name := range us.Types(critical.Task) {
		for _, row := range us.Rows(critical.Task, name) {
			kept += len(row.Examples)
			for i := 1; i < len(row.Examples); i++ {
				if row.Examples[i].Latency > row.Examples[i-1].Latency {
					t.Fatal("not sorted")
				}
			}
		}
	}
	if kept != us.examples {
		t.Errorf("%d units, counted as %d", kept, us.examples)
	}
}

// A bounded number of types is kept, also of several traces.
func TestManyTypes(t *testing.T) {
	us, all := NewUnits(), NewUnits()
	u := critical.Unit{Kind: critical.Task, End: 1000}
	for i := range 3 * critical.MaxTypes {
		u.Type = strconv.Itoa(i)
		us.Add(&u)
	}
	all.Merge(us, "a.trace", 0)
	u.Type = "more"
	us.Add(&u)
	all.Merge(us, "b.trace", 0)
	for _, x := range []*Units{us, all} {
		if n := len(x.Types(critical.Task)); n != critical.MaxTypes {
			t.Errorf("%d types are kept", n)
		}
		if rows := x.Rows(critical.Task, "more"); rows != nil {
			t.Errorf("%v of a type too many", rows)
		}
	}
	if rows := all.Rows(critical.Task, "7"); len(rows) != 1 || rows[0].Count != 2 {
		t.Errorf("%v of a type that is kept", rows)
	}
}

// A life has no gaps, and a bounded number of pieces.
func TestLife(t *testing.T) {
	l := NewLife(7)
	g := &model.Goroutine{ID: 7}
	at := model.Time(0)
	for i := range 100_000 {
		s := model.GoState{Kind: model.StateKind(1 + i%4), Start: at, End: at + model.Time(1+i%97)}
		at = s.End
		l.GoroutineState(g, &s)
	}
	pieces, states := l.Pieces(), 0
	for i, p := range pieces {
		states += p.States
		if i > 0 && pieces[i-1].End != p.Start {
			t.Fatalf("a gap at %v", p.Start)
		}
	}
	if n := len(pieces); n > MaxPieces || n < MaxPieces/8 || states != 100_000 || pieces[n-1].End != time.Duration(at) {
		t.Errorf("%d pieces with %d states, to %v of %v", n, states, pieces[n-1].End, at)
	}
}
