// Package histogram counts durations. It gives percentiles with a bounded error, in
// little memory.
package histogram

import (
	"math"
	"math/bits"
	"time"

	"github.com/trace2x/trace2x/model"
)

// MaxError is the largest relative error of a percentile: half the width of a bucket.
const MaxError = 1.0 / (2 << octaveBits)

// octaveBits is the logarithm of the number of buckets between two powers of 2.
const octaveBits = 6

// Histogram counts durations. Each power of 2 is divided into equal buckets, as in HDR
// histograms. Only the powers between the smallest and the largest duration take memory:
// there are thousands of histograms, and most have few durations, which are similar. (A
// histogram of hdrhistogram-go takes 40 kB for this error and range, this one at most
// 3 kB. A DDSketch takes less, but 6 times as long, and every other event of a trace is
// counted.)
type Histogram struct {
	// N is the number of durations.
	N      int64
	first  int // bucket of counts[0]
	counts []uint32
}

// bucket returns the number of a duration's bucket. Below 2<<octaveBits, each duration
// has its own.
func bucket(d model.Time) int {
	v := uint64(max(d, 0))
	e := max(bits.Len64(v)-octaveBits-1, 0)
	return e<<octaveBits + int(v>>e)
}

// middle returns the duration in the middle of a bucket.
func middle(bucket int) model.Time {
	const octave = 1 << octaveBits
	if bucket < 2*octave {
		return model.Time(bucket)
	}
	e := bucket>>octaveBits - 1
	return model.Time(bucket-e<<octaveBits)<<e + 1<<(e-1)
}

// Add counts a duration.
func (h *Histogram) Add(d model.Time) {
	i := bucket(d) - h.first
	if uint(i) >= uint(len(h.counts)) {
		i = h.grow(bucket(d))
	}
	if h.counts[i] < math.MaxUint32 { // as in any trace below 50 GB
		h.counts[i]++
	}
	h.N++
}

// Merge adds the durations of another histogram.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		if n == 0 {
			continue
		}
		at := o.first + i - h.first
		if uint(at) >= uint(len(h.counts)) {
			at = h.grow(o.first + i)
		}
		h.counts[at] += min(n, math.MaxUint32-h.counts[at])
	}
	h.N += o.N
}

// grow makes room for a bucket and the rest of its octave.
func (h *Histogram) grow(bucket int) int {
	const octave = 1 << octaveBits
	from := bucket &^ (octave - 1)
	to := from + octave
	if len(h.counts) > 0 {
		from, to = min(from, h.first), max(to, h.first+len(h.counts))
	}
	counts := make([]uint32, to-from)
	if len(h.counts) > 0 {
		copy(counts[h.first-from:], h.counts)
	}
	h.first, h.counts = from, counts
	return bucket - from
}

// Quantile returns the smallest duration such that at least this share of all durations
// are not longer. It is off by [MaxError] at most. largest is the exact maximum.
func (h *Histogram) Quantile(q float64, largest model.Time) time.Duration {
	rank := int64(q * float64(h.N))
	if float64(rank) < q*float64(h.N) {
		rank++
	}
	if rank >= h.N {
		return time.Duration(largest)
	}
	seen := int64(0)
	for i, n := range h.counts {
		if seen += int64(n); seen >= max(rank, 1) {
			return time.Duration(min(middle(h.first+i), largest))
		}
	}
	return time.Duration(largest)
}

// Bucket is a number of durations. Each differs from Middle by [MaxError] at most.
type Bucket struct {
	Middle time.Duration
	N      int64
}

// Buckets returns the buckets that are not empty, the shortest durations first.
func (h *Histogram) Buckets() []Bucket {
	var out []Bucket
	for i, n := range h.counts {
		if n > 0 {
			out = append(out, Bucket{time.Duration(middle(h.first + i)), int64(n)})
		}
	}
	return out
}
