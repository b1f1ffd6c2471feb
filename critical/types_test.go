package critical_test

import (
	"strconv"
	"testing"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

// TestManyTypes: types after the first 10,000 are one, and no unit is lost.
func TestManyTypes(t *testing.T) {
	sums := critical.NewSums(critical.SumOptions{Options: critical.Options{Kinds: critical.KindsOf(critical.Task)}})
	sums.Begin(&model.Trace{})
	for i := range 25_000 {
		at := model.Time(10 * i)
		task := &model.Task{ID: model.TaskID(i + 1), Type: "type " + strconv.Itoa(i), Start: at}
		sums.TaskStart(task)
		task.End = at + 7
		sums.TaskEnd(task)
	}
	sums.End(&model.Summary{})
	r := sums.Report()
	units := int64(0)
	for _, typ := range r.Types {
		units += typ.Count
		want := int64(1)
		if typ.Name == model.Other {
			want = 15_000
		}
		if typ.Count != want {
			t.Errorf("%q has %d units", typ.Name, typ.Count)
		}
	}
	if len(r.Types) != 10_001 || units != 25_000 {
		t.Errorf("%d types with %d units, want 10001 with 25000", len(r.Types), units)
	}
}
