package report

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
)

// unitNames says what the units of a kind are called: of some, and by what they are
// told apart.
var unitNames = map[critical.Kind]struct{ units, by string }{
	critical.Task:          {"tasks", "type"},
	critical.Region:        {"regions", "type"},
	critical.HTTP:          {"HTTP requests", "handler"},
	critical.GoroutineLife: {"goroutines", "start function"},
}

// From where on a line is shown, and stands out.
const (
	// minShare is the share of the time of the slow units.
	minShare = 0.05
	// minExcess is the share of what the slow units took longer than the others.
	minExcess = 0.1
)

// NoUnits says that there are no units of work, if there are none; and what would be some,
// unless the caller has chosen a kind, or a part of the trace.
func (w *Why) NoUnits() (none, wanted string) {
	if none, wanted = w.noUnits(); w.part {
		return none + " that began in this range", ""
	}
	return none, wanted
}

func (w *Why) noUnits() (none, wanted string) {
	switch {
	case w.Kinds == 0:
		return "no unit of work has ended", fmt.Sprintf("no task, region or HTTP request, and no start function of %d goroutines; trace.NewTask of runtime/trace marks a unit of work", critical.MinLives)
	case w.Kinds == critical.KindsOf(critical.GoroutineLife):
		return fmt.Sprintf("no %d goroutines of one start function have ended", critical.MinLives), ""
	}
	var units []string
	for _, k := range critical.AllKinds {
		if w.Kinds.Has(k) {
			units = append(units, unitNames[k].units)
		}
	}
	return "no " + strings.Join(units, " or ") + " have ended", ""
}

// why writes what the units of work spent their time on.
func (p *printer) why(w *Why) {
	if w == nil || w.allKept() {
		return
	}
	kinds := ""
	for _, k := range critical.AllKinds {
		if w.Kinds.Has(k) {
			kinds += ", " + unitNames[k].units + " by " + unitNames[k].by
		}
	}
	if len(w.Types) == 0 {
		none, wanted := w.NoUnits()
		p.section("WHY", none)
		if wanted != "" {
			p.wrapped("    ", "  "+wanted)
		}
		return
	}
	p.section("WHY", "units took so long, on their critical paths"+strings.Replace(kinds, ",", ":", 1))
	for i, t := range w.Types[:p.top(len(w.Types))] {
		if i > 0 {
			p.line(plain, "")
		}
		p.whyType(w, t, map[bool]int{true: 4, false: 2}[i == 0])
	}
	p.more(len(w.Types), "type")
	if w.CutOff > 0 {
		p.wrapped("    ", english.Sprintf("  cannot tell: %s in the paths of %d units: it is older than what is kept", Duration(w.CutOffTime), w.CutOff))
	}
	if t := firstWithTail(w.Types); t != nil {
		example, file := "--unit "+t.Kind.String()+" --slowest 1", "…"
		if u := &t.TailUnits[0]; t.Kind == critical.Task {
			example = fmt.Sprintf("--task %d", u.Task)
			if u.File != "" {
				file = address.Name(u.File)
			}
		}
		p.line(faint, "  one unit step by step: trace2x summary "+example+" "+file)
	}
}

// allKept reports whether the paths of all units were asked for, so that sums tell
// nothing more.
func (w *Why) allKept() bool {
	n := int64(0)
	for _, t := range w.Types {
		n += t.Count
	}
	return n > 0 && int64(len(w.Kept)) >= n
}

func firstWithTail(types []*critical.Type) *critical.Type {
	for _, t := range types {
		if len(t.TailUnits) > 0 {
			return t
		}
	}
	return nil
}

