// Package histogram counts durations, to tell percentiles with a bounded error in
// little memory.
package histogram

import (
	"math"
	"math/bits"
	"time"

	"github.com/trace2x/trace2x/model"
)

// MaxError is the largest relative error of a percentile: it is as far
// off as half the width of a bucket.
const MaxError = 1.0 / (2 << octaveBits)

// octaveBits is the logarithm of the number of buckets between two powers of 2.
const octaveBits = 6

// Histogram counts durations. Each power of 2 is divided into equal buckets, as
// in HDR histograms, but only the powers between the smallest and the largest
// duration take memory: there are thousands of histograms, most of them of few
// durations that are much alike. (Each of hdrhistogram-go takes 40 kB for this
// error and range. A DDSketch takes less than these 3 kB, but 6 times as long, for
// every other event of a trace.)
type Histogram struct {
	// N is the number of durations.
	N      int64
	first  int // bucket of counts[0]
	counts []uint32
}

// bucket numbers the buckets. Below 2<<octaveBits, each duration has its own.
func bucket(d model.Time) int {
	v := uint64(max(d, 0))
	e := max(bits.Len64(v)-octaveBits-1, 0)
	return e<<octaveBits + int(v>>e)
}

// middle is the duration in the middle of a bucket.
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

// Merge adds the durations of another one.
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

// grow makes room for a bucket, with all of its octave.
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

// Quantile returns the smallest duration that at least this share of all do not
// exceed, give or take [MaxError]; largest is the exact maximum.
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

// Bucket is a number of durations that differ by [MaxError] of their middle at most.
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
