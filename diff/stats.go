package diff

import (
	"cmp"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"

	"github.com/trace2x/trace2x/report"
)

// Alpha is from which p-value on a difference is significant: it is smaller.
const Alpha = 0.01

// MinRuns is how many runs each side needs for that: of fewer, the smallest p-value of
// the Mann–Whitney test is larger than [Alpha].
const MinRuns = 5

// From where on a difference counts.
const (
	// minRelative is the share of the larger number, minPercentile that for percentiles:
	// two of them may differ by twice their error and be of the same durations.
	minRelative   = 0.01
	minPercentile = 2.5 * report.PercentileError
	// minScale is how many times as much as the runs of one side differ, where there are
	// too few for significance.
	minScale = 2
	// minTime is the share of a time per unit in the mean time of a unit, of the larger
	// side. What is less is not compared.
	minTime = 0.01
	// minRate is the rate of goroutines each second.
	minRate = 0.5
)

// sample is a number of all runs of a side.
type sample struct {
	values []float64 // sorted
	// scale is how much they differ among themselves; of one run, how much its halves do.
	scale float64
}

func newSample(values, halves []float64) sample {
	s := sample{values: slices.Sorted(slices.Values(values))}
	if len(values) > 1 {
		s.scale = s.values[len(s.values)-1] - s.values[0]
	} else if len(halves) == 2 {
		s.scale = math.Abs(halves[0] - halves[1])
	}
	return s
}

func (s *sample) median() float64 {
	n := len(s.values)
	if n%2 == 1 {
		return s.values[n/2]
	}
	return (s.values[n/2-1] + s.values[n/2]) / 2
}

// spread returns by which share of the median runs differ from it at most, or halves from
// each other.
func (s *sample) spread() float64 {
	m := s.median()
	if m == 0 || len(s.values) == 0 {
		return 0
	}
	if len(s.values) == 1 {
		return math.Abs(s.scale / m)
	}
	return max(s.values[len(s.values)-1]-m, m-s.values[0]) / math.Abs(m)
}

// tests returns the p-values of the Mann–Whitney test and of Welch's t-test.
func tests(a, b *sample) (mannWhitney, welch float64) {
	th := benchmath.DefaultThresholds
	th.CompareAlpha = Alpha
	x, y := benchmath.NewSample(slices.Clone(a.values), &th), benchmath.NewSample(slices.Clone(b.values), &th)
	mannWhitney = benchmath.AssumeNothing.Compare(x, y).P
	welch = benchmath.AssumeNormal.Compare(x, y).P
	if a.scale == 0 && b.scale == 0 && a.values[0] != b.values[0] {
		welch = 0 // the test has no answer for samples without any spread
	}
	return mannWhitney, welch
}

// holm returns which of many p-values are significant together: the chance that any of
// them is by chance is at most alpha.
func holm(ps []float64, alpha float64) []bool {
	order := make([]int, len(ps))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(ps[i], ps[j]) })
	out := make([]bool, len(ps))
	for rank, i := range order {
		if ps[i] > alpha/float64(len(ps)-rank) {
			break
		}
		out[i] = true
	}
	return out
}
