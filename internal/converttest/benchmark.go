package converttest

import (
	"io"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/trace2x/trace2x/internal/decode"
)

// Benchmark compares convert, for a trace, with a bare read loop over the same trace in
// the same run. convert returns the number of events that it read. Benchmark reports
//
//   - events, and MB: the size of the trace;
//   - bare-s and convert-s: elapsed times, medians over the runs. A conversion may
//     use several processors;
//   - ratio: convert-s divided by bare-s;
//   - peak-heap-MB: the largest growth of the heap during a conversion.
//
// It returns the median time of a conversion, for metrics of the caller.
func Benchmark(b *testing.B, trace string, convert func(io.Reader) (events int64, err error)) time.Duration {
	f, err := os.Open(trace)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	timed := func(read func(io.Reader) (int64, error)) (int64, time.Duration) {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		events, err := read(f)
		if err != nil {
			b.Fatal(err)
		}
		return events, time.Since(start)
	}
	var bares, converts []time.Duration
	var events int64
	var peak uint64
	for b.Loop() {
		read, bare := timed(decode.ReadBare)
		bares = append(bares, bare)
		runtime.GC()
		stop := watchHeap()
		converted, took := timed(convert)
		converts = append(converts, took)
		peak = max(peak, stop())
		if converted != read {
			b.Fatalf("%d events converted, %d read", converted, read)
		}
		events = read
	}
	bare, took := median(bares), median(converts)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(info.Size())/1e6, "MB")
	b.ReportMetric(float64(events), "events")
	b.ReportMetric(bare.Seconds(), "bare-s")
	b.ReportMetric(took.Seconds(), "convert-s")
	b.ReportMetric(float64(took)/float64(bare), "ratio")
	b.ReportMetric(float64(peak)/1e6, "peak-heap-MB")
	return took
}

func median(ds []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(ds))[len(ds)/2]
}

// watchHeap looks at the size of the heap, in bytes, every few milliseconds. stop
// returns the largest size less the first.
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
