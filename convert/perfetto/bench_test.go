package perfetto_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/model/modeltest"
)

// loadTrace makes the trace of about this many events that the benchmarks
// convert (testdata/gen/load), once in a run.
var loadTrace = func() func(b *testing.B, events int) string {
	var mu sync.Mutex
	made := make(map[int]string)
	return func(b *testing.B, events int) string {
		mu.Lock()
		defer mu.Unlock()
		if made[events] == "" {
			dir, err := os.MkdirTemp("", "trace2x-bench")
			if err != nil {
				b.Fatal(err)
			}
			cleanup = append(cleanup, dir)
			file := filepath.Join(dir, "load.trace")
			if out, err := exec.Command("go", "run", "../../testdata/gen/load", "-events", fmt.Sprint(events), file).CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
			made[events] = file
		}
		return made[events]
	}
}()

var cleanup []string

func TestMain(m *testing.M) {
	code := m.Run()
	for _, dir := range cleanup {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// BenchmarkConvert converts a trace of 3 million events, and reads it with a
// bare loop in the same run: "ratio" is the one time to the other. Both times
// are elapsed ones, medians over the runs; the conversion uses two processors.
func BenchmarkConvert(b *testing.B) {
	data, err := os.ReadFile(loadTrace(b, 3_100_000))
	if err != nil {
		b.Fatal(err)
	}
	var bare, convert []time.Duration
	var events, size int64
	var peak uint64
	for b.Loop() {
		start := time.Now()
		n, err := modeltest.ReadBare(bytes.NewReader(data))
		if err != nil {
			b.Fatal(err)
		}
		bare = append(bare, time.Since(start))
		runtime.GC()

		stop := watchHeap()
		start = time.Now()
		w := &countingWriter{}
		sum, err := perfetto.Convert(b.Context(), bytes.NewReader(data), w, perfetto.Options{MinBlock: perfetto.DefaultMinBlock})
		if err != nil {
			b.Fatal(err)
		}
		convert = append(convert, time.Since(start))
		peak = max(peak, stop())
		if sum.Events != n {
			b.Fatalf("%d events converted, %d read", sum.Events, n)
		}
		events, size = n, w.n
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(events), "events")
	b.ReportMetric(median(bare).Seconds(), "bare-s")
	b.ReportMetric(median(convert).Seconds(), "convert-s")
	b.ReportMetric(float64(median(convert))/float64(median(bare)), "ratio")
	b.ReportMetric(float64(size)/float64(events), "bytes/event")
	b.ReportMetric(float64(peak)/1e6, "peak-heap-MB")
}

// watchHeap looks at the size of the heap, in bytes, every few milliseconds;
// stop returns by how much the largest was above the first.
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

// BenchmarkMemory runs the command on traces of different lengths: its peak
// memory must not grow with them.
func BenchmarkMemory(b *testing.B) {
	bin := filepath.Join(b.TempDir(), "trace2x")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/trace2x").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for _, events := range []int{3_100_000, 12_000_000} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			file := loadTrace(b, events)
			var peak int64
			for b.Loop() {
				cmd := exec.Command(bin, "perfetto", "-o", os.DevNull, file)
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				peak = max(peak, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
			}
			b.ReportMetric(float64(peak)*1024/1e6, "peak-MB")
		})
	}
}

type countingWriter struct{ n int64 }

func (w *countingWriter) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	return len(p), nil
}

func median(ds []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(ds))[len(ds)/2]
}