// whyType writes what units of a type spent their time on, of the slowest at least so
// many of the largest parts.
func (p *printer) whyType(w *Why, t *critical.Type, most int) {
	name := unitType(t.Kind, t.Name)
	about := fmt.Sprintf("  %s: p50 %s, p99 %s, max %s", often(t.Count), dur(t.P50), dur(t.P99), dur(t.Max))
	if t.Count == 1 {
		about = "  once: " + dur(t.Max)
	}
	if t.Cut > 0 {
		about += english.Sprintf("; %d cut", t.Cut)
	}
	if t.Count == 0 {
		about = english.Sprintf("  %d, none with both its begin and its end in the trace", t.Cut)
	}
	p.line(bold, "  "+shortenLeft(name, p.room(2+width(about)))+about)
	if t.Count == 0 {
		return
	}
	p.line(plain, "    all: "+p.allLine(&t.All, p.room(9)))
	others := othersOf(t)
	of := english.Sprintf("the slowest %d", t.Tail.Units)
	if t.Tail.Units == 1 {
		of = "the slowest"
	}
	tail := fmt.Sprintf("%s, %s", of, Duration(each(t.Tail.Total, t.Tail.Units)))
	if others.units > 0 {
		if t.Tail.Units > 1 {
			tail += " each"
		}
		tail += fmt.Sprintf("; the others, %s each", Duration(each(others.total, others.units)))
	}
	p.line(plain, "    "+tail+":")
	p.tail(t, others, most)
	p.wrapped("        ", "      "+p.instances(w, t))
}

// unitType is what to call a type of unit.
func unitType(k critical.Kind, name string) string {
	switch {
	case name != "" && (k == critical.HTTP || k == critical.GoroutineLife):
		return shortFunc(name)
	case name != "":
		return address.Name(name)
	case k == critical.GoroutineLife:
		return model.FuncName("")
	}
	return "(no name)"
}

// allLine has the largest parts of all paths, as many as there is room for.
func (p *printer) allLine(s *critical.PathSum, room int) string {
	n := 0
	for n < min(len(s.Segments), 3) && (n == 0 || ratio(s.Segments[n].Time, s.Total) >= minShare) {
		n++
	}
	parts := func(n, room int) string {
		var list []string
		for _, x := range s.Segments[:n] {
			percent := percentOf(x.Time, s.Total) + " "
			list = append(list, percent+segmentAt(x.State, x.Reason, framePlace(x.Place), x.Func, left(room, width(percent))))
		}
		return strings.Join(list, ", ")
	}
	for ; n > 1; n-- {
		if line := parts(n, 0); room <= 0 || width(line) <= room {
			return line
		}
	}
	return parts(n, room)
}

// others is what the units spent their time on that are not in the tail.
type others struct {
	units int64
	total time.Duration
	times map[segmentKind]time.Duration
}

type segmentKind struct {
	state      model.StateKind
	own        bool
	reason, fn string
	place      Place
}

func kindOf(s *critical.SegmentSum) segmentKind {
	return segmentKind{s.State, s.Own, s.Reason, s.Func, framePlace(s.Place)}
}

func othersOf(t *critical.Type) *others {
	o := &others{t.All.Units - t.Tail.Units, t.All.Total - t.Tail.Total, make(map[segmentKind]time.Duration)}
	for i := range t.All.Segments {
		o.times[kindOf(&t.All.Segments[i])] += t.All.Segments[i].Time
	}
	for i := range t.Tail.Segments {
		o.times[kindOf(&t.Tail.Segments[i])] -= t.Tail.Segments[i].Time
	}
	return o
}

// compare returns how long a segment of the tail is in each unit of it and in each other
// unit, and whether it stands out: it is a good part of why they took longer.
func (o *others) compare(t *critical.Type, s *critical.SegmentSum) (slow, other time.Duration, standsOut bool) {
	slower := each(t.Tail.Total, t.Tail.Units) - each(o.total, o.units)
	slow, other = each(s.Time, t.Tail.Units), each(o.times[kindOf(s)], o.units)
	return slow, other, o.units > 0 && slower > 0 && float64(slow-other) >= minExcess*float64(slower) && slow > 2*other
}

