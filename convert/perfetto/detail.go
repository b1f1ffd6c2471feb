package perfetto

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/trace2x/trace2x/model"
)

// SlowToLoad is the size of a file, in bytes, from which on people wait for the UI to load
// it.
const SlowToLoad = 32_000_000

// Detail is how much of a trace the lanes of goroutines show, 0 for most. Their states
// are whole with each: what ran, what waited, why, and who ended it.
type Detail int

// details are the steps of Detail.
var details = [...]struct {
	shortest model.Time // wait or system call that has a slice
	// How many goroutines of each start function have a lifetime, the slice G1234; and how
	// many have the go statement that started them, with an arrow, and their parent.
	lifetimes, goStatements int
}{
	{0, math.MaxInt, 2000},
	{100_000, math.MaxInt, 2000},
	{1_000_000, 1000, 1000},
	{10_000_000, 100, 100},
}

// leastDetail is the last step.
const leastDetail = Detail(len(details) - 1)

// String says what the lanes do not have.
func (d Detail) String() string {
	step := &details[d]
	switch {
	case d == 0:
		return "nothing"
	case step.lifetimes == math.MaxInt:
		return fmt.Sprintf("slices of waits and system calls shorter than %v", time.Duration(step.shortest))
	}
	return fmt.Sprintf("slices of waits and system calls shorter than %v, lifetimes (G…) of goroutines behind the first %d of a start function", time.Duration(step.shortest), step.lifetimes)
}

// meter counts the bytes that are written, and how many of them each detail saves. The
// same trace always has the same counts.
type meter struct {
	packets *packets
	saved   [len(details)]int64
	borders []border
}

// border is how much had been written at the end of a generation.
type border struct {
	time  model.Time
	sizes [len(details)]int64
}

// sizes returns how large the file would be with each detail, so far.
func (m *meter) sizes() (sizes [len(details)]int64) {
	for d := range details {
		sizes[d] = m.packets.size - m.saved[d]
	}
	return sizes
}

// interval counts the bytes of a wait or system call that took a time.
func (m *meter) interval(took model.Time, bytes int64) {
	for d := range details {
		if took < details[d].shortest {
			m.saved[d] += bytes
		}
	}
}

// lifetime counts the bytes of the n-th goroutine of a function.
func (m *meter) lifetime(n int, bytes int64) {
	for d := range details {
		if n > details[d].lifetimes {
			m.saved[d] += bytes
		}
	}
}

// endSize is about how many bytes the end of a slice has.
const endSize = 16

// sync takes the end of a generation.
func (m *meter) sync(t model.Time) { m.borders = append(m.borders, border{t, m.sizes()}) }

// ErrBudget is the error of a [Writer] that stopped because the trace does not fit into
// Options.Budget at any detail.
var ErrBudget = errors.New("the trace does not fit into the budget")

// Fit is what of a trace fits into a budget.
type Fit struct {
	Detail Detail
	// Until is up to when it does, since the trace began; 0 for its end.
	Until time.Duration
}

// Fit returns what of the trace would fit into so many bytes, after End or [ErrBudget]:
// the most detail with which all of it does, else the beginning of it without short waits
// and system calls.
func (w *Writer) Fit(budget int64) Fit {
	if w.stopped == nil {
		// The size is known now, so that what the meter has can be corrected.
		budget = int64(float64(budget) * float64(w.packets.size) / float64(max(w.Size(), 1)))
		now := w.meter.sizes()
		for d := w.opts.Detail; d <= leastDetail; d++ {
			if now[d] <= budget {
				return Fit{Detail: d}
			}
		}
	}
	d := max(1, w.opts.Detail)
	last := border{time: w.trace.Start}
	for _, b := range w.meter.borders {
		if b.sizes[d] > budget {
			// As if all the time in between made as much.
			part := float64(budget-last.sizes[d]) / float64(b.sizes[d]-last.sizes[d])
			last.time += model.Time(part * float64(b.time-last.time))
			break
		}
		last = b
	}
	return Fit{d, max(time.Duration(last.time-w.trace.Origin), 1)} // 0 would be the end of the trace
}

// Apply has the next conversion write what fits: with o, of part, which had asked to end
// at to. LeftOut then says what is missing.
func (f Fit) Apply(o *Options, part *model.Window, to model.Moment) {
	o.Detail, o.LeftOut = f.Detail, f.Detail.String()
	if f.Until > 0 {
		part.To = model.Moment{Since: max(f.Until.Truncate(time.Millisecond), part.From.Since+time.Millisecond)}
	}
	if part.To != to {
		o.LeftOut = fmt.Sprintf("what comes %v after the trace began, or later; %s", part.To, o.LeftOut)
	}
}
