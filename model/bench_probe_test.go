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
	exptrace "golang.org/x/exp/trace"
)

func TestProbe(t *testing.T) {
	data, err := os.ReadFile("/tmp/w/load3m.trace")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s := time.Now()
		r, _ := exptrace.NewReader(bytes.NewReader(data))
		n := 0
		for {
			if _, err := r.ReadEvent(); err != nil {
				break
			}
			n++
		}
		bare := time.Since(s)
		s = time.Now()
		model.Read(context.Background(), bytes.NewReader(data), model.NopSink{})
		mod := time.Since(s)
		s = time.Now()
		w := perfetto.NewWriter(io.Discard, perfetto.Options{MinBlock: 10 * time.Microsecond})
		model.Read(context.Background(), bytes.NewReader(data), w)
		conv := time.Since(s)
		t.Logf("%d events bare %v model %.2f perfetto %.2f  bytes/event %.1f", n, bare, float64(mod)/float64(bare), float64(conv)/float64(bare), float64(w.Size())/float64(n))
	}
}
