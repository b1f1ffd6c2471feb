package perfetto_test

import (
	"io"
	"testing"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
)

// BenchmarkConvert converts a trace of 3 million events.
func BenchmarkConvert(b *testing.B) {
	var events, size int64
	converttest.Benchmark(b, testtrace.Load(b, 3_100_000), func(r io.Reader) (int64, error) {
		w := &countingWriter{}
		sum, err := perfetto.Convert(b.Context(), r, w, perfetto.Options{MinBlock: perfetto.DefaultMinBlock, ShortWaits: perfetto.DefaultShortWaits})
		if err != nil {
			return 0, err
		}
		events, size = sum.Events, w.n
		return events, nil
	})
	b.ReportMetric(float64(size)/float64(events), "bytes/event")
}

type countingWriter struct{ n int64 }

func (w *countingWriter) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	return len(p), nil
}
