package report

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
)

// TextOptions say how to render a report.
type TextOptions struct {
	// Top is how many entries of each list to show; 0 for all.
	Top int
	// Width is where to cut lines, in characters; 0 for nowhere.
	Width int
	// Color allows escape sequences for bold and faint.
	Color bool
	// Slowest is of how many of the slowest units of each type to show the path; those
	// that Options.Units wanted to keep are shown anyway.
	Slowest int
	// SortedBy names the column by which the goroutines are sorted, "" for exec.
	SortedBy string
}

// Text writes a report as text; of one with a goroutine, only that. It returns
// the error of w.
func Text(w io.Writer, r *Report, opts TextOptions) error {
	p := &printer{w: bufio.NewWriter(w), opts: opts, procs: r.Overview.MaxGOMAXPROCS, dir: commonFolder(r.Overview.Files)}
	if r.Goroutine != nil {
		p.goroutine(r.Goroutine)
		return p.w.Flush()
	}
	p.paths(r.Why)
	p.overview(r)
	p.why(r.Why)
	p.latencies(r.Why)
	p.suspects(r.Suspects)
	p.goroutines(r.Goroutines)
	p.singles(r.Singles, r.Goroutines)
	p.blocking(r.Blocking, r.Unit)
	p.scheduling(&r.Scheduling)
	p.gc(r)
	p.annotations("TASKS", r.Tasks)
	p.annotations("REGIONS", r.Regions)
	return p.w.Flush()
}

type printer struct {
	w     *bufio.Writer // keeps its error
	opts  TextOptions
	procs int    // GOMAXPROCS, 0 if unknown
	dir   string // the folder of all traces, of several
	begun bool
}

type style int

const (
	plain style = iota
	bold
	faint
)

// line writes a line, cut to the width.
func (p *printer) line(st style, s string) {
	for _, l := range broken(strings.TrimRight(s, " "), p.opts.Width) {
		if p.opts.Color && st != plain && l != "" {
			l = [...]string{bold: "\x1b[1m", faint: "\x1b[2m"}[st] + l + "\x1b[0m"
		}
		p.w.WriteString(l)
		p.w.WriteByte('\n')
	}
}

func (p *printer) linef(format string, args ...any) { p.line(plain, english.Sprintf(format, args...)) }

// english groups the digits of large numbers.
var english = message.NewPrinter(language.English)

// section begins a section: its title, and what to know of it.
func (p *printer) section(title, about string) {
	if p.begun {
		p.line(plain, "")
	}
	p.begun = true
	if about == "" {
		p.line(bold, title)
		return
	}
	lines := broken(title+"  "+about, p.opts.Width)
	if after, ok := strings.CutPrefix(lines[0], title); ok && p.opts.Color {
		lines[0] = "\x1b[1m" + title + "\x1b[0m" + after
	}
	p.w.WriteString(strings.Join(lines, "\n") + "\n")
}

// wrapped writes a text, broken at the width; all lines but the first are
// indented.
func (p *printer) wrapped(indent, s string) {
	w := p.opts.Width
	if w > 0 {
		w = max(w-width(indent), 20)
	}
	for i, l := range Wrap(s, w) {
		if i > 0 {
			l = indent + l
		}
		p.line(plain, l)
	}
}

// top is how many of n entries are shown.
func (p *printer) top(n int) int {
	if p.opts.Top > 0 {
		return min(n, p.opts.Top)
	}
	return n
}

// more tells of the entries that are not shown.
func (p *printer) more(n int, what string) {
	if left := n - p.top(n); left > 0 {
		if left > 1 {
			what += "s"
		}
		p.line(faint, english.Sprintf("  … %d more %s (--top %d)", left, what, n))
	}
}

// dur is a duration in a table.
func dur(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return Duration(d)
}

func num(n int64) string { return english.Sprintf("%d", n) }

