package model_test

import (
	"cmp"
	"slices"
	"testing"

	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// lives counts the goroutines that are alive at each moment.
type lives struct {
	model.NopSink
	changes []change
}

type change struct {
	t  model.Time
	by int
}

func (l *lives) GoroutineEnd(g *model.Goroutine) {
	l.changes = append(l.changes, change{g.Start, 1}, change{g.End, -1})
}

// TestMaxAlive: goroutines that the trace names late were alive before.
func TestMaxAlive(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		l := &lives{}
		sum := converttest.Read(t, testtrace.Data(t, name), l)
		// One that ends when another begins was alive together with it.
		slices.SortFunc(l.changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.t, b.t), -cmp.Compare(a.by, b.by)) })
		alive, most := 0, 0
		for _, c := range l.changes {
			alive += c.by
			most = max(most, alive)
		}
		if alive != 0 || sum.MaxAlive != most {
			t.Errorf("%s: at most %d goroutines are alive, want %d", name, sum.MaxAlive, most)
		}
	}
}
