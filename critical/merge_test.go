package critical_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// TestMerge: the sums of several traces are those of all their units.
func TestMerge(t *testing.T) {
	files := []string{"httpserver", "pipeline", "slow", "spanlink", "slow", "manytasks"}
	opts := critical.SumOptions{Options: critical.Options{Kinds: critical.KindsOf(critical.AllKinds[:]...)}}
	merged := critical.NewSums(opts)
	type key struct {
		kind critical.Kind
		name string
	}
	latencies := make(map[key][]time.Duration)
	cut := make(map[key]int64)
	all := make(map[key]map[string]time.Duration)
	var stats critical.Stats
	for _, file := range files {
		f := critical.NewFinder(opts.Options, func(u *critical.Unit) {
			k := key{u.Kind, u.Type}
			if u.Cut {
				cut[k]++
				return
			}
			latencies[k] = append(latencies[k], u.Duration())
		})
		if err := read(testtrace.Data(t, file), f); err != nil {
			t.Fatal(err)
		}
		sums := critical.NewSums(opts)
		if err := read(testtrace.Data(t, file), sums); err != nil {
			t.Fatal(err)
		}
		r := sums.Report()
		stats.Units += r.Units
		for _, typ := range r.Types {
			k := key{typ.Kind, typ.Name}
			if all[k] == nil {
				all[k] = make(map[string]time.Duration)
			}
			addSegments(all[k], &typ.All)
		}
		merged.Merge(sums, file+".trace", 0)
	}
	r := merged.Report()
	if len(r.Types) < 15 || r.Stats.Units != stats.Units {
		t.Fatalf("%d types, %d units, want %d", len(r.Types), r.Stats.Units, stats.Units)
	}
	for _, typ := range r.Types {
		k := key{typ.Kind, typ.Name}
		want := latencies[k]
		slices.Sort(want)
		total := time.Duration(0)
		for _, d := range want {
			total += d
		}
		if typ.Count != int64(len(want)) || typ.Cut != cut[k] || typ.Total != total || len(want) > 0 && typ.Max != want[len(want)-1] {
			t.Errorf("%v %q: %d units, %d cut, %v, max %v; want %d, %d, %v", typ.Kind, typ.Name, typ.Count, typ.Cut, typ.Total, typ.Max, len(want), cut[k], total)
			continue
		}
		if len(want) == 0 {
			continue
		}
		p99 := want[(99*len(want)+99)/100-1]
		if d := (typ.P99 - p99).Abs(); float64(d) > critical.PercentileError*float64(p99) {
			t.Errorf("%v %q: p99 %v, want %v", typ.Kind, typ.Name, typ.P99, p99)
		}
		n := (len(want) + 99) / 100
		tail := time.Duration(0)
		for _, d := range want[len(want)-n:] {
			tail += d
		}
		if typ.Tail.Units != int64(n) || typ.Tail.Total != tail {
			t.Errorf("%v %q: tail of %d, %v, want %d, %v", typ.Kind, typ.Name, typ.Tail.Units, typ.Tail.Total, n, tail)
		}
		// A part has no lives of goroutines below MinLives, so that its report lacks them.
		if typ.Kind != critical.GoroutineLife {
			got := make(map[string]time.Duration)
			addSegments(got, &typ.All)
			if !maps.Equal(got, all[k]) {
				t.Errorf("%v %q: segments %v, want %v", typ.Kind, typ.Name, got, all[k])
			}
		}
		for i := range typ.TailUnits {
			if typ.TailUnits[i].File == "" {
				t.Errorf("%v %q: a unit of no file", typ.Kind, typ.Name)
			}
		}
		for i, k := range typ.Slowest {
			if k.Duration() != want[len(want)-1-i] || k.Path.Segments[0].Start != k.Start || k.Path.Segments[len(k.Path.Segments)-1].End != k.End {
				t.Errorf("%v %q: path %d of %v, want %v", typ.Kind, typ.Name, i, k.Duration(), want[len(want)-1-i])
			}
		}
	}
}

// TestMergeTimes: times of a merged unit count from the origin of its trace.
func TestMergeTimes(t *testing.T) {
	sums := critical.NewSums(critical.SumOptions{})
	if err := read(testtrace.Data(t, "slow"), sums); err != nil {
		t.Fatal(err)
	}
	want := sums.Report().Types[0].Slowest[0].Unit
	const origin = model.Time(1000)
	merged := critical.NewSums(critical.SumOptions{})
	merged.Merge(sums, "slow.trace", origin)
	got := merged.Report().Types[0].Slowest[0]
	if got.Start != want.Start-origin || got.End != want.End-origin || got.Task != want.Task || got.File != "slow.trace" {
		t.Errorf("%+v, want %+v", got.Unit, want)
	}
	if s := got.Path.Segments[0]; s.Start != got.Start {
		t.Errorf("a path from %d on, want %d", s.Start, got.Start)
	}
}

func addSegments(to map[string]time.Duration, s *critical.PathSum) {
	for _, x := range s.Segments {
		own := "other "
		if x.Own {
			own = "own "
		}
		to[own+x.State.String()+" "+x.Reason+" "+x.Func+" "+placeOf(x.Place)] += x.Time
	}
}
