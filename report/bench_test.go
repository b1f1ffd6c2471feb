package report_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/report"
)

// BenchmarkRead sums up traces of different lengths. Its memory must not grow with
// the trace.
func BenchmarkRead(b *testing.B) {
	for _, events := range []int{3_100_000, 26_000_000} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			converttest.Benchmark(b, testtrace.Load(b, events), func(r io.Reader) (int64, error) {
				rep, err := report.Read(b.Context(), r, report.Options{})
				if err != nil {
					return 0, err
				}
				return rep.Overview.Events, nil
			})
		})
	}
}
