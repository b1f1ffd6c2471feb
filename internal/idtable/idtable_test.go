package idtable

import (
	"math/rand/v2"
	"testing"
)

// TestTable: a table finds what a map does, also if its IDs are neither small nor in
// order.
func TestTable(t *testing.T) {
	for name, id := range map[string]func(*rand.Rand) int64{
		"in a row":    func(r *rand.Rand) int64 { return r.Int64N(2000) },
		"far apart":   func(r *rand.Rand) int64 { return r.Int64N(500) << 40 },
		"any":         func(r *rand.Rand) int64 { return int64(r.Uint64()) >> r.IntN(64) },
		"of rows end": func(r *rand.Rand) int64 { return row*r.Int64N(500) + row - 1 },
	} {
		r := rand.New(rand.NewPCG(1, 2))
		var table Table[int]
		want := make(map[int64]*int)
		for range 50_000 {
			x := id(r)
			switch r.IntN(3) {
			case 0:
				table.Remove(x)
				delete(want, x)
			case 1:
				if want[x] == nil {
					want[x] = new(int)
					table.Add(x, want[x])
				}
			}
			if table.Find(x) != want[x] || table.Len() != len(want) {
				t.Fatalf("%s: %d: %p of %d, want %p of %d", name, x, table.Find(x), table.Len(), want[x], len(want))
			}
		}
		for x, p := range want {
			if table.Find(x) != p {
				t.Errorf("%s: %d: %p, want %p", name, x, table.Find(x), p)
			}
		}
	}
}

// TestProbes: finding an ID takes few steps, however the IDs are.
func TestProbes(t *testing.T) {
	const n = 100_000
	for step := int64(1); step < 1<<46; step *= 8 {
		var table Table[int]
		for i := range int64(n) {
			table.Add(i*step, new(int))
		}
		steps := 0
		for i := range table.slots {
			if s := &table.slots[i]; s.value != nil {
				steps += (i - table.home(s.id)) & (len(table.slots) - 1)
			}
		}
		if steps > 20*n {
			t.Errorf("IDs that are multiples of %d: %d steps for %d", step, steps, n)
		}
	}
}
