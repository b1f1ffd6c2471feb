package report

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/trace2x/trace2x/model"
)

type gcInterval struct {
	from, to    model.Time
	gc, stopped int
}

// The streaming computation agrees with the definition, for intervals that it learns
// about when they end. It forgets what lies behind the intervals.
func TestMMU(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		const start = model.Time(1_000_000)
		const end = start + model.Time(3*time.Second)
		procs := 1 + rng.IntN(4)
		var all []gcInterval
		free := make([]model.Time, procs) // since when a P is
		for i := range free {
			free[i] = start
		}
		for at := start; ; {
			at += model.Time(rng.ExpFloat64() * float64(200*time.Microsecond))
			p := rng.IntN(procs)
			from := max(at, free[p])
			to := from + model.Time(rng.ExpFloat64()*float64(100*time.Microsecond))
			if to >= end {
				break
			}
			free[p] = to + 1
			all = append(all, gcInterval{from, to, 1, 0})
			if rng.IntN(50) == 0 {
				all = append(all, gcInterval{from, to, 0, 1})
			}
		}
		slices.SortFunc(all, func(a, b gcInterval) int { return int(a.to - b.to) })
		lengths := []time.Duration{50 * time.Microsecond, time.Millisecond, 30 * time.Millisecond}
		if seed%2 == 1 {
			lengths = append(lengths, time.Minute)
		}

		var m mmu
		m.init(lengths)
		m.setProcs(start, procs)
		mostSteps, mostChanges := 0, 0
		for i, x := range all {
			m.interval(x.from, x.to, x.gc, x.stopped)
			m.advance(func() (model.Time, bool) {
				// Everything that is reported later has begun since then.
				since := end
				for _, y := range all[i+1:] {
					since = min(since, y.from)
				}
				return since, true
			})
			mostSteps, mostChanges = max(mostSteps, len(m.steps)), max(mostChanges, len(m.changes))
		}
		m.end(end)
		if seed%2 == 0 && (mostSteps > len(all)/3 || mostChanges > len(all)/3) {
			t.Errorf("%d steps and %d changes were kept, for %d intervals", mostSteps, mostChanges, len(all))
		}

		got := m.report(start)
		if len(got) != len(lengths) {
			t.Fatalf("%d lengths", len(got))
		}
		for i, u := range got {
			window := min(lengths[i], time.Duration(end-start))
			want := slowMMU(all, procs, start, end, model.Time(window))
			if u.Length != window || math.Abs(u.MMU-want) > 1e-9 {
				t.Errorf("seed %d: window %v: %v in %v, want %v", seed, window, u.MMU, u.Length, want)
			}
		}
	}
}

// slowMMU is the minimum mutator utilization by its definition.
func slowMMU(all []gcInterval, procs int, start, end, window model.Time) float64 {
	var edges []model.Time
	for _, x := range all {
		edges = append(edges, x.from, x.to)
	}
	edges = append(edges, start, end)
	slices.Sort(edges)
	edges = slices.Compact(edges)
	gc, stopped := make(map[model.Time]int), make(map[model.Time]int)
	for _, x := range all {
		gc[x.from] += x.gc
		gc[x.to] -= x.gc
		stopped[x.from] += x.stopped
		stopped[x.to] -= x.stopped
	}
	utils, sums := make([]float64, len(edges)), make([]float64, len(edges)+1)
	g, s := 0, 0
	for i, at := range edges {
		g, s = g+gc[at], s+stopped[at]
		utils[i] = 1 - float64(g)/float64(procs)
		if s > 0 {
			utils[i] = 0
		}
		if i+1 < len(edges) {
			sums[i+1] = sums[i] + utils[i]*float64(edges[i+1]-at)
		}
	}
	upTo := func(at model.Time) float64 {
		i, found := slices.BinarySearch(edges, at)
		if !found {
			i--
		}
		return sums[i] + utils[i]*float64(at-edges[i])
	}
	least := 1.0
	for _, at := range edges {
		for _, from := range []model.Time{at, at - window} {
			if from >= start && from+window <= end {
				least = min(least, (upTo(from+window)-upTo(from))/float64(window))
			}
		}
	}
	return least
}

func TestMMUUnknown(t *testing.T) {
	var m mmu
	m.init(defaultLengths)
	for i := range model.Time(10_000) {
		m.interval(i, i+1, 1, 0)
	}
	if len(m.changes) > 0 {
		t.Error("it keeps what does not count, before GOMAXPROCS is known")
	}
	m.end(10_000)
	if got := m.report(0); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestTimeline(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var tl timeline
	tl.start = 500
	total := model.Time(0)
	now := model.Time(500)
	for range 5000 {
		now += model.Time(rng.IntN(10_000))
		from := max(500, now-model.Time(rng.IntN(1_000_000)))
		tl.add(from, now)
		total += now - from
	}
	end := now + 123_456
	out := tl.report(end)
	if n := len(out.Mean); n <= maxSteps/2 || n > maxSteps {
		t.Errorf("%d steps", n)
	}
	sum, left := 0.0, float64(end-500)
	for _, x := range out.Mean {
		width := min(float64(out.Step), left)
		sum += x * width
		left -= width
	}
	if left != 0 || math.Abs(sum-float64(total)) > 1 {
		t.Errorf("%v in all, want %v; %v of the time is left", sum, total, left)
	}
}
