package critical_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

// BenchmarkSums compares the model alone with the sums of critical paths.
func BenchmarkSums(b *testing.B) {
	file := filepath.Join(b.TempDir(), "load.trace")
	if out, err := exec.Command("go", "run", "../testdata/gen/load", "-events", "3100000", file).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(file)
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
			for b.Loop() {
				sink := bm.sink()
				if err := read(b, data, sink); err != nil {
					b.Fatal(err)
				}
				if s, ok := sink.(*critical.Sums); ok {
					r := s.Report()
					b.ReportMetric(float64(r.Units), "units")
					b.ReportMetric(float64(r.CutOff), "cut-off")
					if len(r.Types) == 0 {
						b.Fatal(fmt.Sprint("no units: ", r))
					}
				}
			}
		})
	}
}
