package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
)

// growing counts goroutines that were started and not ended, by start function and the
// place of the go statement.
type growing struct {
	byStart map[growingKey]*growth
	merged  map[growingKey]*grown // of several traces
}

type growingKey struct {
	fn    string
	place *Place
}

// growth is the goroutines of one start function from one place.
type growth struct {
	started, ended int64
	left           []survivor // those that the trace leaves, in the order of their ends
	creation       *model.Stack
}

// grown is what a growth adds up to when the trace has ended.
type grown struct {
	started, ended int64
	thirds         [3]int // how many are left of those started in each third of the trace
	total          model.Time
	goroutines     []model.GoID // the first ones
	longest        longest
	creation       *model.Stack
}

// survivor is a goroutine that has not ended.
type survivor struct {
	id    model.GoID
	start model.Time
}

// Goroutines that do not end are suspect if there are at least minGrowth of them, and at
// least minGrowthThird were started in each third of the trace.
const (
	minGrowth      = 10
	minGrowthThird = 3
	// minGrowthShare is the share of those started that have not ended.
	minGrowthShare = 0.05
)

// add counts a goroutine that has ended, or that the trace leaves.
func (gr *growing) add(b *Builder, g *model.Goroutine) {
	if model.OfRuntime(g.Func) {
		return
	}
	st := b.places.of(g.Creation)
	if st.growth == nil || st.started != g.Func {
		st.started, st.growth = g.Func, gr.of(growingKey{g.Func, st.place}, g.Creation)
	}
	x := st.growth
	if !g.Before {
		x.started++
	}
	if !g.Open {
		x.ended++
	} else if !g.Before {
		x.left = append(x.left, survivor{g.ID, g.Start})
	}
}

// of returns the goroutines of one start function from one place.
func (gr *growing) of(key growingKey, creation *model.Stack) *growth {
	x := gr.byStart[key]
	if x == nil {
		if gr.byStart == nil {
			gr.byStart = make(map[growingKey]*growth)
		}
		x = &growth{creation: creation}
		gr.byStart[key] = x
	}
	return x
}

// grown returns what the goroutines of one start function add up to.
func (x *growth) grown(fn string, start, end model.Time) *grown {
	sum := &grown{started: x.started, ended: x.ended, creation: x.creation}
	slices.SortFunc(x.left, func(a, b survivor) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.id, b.id)) })
	for i, l := range x.left {
		if i == 0 {
			sum.longest = longest{at: l.start, duration: end - l.start, goroutine: l.id, fn: fn}
		}
		sum.thirds[min(int(3*(l.start-start)/max(end-start, 1)), 2)]++
		sum.total += end - l.start
		if i < maxExamples {
			sum.goroutines = append(sum.goroutines, l.id)
		}
	}
	return sum
}

// all returns the sums of the trace that has ended, or those that were merged.
func (gr *growing) all(start, end model.Time) map[growingKey]*grown {
	if gr.merged != nil {
		return gr.merged
	}
	all := make(map[growingKey]*grown, len(gr.byStart))
	for key, x := range gr.byStart {
		all[key] = x.grown(key.fn, start, end)
	}
	return all
}

// suspects has the growing leaks: the number of goroutines grew in each third of the
// trace.
func (gr *growing) suspects(b *Builder) []Suspect {
	var out []Suspect
	for key, x := range gr.all(b.summary.Start, b.summary.End) {
		net := x.started - x.ended
		if net < minGrowth || float64(net) < minGrowthShare*float64(x.started) || min(x.thirds[0], x.thirds[1], x.thirds[2]) < minGrowthThird {
			continue
		}
		of := "the trace"
		if b.merged != nil {
			of = "their traces"
		}
		out = append(out, Suspect{
			Kind: GrowingLeak,
			Why: fmt.Sprintf("%s of %s were started and %d ended: %d more in %s, %d, %d and %d of them in each third of %s.",
				count(int(x.started), "goroutine"), address.Name(model.FuncName(key.fn)), x.ended, net, Duration(b.summary.End-b.summary.Start), x.thirds[0], x.thirds[1], x.thirds[2], of),
			Count: net, Total: time.Duration(x.total), Longest: x.longest.moment(b), Goroutines: x.goroutines, Stack: placesOf(x.creation),
		})
	}
	slices.SortFunc(out, func(a, b Suspect) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Longest.Func, b.Longest.Func), cmp.Compare(a.Longest.Goroutine, b.Longest.Goroutine), compareStacks(a.Stack, b.Stack))
	})
	return out
}
