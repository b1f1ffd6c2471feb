package report

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
)

// pathStep is a step of a critical path: a segment, several that are alike, or a wait with
// what was done in it.
type pathStep struct {
	time time.Duration
	// segment is the first one, nil for a wait or for steps that are too short to show.
	segment *critical.Segment
	ran     []critical.Ran
	stalled time.Duration
	wait    *critical.Wait
	in      []*pathStep // of the wait, the oldest first
	short   []*pathStep
}

// stepsOf are the steps of a path as a tree, the oldest first.
func stepsOf(path *critical.Path) []*pathStep {
	root := &pathStep{}
	open := []*pathStep{root} // the waits around the segment at hand
	indexes := []int{-1}
	for i := range path.Segments {
		s := &path.Segments[i]
		var around []int // innermost first
		for w := s.Wait; w >= 0; w = path.Waits[w].Wait {
			around = append(around, w)
		}
		depth := 0
		for depth < len(around) && depth+1 < len(indexes) && indexes[depth+1] == around[len(around)-1-depth] {
			depth++
		}
		open, indexes = open[:depth+1], indexes[:depth+1]
		for ; depth < len(around); depth++ {
			w := around[len(around)-1-depth]
			st := &pathStep{wait: &path.Waits[w], time: time.Duration(path.Waits[w].End - path.Waits[w].Start)}
			open[depth].in = append(open[depth].in, st)
			open, indexes = append(open, st), append(indexes, w)
		}
		open[depth].append(s)
	}
	return root.in
}

// append adds a segment behind the others, or to the last one if they are alike.
func (st *pathStep) append(s *critical.Segment) {
	d := time.Duration(s.End - s.Start)
	if n := len(st.in); n > 0 {
		if last := st.in[n-1]; last.segment != nil && alike(last.segment, s) {
			last.time += d
			last.stalled += s.Stalled
			last.addRan(s.Ran)
			return
		}
	}
	x := &pathStep{time: d, segment: s, stalled: s.Stalled}
	x.addRan(s.Ran)
	st.in = append(st.in, x)
}

func alike(a, b *critical.Segment) bool {
	return a.Goroutine == b.Goroutine && a.State == b.State && a.Reason == b.Reason && a.Sampled == b.Sampled && (a.Task == b.Task || a.Own) &&
		framePlace(a.Stack.Place()) == framePlace(b.Stack.Place())
}

func (st *pathStep) addRan(ran []critical.Ran) {
next:
	for _, r := range ran {
		for i := range st.ran {
			if st.ran[i].Func == r.Func {
				st.ran[i].Time += r.Time
				continue next
			}
		}
		st.ran = append(st.ran, r)
	}
}

// shorten makes one step of each three or more in a row that are shorter than least.
func shorten(steps []*pathStep, least time.Duration) []*pathStep {
	var out, short []*pathStep
	flush := func() {
		if len(short) < 3 {
			out = append(out, short...)
		} else {
			x := &pathStep{}
			for _, s := range short {
				x.time += s.time
				if s.short != nil {
					x.short = append(x.short, s.short...)
				} else {
					x.short = append(x.short, s)
				}
			}
			out = append(out, x)
		}
		short = nil
	}
	for _, s := range steps {
		if s.time < least {
			short = append(short, s)
			continue
		}
		flush()
		s.in = shorten(s.in, least)
		out = append(out, s)
	}
	flush()
	return out
}

// shortSteps is the share of a unit's time below which steps are not shown one by one.
const shortSteps = 0.01

// mostSteps is how many steps of a path are shown: if there are more, longer ones are
// not shown one by one.
const mostSteps = 40

// paths writes the paths of units that were asked for.
func (p *printer) paths(w *Why) {
	if w == nil {
		return
	}
	if w.Spans > 0 {
		p.spans(w)
		return
	}
	list := w.Kept
	for _, t := range w.Types {
		list = append(list[:len(list):len(list)], t.Slowest[:min(p.opts.Slowest, len(t.Slowest))]...)
	}
	if len(list) == 0 {
		return
	}
	p.section("PATHS", "what units of work spent their time on, the oldest step first")
	p.line(faint, "  of a running step, the place is where it stopped, or that of CPU samples")
	for i := range list {
		if i > 0 {
			p.line(plain, "")
		}
		p.path(w, &list[i], "  ")
	}
}

