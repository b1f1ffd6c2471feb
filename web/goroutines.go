package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
	"github.com/trace2x/trace2x/report/series"
	"github.com/trace2x/trace2x/web/plot"
)

// goroutines is the section of goroutines by start function.
type goroutines struct{ Table *table }

// mostReasons is how many reasons of waits have a column that is always shown.
const mostReasons = 6

// blockReasons are all reasons of waits: first those of the program's goroutines, and among
// these, those with the most time.
func blockReasons(groups []report.Group) []string {
	type sums struct{ program, all time.Duration }
	of := make(map[string]sums)
	for i := range groups {
		runtime := model.OfRuntime(groups[i].Func)
		for reason, d := range groups[i].Sum.BlockByReason {
			s := of[reason]
			s.all += d
			if !runtime {
				s.program += d
			}
			of[reason] = s
		}
	}
	names := slices.Sorted(maps.Keys(of))
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(of[b].program, of[a].program), cmp.Compare(of[b].all, of[a].all))
	})
	return names
}

// timesColumns are columns of times, the same as of [timesCells].
func timesColumns(reasons []string) []column {
	out := []column{
		{Title: "exec", Hint: "running on a P", Num: true, Sorted: true}, num("wait", "runnable: waiting for a P"),
		num("block", "waiting for anything else"), num("syscall", "in system calls"), num("assist", "helping the GC"),
	}
	for i, r := range reasons {
		c := num(r, "waiting: "+r)
		c.Folded = i >= mostReasons && len(reasons) > mostReasons+1
		out = append(out, c)
	}
	return out
}

// allReasons is the label of what shows all of [timesColumns].
func allReasons(reasons []string) string {
	return fmt.Sprintf("all %d reasons of waits", len(reasons))
}

func timesCells(t *report.Times, reasons []string) []cell {
	out := []cell{dur(t.Execution), dur(t.SchedWait), dur(t.Block), dur(t.Syscall + t.SyscallBlock), dur(t.GCAssist)}
	for _, r := range reasons {
		out = append(out, dur(t.BlockByReason[r]))
	}
	return out
}

// timesBar shows times by state.
func timesBar(t *report.Times) cell {
	return cell{HTML: plot.Stack([]plot.Part{
		{Class: "running", Value: float64(t.Execution), Title: "running " + report.Duration(t.Execution)},
		{Class: "runnable", Value: float64(t.SchedWait), Title: "runnable " + report.Duration(t.SchedWait)},
		{Class: "syscall", Value: float64(t.Syscall + t.SyscallBlock), Title: "system calls " + report.Duration(t.Syscall+t.SyscallBlock)},
		{Class: "waiting", Value: float64(t.Block), Title: "waiting " + report.Duration(t.Block)},
	}, float64(t.Total))}
}

func newGoroutines(v *view, l links) *goroutines {
	reasons := blockReasons(v.rep.Goroutines)
	t := &table{
		ID: "goroutines-table", Caption: "Goroutines by start function", Filter: "a function", Empty: "No goroutines.", Unfold: allReasons(reasons),
		Columns: append(append([]column{{Title: "start function", Wide: true}, num("count", "how many goroutines")}, timesColumns(reasons)...), str("states", "its time by state")),
	}
	for i := range v.rep.Goroutines {
		g := &v.rep.Goroutines[i]
		cells := []cell{l.funcCell(g.Func), number(g.Count)}
		cells = append(cells, timesCells(&g.Sum, reasons)...)
		t.Rows = append(t.Rows, row{Cells: append(cells, timesBar(&g.Sum))})
	}
	return &goroutines{t}
}

// function is the page of the goroutines of one start function.
type function struct {
	Name, Title string
	Facts       []fact
	Singles     *table
	Blocking    *table
	Flames      []flameLink
}

