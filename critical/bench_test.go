package critical_test

import (
	"os"
	"testing"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// BenchmarkSums compares the model alone with the sums of critical paths.
func BenchmarkSums(b *testing.B) {
	data, err := os.ReadFile(testtrace.Load(b, 3_100_000))
	if err != nil {
		b.Fatal(err)
	}
	for _, bm := range []struct {
		name string
		sink func() model.Sink
	}{
		{"model", func() model.Sink { return model.NopSink{} }},
		{"auto", func() model.Sink { return critical.NewSums(critical.SumOptions{}) }},
		{"task", func() model.Sink {
			return critical.NewSums(critical.SumOptions{Options: critical.Options{Kinds: critical.KindsOf(critical.Task)}})
		}},
		{"all", func() model.Sink {
			return critical.NewSums(critical.SumOptions{Options: critical.Options{Kinds: all}})
		}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink := bm.sink()
				if err := read(data, sink); err != nil {
					b.Fatal(err)
				}
				if s, ok := sink.(*critical.Sums); ok {
					r := s.Report()
					b.ReportMetric(float64(r.Units), "units")
					b.ReportMetric(float64(r.CutOff), "cut-off")
					if len(r.Types) == 0 {
						b.Fatal("no units")
					}
				}
			}
		})
	}
}
