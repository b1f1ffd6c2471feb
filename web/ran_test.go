package web

import (
	"reflect"
	"testing"
	"time"

	"github.com/trace2x/trace2x/report"
	"github.com/trace2x/trace2x/report/series"
)

func TestNeighbours(t *testing.T) {
	ms := func(from, to time.Duration) series.Interval {
		return series.Interval{From: from * time.Millisecond, To: to * time.Millisecond}
	}
	for _, test := range []struct {
		list []series.Interval
		want [][]int
	}{
		{nil, nil},
		{[]series.Interval{ms(5, 6)}, [][]int{{0}}},
		{[]series.Interval{ms(5000, 5001), ms(0, 3), ms(900, 901), ms(5000, 5900), ms(6500, 6501), ms(9000, 9001)}, [][]int{{1, 2}, {0, 3, 4}, {5}}},
		{[]series.Interval{ms(0, 9000), ms(10, 20), ms(9500, 9600)}, [][]int{{0, 1, 2}}},
	} {
		if got := neighbours(test.list); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v: %v, want %v", test.list, got, test.want)
		}
	}
}

// What ran in waits that are read together is what ran in each by itself.
func TestRanTogether(t *testing.T) {
	tr := load(t, "slow")
	waits := worstWaits(tr.whole.rep)
	together, err := tr.ran(t.Context(), waits)
	if err != nil || len(together) != len(waits) {
		t.Fatal(len(together), err)
	}
	for i := range waits {
		alone, err := tr.ran(t.Context(), []report.SchedWait{waits[i]})
		if err != nil || !reflect.DeepEqual(alone[0], together[i]) || len(alone[0].ran) == 0 {
			t.Errorf("wait %d: %v together, %v alone, %v", i, together[i], alone, err)
		}
	}
}
