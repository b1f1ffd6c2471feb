package diff

import (
	"fmt"
	"math"
	"time"

	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// headline returns what changed most, as a sentence.
func (c *comparison) headline(r *Result) string {
	if len(r.Changes) == 0 {
		return c.nothing(r)
	}
	x := first(r.Changes)
	switch x.key.measure {
	case p50, p99:
		s := fmt.Sprintf("%s of %s %s → %s", x.What, unitName(x.Section, x.Name), x.format(x.Before), x.format(x.After))
		if why := c.why(r, x); why != "" {
			s += ": " + why
		}
		return s
	case leaked:
		if x.Delta < 0 {
			return fmt.Sprintf("fewer goroutines of %s are left each second: %s → %s", address.Name(x.Name), x.format(x.Before), x.format(x.After))
		}
		return fmt.Sprintf("%s more goroutines of %s each second that do not end: %s → %s", number(x.Delta), address.Name(x.Name), x.format(x.Before), x.format(x.After))
	}
	if x.key.measure.class == 1 {
		of := "each " + unitName(x.Section, x.Name)
		if x.key.measure == partOfTail {
			of = "the slowest 1% of " + unitName(x.Section, x.Name) + ", each"
		}
		return fmt.Sprintf("%s, in %s: %s → %s, %s", x.key.part, of, x.format(x.Before), x.format(x.After), x.delta())
	}
	return fmt.Sprintf("%s %s → %s: %s", x.title(), x.format(x.Before), x.format(x.After), x.delta())
}

// first returns the change to tell first. If the median of a type of unit has changed as
// its slowest have, the median tells more.
func first(changes []Change) *Change {
	x := &changes[0]
	for i := range changes {
		y := &changes[i]
		if x.key.measure == p99 && y.key.measure == p50 && y.Section == x.Section && y.Name == x.Name && y.Delta/x.Delta >= .5 {
			return y
		}
	}
	return x
}

// why returns the part of the critical path that made the difference in a percentile.
func (c *comparison) why(r *Result, x *Change) string {
	parts := partOfTail
	if x.key.measure == p50 {
		parts = partOfAll
	}
	if x.Section != c.pathKind() {
		return longest(r.Changes, x)
	}
	var most *Change
	for _, list := range [][]Change{r.Changes, r.Others} {
		for i := range list {
			y := &list[i]
			if y.key.measure == parts && y.Section == x.Section && y.Name == x.Name && y.Delta*x.Delta > 0 && (most == nil || math.Abs(y.Delta) > math.Abs(most.Delta)) {
				most = y
			}
		}
	}
	if most == nil {
		return ""
	}
	s := most.delta() + " " + most.key.part.String()
	if w := c.wait(unit{x.Section, x.Name}, most.key.part); w.reason != "" && w.fn != most.key.part.fn {
		s += ", awaited (" + address.Name(w.reason) + ") in " + address.Name(model.ShortFunc(w.fn))
	} else if w.reason != "" {
		s += ", awaited (" + address.Name(w.reason) + ")"
	}
	return s
}

// pathKind returns the kind of units that have critical paths.
func (c *comparison) pathKind() string {
	for _, runs := range c.sides {
		for _, r := range runs {
			for k := range r.numbers {
				if k.measure.class == 1 {
					return k.section
				}
			}
		}
	}
	return ""
}

// longest returns the part of critical paths, or the function, that changed most in the
// direction of x, which has no critical path.
func longest(changes []Change, x *Change) string {
	for i := range changes { // the largest of each class is first
		y := &changes[i]
		if y.Delta*x.Delta <= 0 {
			continue
		}
		switch y.key.measure {
		case partOfAll, partOfTail:
			return y.delta() + " " + y.key.part.String()
		case execution:
			return y.delta() + " running " + address.Name(model.ShortFunc(y.Name))
		}
	}
	return ""
}

// wait returns what the units waited for in the longest time of a part, of all runs.
func (c *comparison) wait(u unit, p part) (longest wait) {
	for _, runs := range c.sides {
		for _, r := range runs {
			if w := r.units[u].waits[p]; w.ns > longest.ns {
				longest = w
			}
		}
	}
	return longest
}

// nothing says that there is no difference, and how well that is known.
func (c *comparison) nothing(r *Result) string {
	same := true
	for i := range r.Others {
		same = same && r.Others[i].Delta == 0
	}
	switch {
	case r.Compared == 0:
		return "nothing to compare: the traces have no numbers in common that are large enough"
	case same:
		return fmt.Sprintf("no difference in %d numbers", r.Compared)
	case r.Significance:
		return fmt.Sprintf("no significant difference in %d numbers of %d and %d runs (p < %v)", r.Compared, len(r.Before.Files), len(r.After.Files), Alpha)
	}
	return fmt.Sprintf("no difference in %d numbers that is larger than those within a side", r.Compared)
}

// unitName is what to call a type of unit.
func unitName(kind, name string) string {
	switch {
	case name == "":
		return kind + " (no name)"
	case kind == "http" || kind == "goroutine":
		return address.Name(model.ShortFunc(name))
	}
	return address.Name(name)
}

// title is what a change is of.
func (x *Change) title() string {
	switch {
	case x.Name == "":
		return x.Section + ": " + x.What
	case x.Section == goroutines:
		return x.What + " of goroutines of " + address.Name(model.ShortFunc(x.Name))
	case x.Section == blocking:
		return x.What + " in " + address.Name(model.ShortFunc(x.Name))
	}
	return unitName(x.Section, x.Name) + ", " + x.What
}

// format returns a value as people read it.
func (x *Change) format(v float64) string {
	switch x.Unit {
	case "ns", "ns/unit":
		if v == 0 {
			return "0"
		}
		return report.Duration(time.Duration(v))
	case "share":
		return fmt.Sprintf("%.1f%%", 100*v)
	case "bytes":
		return fmt.Sprintf("%.3gMB", v/1e6)
	case "1/s":
		return number(v) + "/s"
	}
	return number(v)
}

// delta returns the difference with its sign.
func (x *Change) delta() string {
	s := x.format(x.Delta)
	if x.Delta > 0 {
		s = "+" + s
	}
	return s
}

// number returns a number with three digits.
func number(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v) && a < 1e6:
		return fmt.Sprintf("%.0f", v)
	case a < 9.995:
		return fmt.Sprintf("%.2f", v)
	case a < 99.95:
		return fmt.Sprintf("%.1f", v)
	case a < 1e6:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
