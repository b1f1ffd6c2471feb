package critical_test

import (
	"reflect"
	"testing"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// checked checks what holds of each path in any trace.
func checked(tb testing.TB, opts critical.Options) *stepped {
	s := &stepped{tb: tb}
	s.Finder = critical.NewFinder(opts, s.unit)
	return s
}

type stepped struct {
	*critical.Finder
	tb     testing.TB
	states int // that have begun
	units  int
	// damaged is how many segments are in a part that cannot be read.
	damaged int
	sampled int
}

func (s *stepped) GoroutineStart(g *model.Goroutine) {
	s.states++
	s.Finder.GoroutineStart(g)
}

func (s *stepped) GoroutineState(g *model.Goroutine, st *model.GoState) {
	s.states++
	s.Finder.GoroutineState(g, st)
}

// A state may be divided by works, by an assist and by samples.
func (s *stepped) WorkStart(w *model.Work) {
	s.states++
	s.Finder.WorkStart(w)
}

func (s *stepped) WorkEnd(w *model.Work) {
	s.states++
	s.Finder.WorkEnd(w)
}

func (s *stepped) Range(r *model.Range) {
	s.states += 2
	s.Finder.Range(r)
}

func (s *stepped) Sample(x *model.Sample) {
	s.states++
	s.Finder.Sample(x)
}

func (s *stepped) unit(u *critical.Unit) {
	s.units++
	if u.Cut {
		if u.Path(0) != nil {
			s.tb.Errorf("%v %q: a path of what is cut", u.Kind, u.Type)
		}
		return
	}
	path := u.Path(0)
	checkPath(s.tb, &critical.Kept{Unit: *u, Path: path})
	const limit = 3
	short := u.Path(limit)
	checkPath(s.tb, &critical.Kept{Unit: *u, Path: short})
	if n := len(path.Segments); n > limit && (len(short.Segments) != limit+1 || short.Segments[0].Reason != critical.LeftOut || short.Segments[1].End != path.Segments[n-limit].End) {
		s.tb.Errorf("%v %q: the newest %d of %d segments are %+v", u.Kind, u.Type, limit, n, short.Segments)
	}
	if len(path.Segments) > s.states+len(path.Waits)+1 || len(path.Waits) > s.states {
		s.tb.Errorf("%v %q: %d segments and %d waits of %d states", u.Kind, u.Type, len(path.Segments), len(path.Waits), s.states)
	}
	for _, x := range path.Segments {
		if x.Reason == critical.Damaged {
			s.damaged++
		}
		if x.Sampled {
			s.sampled++
			if x.State != model.Running || x.Stack == nil {
				s.tb.Errorf("%v %q: sampled: %+v", u.Kind, u.Type, x)
			}
		}
		if x.State == model.Unknown && x.Reason != critical.CutOff && x.Reason != critical.Damaged && x.Reason != critical.NoCreator && x.Reason != critical.NoEnd {
			s.tb.Errorf("%v %q: unknown, because %q", u.Kind, u.Type, x.Reason)
		}
	}
}

// checkSums checks that sums are sums.
func checkSums(tb testing.TB, r *critical.Report) {
	tb.Helper()
	for _, t := range r.Types {
		if t.All.Units != t.Count || t.All.Total != t.Total {
			tb.Errorf("%v %q: %d paths of %v, %d units of %v", t.Kind, t.Name, t.All.Units, t.All.Total, t.Count, t.Total)
		}
		if want := min((t.Count+99)/100, critical.MaxTail); t.Tail.Units != want && len(r.Types) < 100 {
			tb.Errorf("%v %q: %d of %d units are the tail", t.Kind, t.Name, t.Tail.Units, t.Count)
		}
		var tail int64
		for i, u := range t.TailUnits {
			tail += int64(u.Duration())
			if i > 0 && u.Duration() > t.TailUnits[i-1].Duration() {
				tb.Errorf("%v %q: the tail is not sorted", t.Kind, t.Name)
			}
		}
		if tail != int64(t.Tail.Total) || int64(len(t.TailUnits)) != t.Tail.Units {
			tb.Errorf("%v %q: tail of %v, its units are %d ns", t.Kind, t.Name, t.Tail.Total, tail)
		}
		for _, sum := range []*critical.PathSum{&t.All, &t.Tail} {
			for i, seg := range sum.Segments {
				if seg.Units < 1 || seg.Units > sum.Units || seg.Time <= 0 || i > 0 && seg.Time > sum.Segments[i-1].Time {
					tb.Errorf("%v %q: segment %d is %+v", t.Kind, t.Name, i, seg)
				}
			}
		}
		for i, k := range t.Slowest {
			checkPath(tb, &t.Slowest[i])
			if i < len(t.TailUnits) && k.Duration() != t.TailUnits[i].Duration() {
				tb.Errorf("%v %q: number %d of the slowest is of %v, of the tail of %v", t.Kind, t.Name, i, k.Duration(), t.TailUnits[i].Duration())
			}
		}
		if len(t.Slowest) > 0 && t.Slowest[0].Duration() != t.Max {
			tb.Errorf("%v %q: the slowest is of %v, max %v", t.Kind, t.Name, t.Slowest[0].Duration(), t.Max)
		}
	}
}

// TestInvariants checks all traces, and that what a gap hides is said to be damaged.
func TestInvariants(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		s := checked(t, critical.Options{Kinds: all})
		if err := read(testtrace.Data(t, name), s); err != nil {
			t.Fatal(err)
		}
		if s.damaged > 0 != (name == "damaged") {
			t.Errorf("%s: %d damaged segments", name, s.damaged)
		}
		if s.sampled > 0 != (name == "cpuprofile") {
			t.Errorf("%s: %d sampled segments", name, s.sampled)
		}
	}
}

// TestAside checks that units are the same if they are found in another goroutine.
func TestAside(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		data := testtrace.Data(t, name)
		for _, kinds := range []critical.Kinds{0, all} {
			var reports [2]*critical.Report
			for i := range reports {
				sums := critical.NewSums(critical.SumOptions{Options: critical.Options{Kinds: kinds, Aside: i == 1}})
				if err := read(data, sums); err != nil {
					t.Fatal(err)
				}
				reports[i] = sums.Report()
			}
			if !reflect.DeepEqual(reports[0], reports[1]) {
				t.Errorf("%s: units of kinds %b are not the same aside", name, kinds)
			}
		}
	}
}

func FuzzFinder(f *testing.F) {
	testtrace.SeedStructure(f)
	f.Fuzz(func(t *testing.T, data []byte, change uint64) {
		data = testtrace.Mutate(data, change)
		if read(data, checked(t, critical.Options{Kinds: all})) != nil {
			return
		}
		sums := critical.NewSums(critical.SumOptions{Options: critical.Options{Kinds: all}})
		if err := read(data, sums); err != nil {
			t.Fatal(err)
		}
		checkSums(t, sums.Report())
		aside := critical.NewSums(critical.SumOptions{Options: critical.Options{Kinds: all, Aside: true}})
		if err := read(data, aside); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(aside.Report(), sums.Report()) {
			t.Error("what is found aside is not the same")
		}
	})
}
