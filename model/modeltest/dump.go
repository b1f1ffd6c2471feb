package modeltest

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/model"
)

// Dump is a sink that writes each call as a line of text, for goldens. A line
// begins with when the call came, in nanoseconds since the trace began.
type Dump struct {
	w     *bufio.Writer
	start model.Time
	now   model.Time
	err   error
}

// NewDump returns a sink that writes to w. Only End writes out everything.
func NewDump(w io.Writer) *Dump { return &Dump{w: bufio.NewWriter(w)} }

// line writes what a call said, at the moment at which it came; parts that are
// empty are left out.
func (d *Dump) line(at model.Time, parts ...string) {
	d.now = at
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	if _, err := fmt.Fprintf(d.w, "%d %s\n", at-d.start, strings.Join(parts, " ")); err != nil && d.err == nil {
		d.err = err
	}
}

// since is the time at which something began, and whether that and its end are
// the edges of the trace.
func (d *Dump) since(start model.Time, before, open bool) string {
	return fmt.Sprintf("since=%d", start-d.start) + flag("before", before) + flag("open", open)
}

func flag(name string, set bool) string {
	if set {
		return " " + name
	}
	return ""
}

func goroutineID(g *model.Goroutine) string {
	if g == nil {
		return "G-"
	}
	return goID(g.ID)
}

func goID(id model.GoID) string {
	if id == model.NoGoroutine {
		return "G-"
	}
	return fmt.Sprintf("G%d", id)
}

func procID(id model.ProcID) string {
	if id == model.NoProc {
		return "P-"
	}
	return fmt.Sprintf("P%d", id)
}

func threadID(id model.ThreadID) string {
	if id == model.NoThread {
		return "M-"
	}
	return fmt.Sprintf("M%d", id)
}

// top shows the innermost frame of a stack, and how many there are.
func top(name string, s *model.Stack) string {
	if s == nil {
		return ""
	}
	f := s.Frames[0]
	return fmt.Sprintf("%s=%s:%d/%d", name, f.Func, f.Line, len(s.Frames))
}

func quoted(name, s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("%s=%q", name, s)
}

func taskOf(id model.TaskID, t *model.Task) string {
	switch {
	case id == model.BackgroundTask:
		return ""
	case t == nil:
		return fmt.Sprintf("task=%d (not open)", id)
	}
	return fmt.Sprintf("task=%d", id)
}

func (d *Dump) Begin(t *model.Trace) {
	d.start = t.Start
	d.line(t.Start, "begin", t.Format)
}

func (d *Dump) GoroutineStart(g *model.Goroutine) {
	at := g.Start
	if g.Before {
		at = max(d.now, g.Start)
	}
	parts := []string{"goroutine", goroutineID(g), fmt.Sprintf("slot=%d", g.Slot), g.State.String()}
	if g.Before {
		parts = append(parts, "before")
	}
	if g.Func != "" {
		parts = append(parts, "func="+g.Func)
	}
	if g.Parent != model.NoGoroutine {
		parts = append(parts, "parent="+goID(g.Parent))
	}
	if g.Creator != nil || g.CreatorProc != model.NoProc {
		parts = append(parts, fmt.Sprintf("by=%s,%s", goroutineID(g.Creator), procID(g.CreatorProc)))
	}
	d.line(at, append(parts, top("at", g.Creation))...)
}

func (d *Dump) GoroutineState(g *model.Goroutine, s *model.GoState) {
	parts := []string{"state", goroutineID(g), s.Kind.String(), d.since(s.Start, s.Before, s.Open), procID(s.Proc), threadID(s.Thread)}
	if s.Kind == model.Syscall {
		parts = append(parts, fmt.Sprintf("lost=%d", s.ProcLost-d.start))
	}
	parts = append(parts, quoted("reason", s.Reason), top("at", s.Stack))
	if !s.Open {
		parts = append(parts, "next="+strings.ReplaceAll(s.Next.String(), " ", "-"))
	}
	if s.Kind == model.Waiting && !s.Open {
		w := &s.Waker
		parts = append(parts, fmt.Sprintf("waker=%s,%s,%s", goroutineID(w.Goroutine), procID(w.Proc), threadID(w.Thread)), top("from", w.Stack))
	}
	d.line(s.End, parts...)
}

func (d *Dump) GoroutineEnd(g *model.Goroutine) {
	d.line(g.End, "goroutine-end", goroutineID(g), d.since(g.Start, g.Before, g.Open), "func="+g.Func)
}

func (d *Dump) Run(r *model.Run) {
	next := ""
	if !r.Open {
		next = "next=" + strings.ReplaceAll(r.Next.String(), " ", "-")
	}
	d.line(r.End, "run", procID(r.Proc), goroutineID(r.Goroutine), threadID(r.Thread), d.since(r.Start, r.Before, r.Open), next, quoted("label", r.Label))
}

func (d *Dump) ProcState(s *model.ProcState) {
	state := "idle"
	if s.Running {
		state = "running " + threadID(s.Thread)
	}
	d.line(s.End, "proc", procID(s.Proc), state, d.since(s.Start, s.Before, s.Open))
}

func (d *Dump) RegionStart(r *model.Region) {
	at := r.Start
	if r.Before {
		at = max(d.now, r.Start)
	}
	d.line(at, "region", goroutineID(r.Goroutine), fmt.Sprintf("%q", r.Type), taskOf(r.TaskID, r.Task), strings.TrimSpace(flag("before", r.Before)), top("at", r.Stack))
}

