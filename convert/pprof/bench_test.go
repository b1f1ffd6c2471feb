package pprof_test

import (
	"io"
	"regexp"
	"testing"

	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// BenchmarkConvert makes profiles of a trace of 3 million events.
func BenchmarkConvert(b *testing.B) {
	trace := testtrace.Load(b, 3_100_000)
	for _, bb := range []struct {
		name string
		opts pprof.Options
	}{
		{"sync", pprof.Options{Type: pprof.Sync}},
		{"wall", pprof.Options{Type: pprof.Wall}},
		{"wall of tasks", pprof.Options{Type: pprof.Wall, Selection: model.Selection{Task: regexp.MustCompile(".")}}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			converttest.Benchmark(b, trace, func(r io.Reader) (int64, error) {
				sum, err := pprof.Convert(b.Context(), r, io.Discard, bb.opts)
				if err != nil {
					return 0, err
				}
				return sum.Events, nil
			})
		})
	}
}