func newFunction(v *view, l links) *function {
	fn := v.fn[1:]
	out := &function{Name: report.ShortFunc(fn), Title: model.FuncName(fn), Blocking: newBlocking(v, l).Table, Flames: flames(l, "func", fn)}
	count := int64(0)
	for i := range v.rep.Goroutines {
		g := &v.rep.Goroutines[i]
		count += g.Count
		out.Facts = append(out.Facts,
			fact{"goroutines", english.Sprintf("%d", g.Count), ""}, fact{"exec", report.Duration(g.Sum.Execution), ""}, fact{"wait for a P", report.Duration(g.Sum.SchedWait), ""},
			fact{"block", report.Duration(g.Sum.Block), ""}, fact{"system calls", report.Duration(g.Sum.Syscall + g.Sum.SyscallBlock), ""},
			fact{"GC assists", report.Duration(g.Sum.GCAssist), ""})
	}
	reasons := blockReasons(v.rep.Goroutines)
	t := &table{
		ID: "singles-table", Caption: "Single goroutines", Filter: "a goroutine", Empty: "No goroutines.", Unfold: allReasons(reasons),
		Columns: append(append([]column{num("goroutine", "its ID"), num("start", "since the trace began"), num("total", "how long it was in the trace")}, timesColumns(reasons)...), str("states", "its time by state"), str("end", "")),
	}
	for i := range v.rep.Singles {
		s := &v.rep.Singles[i]
		its := l.in(s.File)
		start := moment(s.Start)
		if s.Before {
			start.Text = "before"
		}
		end := "exited"
		if s.Open {
			end = "still there"
		}
		cells := append([]cell{its.goroutineCell(s.ID), start, dur(s.Times.Total)}, timesCells(&s.Times, reasons)...)
		cells = append(cells, timesBar(&s.Times), text(end), openCell(its.Perfetto(s.Start, s.End-s.Start, selectSlice, s.ID)))
		t.Rows = append(t.Rows, row{Cells: cells})
	}
	t.More = int(count) - len(t.Rows)
	t.withPerfetto(l)
	if l.together != nil {
		t.insert(1, str("trace", "that has it"), func(i int) cell { return text(l.together.shortName(v.rep.Singles[i].File)) })
	}
	out.Singles = t
	return out
}

// goroutine is the page of one goroutine.
type goroutine struct {
	ID       model.GoID
	Func     string
	FuncHref string
	Facts    []fact
	Life     *timeline
	States   *table
	Waits    []waitStack
	Longest  *table
	Creation []report.Place
	Parent   namedLink
	Perfetto string
	Flames   []flameLink
}

type waitStack struct {
	Reason, Count, Total, Max string
	Class                     string
	At                        string // of the longest
	EndedBy                   namedLink
	Perfetto                  string
	Top                       report.Place
	Stack                     []report.Place
}