func (d *Dump) RegionEnd(r *model.Region) {
	d.line(r.End, "region-end", goroutineID(r.Goroutine), fmt.Sprintf("%q", r.Type), d.since(r.Start, r.Before, r.Open), top("at", r.EndStack))
}

func (d *Dump) TaskStart(t *model.Task) {
	at := t.Start
	if t.Before {
		at = max(d.now, t.Start)
	}
	parent := ""
	switch {
	case t.ParentID == model.BackgroundTask:
	case t.Parent == nil:
		parent = fmt.Sprintf("parent=%d (not open)", t.ParentID)
	default:
		parent = fmt.Sprintf("parent=%d", t.ParentID)
	}
	linked := ""
	if t.Span != nil {
		linked = fmt.Sprintf("span=%x/%x", t.Span.TraceID, t.Span.SpanID)
	}
	d.line(at, "task", fmt.Sprint(t.ID), fmt.Sprintf("%q", t.Type), parent, linked, goroutineID(t.Goroutine), strings.TrimSpace(flag("before", t.Before)), top("at", t.Stack))
}

func (d *Dump) TaskEnd(t *model.Task) {
	datadog := ""
	if t.DatadogSpanID != 0 {
		datadog = fmt.Sprintf("datadog=%d", t.DatadogSpanID)
	}
	d.line(t.End, "task-end", fmt.Sprint(t.ID), fmt.Sprintf("%q", t.Type), d.since(t.Start, t.Before, t.Open), goroutineID(t.EndGoroutine), datadog, top("at", t.EndStack))
}

func (d *Dump) WorkStart(w *model.Work) {
	d.line(max(d.now, w.Start), "work", goroutineID(w.Goroutine), taskOf(w.Task.ID, w.Task))
}

func (d *Dump) WorkEnd(w *model.Work) {
	d.line(w.End, "work-end", goroutineID(w.Goroutine), taskOf(w.Task.ID, w.Task), d.since(w.Start, false, false))
}

func (d *Dump) OldSpan(s *model.OldSpan) {
	d.line(s.End, "old-span", taskOf(s.TaskID, nil), fmt.Sprintf("%q", s.Name), fmt.Sprintf("span=%x/%x", s.TraceID, s.SpanID), goroutineID(s.Goroutine))
}

func (d *Dump) Log(l *model.Log) {
	d.line(l.Time, "log", goroutineID(l.Goroutine), taskOf(l.TaskID, l.Task), quoted("category", l.Category), fmt.Sprintf("%q", l.Message), top("at", l.Stack))
}

func (d *Dump) Range(r *model.Range) {
	sweep := ""
	if r.Kind == model.Sweep && !r.Open {
		sweep = fmt.Sprintf("swept=%d reclaimed=%d", r.Swept, r.Reclaimed)
	}
	d.line(r.End, "range", fmt.Sprintf("%q", r.Name), d.since(r.Start, r.Before, r.Open), goroutineID(r.Goroutine), procID(r.Proc), quoted("reason", r.Reason), sweep, top("at", r.Stack))
}

func (d *Dump) Metric(m *model.Metric) {
	d.line(m.Time, "metric", m.Name, fmt.Sprint(m.Value))
}

func (d *Dump) Sample(s *model.Sample) {
	d.line(s.Time, "sample", goroutineID(s.Goroutine), procID(s.Proc), threadID(s.Thread), top("at", s.Stack))
}

func (d *Dump) Sync(s *model.Sync) {
	clock := ""
	if c := s.Clock; c != nil {
		clock = fmt.Sprintf("clock=%d mono=%d wall=%s", c.Trace-d.start, c.Mono, c.Wall.UTC().Format(time.RFC3339Nano))
	}
	d.line(s.Time, "sync", fmt.Sprint(s.N), clock)
}

func (d *Dump) Gap(g *model.Gap) {
	d.line(g.End, "gap", fmt.Sprint("since ", g.Start-d.start))
}

func (d *Dump) End(s *model.Summary) {
	d.line(s.End, "end", s.Format, fmt.Sprintf("events=%d goroutines=%d alive=%d generations=%d", s.Events, s.Goroutines, s.MaxAlive, s.Generations))
	for _, what := range slices.Sorted(maps.Keys(s.Unknown)) {
		d.line(s.End, fmt.Sprintf("unknown %q", what), fmt.Sprint(s.Unknown[what]))
	}
	for _, what := range slices.Sorted(maps.Keys(s.Inconsistent)) {
		d.line(s.End, fmt.Sprintf("inconsistent %q", what), fmt.Sprint(s.Inconsistent[what]))
	}
	for _, what := range slices.Sorted(maps.Keys(s.Misuse)) {
		d.line(s.End, fmt.Sprintf("misuse %q", what), fmt.Sprint(s.Misuse[what]))
	}
	if s.Missing > 0 {
		d.line(s.End, "missing", fmt.Sprint(s.Missing))
	}
	for _, g := range s.Gaps {
		d.line(s.End, "damage", g.Damage.Error())
	}
	if err := d.w.Flush(); err != nil && d.err == nil {
		d.err = err
	}
}

// Err returns the first error of the writer.
func (d *Dump) Err() error { return d.err }
