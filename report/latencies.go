package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/critical"
)

// latencies counts the units of one type by latency, exactly: by the first two digits in
// nanoseconds. Each power of 10 has 90 of them.
type latencies map[time.Duration]*latencyCount

type latencyCount struct {
	units    int64
	examples []critical.Unit
}

// mostExamples is how many units are named of those that are alike, or slowest.
const mostExamples = 3

// twoDigits rounds a duration down to its first two digits.
func twoDigits(d time.Duration) time.Duration {
	scale := scaleOf(d)
	return d / scale * scale
}

func (l latencies) add(u *critical.Unit) {
	key := twoDigits(u.Duration())
	c := l[key]
	if c == nil {
		c = &latencyCount{}
		l[key] = c
	}
	c.units++
	if len(c.examples) < mostExamples {
		c.examples = append(c.examples, critical.Unit{
			Kind: u.Kind, Type: u.Type, Task: u.Task, Goroutine: u.Goroutine, Start: u.Start, End: u.End,
		})
	}
}

// near returns units whose latency is next to d, the nearest first.
func (l latencies) near(d time.Duration) []critical.Unit {
	var all []critical.Unit
	for _, c := range l {
		all = append(all, c.examples...)
	}
	slices.SortFunc(all, func(a, b critical.Unit) int {
		return cmp.Or(cmp.Compare((a.Duration()-d).Abs(), (b.Duration()-d).Abs()), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Goroutine, b.Goroutine))
	})
	return first(all, mostExamples)
}

// Latencies is how the latencies of the complete units of one type are spread.
type Latencies struct {
	Kind critical.Kind `json:"kind"`
	Type string        `json:"type"`
	// Rows is the histogram, the shortest latencies first.
	Rows []LatencyRow `json:"rows"`
	// AroundP50 has some units whose latency is next to the median, and Slowest the
	// slowest ones: those to look at.
	AroundP50 []Longest `json:"around_p50"`
	Slowest   []Longest `json:"slowest"`
}

// LatencyRow is the units whose latency is From or more, and less than To, in ns.
type LatencyRow struct {
	From  time.Duration `json:"from_ns"`
	To    time.Duration `json:"to_ns"`
	Units int64         `json:"units"`
}

// addLatencies adds how latencies are spread, if only some units are selected.
func (r *Report) addLatencies() {
	w := r.Why
	for _, t := range w.Types {
		l := w.latencies[unitKey{t.Kind, t.Name}]
		if len(l) == 0 {
			continue
		}
		r.Latencies = append(r.Latencies, Latencies{
			Kind: t.Kind, Type: t.Name, Rows: l.rows(),
			AroundP50: w.instances(l.near(t.P50)), Slowest: w.instances(w.slowestOf(t, l)),
		})
	}
}

func (w *Why) instances(units []critical.Unit) []Longest {
	out := make([]Longest, 0, len(units))
	for i := range units {
		out = append(out, w.instance(&units[i]))
	}
	return out
}

func (w *Why) instance(u *critical.Unit) Longest {
	return Longest{time.Duration(u.Start - w.Origin), u.Duration(), u.Task, u.Goroutine, u.File}
}

// latencySteps are where the rows of a histogram may begin, in each power of 10: the
// first of them that makes few enough rows is taken.
var latencySteps = [][]time.Duration{
	{10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82},
	{10, 15, 20, 30, 50, 70},
	{10, 20, 50},
	{10},
}

const mostLatencyRows = 14

// rows returns the histogram, the shortest latencies first, also rows without units that
// are between others.
func (l latencies) rows() []LatencyRow {
	least, most := time.Duration(-1), time.Duration(0)
	for d := range l {
		if least < 0 || d < least {
			least = d
		}
		most = max(most, d)
	}
	if least < 0 {
		return nil
	}
	var rows []LatencyRow
	for _, steps := range latencySteps {
		rows = rows[:0]
		for from := rowStart(least, steps); from <= most; {
			to := rowEnd(from, steps)
			rows = append(rows, LatencyRow{From: from, To: to})
			if to == math.MaxInt64 {
				break
			}
			from = to
		}
		if len(rows) <= mostLatencyRows {
			break
		}
	}
	for d, c := range l {
		i, found := slices.BinarySearchFunc(rows, d, func(r LatencyRow, d time.Duration) int { return cmp.Compare(r.From, d) })
		if !found {
			i--
		}
		rows[i].Units += c.units
	}
	return rows
}

