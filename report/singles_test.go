package report_test

import (
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// Single goroutines add up to those of their function, in each state. Where only some
// are kept, these are the first of all.
func TestSingles(t *testing.T) {
	goroutines := 0
	for _, name := range testtrace.Readable(t) {
		for _, sel := range []model.Selection{{Func: regexp.MustCompile(`.`)}, {Func: regexp.MustCompile(`main`), Task: regexp.MustCompile(`.`)}} {
			all := readReport(t, testtrace.Path(name), report.Options{Selection: sel, Singles: -1})
			sums := make(map[string]*report.Group)
			for _, s := range all.Singles {
				g := sums[s.Func]
				if g == nil {
					g = &report.Group{Func: s.Func, Sum: report.Times{BlockByReason: make(map[string]time.Duration)}}
					sums[s.Func] = g
				}
				g.Count++
				goroutines++
				addTimes(&g.Sum, &s.Times)
				g.Max.Execution = max(g.Max.Execution, s.Times.Execution)
				g.Max.Total = max(g.Max.Total, s.Times.Total)
				if s.Start > s.End || s.Func == "" || sel.Task == nil && s.Times.Total > s.End-s.Start {
					t.Errorf("%s: %+v", name, s)
				}
			}
			has := make(map[model.GoID][]time.Duration) // of all with this ID
			for _, s := range all.Singles {
				has[s.ID] = append(has[s.ID], s.Times.Execution, s.Times.Block)
			}
			for _, g := range all.Goroutines {
				for column, most := range map[string]time.Duration{"exec": g.Max.Execution, "block": g.Max.Block} {
					if of, ok := g.MaxOf[column]; ok != (most > 0) || ok && (of.Duration != most || of.Func != g.Func || !slices.Contains(has[of.Goroutine], most)) {
						t.Errorf("%s: %s: the most %s is %v, of %+v", name, g.Func, column, most, of)
					}
				}
			}
			for _, want := range all.Goroutines {
				got := sums[want.Func]
				delete(sums, want.Func)
				if got == nil || got.Count != want.Count || !reflect.DeepEqual(got.Sum, want.Sum) || got.Max.Execution != want.Max.Execution || got.Max.Total != want.Max.Total {
					t.Errorf("%s: %s: %+v, want %+v", name, want.Func, got, want)
				}
			}
			if len(sums) > 0 {
				t.Errorf("%s: %d more functions", name, len(sums))
			}
			for _, by := range []string{"max-wait", "block:sync"} {
				some := readReport(t, testtrace.Path(name), report.Options{Selection: sel, Singles: 3, SinglesBy: by})
				if err := all.Sort(by); err != nil {
					t.Fatal(err)
				}
				if want := all.Singles[:min(3, len(all.Singles))]; len(some.Singles) != len(want) || len(want) > 0 && !reflect.DeepEqual(some.Singles, want) {
					t.Errorf("%s: by %s: %+v, want %+v", name, by, some.Singles, want)
				}
			}
		}
	}
	if goroutines < 1000 {
		t.Errorf("only %d goroutines", goroutines)
	}
}

func addTimes(sum, t *report.Times) {
	sum.Total += t.Total
	sum.Execution += t.Execution
	sum.SchedWait += t.SchedWait
	sum.Block += t.Block
	sum.Syscall += t.Syscall
	sum.SyscallBlock += t.SyscallBlock
	sum.GCAssist += t.GCAssist
	for reason, d := range t.BlockByReason {
		sum.BlockByReason[reason] += d
	}
}