func (p *printer) overview(r *Report) {
	o := &r.Overview
	p.section("OVERVIEW", "")
	when := ""
	if o.Start != nil {
		when = ", from " + o.Start.Format("2006-01-02 15:04:05.000 MST") + " on"
	}
	traces := ""
	if n := len(o.Files); n > 0 {
		traces = count(n, "trace") + ", "
	}
	format := o.Format
	if list := strings.Split(format, ", "); len(list) > 1 { // sorted
		format = list[0] + " to " + list[len(list)-1]
	}
	p.linef("  %s%s of %s, %d events%s", traces, Duration(o.Duration), format, o.Events, when)
	procs := fmt.Sprintf("GOMAXPROCS %d", o.GOMAXPROCS)
	if o.MaxGOMAXPROCS > o.GOMAXPROCS {
		procs += fmt.Sprintf(" (up to %d)", o.MaxGOMAXPROCS)
	}
	if o.GOMAXPROCS == 0 {
		procs = "GOMAXPROCS unknown"
	}
	p.linef("  %d goroutines, at most %d alive; %s", o.Goroutines, o.MaxAlive, procs)
	if t := float64(o.Procs.Total); t > 0 {
		share := func(d time.Duration) string { return fmt.Sprintf("%.1f%%", 100*float64(d)/t) }
		of, idle := "Ps", ", "+share(o.Procs.Idle)+" idle"
		if o.MaxGOMAXPROCS == 0 {
			of, idle = "Ps while not idle", ""
		}
		p.wrapped("    ", fmt.Sprintf("  %s: %s running goroutines, %s GC, %s in system calls, %s scheduler%s", of, share(o.Procs.Goroutines), share(o.Procs.GC),
			share(o.Procs.Syscall), share(o.Procs.Scheduler), idle))
	}
	if s := r.Selected; s != nil {
		p.wrapped("    ", fmt.Sprintf("  selected: %s; the sections below are about these, except the pauses and cycles of the GC", selectedLine(s)))
	}
	for _, l := range o.Lost {
		when := fmt.Sprintf("%s from %s on", dur(l.Duration), moment(l.At))
		if l.Open {
			when = "from " + moment(l.At) + " on"
		}
		p.wrapped("    ", "  DATA LOST"+inFile(p.dir, l.File)+": "+when+": "+l.Why)
	}
	for _, what := range r.CannotTell {
		p.wrapped("    ", "  cannot tell: "+what)
	}
	for _, what := range slices.Sorted(maps.Keys(o.Misuse)) {
		p.wrapped("    ", fmt.Sprintf("  misuse of runtime/trace, %s: %s", often(int64(o.Misuse[what])), what))
	}
}

func selectedLine(s *Selected) string {
	line := english.Sprintf("%d goroutines", s.Goroutines)
	if s.Goroutines == 1 {
		line = "1 goroutine"
	}
	if s.Tasks > 0 {
		line += ", at work for " + count(s.Tasks, "task")
	}
	return line
}

func (p *printer) suspects(list []Suspect) {
	if len(list) == 0 {
		p.section("SUSPECTS", "none")
		return
	}
	p.section("SUSPECTS", "what may be wrong")
	for i := range list[:p.top(len(list))] {
		s := &list[i]
		p.wrapped("    ", "  "+suspectNames[s.Kind]+": "+s.Why)
		if s.Kind != BlockedThroughout && s.Kind != GrowingLeak && s.Longest.Duration > 0 {
			p.linef("    longest %s", s.Longest.String()+inFile(p.dir, s.Longest.File))
		}
		where := stackLine(s.Stack)
		if s.Kind == SlowTail {
			where = "" // the reason has it
		}
		if len(s.Goroutines) > 0 {
			where = goroutineIDs(s.Goroutines, s.Count) + "  " + where
		}
		if where != "" {
			p.line(faint, "    "+where)
		}
	}
	p.more(len(list), "suspect")
}

var suspectNames = map[SuspectKind]string{
	RunnableWhileIdle: "runnable while Ps are idle",
	ContendedMutex:    "contended mutex",
	SyscallsHoldProcs: "system calls hold Ps",
	BlockedThroughout: "possible leak",
	SlowTail:          "slow tail",
	GrowingLeak:       "growing leak",
	GCShare:           "GC",
	CPUStarvation:     "too little CPU",
}