func newGoroutine(v *view, l links) *goroutine {
	g := v.rep.Goroutine
	out := &goroutine{
		ID: g.ID, Func: report.ShortFunc(g.Func), FuncHref: l.Func(g.Func), Creation: g.Creation,
		Perfetto: l.Perfetto(g.Start, g.End-g.Start, selectSlice, g.ID), Flames: flames(l, "goroutine", fmt.Sprint(g.ID)),
	}
	if g.Parent > 0 {
		out.Parent = namedLink{fmt.Sprintf("G%d", g.Parent), l.Goroutine(g.Parent)}
	}
	began, ended := report.SecondsSince(g.Start), report.SecondsSince(g.End)
	if g.Before {
		began = "before the trace"
	}
	if g.Open {
		ended = "after it"
	}
	out.Facts = []fact{
		{"began", began, ""}, {"ended", ended, ""}, {"exec", report.Duration(g.Times.Execution), ""}, {"wait for a P", report.Duration(g.Times.SchedWait), ""},
		{"block", report.Duration(g.Times.Block), ""}, {"system calls", report.Duration(g.Times.Syscall + g.Times.SyscallBlock), ""}, {"GC assists", report.Duration(g.Times.GCAssist), ""},
	}
	if g.Lives > 1 {
		out.Facts = append(out.Facts, fact{"lives", english.Sprintf("%d", g.Lives), "so many goroutines had this ID, one after the other"})
	}
	axis := plot.Axis{From: g.Start, To: g.End}
	out.Life = &timeline{Axis: axis, Values: values{From: int64(axis.From), To: int64(axis.To)}, Lanes: []lane{{
		Title: "States", Hint: "drag to choose a range", Class: "life", SVG: plot.Rows(axis, 1, lifeSpans(v.life.Pieces())),
	}}}

	states := &table{ID: "states-table", Caption: "States", Columns: []column{str("state", ""), num("count", ""), {Title: "total", Num: true, Sorted: true}, num("max", "the longest one")}}
	for _, s := range g.States {
		states.Rows = append(states.Rows, row{Cells: []cell{stateCell(s.State, s.Reason), number(s.Count), dur(s.Total), dur(s.Max)}})
	}
	out.States = states
	for _, w := range g.Waits {
		x := waitStack{Reason: w.Reason, Count: report.Often(w.Count), Total: report.Duration(w.Total), Max: report.Duration(w.Max), Class: "waiting", Stack: w.Stack,
			At: report.SecondsSince(w.MaxAt), Perfetto: l.Perfetto(w.MaxAt, w.Max, selectState, g.ID, w.MaxEndedBy)}
		if w.MaxEndedBy > 0 {
			x.EndedBy = namedLink{fmt.Sprintf("G%d", w.MaxEndedBy), l.Goroutine(w.MaxEndedBy)}
		}
		if w.Reason == "syscall" {
			x.Class = "syscall"
		}
		x.Top = topPlace(w.Stack)
		out.Waits = append(out.Waits, x)
	}
	longest := &table{ID: "longest-table", Caption: "Longest states", Filter: "a state or a place", Columns: []column{
		{Title: "at", Num: true}, num("duration", ""), str("state", ""), {Title: "place", Wide: true}, num("ended by", "the goroutine that ended a wait"),
	}}
	for i := range g.Longest {
		s := &g.Longest[i]
		by := l.goroutineCell(s.EndedBy)
		if s.EndedBy > 0 {
			by.Sub = report.ShortFunc(s.EndedByFunc)
			if s.EndedByPlace != nil {
				by.Sub = s.EndedByPlace.Short()
			}
		}
		at := place(s.Place)
		if s.Place.Func == "" && s.State == model.Running.String() {
			at = text("–") // it is of many places
		}
		longest.Rows = append(longest.Rows, row{Cells: []cell{moment(s.At), dur(s.Duration), stateCell(s.State, s.Reason), at, by, openCell(l.Perfetto(s.At, s.Duration, selectState, g.ID, s.EndedBy))}})
	}
	out.Longest = longest.withPerfetto(l)
	return out
}

// stateCell is a state by its name, with the reason of a wait.
func stateCell(state, reason string) cell {
	if reason != "" {
		state += ", " + reason
	}
	return text(state)
}

// topPlace is the call of a stack that says most.
func topPlace(stack []report.Place) report.Place {
	for _, p := range stack {
		if !model.IsMechanism(p.Func) {
			return p
		}
	}
	if len(stack) > 0 {
		return stack[0]
	}
	return report.Place{}
}

// mostFrames is how many calls of a stack a piece of a life has.
const mostFrames = 6

// lifeSpans are the pieces of a life in one row.
func lifeSpans(pieces []series.Piece) []plot.Span {
	var out []plot.Span
	for i := range pieces {
		p := &pieces[i]
		what := p.State.String()
		if p.State == model.Waiting && p.States == 1 {
			what = report.WaitText(p.Reason, p.Stack)
		}
		lines := []string{fmt.Sprintf("%s, %s at %s", what, report.Duration(p.End-p.Start), report.SecondsSince(p.Start))}
		if p.States > 1 {
			lines = append(lines, english.Sprintf("and others: %d states", p.States))
		}
		if p.EndedBy > 0 {
			lines = append(lines, fmt.Sprintf("ended by G%d", p.EndedBy))
		}
		if p.Stack != nil {
			for i, f := range p.Stack.Frames {
				if i == mostFrames {
					lines = append(lines, "…")
					break
				}
				lines = append(lines, report.Place{Func: f.Func, File: f.File, Line: f.Line}.Short())
			}
		}
		out = append(out, plot.Span{From: p.Start, To: p.End, Class: stateClass(p.State), Title: strings.Join(lines, "\n")})
	}
	return out
}
