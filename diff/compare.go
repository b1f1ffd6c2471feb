package diff

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Result is the difference between two sides.
type Result struct {
	// Headline is what changed most, as a sentence.
	Headline string `json:"headline"`
	Before   Side   `json:"before"`
	After    Side   `json:"after"`
	// Significance says that both sides have enough runs for it: then Changes are what
	// has changed significantly, else what differs more than the runs among themselves.
	Significance bool `json:"significance"`
	// Unit is the type of unit of work to which times per unit refer, as in "task
	// request"; "" if there is none on both sides: then they are per second.
	Unit string `json:"unit"`
	// Compared is how many numbers were compared.
	Compared int      `json:"compared"`
	Changes  []Change `json:"changes"`
	// Others are the other numbers that were compared.
	Others []Change `json:"others"`
	// OnlyBefore and OnlyAfter are the types of units of work and the start functions
	// that only one side has.
	OnlyBefore []string `json:"only_before"`
	OnlyAfter  []string `json:"only_after"`
}

// Side is the runs of one side.
type Side struct {
	Files   []string      `json:"files"`
	Formats []string      `json:"formats"`
	Length  time.Duration `json:"duration_ns"`
}

// Change is a number on both sides.
type Change struct {
	// Section is the kind of units of work, or "goroutines", "blocking", "scheduler" or
	// "gc". Name is their type, or a function; "" for the whole program.
	Section string `json:"section"`
	Name    string `json:"name"`
	// What is the number, Unit is "ns", "ns/unit" (per unit of work, or per second if
	// Result.Unit is ""), "1/s", "share", "bytes" or "count".
	What string `json:"what"`
	Unit string `json:"unit"`
	// Before and After are the medians of the runs. The spreads are by which share of it
	// a run differs from it at most; of one run, its halves from each other.
	Before       float64 `json:"before"`
	After        float64 `json:"after"`
	SpreadBefore float64 `json:"spread_before"`
	SpreadAfter  float64 `json:"spread_after"`
	Delta        float64 `json:"delta"`
	// PerUnit is the difference in nanoseconds per unit of work, or per second; 0 if it
	// is none of time.
	PerUnit float64 `json:"per_unit_ns"`
	// P is the p-value of the Mann-Whitney test, nil if a side has one run only. N is how
	// many runs each side has.
	P *float64 `json:"p,omitempty"`
	N [2]int   `json:"n"`
	// Significant says that the difference is, among all numbers that were compared.
	Significant bool `json:"significant"`

	key       key
	standsOut bool
	welch     float64
}

// Compare compares the runs before with those after. Both sides need one at least.
func Compare(before, after []*Run) *Result {
	c := &comparison{sides: [2][]*Run{before, after}, significance: len(before) >= MinRuns && len(after) >= MinRuns}
	c.main = c.mainUnit()
	r := &Result{
		Before: side(before), After: side(after),
		Significance: c.significance,
		Changes:      []Change{}, Others: []Change{},
	}
	if c.main != nil {
		r.Unit = c.main.kind + " " + c.main.name
	}
	all := c.changes()
	r.Compared = len(all)
	c.judge(all)
	slices.SortFunc(all, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.key.measure.class, b.key.measure.class), cmp.Compare(math.Abs(b.PerUnit), math.Abs(a.PerUnit)),
			cmp.Compare(math.Abs(b.Delta), math.Abs(a.Delta)), strings.Compare(a.Section, b.Section), strings.Compare(a.Name, b.Name), strings.Compare(a.What, b.What))
	})
	for _, x := range all {
		if x.standsOut {
			r.Changes = append(r.Changes, x)
		} else {
			r.Others = append(r.Others, x)
		}
	}
	r.OnlyBefore, r.OnlyAfter = c.only(0), c.only(1)
	r.Headline = c.headline(r)
	return r
}