func goroutineIDs(ids []model.GoID, n int64) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteString(" ")
		}
		fmt.Fprintf(&b, "G%d", id)
	}
	if more := n - int64(len(ids)); more > 0 {
		fmt.Fprintf(&b, " … (%d more)", more)
	}
	return b.String()
}

// stackLine is a stack in a line, from the call that says most.
func stackLine(stack []Place) string {
	var names []string
	for i, f := range stack {
		if len(names) > 0 || i == len(stack)-1 || !model.IsMechanism(f.Func) {
			names = append(names, f.short())
		}
	}
	return strings.Join(names, " ← ")
}

// who says whose it is, and when it began.
func (m Moment) who() string {
	if m.Goroutine == 0 {
		return "at " + moment(m.At)
	}
	return joined(" ", fmt.Sprintf("G%d", m.Goroutine), shortFuncOr(m.Func), "at "+moment(m.At))
}

// shortFuncOr is shortFunc, and "" for no function.
func shortFuncOr(fn string) string {
	if fn == "" {
		return ""
	}
	return shortFunc(fn)
}

func (m Moment) String() string {
	switch {
	case m.Goroutine != 0 && m.Func == "":
		return fmt.Sprintf("%s at %s, G%d", Duration(m.Duration), moment(m.At), m.Goroutine)
	case m.Goroutine == 0:
		return fmt.Sprintf("%s at %s", Duration(m.Duration), moment(m.At))
	}
	return fmt.Sprintf("%s at %s, G%d %s", Duration(m.Duration), moment(m.At), m.Goroutine, shortFunc(m.Func))
}

// moment is a time since the trace began, to the microsecond, which is enough to
// find it.
func moment(d time.Duration) string { return fmt.Sprintf("%.6fs", d.Seconds()) }

func (p *printer) goroutines(list []Group) {
	p.section("GOROUTINES", english.Sprintf("by start function, sorted by %s; below, the most of one", goroutineColumn(p.opts.SortedBy)))
	var t table
	t.add(faint, "count", "exec", "wait", "block", "syscall", "assist", "start function; blocked on")
	all := len(list)
	list = list[:p.top(len(list))]
	at := make([]int, len(list)) // the row of each
	for i, g := range list {
		at[i] = len(t.rows)
		t.add(plain, append([]string{num(g.Count)}, append(timesCells(&g.Sum), shortFunc(g.Func))...)...)
		if g.Count > 1 {
			t.add(faint, append([]string{"max"}, append(timesCells(&g.Max), g.maxOf(p.dir, p.opts.SortedBy))...)...)
		}
		t.wrapNote(p, joined("; ", reasonsLine(g.Sum.BlockByReason, 3), g.otherMax(p.dir, p.opts.SortedBy)))
	}
	t.dropEmpty()
	room := t.room(p)
	for i, n := range at {
		cells := t.rows[n].cells
		cells[len(cells)-1] = fitFunc(list[i].Func, room)
	}
	t.write(p, "  ")
	p.more(all, "start function")
}

// joined joins the parts that are not empty.
func joined(separator string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), separator)
}

// shortFunc is a function without the path to its package: there is little room in a
// line.
func shortFunc(fn string) string { return address.Name(model.ShortFunc(fn)) }

func timesCells(t *Times) []string {
	return []string{dur(t.Execution), dur(t.SchedWait), dur(t.Block), dur(t.Syscall + t.SyscallBlock), dur(t.GCAssist)}
}

// reasonsLine has the n most important reasons of waits.
func reasonsLine(m map[string]time.Duration, n int) string {
	var parts []string
	for i, reason := range byTime(m) {
		if i == n {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, address.Name(reason)+" "+Duration(m[reason]))
	}
	return strings.Join(parts, ", ")
}

