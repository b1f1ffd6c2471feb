package times

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/trace2x/trace2x/model"
)

// TestStint: what a stint adds up to is what the states and assists that lie in it do,
// in the middle of them, too.
func TestStint(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		var l Ledger
		g := &model.Goroutine{Start: 100}
		l.GoroutineStart(g)
		from := 100 + model.Time(r.IntN(500))
		to := from + model.Time(r.IntN(500))
		var want, begun Times
		var got *Times
		now := g.Start
		for now < 1100 {
			s := model.GoState{Kind: model.StateKind(1 + r.IntN(4)), Start: now, Reason: "xyz"[r.IntN(3):][:1]}
			s.End = now + model.Time(r.IntN(100))
			s.ProcLost = s.Start // in a system call, without a P
			cur := s
			cur.End = 0
			if got == nil && from >= now && from < s.End {
				l.in(&cur, &begun, g, from)
			}
			if got == nil && to >= now && to < s.End {
				got = &Times{}
				l.in(&cur, got, g, to)
				got.sub(&begun)
			}
			if a, b := max(s.Start, from), min(s.End, to); a < b {
				want.state(&s, a, b, false, &l.Reasons)
			}
			l.GoroutineState(g, &s)
			now = s.End
		}
		for len(got.Block) < len(l.Reasons.names) {
			got.Block = append(got.Block, 0)
		}
		for len(want.Block) < len(l.Reasons.names) {
			want.Block = append(want.Block, 0)
		}
		if !reflect.DeepEqual(got, &want) {
			t.Fatalf("seed %d: from %d to %d: %+v, want %+v", seed, from, to, *got, want)
		}
		if got.Total() != to-from {
			t.Fatalf("seed %d: %d in all, want %d", seed, got.Total(), to-from)
		}
	}
}
