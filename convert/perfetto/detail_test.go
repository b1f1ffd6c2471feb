package perfetto_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

// TestDetail: with less detail, the states are those of the model all the same, and the
// slices of short waits and system calls, and the later lifetimes, are missing.
func TestDetail(t *testing.T) {
	shortest := map[perfetto.Detail]model.Time{1: 100e3, 2: 1e6, 3: 10e6}
	for _, name := range []string{"httpserver", "syscalls"} {
		for d, shortest := range shortest {
			t.Run(fmt.Sprintf("%s %d", name, d), func(t *testing.T) {
				t.Parallel()
				opts := defaults
				opts.Detail = d
				c := convert(t, name, opts)
				checkStats(t, c)
				checkSched(t, c)
				checkStates(t, c)
				if d == 1 {
					checkWakers(t, c) // which finds goroutines by their lifetimes
				}
				long := func(is []modeltest.Interval) (out []modeltest.Interval) {
					for _, i := range is {
						if i.End-i.Start >= shortest {
							out = append(out, i)
						}
					}
					return out
				}
				same(t, "system calls", c.query(t, "select ts, dur, name from slice where category = 'syscall'"), lines(long(c.Syscalls), nil))
				same(t, "waits", c.query(t, "select ts, dur, name from slice where category = 'wait'"), lines(long(c.Waits), nil))
				most := c.query(t, "select count(*) from slice s join thread_track on thread_track.id = track_id join thread using (utid) where category = 'goroutine' group by thread.name order by 1 desc limit 1")
				want := map[perfetto.Detail]string{1: "1194", 2: "1000", 3: "100"}
				if name == "httpserver" && most[0] != want[d] {
					t.Errorf("a function has %s lifetimes, want %s", most[0], want[d])
				}
			})
		}
	}
}

// TestFit: what a writer says fits into a budget has about that size.
func TestFit(t *testing.T) {
	data := testtrace.Data(t, "httpserver")
	attempt := func(opts perfetto.Options, window model.Window) *perfetto.Writer {
		t.Helper()
		w := perfetto.NewWriter(io.Discard, opts)
		defer w.Close()
		if _, err := model.ReadWindow(t.Context(), bytes.NewReader(data), w, window); err != nil && !errors.Is(err, perfetto.ErrBudget) {
			t.Fatal(err)
		}
		return w
	}
	whole := attempt(defaults, model.Window{}).Size()
	seen := make(map[perfetto.Detail]bool)
	for _, percent := range []int64{95, 88, 81, 60, 30, 10} {
		budget := whole * percent / 100
		opts := defaults
		opts.Budget = budget
		fit := attempt(opts, model.Window{}).Fit(budget)
		opts.Detail, opts.Budget = fit.Detail, 0
		seen[fit.Detail] = true
		size := attempt(opts, model.Window{To: model.Moment{Since: fit.Until}}).Size()
		// Where the trace is cut, the estimate is rougher: it knows sizes at the ends of
		// generations only.
		most := budget * 105 / 100
		if fit.Until > 0 {
			most = budget * 135 / 100
		}
		if size > most || fit.Until > 0 && size < budget/2 {
			t.Errorf("%d bytes at detail %d until %v, for a budget of %d bytes, %d%% of the whole", size, fit.Detail, fit.Until, budget, percent)
		}
		if (fit.Until > 0) != (percent <= 60) {
			t.Errorf("%d%%: detail %d until %v", percent, fit.Detail, fit.Until)
		}
	}
	if len(seen) < 2 {
		t.Errorf("details %v", seen)
	}
}