// spans writes the spans of a distributed trace as a tree, each with its path.
func (p *printer) spans(w *Why) {
	about := "1 span"
	if w.Spans > 1 {
		about = english.Sprintf("%d spans", w.Spans)
	}
	if missing := w.Spans - len(w.Kept); missing > 0 {
		about += english.Sprintf("; %d of them have their begin or end outside of this trace, and no path", missing)
	}
	id := ""
	if len(w.Kept) > 0 {
		id = hex.EncodeToString(w.Kept[0].Span.TraceID[:]) + "  "
	}
	p.section("DISTRIBUTED TRACE", id+about)
	kept := make(map[taskOf]bool)
	for i := range w.Kept {
		kept[taskOf{w.Kept[i].File, w.Kept[i].Task}] = true
	}
	below := make(map[taskOf][]*critical.Kept) // by the span around them, zero for none
	for i := range w.Kept {
		k := &w.Kept[i]
		parent, known := w.parents[taskOf{k.File, k.Task}]
		for known && !kept[parent] {
			parent, known = w.parents[parent]
		}
		if !known {
			parent = taskOf{}
		}
		below[parent] = append(below[parent], k)
	}
	first := true
	var write func(parent taskOf, indent string)
	write = func(parent taskOf, indent string) {
		list := below[parent]
		slices.SortStableFunc(list, func(a, b *critical.Kept) int { return cmp.Compare(a.Start, b.Start) })
		for _, k := range list {
			if !first {
				p.line(plain, "")
			}
			first = false
			p.path(w, k, indent)
			write(taskOf{k.File, k.Task}, indent+"    ")
		}
	}
	write(taskOf{}, "  ")
}

// path writes the critical path of a unit, the oldest step first.
func (p *printer) path(w *Why, k *critical.Kept, indent string) {
	title := unitType(k.Kind, k.Type)
	about := "  " + Duration(k.Duration()) + "  " + w.unitID(&k.Unit)
	if k.Span != nil {
		if w.Spans == 0 {
			about += ", trace " + hex.EncodeToString(k.Span.TraceID[:])
		}
		about += ", span " + hex.EncodeToString(k.Span.SpanID[:])
	}
	for i, l := range Wrap(shortenLeft(title, p.room(24))+about, p.room(width(indent)+4)) {
		if i > 0 {
			l = "    " + l
		}
		p.line(bold, indent+l)
	}
	steps := stepsOf(k.Path)
	least := time.Duration(shortSteps * float64(k.Duration()))
	if p.opts.Top > 0 {
		steps = shorten(steps, least)
		for n := least; lines(steps) > mostSteps && n < k.Duration()/4; n += least {
			steps = shorten(steps, n)
		}
	}
	deep := 10 // columns for each wait around a step
	if w := p.opts.Width; w > 0 && width(indent)+deep*depthOf(steps)+45 > w {
		deep = 4
	}
	p.steps(steps, &k.Unit, indent+"  ", strings.Repeat(" ", deep), false)
}

// lines is how many steps are shown.
func lines(steps []*pathStep) (n int) {
	for _, s := range steps {
		n += 1 + lines(s.in)
	}
	return n
}

func depthOf(steps []*pathStep) (depth int) {
	for _, s := range steps {
		depth = max(depth, 1+depthOf(s.in))
	}
	return depth
}

// steps writes steps; below says that they are in a wait.
func (p *printer) steps(steps []*pathStep, u *critical.Unit, indent, deeper string, below bool) {
	for i, s := range steps {
		begin := indent
		if below {
			begin += "  "
			if i == 0 {
				begin = indent + "└ "
			}
		}
		d := Duration(s.time)
		begin += strings.Repeat(" ", max(8-width(d), 0)) + d + "  "
		lines := hang(s.text(p, u, p.room(width(begin))), p.room(width(begin)))
		for i, l := range lines {
			if i > 0 {
				l = strings.Repeat(" ", width(begin)+2) + l
			} else {
				l = begin + l
			}
			p.line(plain, l)
		}
		p.steps(s.in, u, indent+deeper, deeper, true)
	}
}

// hang breaks a text into lines; those after the first are to be indented by 2.
func hang(s string, w int) []string {
	first := Wrap(s, w)[0]
	if first == s {
		return []string{s}
	}
	return append([]string{first}, Wrap(strings.TrimLeft(s[len(first):], " "), left(w, 2))...)
}

