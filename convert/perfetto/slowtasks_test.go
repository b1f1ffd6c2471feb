package perfetto

import (
	"math/rand/v2"
	"testing"

	"github.com/trace2x/trace2x/model"
)

// A task is slow if fewer than maxMarked before it took as long.
func TestSlowTasks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var typ taskType
	var before []model.Time
	slow := 0
	for i := range 5 * maxMarked {
		d := model.Time(random.IntN(4 * maxMarked)) // some are equal
		longer := 0
		for _, b := range before {
			if b >= d {
				longer++
			}
		}
		before = append(before, d)
		got := typ.isSlow(d)
		if want := longer < maxMarked; got != want {
			t.Fatalf("task %d of %d ns, %d before it took as long: slow is %t", i, d, longer, got)
		}
		if got {
			slow++
		}
	}
	if slow < maxMarked || slow > 4*maxMarked {
		t.Errorf("%d of %d tasks are slow", slow, len(before))
	}
}
