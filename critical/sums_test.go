package critical_test

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// TestSums compares the sums of each trace with those of its units.
func TestSums(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		t.Run(name, func(t *testing.T) {
			data := testtrace.Data(t, name)
			f := newFound(critical.Options{Kinds: all})
			if err := read(data, f); err != nil {
				t.Fatal(err)
			}
			sums := critical.NewSums(critical.SumOptions{Options: critical.Options{Kinds: all}, Keep: func(u *critical.Unit) bool { return u.Task == 3 }})
			if err := read(data, sums); err != nil {
				t.Fatal(err)
			}
			r := sums.Report()
			checkSums(t, r)
			for _, typ := range r.Types {
				var units []*critical.Kept
				cut := int64(0)
				for i := range f.units {
					if u := &f.units[i]; u.Kind == typ.Kind && u.Type == typ.Name {
						if u.Cut {
							cut++
							continue
						}
						units = append(units, u)
					}
				}
				if int64(len(units)) != typ.Count || cut != typ.Cut {
					t.Errorf("%v %q: %d and %d cut, want %d and %d", typ.Kind, typ.Name, typ.Count, typ.Cut, len(units), cut)
				}
				compareSum(t, &typ.All, units)
				slices.SortStableFunc(units, func(a, b *critical.Kept) int { return int(b.Duration() - a.Duration()) })
				compareSum(t, &typ.Tail, units[:(len(units)+99)/100])
				if len(units) == 0 {
					continue
				}
				median := float64(units[len(units)/2].Duration()) // the slowest are first
				if math.Abs(float64(typ.P50)-median) > critical.PercentileError*median {
					t.Errorf("%v %q: p50 %v, want %v", typ.Kind, typ.Name, typ.P50, time.Duration(median))
				}
			}
			for _, k := range r.Kept {
				if k.Task != 3 {
					t.Errorf("kept: %v %q of task %d", k.Kind, k.Type, k.Task)
				}
			}
		})
	}
}

type sumKey struct {
	state     model.StateKind
	reason    string
	own       bool
	fn, place string
}

func placeOf(f *model.Frame) string {
	if f == nil {
		return ""
	}
	return fmt.Sprintf("%s %s:%d", f.Func, f.File, f.Line)
}

// compareSum compares a sum with that of units.
func compareSum(t *testing.T, got *critical.PathSum, units []*critical.Kept) {
	t.Helper()
	type sum struct{ ns, units int64 }
	want := make(map[sumKey]*sum)
	for _, u := range units {
		seen := make(map[sumKey]bool)
		for _, s := range u.Path.Segments {
			k := sumKey{s.State, s.Reason, s.Own, s.Func, placeOf(s.Stack.Place())}
			if want[k] == nil {
				want[k] = &sum{}
			}
			want[k].ns += int64(s.End - s.Start)
			if !seen[k] {
				seen[k] = true
				want[k].units++
			}
		}
	}
	for _, s := range got.Segments {
		k := sumKey{s.State, s.Reason, s.Own, s.Func, placeOf(s.Place)}
		if w := want[k]; w == nil || w.ns != int64(s.Time) || w.units != s.Units {
			t.Errorf("%+v: %d ns of %d units, want %+v", k, s.Time, s.Units, w)
		}
		delete(want, k)
	}
	if len(want) > 0 {
		t.Errorf("%d sums are missing", len(want))
	}
}

// TestPlanted finds the reasons that the program slow was written to have.
func TestPlanted(t *testing.T) {
	lines := make(map[string]map[int]bool) // by type
	src, err := os.Open("../testdata/gen/slow/main.go")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	sc := bufio.NewScanner(src)
	for n := 1; sc.Scan(); n++ {
		if _, name, ok := strings.Cut(sc.Text(), "// planted: "); ok {
			if lines[name] == nil {
				lines[name] = make(map[int]bool)
			}
			lines[name][n] = true
		}
	}
	want := map[string]struct {
		state      model.StateKind
		reason     string
		own        bool
		fn, place  string
		waitReason string
	}{
		"lock of one that sleeps":   {model.Waiting, "sleep", false, "main.sleepingHolder", "main.sleepingHolder", "sync"},
		"lock of one that computes": {model.Running, "", false, "main.computingHolder", "main.computingHolder", "sync"},
		"busy pool":                 {model.Waiting, "sleep", false, "main.poolWorker", "main.bigJob", "chan receive"},
		"late sender":               {model.Running, "", false, "main.sender", "main.sender", "chan receive"},
		"fan-out":                   {model.Running, "", false, "main.fanWorker", "main.fanWorker", "sync"},
		"too few Ps":                {model.Runnable, "", true, "main.main", "main.tooFewPs", ""},
		"system call":               {model.Syscall, "", true, "main.main", "main.systemCall", ""},
		"created late":              {model.Waiting, "sleep", false, "main.creator", "main.creator", "chan receive"},
		"assist":                    {model.Running, critical.Assist, true, "main.main", "main.allocate", ""},
	}
	sums := critical.NewSums(critical.SumOptions{})
	if err := read(testtrace.Data(t, "slow"), sums); err != nil {
		t.Fatal(err)
	}
	r := sums.Report()
	if r.Kinds != critical.KindsOf(critical.Task) || len(r.Types) != len(want) || r.CutOff != 0 {
		t.Errorf("kinds %b, %d types, %d cut off", r.Kinds, len(r.Types), r.CutOff)
	}
	for _, typ := range r.Types {
		w, ok := want[typ.Name]
		if !ok {
			t.Errorf("type %q", typ.Name)
			continue
		}
		if typ.Count != 21 || typ.Tail.Units != 1 {
			t.Errorf("%s: %d units, %d in the tail", typ.Name, typ.Count, typ.Tail.Units)
		}
		s := typ.Tail.Segments[0]
		if s.State != w.state || w.reason != "" && s.Reason != w.reason || s.Own != w.own || s.Func != w.fn || !strings.HasPrefix(s.WaitReason, w.waitReason) {
			t.Errorf("%s: %+v", typ.Name, s)
		}
		if s.Place == nil || s.Place.Func != w.place || !lines[typ.Name][s.Place.Line] {
			t.Errorf("%s: at %s, want %s at a line of %v", typ.Name, placeOf(s.Place), w.place, lines[typ.Name])
		}
		if s.Time < typ.Tail.Total/2 {
			t.Errorf("%s: only %v of %v", typ.Name, s.Time, typ.Tail.Total)
		}
		if typ.Name == "too few Ps" {
			for _, seg := range typ.Slowest[0].Path.Segments {
				if seg.State == model.Runnable && seg.End-seg.Start > 5e6 && (len(seg.Ran) == 0 || seg.Ran[0].Func != "main.hog") {
					t.Errorf("what held the Ps: %+v", seg.Ran)
				}
			}
		}
	}
}

// TestTaskFromBefore: a task from before the trace is not one without a name.
func TestTaskFromBefore(t *testing.T) {
	sums := critical.NewSums(critical.SumOptions{})
	if err := read(testtrace.Data(t, "flightrecorder"), sums); err != nil {
		t.Fatal(err)
	}
	cut := make(map[string]int64)
	for _, typ := range sums.Report().Types {
		cut[typ.Name] = typ.Cut
	}
	if _, nameless := cut[""]; nameless || cut[model.UnknownTask] != 1 {
		t.Errorf("cut by type: %v", cut)
	}
}