// text says what a step is. Only what is behind the place may be wider than the room.
func (s *pathStep) text(p *printer, u *critical.Unit, room int) string {
	switch {
	case s.short != nil:
		return fmt.Sprintf("%d steps: %s", len(s.short), kindsOf(s.short))
	case s.wait != nil:
		w := s.wait
		return stepText(waitText(w.Reason, w.Stack), w.Func, w.Own, w.Stack, room)
	}
	x := s.segment
	var notes []string
	what := segmentName(x.State, x.Reason)
	switch x.State {
	case model.Running:
		if x.Sampled {
			what += " (sampled)"
		}
	case model.Runnable:
		if len(s.ran) > 0 && ratio(s.time, u.Duration()) >= shortSteps {
			notes = append(notes, p.meanwhile(s))
		}
	case model.Waiting:
		what += endedByNobody(x.Reason)
	case model.Unknown:
		return unknownText(x.Reason)
	}
	if s.stalled > 0 {
		notes = append(notes, "the whole process did not run for "+Duration(s.stalled))
	}
	if !x.Own && x.Task != model.BackgroundTask && x.Task != u.Task {
		notes = append(notes, fmt.Sprintf("at work for task %d", x.Task))
	}
	text := stepText(what, x.Func, x.Own, x.Stack, room)
	if len(notes) > 0 {
		text += "  (" + strings.Join(notes, "; ") + ")"
	}
	return text
}

// stepText says whose a step is, what it is, and where. The unit's own goroutine is not
// named.
func stepText(what, fn string, own bool, stack *model.Stack, room int) string {
	place := framePlace(stack.Place())
	if own {
		if place == unknown {
			return what
		}
		return what + "  " + place.fit(left(room, width(what)+2))
	}
	if place == unknown {
		return fitFunc(fn, left(room, width(what)+2)) + "  " + what
	}
	line := place.fileLine()
	if place.Func == fn {
		return fitFunc(fn, left(room, width(what)+width(line)+4)) + "  " + what + "  " + line
	}
	who := fitFunc(fn, max(left(room, 0)*2/5, left(room, width(what)+4+width(place.fit(0)))))
	return who + "  " + what + "  " + place.fit(left(room, width(who)+width(what)+4))
}

// left is what is left of a width, 0 if that is unlimited.
func left(w, used int) int {
	if w <= 0 {
		return 0
	}
	return max(w-used, 8)
}

// meanwhile says what held the Ps while a goroutine was runnable.
func (p *printer) meanwhile(s *pathStep) string {
	var total time.Duration
	for _, r := range s.ran {
		total += r.Time
	}
	if p.procs > 0 && float64(total) >= .95*float64(s.time)*float64(p.procs) {
		return "no P was free: " + ranLine(s.ran)
	}
	return "meanwhile ran: " + ranLine(s.ran)
}

// endedByNobody says what ended a wait that no goroutine ended.
func endedByNobody(reason string) string {
	switch reason {
	case "sleep":
		return " (timer)"
	case "network":
		return ""
	}
	return " (ended by a timer or the network)"
}

func unknownText(reason string) string {
	switch reason {
	case critical.CutOff:
		return "unknown: older than the states that are kept"
	case critical.Damaged:
		return "unknown: in a part of the trace that cannot be read"
	case critical.NoCreator:
		return "unknown: the trace does not tell who created the goroutine"
	case critical.NoEnd:
		return "unknown: the trace does not tell which goroutine ended it"
	case critical.LeftOut:
		return fmt.Sprintf("left out: only the last %d segments are shown", critical.MaxSegments)
	}
	return "unknown: " + address.Name(reason)
}

// waitText says what a goroutine waited for: the type of package sync whose method it
// called, or else the runtime's reason.
func waitText(reason string, stack *model.Stack) string {
	if stack != nil {
		typ := ""
		for _, f := range stack.Frames {
			if !model.IsMechanism(f.Func) {
				break
			}
			if method, ok := strings.CutPrefix(f.Func, "sync.(*"); ok {
				typ, _, _ = strings.Cut(method, ")")
			}
		}
		if typ != "" {
			return "waiting for " + address.Name("sync."+typ)
		}
	}
	switch reason {
	case "sync", "chan receive", "chan send", "select":
		return "waiting for " + reason
	}
	return "waiting (" + address.Name(reason) + ")"
}

// kindsOf says how long goroutines did what in some steps.
func kindsOf(steps []*pathStep) string {
	times := make(map[string]time.Duration)
	for _, s := range steps {
		name := ""
		if s.segment != nil {
			name = segmentName(s.segment.State, s.segment.Reason)
		} else {
			name = waitText(s.wait.Reason, s.wait.Stack)
		}
		times[name] += s.time
	}
	var parts []string
	for i, name := range byTime(times) {
		if i == 4 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, name+" "+Duration(times[name]))
	}
	return strings.Join(parts, ", ")
}