func side(runs []*Run) Side {
	s := Side{Files: []string{}, Formats: []string{}}
	for _, r := range runs {
		s.Files = append(s.Files, r.File)
		s.Length += r.Length
		if !slices.Contains(s.Formats, r.Format) {
			s.Formats = append(s.Formats, r.Format)
		}
	}
	slices.Sort(s.Formats)
	return s
}

// comparison is a comparison that goes on.
type comparison struct {
	sides [2][]*Run
	main  *unit // to which times refer, nil for none
	// significance says that there are enough runs for it.
	significance bool
}

// mainUnit returns the type of unit that took most time, of those that all runs have.
func (c *comparison) mainUnit() (best *unit) {
	most := time.Duration(0)
	for _, u := range slices.SortedFunc(maps.Keys(c.sides[0][0].units), func(a, b unit) int {
		return cmp.Or(strings.Compare(a.kind, b.kind), strings.Compare(a.name, b.name))
	}) {
		if total, everywhere := c.total(u); everywhere && (best == nil || preferred(u, *best) || total > most && !preferred(*best, u)) {
			best, most = &u, total
		}
	}
	return best
}

// preferred reports whether a kind of unit goes before another, whatever their times: a
// region is a part of something.
func preferred(a, b unit) bool { return a.kind != "region" && b.kind == "region" }

// total returns the time of a type of unit in all runs, and whether all have it.
func (c *comparison) total(u unit) (total time.Duration, everywhere bool) {
	for _, runs := range c.sides {
		for _, r := range runs {
			x := r.units[u]
			if x == nil {
				return 0, false
			}
			total += x.total
		}
	}
	return total, true
}

// units returns how many of the main units a run has, or seconds if there are none.
func (c *comparison) units(r *Run) float64 {
	if c.main == nil {
		return max(r.Length.Seconds(), 1e-9)
	}
	if x := r.units[*c.main]; x != nil {
		return float64(x.count)
	}
	return 1 // half of a trace
}

// value returns a number of a run, and whether it has one. Times and rates of what did
// not happen are 0; percentiles of it are not.
func (c *comparison) value(r *Run, k key) (float64, bool) {
	x, ok := r.numbers[k]
	if k.measure.total {
		x /= c.units(r)
	}
	return x, ok || k.measure.unit != "ns"
}

// sample returns a number of the runs of a side, and whether all have it.
func (c *comparison) sample(runs []*Run, k key) (s sample, ok bool) {
	var values, halves []float64
	for _, r := range runs {
		x, ok := c.value(r, k)
		if !ok {
			return s, false
		}
		values = append(values, x)
		for _, h := range r.Halves {
			if x, ok := c.value(h, k); ok {
				halves = append(halves, x)
			}
		}
	}
	return newSample(values, halves), true
}

// changes returns all numbers that both sides have and that are large enough.
func (c *comparison) changes() []Change {
	keys := make(map[key]bool)
	for _, runs := range c.sides {
		for _, r := range runs {
			for k := range r.numbers {
				keys[k] = true
			}
		}
	}
	var out []Change
	for k := range keys {
		a, inBefore := c.sample(c.sides[0], k)
		b, inAfter := c.sample(c.sides[1], k)
		if !inBefore || !inAfter || !c.hasUnits(k) {
			continue
		}
		x := Change{
			Section: k.section, Name: k.name, What: k.what(), Unit: k.measure.unit,
			Before: a.median(), After: b.median(), SpreadBefore: a.spread(), SpreadAfter: b.spread(),
			N: [2]int{len(a.values), len(b.values)}, key: k,
		}
		x.Delta = x.After - x.Before
		x.PerUnit = c.perUnit(&x)
		if !c.isLarge(&x) {
			continue
		}
		if min(len(a.values), len(b.values)) > 1 {
			p, welch := tests(&a, &b)
			x.P, x.welch = &p, welch
		}
		x.standsOut = x.isEffect() && math.Abs(x.Delta) > minScale*max(a.scale, b.scale)
		out = append(out, x)
	}
	return out
}

