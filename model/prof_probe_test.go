package model_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"testing"
	"time"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/model"
)

func BenchmarkProbe(b *testing.B) {
	data, _ := os.ReadFile("/tmp/w/load3m.trace")
	for b.Loop() {
		w := perfetto.NewWriter(io.Discard, perfetto.Options{MinBlock: 10 * time.Microsecond})
		model.Read(context.Background(), bytes.NewReader(data), w)
	}
}