// scaleOf is by what a latency is to be divided to have two digits; it is 1 for those
// that have less.
func scaleOf(d time.Duration) time.Duration {
	scale := time.Duration(1)
	for d/scale >= 100 {
		scale *= 10
	}
	return scale
}

// rowStart is where the row of a latency begins. All below 10 ns are one row.
func rowStart(d time.Duration, steps []time.Duration) time.Duration {
	if d < 10 {
		return 0
	}
	scale := scaleOf(d)
	for _, s := range slices.Backward(steps) {
		if d/scale >= s {
			return s * scale
		}
	}
	return 0
}

// rowEnd is where the next row begins.
func rowEnd(from time.Duration, steps []time.Duration) time.Duration {
	if from < 10 {
		return 10
	}
	scale := scaleOf(from)
	for _, s := range steps {
		if s > from/scale {
			if s > math.MaxInt64/scale {
				return math.MaxInt64
			}
			return s * scale
		}
	}
	if scale > math.MaxInt64/100 {
		return math.MaxInt64
	}
	return 100 * scale
}

// latencies writes how long the units of each type took, of those that were selected.
func (p *printer) latencies(w *Why) {
	if w == nil || w.latencies == nil || w.allKept() {
		return
	}
	for _, t := range w.Types[:p.top(len(w.Types))] {
		if l := w.latencies[unitKey{t.Kind, t.Name}]; len(l) > 0 {
			p.latency(w, t, l)
		}
	}
}

func (p *printer) latency(w *Why, t *critical.Type, l latencies) {
	about := "  " + often(t.Count) + ", by latency"
	p.section("LATENCY", shortenLeft(unitType(t.Kind, t.Name), p.room(9+width(about)))+about)
	rows := l.rows()
	largest := int64(0)
	for _, r := range rows {
		largest = max(largest, r.Units)
	}
	tbl := table{}
	tbl.add(faint, "from", "to", "count", "share", "")
	seen := int64(0)
	for _, r := range rows {
		marks := percentilesIn(seen, r.Units, t.Count)
		seen += r.Units
		share, bar := "-", ""
		if r.Units > 0 {
			share = fmt.Sprintf("%.1f%%", 100*float64(r.Units)/float64(t.Count))
			bar = barOf(float64(r.Units)/float64(largest), 30) + marks
		}
		tbl.add(plain, dur(r.From), dur(r.To), num(r.Units), share, bar)
	}
	tbl.write(p, "  ")
	p.wrapped("      ", fmt.Sprintf("  around p50, %s: %s", dur(t.P50), w.listed(l.near(t.P50))))
	p.wrapped("      ", "  slowest: "+w.listed(w.slowestOf(t, l)))
}

// percentilesIn names the percentiles of count units, sorted, that are among units of
// them behind the first seen.
func percentilesIn(seen, units, count int64) string {
	marks := ""
	for _, percent := range []int64{50, 90, 99} {
		if rank := max((percent*count+99)/100, 1); seen < rank && rank <= seen+units {
			marks += fmt.Sprintf(" p%d", percent)
		}
	}
	if seen+units == count {
		marks += " max"
	}
	return marks
}

// slowestOf returns the slowest units of a type.
func (w *Why) slowestOf(t *critical.Type, l latencies) (units []critical.Unit) {
	for i := range t.Slowest[:min(mostExamples, len(t.Slowest))] {
		units = append(units, t.Slowest[i].Unit)
	}
	if len(units) == 0 { // no paths are kept
		units = l.near(t.Max)
	}
	return units
}

// listed names units to go on with.
func (w *Why) listed(units []critical.Unit) string {
	var parts []string
	for i := range units {
		parts = append(parts, fmt.Sprintf("%s (%s)", w.unitID(&units[i]), Duration(units[i].Duration())))
	}
	return strings.Join(parts, ", ")
}

// barOf is a bar of a share of so many columns. It is never empty.
func barOf(share float64, columns int) string {
	eighths := max(int(share*float64(8*columns)+.5), 1)
	bar := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		bar += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return bar
}

// unitKey is a type of unit.
type unitKey struct {
	kind critical.Kind
	name string
}

// countLatency counts a unit by its latency.
func (w *why) countLatency(u *critical.Unit) {
	if u.Cut {
		return
	}
	key := unitKey{u.Kind, u.Type}
	l := w.latencies[key]
	if l == nil {
		l = make(latencies)
		w.latencies[key] = l
	}
	l.add(u)
}
