package histogram

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/trace2x/trace2x/model"
)

func TestBuckets(t *testing.T) {
	last := -1
	for d := model.Time(0); d < 1<<20; d++ {
		b := bucket(d)
		if b != last && b != last+1 {
			t.Fatalf("bucket of %d is %d, after %d", d, b, last)
		}
		last = b
		if off := math.Abs(float64(middle(b) - d)); off > MaxError*float64(d) {
			t.Fatalf("%d is in the bucket of %d", d, middle(b))
		}
	}
	for _, d := range []model.Time{1<<40 - 1, 1 << 40, 1<<62 + 12345, math.MaxInt64} {
		if off := math.Abs(float64(middle(bucket(d)) - d)); off > MaxError*float64(d) {
			t.Errorf("%d is in the bucket of %d", d, middle(bucket(d)))
		}
	}
	if bucket(-1) != 0 {
		t.Error("a negative duration has no bucket")
	}
}

func TestQuantiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var h Histogram
		var all []model.Time
		scale := rng.Float64() * 12
		for range 1 + rng.IntN(3000) {
			d := model.Time(math.Pow(10, rng.Float64()*scale))
			all = append(all, d)
			h.Add(d)
		}
		slices.Sort(all)
		for _, q := range []float64{.001, .5, .9, .99, .999, 1} {
			want := all[max(int(math.Ceil(q*float64(len(all)))), 1)-1]
			got := h.Quantile(q, all[len(all)-1])
			if math.Abs(float64(got)-float64(want)) > MaxError*float64(want) {
				t.Fatalf("%d durations, quantile %v: %d, want %d", len(all), q, got, want)
			}
		}
	}
	var none Histogram
	if none.Quantile(.5, 0) != 0 {
		t.Error("a quantile of nothing")
	}
}

// A histogram of durations that are much alike is small.
func TestHistogramMemory(t *testing.T) {
	var h Histogram
	for d := model.Time(100_000); d < 200_000; d++ {
		h.Add(d)
	}
	if len(h.counts) > 3<<octaveBits {
		t.Errorf("%d counts", len(h.counts))
	}
}