// blocking writes the waits of a trace whose units of work are of a kind.
func (p *printer) blocking(list []Blocking, unit string) {
	by, _ := blockingColumn(p.opts.SortedBy)
	inUnits := slices.ContainsFunc(list, func(s Blocking) bool { return s.InUnits > 0 })
	units := map[string]string{"http": "requests", "goroutine": "units"}[unit]
	if units == "" {
		units = "tasks"
	}
	header := []string{"count", "total", "p50", "p99", "max", units, "reason, place"}
	switch {
	case by == "units" && inUnits:
		by = "time in " + units
	case by == "units":
		by = "total"
	}
	if !inUnits {
		header = slices.Delete(header, 5, 6)
	}
	p.section("BLOCKING", "by reason and place, sorted by "+by+"; below, who ended it")
	var t table
	t.add(faint, header...)
	for _, s := range list[:p.top(len(list))] {
		row := []string{num(s.Count), dur(s.Total), dur(s.P50), dur(s.P99), dur(s.Max)}
		if inUnits {
			row = append(row, dur(s.InUnitsTime))
		}
		t.add(plain, append(row, "")...)
	}
	room := t.room(p)
	rows := t.rows[1:]
	t.rows = t.rows[:1:1]
	for i, r := range rows {
		s := &list[i]
		reason := address.Name(s.Reason) + "  "
		last := &r.cells[len(r.cells)-1]
		if at := s.Place.fit(left(room, width(reason))); room == 0 || width(reason)+width(at) <= room && !strings.HasPrefix(at, "…") {
			*last = reason + at
			t.rows = append(t.rows, r)
		} else { // the place in a line of its own
			*last = address.Name(s.Reason)
			t.rows = append(t.rows, r)
			t.note(s.Place.fit(p.room(13)))
		}
		t.wrapNote(p, joined("; ", endedByLine(s.EndedBy, s.Count), "max: "+s.Longest.who()+inFile(p.dir, s.Longest.File)))
	}
	t.write(p, "  ")
	p.more(len(list), "place")
}

// endedByLine says who ended so many waits, and how many of them, if not all.
func endedByLine(list []EndedBy, count int64) string {
	of, parts := enders(list, count)
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.Text
	}
	return of + strings.Join(names, ", ")
}

// enders returns those who ended most of so many waits, and what comes before them.
func enders(list []EndedBy, count int64) (of string, parts []Ender) {
	total := int64(0)
	for _, e := range list {
		total += e.Count
	}
	for i := range list {
		e := &list[i]
		if i > 0 && float64(e.Count) < .005*float64(total) {
			break
		}
		if i == 2 {
			parts = append(parts, Ender{Text: "…"})
			break
		}
		name := e.Place.short()
		switch {
		case e.Scheduler:
			name = "the scheduler (network, timers)"
		case e.Place.File == "" && e.Place.Func != "":
			name = "a goroutine of " + shortFunc(e.Place.Func)
		}
		parts = append(parts, Ender{e, fmt.Sprintf("%.0f%% %s", 100*float64(e.Count)/float64(total), name)})
	}
	switch {
	case len(parts) == 0:
		return "", nil
	case total < count:
		return english.Sprintf("%d of %d ended, by: ", total, count), parts
	}
	return "ended by: ", parts
}

func (p *printer) scheduling(s *Scheduling) {
	p.section("SCHEDULER LATENCY", "from runnable to running, "+often(s.Count))
	if s.Count == 0 {
		return
	}
	p.linef("  p50 %s   p90 %s   p99 %s   p99.9 %s   max %s   total %s", dur(s.P50), dur(s.P90), dur(s.P99), dur(s.P999), dur(s.Max), dur(s.Total))
	p.runnable(s)
	var t table
	t.add(faint, "worst", "at", "goroutine, what it came from")
	for _, w := range s.Worst[:p.top(len(s.Worst))] {
		t.add(plain, dur(w.Duration), moment(w.At), fmt.Sprintf("G%d %s, %s", w.Goroutine, shortFunc(w.Func), address.Name(w.After))+inFile(p.dir, w.File))
	}
	t.write(p, "  ")
}

