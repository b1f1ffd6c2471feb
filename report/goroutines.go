package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// Group is all goroutines with one start function.
type Group struct {
	// Func is the function that the go statements started, main.main for the main
	// goroutine, and "" for goroutines whose function the trace does not tell.
	Func string `json:"func"`
	// Count is the number of goroutines. Started and Ended are how many of them began and
	// ended in the trace.
	Count   int64 `json:"count"`
	Started int64 `json:"started"`
	Ended   int64 `json:"ended"`
	// Sum is the time of all of them, Max the longest time of a single one in each
	// field by itself.
	Sum Times `json:"sum"`
	Max Times `json:"max"`
	// MaxOf is the goroutine with the most in a column, exec, wait, block, syscall, assist
	// or total: when it began, and how much it has there. Columns in which none has
	// anything are left out.
	MaxOf map[string]Moment `json:"max_of"`
}

// groups has the goroutines that have ended.
type groups struct {
	byFunc   map[string]*group
	recent   [64]recentGroup // by the length of the name: a map takes longer
	nameless int             // from before the trace
	all      times.Times     // of all goroutines, selected or not
}

type recentGroup struct {
	fn string
	*group
}

type group struct {
	count     int64
	started   int64
	ended     int64
	sum, max  times.Times
	life      model.Time // of the one that was there longest
	maxBlock  model.Time // of the one that was blocked longest
	most      [6]longest // by column, from exec on: the goroutine that has the most there
	assists   int64
	maxAssist longest
}

// inColumns are times in the order of the columns from exec on.
func inColumns(t *times.Times) [6]model.Time {
	return [6]model.Time{t.Execution, t.SchedWait, t.Blocked(), t.Syscall + t.SyscallBlock, t.GCAssist, t.Total()}
}

// add adds a goroutine that ended; t is what of its time counts.
func (gs *groups) add(g *model.Goroutine, gr *goroutine, t *times.Times) {
	grp := gs.of(g.Func)
	if g.Func == "" && g.Before {
		gs.nameless++
	}
	grp.count++
	if !g.Before {
		grp.started++
	}
	if !g.Open {
		grp.ended++
	}
	grp.sum.Add(t)
	grp.max.Max(t)
	grp.life = max(grp.life, t.Total())
	grp.maxBlock = max(grp.maxBlock, t.Blocked())
	for i, d := range inColumns(t) {
		if d > grp.most[i].duration {
			grp.most[i] = longest{at: g.Start, duration: d, goroutine: g.ID, fn: g.Func}
		}
	}
	grp.assists += gr.assists
	if gr.maxAssist > grp.maxAssist.duration {
		grp.maxAssist = longest{at: gr.maxAssistAt, duration: gr.maxAssist, goroutine: g.ID, fn: g.Func}
	}
}

func (gs *groups) of(fn string) *group {
	recent := &gs.recent[len(fn)%len(gs.recent)]
	if recent.group != nil && recent.fn == fn {
		return recent.group
	}
	grp := gs.byFunc[fn]
	if grp == nil {
		if gs.byFunc == nil {
			gs.byFunc = make(map[string]*group)
		}
		grp = &group{}
		gs.byFunc[fn] = grp
	}
	*recent = recentGroup{fn, grp}
	return grp
}

func (gs *groups) report(b *Builder) []Group {
	reasons := &b.ledger.Reasons
	out := make([]Group, 0, len(gs.byFunc))
	for fn, g := range gs.byFunc {
		grp := Group{Func: fn, Count: g.count, Started: g.started, Ended: g.ended, Sum: timesOf(&g.sum, reasons), Max: timesOf(&g.max, reasons), MaxOf: make(map[string]Moment)}
		for i, l := range g.most {
			if l.duration > 0 {
				grp.MaxOf[columns[i+1].name] = l.moment(b)
			}
		}
		grp.Max.Total = time.Duration(g.life)
		// The longest wait for each reason may be of different goroutines.
		grp.Max.Block = time.Duration(g.maxBlock)
		out = append(out, grp)
	}
	sortGroups(out, "exec")
	return out
}

// Columns are those by which Report.Sort can sort, besides "block:" and the
// reason of a wait.
func Columns() []string {
	names := make([]string, 0, 2*len(columns))
	for _, c := range columns {
		names = append(names, c.name)
	}
	for _, c := range columns[1:] {
		names = append(names, "max-"+c.name)
	}
	for _, c := range blockingColumns {
		if !slices.Contains(names, c.name) {
			names = append(names, c.name)
		}
	}
	return names
}