// hasUnits reports whether all runs have the units that a number is about, and enough of
// them. With few runs, the slowest of few units differ by chance.
func (c *comparison) hasUnits(k key) bool {
	least := int64(0)
	switch k.measure {
	case partOfAll:
	case p99, partOfTail:
		if !c.significance {
			least = 300
		}
	default:
		return true
	}
	for _, runs := range c.sides {
		for _, r := range runs {
			if x := r.units[unit{k.section, k.name}]; x == nil || x.count < least {
				return false
			}
		}
	}
	return true
}

// judge says which numbers have changed. With significance, those are the significant
// ones, among all.
func (c *comparison) judge(all []Change) {
	if !c.significance {
		return
	}
	ps := make([]float64, len(all))
	for i := range all {
		ps[i] = all[i].welch
	}
	together := holm(ps, Alpha)
	for i := range all {
		x := &all[i]
		x.Significant = together[i] && *x.P < Alpha && x.isEffect()
		x.standsOut = x.Significant
	}
}

// isEffect reports whether a difference is large enough to be one.
func (x *Change) isEffect() bool {
	least := minRelative
	if x.Unit == "ns" {
		least = minPercentile
	}
	return math.Abs(x.Delta) > least*max(math.Abs(x.Before), math.Abs(x.After))
}

// perUnit returns a difference as time per unit of work.
func (c *comparison) perUnit(x *Change) float64 {
	r := c.sides[1][0]
	switch {
	case x.Unit == "ns" || x.Unit == "ns/unit":
		return x.Delta
	case x.key.measure == gcShare:
		return x.Delta * float64(r.Length) / c.units(r)
	case x.key.measure == leaked:
		// A goroutine that is left is there for half of the trace, on average.
		return x.Delta * r.Length.Seconds() * float64(r.Length) / 2 / c.units(r)
	}
	return 0
}

// isLarge reports whether a number is worth a comparison, whichever side has it.
func (c *comparison) isLarge(x *Change) bool {
	largest := max(math.Abs(x.Before), math.Abs(x.After))
	switch {
	case x.key.measure == leaked:
		return largest >= minRate
	case x.Unit == "ns/unit" && x.key.measure.class == 1:
		u := unit{x.Section, x.Name}
		mean := c.mean(u)
		return largest >= minTime*mean
	case x.Unit == "ns/unit" && c.main != nil:
		return largest >= minTime*c.mean(*c.main)
	case x.Unit == "ns/unit":
		return largest >= 1e-3*float64(time.Second)
	case x.key.measure == gcShare:
		return largest >= 1e-3
	}
	return largest > 0
}

// mean returns the mean time of a unit of a type, of all runs.
func (c *comparison) mean(u unit) float64 {
	total, n := time.Duration(0), int64(0)
	for _, runs := range c.sides {
		for _, r := range runs {
			if x := r.units[u]; x != nil {
				total += x.total
				n += x.count
			}
		}
	}
	return float64(total) / float64(max(n, 1))
}

// only returns what all runs of one side have, and none of the other: types of units, and
// start functions.
func (c *comparison) only(which int) []string {
	count := func(runs []*Run) map[string]int {
		out := make(map[string]int)
		for _, r := range runs {
			for u, x := range r.units {
				if x.count > 0 {
					out[u.kind+" "+u.name]++
				}
			}
			for k := range r.numbers {
				if k.measure == execution {
					out["goroutines of "+k.name]++
				}
			}
		}
		return out
	}
	mine, others := count(c.sides[which]), count(c.sides[1-which])
	out := []string{}
	for _, name := range slices.Sorted(maps.Keys(mine)) {
		if mine[name] == len(c.sides[which]) && others[name] == 0 {
			out = append(out, name)
		}
	}
	return out
}

// what returns what a number is, within its section and name.
func (k key) what() string {
	m := k.measure
	switch {
	case m.class == 1:
		return fmt.Sprintf("%s: %s", m.name, k.part)
	case k.part.reason != "" && m == blockedFor:
		return m.name + " " + k.part.reason
	case k.part.reason != "":
		return m.name + ": " + k.part.reason
	}
	return m.name
}
