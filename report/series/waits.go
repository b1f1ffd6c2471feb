package series

import (
	"slices"
	"time"

	"github.com/trace2x/trace2x/model"
)

// WaitRows is how many lengths of waits are told apart.
const WaitRows = 1 + 3*8 + 1

// waitSteps has where each row but the first begins: 100, 200, 500 ns, and so on to 10 s.
var waitSteps = func() (steps [WaitRows - 1]time.Duration) {
	for i, scale := 0, 100*time.Nanosecond; i < len(steps); scale *= 10 {
		for _, x := range []time.Duration{1, 2, 5} {
			if i < len(steps) {
				steps[i] = x * scale
				i++
			}
		}
	}
	return steps
}()

// WaitRow returns the row of a wait: 0 for less than 100 ns.
func WaitRow(d time.Duration) int {
	i, found := slices.BinarySearch(waitSteps[:], d)
	if found {
		i++
	}
	return i
}

// WaitFrom returns the shortest wait of a row.
func WaitFrom(row int) time.Duration {
	if row == 0 {
		return 0
	}
	return waitSteps[row-1]
}

// Waits is a sink that counts the waits for a P by length: see [WaitRow].
type Waits struct {
	model.NopSink
	Rows [WaitRows]int64
}

// GoroutineState is part of [model.Sink].
func (w *Waits) GoroutineState(_ *model.Goroutine, s *model.GoState) {
	if s.Kind == model.Runnable {
		w.Rows[WaitRow(time.Duration(s.Duration()))]++
	}
}

// Merge adds the waits of another trace.
func (w *Waits) Merge(o *Waits) {
	for i, n := range o.Rows {
		w.Rows[i] += n
	}
}