// runnable draws how many goroutines were runnable over time.
func (p *printer) runnable(s *Scheduling) {
	if len(s.Runnable.Mean) == 0 {
		p.linef("  at most %d goroutines runnable at a time", s.MaxRunnable)
		return
	}
	const columns = 60
	line, step, most := sparkline(&s.Runnable, columns)
	p.linef("  runnable %s", line)
	p.line(faint, fmt.Sprintf("  one column: %s; highest: %.2g goroutines on average; at most %d at a time", Duration(step), most, s.MaxRunnable))
}

// sparkline draws numbers over time in at most this many columns.
func sparkline(t *Timeline, columns int) (line string, step time.Duration, most float64) {
	per := (len(t.Mean) + columns - 1) / columns
	if per == 0 {
		return "", 0, 0
	}
	var means []float64
	for group := range slices.Chunk(t.Mean, per) {
		sum := 0.0
		for _, x := range group {
			sum += x
		}
		means = append(means, sum/float64(len(group)))
	}
	most = slices.Max(means)
	const bars = "▁▂▃▄▅▆▇█"
	runes := []rune(bars)
	var b strings.Builder
	for _, x := range means {
		if x == 0 {
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(runes[min(int(x/most*float64(len(runes))), len(runes)-1)])
	}
	return b.String(), t.Step * time.Duration(per), most
}

func (p *printer) gc(r *Report) {
	gc := &r.GC
	about := english.Sprintf("%d cycles", gc.Cycles)
	if gc.Cycles == 1 {
		about = "1 cycle"
	}
	if gc.Cycles > 0 {
		about += fmt.Sprintf(", %s of marking (%.1f%% of the time)", Duration(gc.Mark.Total), 100*float64(gc.Mark.Total)/float64(max(r.Overview.Duration, 1)))
	}
	if gc.MaxHeap > 0 {
		about += fmt.Sprintf("; heap at most %s", size(gc.MaxHeap))
	}
	p.section("GC AND STOP-THE-WORLD", about)
	if len(gc.Pauses) > 0 {
		var t table
		t.add(faint, "count", "total", "p50", "p99", "max", "pause")
		for _, x := range gc.Pauses[:p.top(len(gc.Pauses))] {
			t.add(plain, num(x.Count), dur(x.Total), dur(x.P50), dur(x.P99), dur(x.Max), address.Name(x.Reason))
			t.wrapNote(p, "max: "+x.Longest.who()+inFile(p.dir, x.Longest.File))
		}
		t.write(p, "  ")
		p.more(len(gc.Pauses), "reason")
	}
	if len(gc.Assists) > 0 {
		var t table
		t.add(faint, "count", "total", "max", "mark assist of")
		for _, x := range gc.Assists[:p.top(len(gc.Assists))] {
			longest := x.Longest
			longest.Func = ""
			t.add(plain, num(x.Count), dur(x.Total), dur(x.Max), shortFunc(x.Func)+"; max: "+longest.who()+inFile(p.dir, longest.File))
		}
		t.write(p, "  ")
		p.more(len(gc.Assists), "start function")
	}
	if gc.Cycles == 0 && len(gc.Assists) == 0 || len(gc.Utilization) == 0 {
		return
	}
	var t table
	lengths, values := []string{}, []string{}
	list := gc.Utilization
	if p.opts.Width > 0 { // whole columns
		list = list[:min(len(list), max((p.opts.Width-9)/8, 1))]
	}
	for _, u := range list {
		lengths = append(lengths, Duration(u.Length))
		values = append(values, fmt.Sprintf("%.1f%%", 100*u.MMU))
	}
	t.add(faint, append(append([]string{"length"}, lengths...), "")...)
	t.add(plain, append(append([]string{"mutator"}, values...), "")...)
	t.write(p, "  ")
	p.line(faint, "  the least share of the Ps that the GC left to the program in any interval of this length")
}

func (p *printer) annotations(title string, list []Annotation) {
	if len(list) == 0 {
		return
	}
	p.section(title, "by type; latency, and what their goroutines spent their time on")
	var t table
	t.add(faint, "count", "p50", "p99", "max", "exec", "wait", "block", "syscall", "assist", "type")
	for _, a := range list[:p.top(len(list))] {
		l := &a.Latency
		t.add(plain, append([]string{num(a.Count), dur(l.P50), dur(l.P99), dur(l.Max)}, append(timesCells(&a.Times), a.label())...)...)
		t.wrapNote(p, joined("; ", reasonsLine(a.Times.BlockByReason, 3), a.longest(p.dir)))
	}
	t.dropEmpty()
	t.write(p, "  ")
	p.more(len(list), "type")
}

func (p *printer) goroutine(g *Goroutine) {
	about := funcName(g.Func)
	if g.Lives > 1 {
		about += english.Sprintf(", %d goroutines with this ID one after the other", g.Lives)
	}
	p.section(fmt.Sprintf("GOROUTINE %d", g.ID), about)
	from, to := "created at "+moment(g.Start), "exited at "+moment(g.End)
	if g.Parent != 0 {
		from += fmt.Sprintf(" by G%d", g.Parent)
	}
	if g.Before {
		from = "there since before the trace"
	}
	if g.Open {
		to = "still there when the trace ends, at " + moment(g.End)
	}
	p.linef("  %s, %s", from, to)
	if g.Last != nil && g.Open {
		p.linef("  in the end, for %s: %s", Duration(g.Last.Duration), stateLine(g.Last))
	}
	p.stack("  ", g.Creation)

	p.section("STATES", "")
	var t table
	t.add(faint, "count", "total", "share", "max", "state")
	for _, s := range g.States {
		t.add(plain, num(s.Count), dur(s.Total), fmt.Sprintf("%.1f%%", 100*float64(s.Total)/float64(max(g.Times.Total, 1))), dur(s.Max), stateName(s.State, s.Reason))
	}
	t.write(p, "  ")
	if g.Times.GCAssist > 0 {
		p.linef("  %s of this helping the GC", Duration(g.Times.GCAssist))
	}

	p.section("LONGEST STATES", "in the order of time")
	t = table{}
	t.add(faint, "at", "for", "state, place")
	for i := range g.Longest {
		s := &g.Longest[i]
		t.add(plain, moment(s.At), dur(s.Duration), stateLine(s))
		t.note(p.waker(s, 11))
	}
	t.write(p, "  ")

	if len(g.Waits) == 0 {
		return
	}
	p.section("WHERE IT WAITED", "with system calls")
	for _, w := range g.Waits[:p.top(len(g.Waits))] {
		p.linef("  %s: %s, %s in all, at most %s", address.Name(w.Reason), often(w.Count), Duration(w.Total), Duration(w.Max))
		p.stack("    ", w.Stack)
	}
	p.more(len(g.Waits), "place")
}

func (p *printer) stack(indent string, stack []Place) {
	for _, f := range stack {
		p.line(faint, fmt.Sprintf("%s%s\t%s:%d", indent, address.Name(f.Func), address.Name(f.File), f.Line))
	}
}

func stateName(state, reason string) string {
	if reason == "" {
		return state
	}
	return state + " (" + address.Name(reason) + ")"
}

// waker says which goroutine ended a wait, what it is and where it did so. used is how
// many columns of the line are taken.
func (p *printer) waker(s *State, used int) string {
	if s.EndedBy == 0 {
		return ""
	}
	line := fmt.Sprintf("ended by G%d ", s.EndedBy)
	if s.EndedByPlace == nil {
		return line + fitFunc(s.EndedByFunc, p.room(used+width(line)))
	}
	at := *s.EndedByPlace
	if s.EndedByFunc != at.Func {
		fn := fitFunc(s.EndedByFunc, p.room(used+width(line)+4+width(at.fit(0))))
		line += fn + " at "
	}
	return line + at.fit(p.room(used+width(line)))
}

func stateLine(s *State) string {
	line := stateName(s.State, s.Reason)
	if s.Place != unknown {
		line += "  " + s.Place.short()
	}
	switch {
	case s.Before && s.Open:
		line += ", from before the trace until after it"
	case s.Before:
		line += ", from before the trace"
	case s.Open:
		line += ", until after the trace"
	}
	return line
}