var columns = []struct {
	name string
	of   func(*Times) time.Duration
}{
	{name: "count"},
	{"exec", func(t *Times) time.Duration { return t.Execution }},
	{"wait", func(t *Times) time.Duration { return t.SchedWait }},
	{"block", func(t *Times) time.Duration { return t.Block }},
	{"syscall", func(t *Times) time.Duration { return t.Syscall + t.SyscallBlock }},
	{"assist", func(t *Times) time.Duration { return t.GCAssist }},
	{"total", func(t *Times) time.Duration { return t.Total }},
}

// column returns what a column has for a group, nil if there is none of that
// name.
func column(name string) func(*Group) time.Duration {
	which := func(g *Group) *Times { return &g.Sum }
	base, isMax := strings.CutPrefix(name, "max-")
	if isMax {
		which = func(g *Group) *Times { return &g.Max }
	}
	if reason, ok := strings.CutPrefix(base, "block:"); ok {
		return func(g *Group) time.Duration { return which(g).BlockByReason[reason] }
	}
	for _, c := range columns {
		switch {
		case c.name != base:
		case c.of != nil:
			return func(g *Group) time.Duration { return c.of(which(g)) }
		case !isMax:
			return func(g *Group) time.Duration { return time.Duration(g.Count) }
		}
	}
	return nil
}

// maxColumn returns the column whose goroutine with the most is named first.
func (g *Group) maxColumn(sortedBy string) string {
	column := strings.TrimPrefix(sortedBy, "max-")
	if _, ok := g.MaxOf[column]; !ok {
		return "exec"
	}
	return column
}

// maxOf says which goroutine has the most in the column that the list is sorted by, "" if
// that is not known.
func (g *Group) maxOf(dir, sortedBy string) string {
	column := g.maxColumn(sortedBy)
	m, ok := g.MaxOf[column]
	if !ok {
		return ""
	}
	m.Func = ""
	return "most " + column + ": " + m.who() + inFile(dir, m.File)
}

// otherMax says which other goroutines have the most in the other columns, "" for none.
func (g *Group) otherMax(dir, sortedBy string) string {
	if g.Count < 2 {
		return ""
	}
	first := g.MaxOf[g.maxColumn(sortedBy)]
	var parts []string
	for _, c := range columns[1:6] { // those that are printed
		if m, ok := g.MaxOf[c.name]; ok && (m.Goroutine != first.Goroutine || m.File != first.File) {
			parts = append(parts, fmt.Sprintf("%s G%d", c.name, m.Goroutine)+inFile(dir, m.File))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "most " + strings.Join(parts, ", ")
}

// goroutineColumn is the column by which goroutines are sorted: exec if the one that was
// asked for is only of waits.
func goroutineColumn(name string) string {
	if column(name) == nil {
		return "exec"
	}
	return name
}

// CheckColumn returns an error if there is no such column to sort by.
func CheckColumn(name string) error {
	if by, _ := blockingColumn(name); column(name) == nil && by != name && name != "tasks" && name != "requests" {
		return fmt.Errorf("there is no column %q: there are %s, and block:REASON and max-block:REASON, as in block:sync", name, strings.Join(Columns(), ", "))
	}
	return nil
}

// CheckReason returns an error if a column is for a reason for which nothing waited.
func (r *Report) CheckReason(column string) error {
	reason, ok := strings.CutPrefix(strings.TrimPrefix(column, "max-"), "block:")
	if !ok || len(r.Goroutines) == 0 {
		return nil
	}
	known := make(map[string]time.Duration)
	for i := range r.Goroutines {
		for name, d := range r.Goroutines[i].Sum.BlockByReason {
			known[name] += d
		}
	}
	if known[reason] > 0 {
		return nil
	}
	return fmt.Errorf("nothing waited for %q: there are %s", reason, joined(", ", byTime(known)...))
}

// Sort sorts the goroutines, also single ones, and the waits, by a column, the largest
// first. Goroutines that do not have it are sorted by exec, waits by their time in units
// of work. It returns the error of [CheckColumn].
func (r *Report) Sort(name string) error {
	if err := CheckColumn(name); err != nil {
		return err
	}
	sortGroups(r.Goroutines, name)
	sortSingles(r.Singles, name)
	sortBlocking(r.Blocking, name)
	return nil
}

func sortGroups(groups []Group, name string) {
	key := column(goroutineColumn(name))
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(key(&b), key(&a)), cmp.Compare(b.Sum.Total, a.Sum.Total), strings.Compare(a.Func, b.Func))
	})
}