// tail writes what the slowest units spent their time on. What stands out is marked:
// it is a good part of why they took longer than the others.
func (p *printer) tail(t *critical.Type, o *others, most int) {
	header := []string{"share", "each", "others"}
	if o.units == 0 {
		header = header[:2]
	}
	rows, shown := [][]string{append(header, "")}, []int{-1}
	marked := map[int]bool{}
	rest := t.Tail.Total
	for i := range t.Tail.Segments {
		s := &t.Tail.Segments[i]
		slow, other, standsOut := o.compare(t, s)
		if p.opts.Top > 0 && i > 0 && (!standsOut || i >= 2*most) && (i >= most || ratio(s.Time, t.Tail.Total) < minShare) {
			continue
		}
		row := []string{percentOf(s.Time, t.Tail.Total), dur(slow), dur(other)}
		if o.units == 0 {
			row = row[:2]
		}
		marked[len(rows)] = standsOut
		rows, shown = append(rows, append(row, "")), append(shown, i)
		rest -= s.Time
	}
	widths := make([]int, len(header))
	for _, r := range rows {
		for c := range widths {
			widths[c] = max(widths[c], width(r[c]))
		}
	}
	ran := false
	for n, r := range rows {
		line := "      "
		if marked[n] {
			line = "    > "
		}
		for c, w := range widths {
			line += strings.Repeat(" ", w-width(r[c])) + r[c] + "  "
		}
		if n == 0 {
			p.line(faint, line+"what, place; its own goroutine if not awaited")
			continue
		}
		s := &t.Tail.Segments[shown[n]]
		st := plain
		if marked[n] {
			st = bold
		}
		p.line(st, line+segmentAt(s.State, s.Reason, framePlace(s.Place), s.Func, p.room(width(line))))
		var notes []string
		if s.Units < t.Tail.Units {
			notes = append(notes, fmt.Sprintf("in %d of the slowest %d", s.Units, t.Tail.Units))
		}
		notes = append(notes, whoseNotes(s)...)
		if s.State == model.Runnable && !ran && len(t.Ran.Ran) > 0 {
			ran = true
			notes = append(notes, "meanwhile the Ps ran "+ranLine(t.Ran.Ran))
		}
		p.notes("          ", notes)
	}
	if p.opts.Top > 0 && ratio(rest, t.Tail.Total) >= minShare {
		p.line(faint, fmt.Sprintf("      %*s  %s", widths[0], percentOf(rest, t.Tail.Total), "other"))
	}
}

// whoseNotes says whose segments they are, and what the unit waited for meanwhile.
func whoseNotes(s *critical.SegmentSum) (notes []string) {
	switch {
	case s.Own:
	case s.Func == "" && s.State == model.Unknown:
	case s.Place == nil || s.Place.Func != s.Func:
		notes = append(notes, "a goroutine of "+fitFunc(s.Func, 50))
	}
	if s.WaitReason != "" {
		wait := "awaited: " + address.Name(s.WaitReason)
		if s.WaitPlace != nil {
			wait += " " + placeOf(s.WaitPlace).fit(50)
		}
		notes = append(notes, wait)
	}
	return notes
}

// notes writes remarks on the line above.
func (p *printer) notes(indent string, notes []string) {
	if len(notes) == 0 {
		return
	}
	room := p.room(width(indent))
	for i, l := range hang(strings.Join(notes, "; "), room) {
		if i > 0 {
			l = "  " + l
		}
		p.line(faint, indent+l)
	}
}

// ranLine says what ran on the Ps.
func ranLine(ran []critical.Ran) string {
	var total time.Duration
	for _, r := range ran {
		total += r.Time
	}
	const most = 3
	var parts []string
	for i, r := range ran {
		if i > 0 && ratio(r.Time, total) < .005 {
			break
		}
		if i == most {
			parts = append(parts, "…")
			break
		}
		name := "others"
		if r.Func != "" {
			name = fitFunc(r.Func, 40)
		}
		parts = append(parts, name+" "+percentOf(r.Time, total))
	}
	return strings.Join(parts, ", ")
}

