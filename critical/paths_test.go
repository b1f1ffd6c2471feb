package critical

import (
	"bytes"
	"context"
	"testing"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// TestPathsAreBounded checks that paths of the slowest units take no more than they
// may, and that those which are kept are of the slowest.
func TestPathsAreBounded(t *testing.T) {
	data := testtrace.Data(t, "httpserver")
	sums := func(maxPaths int) (*Sums, *Report) {
		s := NewSums(SumOptions{Options: Options{Kinds: KindsOf(AllKinds[:]...)}})
		s.maxPaths = maxPaths
		if _, err := model.Read(context.Background(), bytes.NewReader(data), s); err != nil {
			t.Fatal(err)
		}
		return s, s.Report()
	}
	_, all := sums(maxPaths)
	for _, limit := range []int{1, 20, 200, 1000, maxPaths} {
		s, r := sums(limit)
		size, units := 0, 0
		for i, typ := range r.Types {
			want := all.Types[i].Slowest
			if len(typ.Slowest) > len(want) {
				t.Fatalf("limit %d: %q has %d paths, %d without it", limit, typ.Name, len(typ.Slowest), len(want))
			}
			for j, k := range typ.Slowest {
				size += k.Path.size()
				units++
				if k.Start != want[j].Start || k.End != want[j].End {
					t.Errorf("limit %d: number %d of %q is not the same unit as without it", limit, j, typ.Name)
				}
			}
		}
		if size > limit || s.paths > limit || s.slowest < 1 {
			t.Errorf("limit %d: paths of %d, counted as %d, %d of each type", limit, size, s.paths, s.slowest)
		}
		t.Logf("limit %d: %d paths of %d, %d of each type; %d states in %d turns", limit, units, size, s.slowest, s.history.states, s.history.ring.last)
		if limit >= 200 && units == 0 {
			t.Errorf("limit %d: no paths", limit)
		}
	}
}
