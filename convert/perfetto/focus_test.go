package perfetto_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// focused is a sink that knows which goroutines are at work for a distributed
// trace, when, and what they do then.
type focused struct {
	model.NopSink
	opts  *perfetto.Options
	tasks map[*model.Task]bool

	names  []string // of tasks
	open   map[model.GoID]int
	stints map[model.GoID][]stint
	states map[model.GoID][]model.GoState
	known  map[model.GoID]model.Time // since when it is known whether it is in
}

type stint struct{ start, end model.Time }

func newFocused(opts *perfetto.Options) *focused {
	return &focused{
		opts: opts, tasks: make(map[*model.Task]bool), open: make(map[model.GoID]int),
		stints: make(map[model.GoID][]stint), states: make(map[model.GoID][]model.GoState),
		known: make(map[model.GoID]model.Time),
	}
}

// onTasks reports whether only work for tasks is in focus.
func (f *focused) onTasks() bool {
	return f.opts.TraceID != [16]byte{} || f.opts.Task != nil || f.opts.TaskID != 0
}

// GoroutineEnd: only now the start function is known of all.
func (f *focused) GoroutineEnd(g *model.Goroutine) {
	in := (f.opts.Goroutines == nil || slices.Contains(f.opts.Goroutines, g.ID)) && (f.opts.Func == nil || f.opts.Func.MatchString(g.Func))
	switch {
	case !in:
		delete(f.stints, g.ID)
	case !f.onTasks():
		f.stints[g.ID] = []stint{{f.known[g.ID], g.End}}
	}
}

func (f *focused) TaskStart(t *model.Task) {
	switch {
	case f.opts.TraceID != [16]byte{}:
		f.tasks[t] = t.Span != nil && t.Span.TraceID == f.opts.TraceID || t.Span == nil && f.tasks[t.Parent]
	case f.opts.Task != nil:
		f.tasks[t] = f.opts.Task.MatchString(t.Type) || f.tasks[t.Parent]
	case f.opts.TaskID != 0:
		f.tasks[t] = f.opts.TaskID == t.ID || f.tasks[t.Parent]
	}
	if f.tasks[t] {
		f.names = append(f.names, t.Type)
	}
}

func (f *focused) WorkStart(w *model.Work) {
	if !f.tasks[w.Task] {
		return
	}
	id := w.Goroutine.ID
	if f.open[id]++; f.open[id] == 1 {
		f.stints[id] = append(f.stints[id], stint{start: w.Start})
	}
}

func (f *focused) WorkEnd(w *model.Work) {
	if !f.tasks[w.Task] {
		return
	}
	id := w.Goroutine.ID
	if f.open[id]--; f.open[id] == 0 {
		f.stints[id][len(f.stints[id])-1].end = w.End
	}
}

func (f *focused) GoroutineState(g *model.Goroutine, s *model.GoState) {
	f.states[g.ID] = append(f.states[g.ID], *s)
	if _, ok := f.known[g.ID]; !ok && (f.opts.Func == nil || g.Func != "") {
		f.known[g.ID] = s.Start
	}
}

// sums adds up what the goroutines do in their stints, by state and reason.
func (f *focused) sums() (lines []string) {
	sums := make(map[string]model.Time)
	for id, states := range f.states {
		for _, s := range states {
			for _, w := range f.stints[id] {
				cut := func(from, to model.Time) model.Time { return max(0, min(to, w.end)-max(from, w.start)) }
				switch s.Kind {
				case model.Running:
					sums["Running -"] += cut(s.Start, s.End)
				case model.Runnable:
					sums["R -"] += cut(s.Start, s.End)
				case model.Waiting:
					sums["S "+s.Reason] += cut(s.Start, s.End)
				case model.Syscall:
					sums["Running -"] += cut(s.Start, s.ProcLost)
					sums["D syscall"] += cut(s.ProcLost, s.End)
				}
			}
		}
	}
	for what, d := range sums {
		if d > 0 {
			lines = append(lines, fmt.Sprint(what, " ", int64(d)))
		}
	}
	return lines
}

// TestTraceID: a file for one distributed trace has its goroutines while they are at work
// for it, as in the whole trace. Apart from these, it has what the Ps ran, who woke them,
// the GC and the counters, and nothing else.
func TestTraceID(t *testing.T) {
	whole := convert(t, "spanlink", defaults)
	rows := whole.query(t, `
		select distinct a.display_value from slice s join args a using (arg_set_id)
		where s.category = 'task' and a.key = 'debug.trace_id'`)
	if len(rows) < 15 {
		t.Fatalf("%d distributed traces", len(rows))
	}
	counters := `select ts, value, name from counter join track on track.id = track_id`
	for _, hexID := range rows {
		id, _ := hex.DecodeString(hexID)
		opts := defaults
		opts.TraceID = [16]byte(id)
		c := convert(t, "spanlink", opts)
		f := newFocused(&opts)
		if _, err := model.Read(t.Context(), bytes.NewReader(testtrace.Data(t, "spanlink")), f); err != nil {
			t.Fatal(err)
		}

		checkStats(t, c)
		same(t, "tasks", c.query(t, "select name from slice where category = 'task'"), f.names)
		stints := f.lines()
		lifetimes := c.query(t, "select ts, iif(dur = -1, trace_end() - ts, dur), name from slice where category = 'goroutine'")
		for _, w := range stints {
			if !slices.Contains(lifetimes, w) {
				t.Errorf("%s: no lane for %s", hexID, w)
			}
		}
		// What is not in a stint is a run of one that wakes up one in focus.
		same(t, "lanes that did not wake up any", c.query(t, laneSQL+`
			select ts, dur, name from lane where (`+tuples(stints)+`) is 0 and not exists (
				select 1 from thread_state s where s.state = 'R' and s.waker_utid = lane.utid
				and s.ts between lane.ts and lane.ts + lane.dur)`), nil)
		same(t, "time by state of "+hexID, c.query(t, stateSQL(f)), f.sums())
		onPs := "select ucpu, sum(dur) from sched where utid != 0 group by 1"
		same(t, "time on the Ps", c.query(t, onPs), whole.query(t, onPs))
		same(t, "counters", c.query(t, counters), whole.query(t, counters))
	}
}