// instances names units of the tail to look at.
func (p *printer) instances(w *Why, t *critical.Type) string {
	const most = 3
	var parts []string
	for i := range t.TailUnits {
		if i == most {
			break
		}
		u := &t.TailUnits[i]
		parts = append(parts, fmt.Sprintf("%s (%s)", w.unitID(u), Duration(u.Duration())))
	}
	return "look at: " + strings.Join(parts, ", ")
}

// unitID is how to find a unit: its ID, and when it began.
func (w *Why) unitID(u *critical.Unit) string {
	id := fmt.Sprintf("G%d", u.Goroutine)
	switch {
	case u.Kind == critical.Task || u.Goroutine == model.NoGoroutine && u.Task != 0:
		id = fmt.Sprintf("task %d", u.Task)
	case u.Kind == critical.Region && u.Task != 0:
		id += fmt.Sprintf(" of task %d", u.Task)
	}
	return id + " at " + moment(time.Duration(u.Start-w.Origin)) + inFile(w.dir, u.File)
}

// room is what a line has left behind its beginning, 0 if it may be of any length.
func (p *printer) room(used int) int {
	if p.opts.Width <= 0 {
		return 0
	}
	return max(p.opts.Width-used, 12)
}

// segmentAt is a segment and its place, or whose it is if it has none.
func segmentAt(state model.StateKind, reason string, place Place, fn string, room int) string {
	what := segmentName(state, reason)
	if room > 0 {
		room = max(room-width(what)-2, 12)
	}
	switch {
	case place != unknown:
		return what + "  " + place.fit(room)
	case state == model.Unknown:
		return what
	case fn != "":
		return what + "  " + fitFunc(fn, room)
	}
	return what
}

// segmentName is what a goroutine did.
func segmentName(state model.StateKind, reason string) string {
	if reason != "" {
		reason = address.Name(reason)
	}
	switch state {
	case model.Running, model.Waiting:
		if reason != "" {
			return reason
		}
	case model.Runnable:
		if reason != "" {
			return "runnable (" + reason + ")"
		}
	case model.Syscall:
		return "system call"
	case model.Unknown:
		return "unknown: " + reason
	}
	return state.String()
}

// fit returns the place in a width, 0 for any. It cuts the function on the left, never the
// file and the line.
func (p Place) fit(w int) string {
	if p.Func == "" {
		return "(unknown place)"
	}
	line := p.fileLine()
	if w > 0 {
		if w -= width(line) + 1; w < 4 {
			return line
		}
	}
	return fitFunc(p.Func, w) + " " + line
}

func (p Place) fileLine() string {
	return fmt.Sprintf("%s:%d", address.Name(path.Base(p.File)), p.Line)
}

// shortenLeft leaves out the left of a name that is wider than w, unless that is 0.
func shortenLeft(s string, w int) string {
	if w <= 0 || width(s) <= w {
		return s
	}
	runes := []rune(s)
	return "…" + string(runes[len(runes)-w+1:])
}

// fitFunc is a function in a width, 0 for any: without its package if that is needed.
func fitFunc(fn string, w int) string {
	name := shortFunc(fn)
	if w > 0 && width(name) > w {
		name = address.Name(strings.TrimPrefix(fn, model.PackageOf(fn)+"."))
	}
	return shortenLeft(name, w)
}

// each is the mean, 0 of none.
func each(d time.Duration, n int64) time.Duration { return d / time.Duration(max(n, 1)) }

func ratio(part, whole time.Duration) float64 { return float64(part) / float64(max(whole, 1)) }

func percentOf(part, whole time.Duration) string {
	return fmt.Sprintf("%.0f%%", 100*ratio(part, whole))
}
