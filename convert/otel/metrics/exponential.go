package metrics

import (
	"math"
	"math/bits"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/trace2x/trace2x/model"
)

// finest is the scale in which durations are counted: 32 buckets between two powers of
// 2. maxBuckets is the most buckets of a data point, as in the SDKs of OpenTelemetry: two
// buckets are one until they fit.
const (
	finest     = 5
	maxBuckets = 160
)

// exponential counts durations in the buckets of OTLP's exponential histogram: in
// seconds, bucket i has those above base^i up to base^(i+1), with base = 2^(2^-scale).
// Each duration is in the bucket to which it belongs.
type exponential struct {
	count, zero     uint64
	total, min, max model.Time
	first           int      // bucket of counts[0]
	counts          []uint64 // at the scale finest
}

func (e *exponential) add(d model.Time) {
	d = max(d, 0)
	if e.count == 0 || d < e.min {
		e.min = d
	}
	e.max = max(e.max, d)
	e.count++
	e.total += d
	if d == 0 {
		e.zero++
		return
	}
	at := bucket(d) - e.first
	if uint(at) >= uint(len(e.counts)) {
		at = e.grow(at)
	}
	e.counts[at]++
}

// grow makes room for the bucket at an index of counts, which may be negative, and
// returns its new index.
func (e *exponential) grow(at int) int {
	const room = 1 << finest
	if len(e.counts) == 0 {
		e.first += at - room/2
		e.counts = make([]uint64, room)
		return room / 2
	}
	if at >= len(e.counts) {
		e.counts = append(e.counts, make([]uint64, at-len(e.counts)+room)...)
		return at
	}
	more := room - at
	e.first -= more
	e.counts = slices.Insert(e.counts, 0, make([]uint64, more)...)
	return at + more
}

// put fills a data point.
func (e *exponential) put(p pmetric.ExponentialHistogramDataPoint) {
	p.SetCount(e.count)
	p.SetZeroCount(e.zero)
	p.SetSum(seconds(e.total))
	if e.count > 0 {
		p.SetMin(seconds(e.min))
		p.SetMax(seconds(e.max))
	}
	from, to := 0, len(e.counts)
	for from < to && e.counts[from] == 0 {
		from++
	}
	for to > from && e.counts[to-1] == 0 {
		to--
	}
	scale, shift := finest, 0
	if from == to {
		p.SetScale(int32(scale))
		return
	}
	low, high := e.first+from, e.first+to-1
	for high>>shift-low>>shift >= maxBuckets {
		scale, shift = scale-1, shift+1
	}
	out := make([]uint64, high>>shift-low>>shift+1)
	for i, n := range e.counts[from:to] {
		out[(low+i)>>shift-low>>shift] += n
	}
	p.SetScale(int32(scale))
	p.Positive().SetOffset(int32(low >> shift))
	p.Positive().BucketCounts().FromRaw(out)
}

// seconds returns a time in seconds. Rounded to nanoseconds it is exact for 104 days.
func seconds(d model.Time) float64 { return float64(d) / float64(time.Second) }

// lowest is the bucket of 1 ns.
var lowest = int(math.Ceil(math.Log2(1e-9)*(1<<finest))) - 1

// limits has the longest duration of each bucket from lowest on, and begins, for each
// number of bits, the index in it of the shortest duration with that number of bits.
var limits = sync.OnceValue(func() (l struct {
	upper  []model.Time
	begins [64]int
}) {
	for i := lowest; ; i++ {
		ns := math.Floor(math.Exp2(float64(i+1)/(1<<finest)) * float64(time.Second))
		if ns >= math.MaxInt64 {
			l.upper = append(l.upper, math.MaxInt64)
			break
		}
		l.upper = append(l.upper, model.Time(ns))
	}
	for n := 1; n < 64; n++ {
		l.begins[n], _ = slices.BinarySearch(l.upper, model.Time(1)<<(n-1))
	}
	return l
})

// bucket returns the bucket of a duration, which is more than 0.
func bucket(d model.Time) int {
	l := limits()
	begin := l.begins[bits.Len64(uint64(d))]
	end := min(begin+1<<finest+1, len(l.upper))
	i, _ := slices.BinarySearch(l.upper[begin:end], d)
	return lowest + begin + i
}