// lines are the stints as the queries give lanes.
func (f *focused) lines() (lines []string) {
	for id, ws := range f.stints {
		for _, w := range ws {
			lines = append(lines, fmt.Sprintf("%d %d G%d", w.start, w.end-w.start, id))
		}
	}
	return lines
}

const laneSQL = `
	create or replace perfetto view lane as
	select utid, s.ts, iif(s.dur = -1, trace_end() - s.ts, s.dur) as dur, s.name
	from slice s join thread_track k on k.id = s.track_id where s.category = 'goroutine';`

// stateSQL adds up the states in the stints.
func stateSQL(f *focused) string {
	return laneSQL + `
		select s.state, iif(s.state = 'S' or s.state = 'D', ifnull(` + reasonSQL + `, '?'), '-'), sum(s.dur)
		from lane join thread_state s on s.utid = lane.utid and s.ts >= lane.ts and s.ts + s.dur <= lane.ts + lane.dur
		where s.dur > 0 and s.state not in ('X', 'T') and (` + tuples(f.lines()) + `) group by 1, 2`
}

// tuples is a condition: a row of lane is one of these lines.
func tuples(lines []string) string {
	return "lane.ts || ' ' || lane.dur || ' ' || lane.name in ('" + strings.Join(lines, "', '") + "')"
}

// TestLinkedSpans: a task that is a span shows the IDs of the span, one of
// Datadog the ID that there is.
func TestLinkedSpans(t *testing.T) {
	c := convert(t, "spanlink", defaults)
	var linked []string
	sink := &links{add: func(s string) { linked = append(linked, s) }}
	if _, err := model.Read(t.Context(), bytes.NewReader(testtrace.Data(t, "spanlink")), sink); err != nil {
		t.Fatal(err)
	}
	if len(linked) < 30 {
		t.Errorf("%d linked tasks", len(linked))
	}
	arg := func(key string) string {
		return "(select display_value from args a where a.arg_set_id = s.arg_set_id and a.key = 'debug." + key + "')"
	}
	same(t, "linked spans", c.query(t, `
		select ifnull(`+arg("trace_id")+`, '-'), ifnull(`+arg("span_id")+`, '-'), ifnull(`+arg("dd_span_id")+`, '-')
		from slice s where category = 'task' and (`+arg("span_id")+` is not null or `+arg("dd_span_id")+` is not null)`), linked)
}

type links struct {
	model.NopSink
	add func(string)
}

func (l *links) TaskEnd(t *model.Task) {
	if t.Span != nil {
		l.add(fmt.Sprintf("%x %x -", t.Span.TraceID, t.Span.SpanID))
	}
	if t.DatadogSpanID != 0 {
		l.add(fmt.Sprintf("- - %d", t.DatadogSpanID))
	}
}

// TestFocus: selected goroutines are as in the whole trace, for all their lives or while
// at work for a task.
func TestFocus(t *testing.T) {
	const name = "httpserver-go1.25"
	var first model.TaskID
	read := func(sink model.Sink) {
		t.Helper()
		if _, err := model.Read(t.Context(), bytes.NewReader(testtrace.Data(t, name)), sink); err != nil {
			t.Fatal(err)
		}
	}
	read(&firstTask{id: &first})
	worker := regexp.MustCompile(`^main\.\(\*server\)\.query\.func1$`)
	for what, selection := range map[string]model.Selection{
		"goroutine 1":        {Goroutines: []model.GoID{1}},
		"function":           {Func: worker},
		"from before":        {Func: regexp.MustCompile(`^net/http\.\(\*Server\)\.Serve$|^main\.main$|^runtime\.`)},
		"tasks":              {Task: regexp.MustCompile("^query$")},
		"a task":             {TaskID: first},
		"function and tasks": {Func: worker, Task: regexp.MustCompile("^handleRequest$")},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			opts := perfetto.Options{MinBlock: defaults.MinBlock, Selection: selection}
			c := convert(t, name, opts)
			checkStats(t, c)
			f := newFocused(&opts)
			read(f)
			if len(f.stints) == 0 {
				t.Fatal("nothing in focus")
			}
			same(t, "time by state", c.query(t, stateSQL(f)), f.sums())
			onPs := "select ucpu, sum(dur) from sched where utid != 0 group by 1"
			whole := convert(t, name, defaults)
			same(t, "time on the Ps", c.query(t, onPs), whole.query(t, onPs))
			if f.onTasks() {
				same(t, "tasks", c.query(t, "select name from slice where category = 'task'"), f.names)
			}
		})
	}
}

type firstTask struct {
	model.NopSink
	id *model.TaskID
}

func (f *firstTask) TaskStart(t *model.Task) {
	if *f.id == 0 {
		*f.id = t.ID
	}
}
