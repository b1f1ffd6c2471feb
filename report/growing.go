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

// survivor is a goroutine that has not ended.
type survivor struct {
	id    model.GoID
	start model.Time
}

// From where on goroutines that do not end are suspect: so many of them, of those
// that were started in each third of the trace at least so many.
const (
	minGrowth      = 10
	minGrowthThird = 3
	// minGrowthShare is the share of those started that have not ended.
	minGrowthShare = 0.05
)

// ended counts a goroutine that has ended, or that the trace leaves.
func (gr *growing) add(b *Builder, g *model.Goroutine) {
	if ofRuntime(g) {
		return
	}
	key := growingKey{g.Func, b.places.of(g.Creation).place}
	x := gr.byStart[key]
	if x == nil {
		if gr.byStart == nil {
			gr.byStart = make(map[growingKey]*growth)
		}
		x = &growth{creation: g.Creation}
		gr.byStart[key] = x
	}
	if !g.Before {
		x.started++
	}
	if !g.Open {
		x.ended++
	} else if !g.Before {
		x.left = append(x.left, survivor{g.ID, g.Start})
	}
}

// suspects has the growing leaks: the number of goroutines grew in each third of the
// trace.
func (gr *growing) suspects(b *Builder) []Suspect {
	var out []Suspect
	start, length := b.summary.Start, b.summary.End-b.summary.Start
	for key, x := range gr.byStart {
		net := x.started - x.ended
		if net < minGrowth || float64(net) < minGrowthShare*float64(x.started) || length <= 0 {
			continue
		}
		var thirds [3]int
		for _, l := range x.left {
			thirds[min(int(3*(l.start-start)/length), 2)]++
		}
		if min(thirds[0], thirds[1], thirds[2]) < minGrowthThird {
			continue
		}
		slices.SortFunc(x.left, func(a, b survivor) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.id, b.id)) })
		s := Suspect{
			Kind: GrowingLeak,
			Why: fmt.Sprintf("%s of %s were started and %d ended: %d more in %s, %d, %d and %d of them in each third of the trace.",
				count(int(x.started), "goroutine"), address.Name(model.FuncName(key.fn)), x.ended, net, Duration(length), thirds[0], thirds[1], thirds[2]),
			Count: net,
			Stack: placesOf(x.creation),
		}
		for _, l := range x.left {
			s.Total += time.Duration(b.summary.End - l.start)
			if len(s.Goroutines) < maxExamples {
				s.Goroutines = append(s.Goroutines, l.id)
			}
		}
		first := x.left[0]
		s.Longest = Moment{b.since(first.start), time.Duration(b.summary.End - first.start), first.id, key.fn}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Suspect) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Longest.Func, b.Longest.Func), cmp.Compare(a.Longest.Goroutine, b.Longest.Goroutine))
	})
	return out
}
