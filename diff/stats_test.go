package diff

import (
	"math/rand/v2"
	"testing"
)

// TestChance: of two sides with the same distribution, of 100 numbers, in nine of ten
// comparisons no number is significant, also where a few runs are far off.
func TestChance(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() float64{
		"normal":      func() float64 { return 100 + rnd.NormFloat64() },
		"exponential": rnd.ExpFloat64,
		"far off": func() float64 {
			if rnd.IntN(10) == 0 {
				return 1000 * rnd.Float64()
			}
			return 100 + rnd.NormFloat64()
		},
		"few values": func() float64 { return float64(rnd.IntN(3)) },
		"mostly zero": func() float64 {
			if rnd.IntN(20) == 0 {
				return 1
			}
			return 0
		},
	} {
		const tries, numbers = 200, 100
		wrong := 0
		for range tries {
			var all []Change
			for range numbers {
				var s [2]sample
				for i := range s {
					var values []float64
					for range MinRuns {
						values = append(values, draw())
					}
					s[i] = newSample(values, nil)
				}
				p, welch := tests(&s[0], &s[1])
				all = append(all, Change{Before: s[0].median(), After: s[1].median(), Delta: s[1].median() - s[0].median(), P: &p, welch: welch})
			}
			(&comparison{significance: true}).judge(all)
			for i := range all {
				if all[i].Significant {
					wrong++
					break
				}
			}
		}
		if wrong > tries/10 {
			t.Errorf("%s: %d of %d comparisons are significant", name, wrong, tries)
		}
		t.Logf("%s: %d of %d", name, wrong, tries)
	}
}

// TestHolm: the smallest p-values count, each against what is left.
func TestHolm(t *testing.T) {
	got := holm([]float64{.004, .5, .002, .0049, .03}, .02)
	want := []bool{true, false, true, true, false} // .02/5, .02/4 and .02/3
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got, want)
		}
	}
}
