package report_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/trace2x/trace2x/model/modeltest"
	"github.com/trace2x/trace2x/report"
)

// BenchmarkRead sums up traces of different lengths, and reads them with a bare
// loop in the same run: "ratio" is the one time to the other, by elapsed time,
// medians over the runs; the report uses two processors. Its memory must not grow
// with the trace.
func BenchmarkRead(b *testing.B) {
	for _, events := range []int{3_100_000, 26_000_000} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "load.trace")
			if out, err := exec.Command("go", "run", "../testdata/gen/load", "-events", fmt.Sprint(events), file).CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
			f, err := os.Open(file)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			var bare, sumUp []time.Duration
			var n int64
			var peak uint64
			for b.Loop() {
				f.Seek(0, io.SeekStart)
				start := time.Now()
				if n, err = modeltest.ReadBare(f); err != nil {
					b.Fatal(err)
				}
				bare = append(bare, time.Since(start))
				runtime.GC()

				stop := watchHeap()
				f.Seek(0, io.SeekStart)
				start = time.Now()
				rep, err := report.Read(b.Context(), f, report.Options{})
				if err != nil {
					b.Fatal(err)
				}
				sumUp = append(sumUp, time.Since(start))
				peak = max(peak, stop())
				if rep.Overview.Events != n {
					b.Fatalf("%d events in the report, %d read", rep.Overview.Events, n)
				}
			}
			b.ReportMetric(0, "ns/op")
			if info, err := f.Stat(); err == nil {
				b.ReportMetric(float64(info.Size())/1e6, "MB")
			}
			b.ReportMetric(float64(n), "events")
			b.ReportMetric(median(bare).Seconds(), "bare-s")
			b.ReportMetric(median(sumUp).Seconds(), "report-s")
			b.ReportMetric(float64(median(sumUp))/float64(median(bare)), "ratio")
			b.ReportMetric(float64(peak)/1e6, "peak-heap-MB")
		})
	}
}

// watchHeap looks at the size of the heap, in bytes, every few milliseconds; stop
// returns by how much the largest was above the first.
func watchHeap() (stop func() uint64) {
	heap := func() uint64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	first, peak := heap(), uint64(0)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				peak = max(peak, heap())
			case <-done:
				return
			}
		}
	}()
	return func() uint64 {
		close(done)
		<-ended
		return max(peak, first) - first
	}
}

func median(ds []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(ds))[len(ds)/2]
}
