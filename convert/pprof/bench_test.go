package pprof_test

import (
	"bytes"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

// BenchmarkConvert makes profiles of a trace of 3 million events
// (testdata/gen/load), and reads it with a bare loop in the same run: "ratio" is
// the one time to the other. Both are elapsed times, medians over the runs; the
// conversion uses two processors.
func BenchmarkConvert(b *testing.B) {
	file := filepath.Join(b.TempDir(), "load.trace")
	if out, err := exec.Command("go", "run", "../../testdata/gen/load", "-events", "3100000", file).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	data := readFile(b, file)
	for _, bb := range []struct {
		name string
		opts pprof.Options
	}{
		{"sync", pprof.Options{Type: pprof.Sync}},
		{"wall", pprof.Options{Type: pprof.Wall}},
		{"wall of tasks", pprof.Options{Type: pprof.Wall, Selection: model.Selection{Task: regexp.MustCompile(".")}}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var bare, convert []time.Duration
			var events int64
			for b.Loop() {
				start := time.Now()
				n, err := modeltest.ReadBare(bytes.NewReader(data))
				if err != nil {
					b.Fatal(err)
				}
				bare = append(bare, time.Since(start))

				start = time.Now()
				sum, err := pprof.Convert(b.Context(), bytes.NewReader(data), io.Discard, bb.opts)
				if err != nil {
					b.Fatal(err)
				}
				convert = append(convert, time.Since(start))
				if sum.Events != n {
					b.Fatalf("%d events converted, %d read", sum.Events, n)
				}
				events = n
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(events), "events")
			b.ReportMetric(median(bare).Seconds(), "bare-s")
			b.ReportMetric(median(convert).Seconds(), "convert-s")
			b.ReportMetric(float64(median(convert))/float64(median(bare)), "ratio")
		})
	}
}

func median(ds []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(ds))[len(ds)/2]
}
