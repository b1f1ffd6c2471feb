package queries_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/e2e/traceprocessor"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// The queries run in Perfetto's real trace processor, on all traces of the
// repository, and what they answer is compared with what the model says.

// converted is a trace in both forms.
type converted struct {
	*record
	*traceprocessor.Processor
}

var defaults = perfetto.Options{MinBlock: perfetto.DefaultMinBlock}

func convert(t *testing.T, name string, opts perfetto.Options) *converted {
	t.Helper()
	data := testtrace.Data(t, name)
	p, _ := converttest.Load(t, converttest.Perfetto(t, data, opts))
	r := newRecord()
	converttest.Read(t, data, r)
	return &converted{r, p}
}

// run runs a query of this folder, after replacing some of its text.
func (c *converted) run(t *testing.T, name string, replace ...string) *traceprocessor.Result {
	t.Helper()
	text, err := os.ReadFile(name + ".sql")
	if err != nil {
		t.Fatal(err)
	}
	sql := string(text)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(sql, replace[i]) {
			t.Fatalf("%s.sql has no %q", name, replace[i])
		}
		sql = strings.Replace(sql, replace[i], replace[i+1], 1)
	}
	r, err := c.Query(sql)
	if err != nil {
		t.Fatalf("%s.sql: %v", name, err)
	}
	return r
}

// lines gives some columns of a result as text, times in ns whatever their unit.
func lines(t *testing.T, r *traceprocessor.Result, columns ...string) []string {
	t.Helper()
	out := make([]string, len(r.Rows))
	for i, row := range r.Rows {
		var line []any
		for _, column := range columns {
			at := slices.Index(r.Columns, column)
			if at < 0 {
				t.Fatalf("no column %q in %q", column, r.Columns)
			}
			line = append(line, inNS(column, row[at]))
		}
		out[i] = text(line...)
	}
	return out
}

func inNS(column string, value any) any {
	v, ok := value.(float64)
	switch {
	case !ok:
		return value
	case strings.HasSuffix(column, "_ms") || column == "ms":
		return ns(v * 1e6)
	case strings.HasSuffix(column, "_us"):
		return ns(v * 1e3)
	}
	return value
}

// ns rounds; what is half between two integers may have lost a little.
func ns(v float64) int64 { return int64(math.Round(v + 1e-3)) }

func text(values ...any) string {
	for i, v := range values {
		switch v := v.(type) {
		case model.Time:
			values[i] = int64(v)
		case nil:
			values[i] = "-"
		case string:
			values[i] = cmp.Or(v, "-")
		}
	}
	return strings.TrimSuffix(fmt.Sprintln(values...), "\n")
}

// same compares two lists without regard to their order.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if slices.Equal(got, want) {
		return
	}
	t.Errorf("%s: %d rows, want %d", what, len(got), len(want))
	for _, diff := range []struct {
		name      string
		have, not []string
	}{{"got", got, want}, {"want", want, got}} {
		shown := 0
		for _, l := range diff.have {
			if _, ok := slices.BinarySearch(diff.not, l); !ok && shown < 5 {
				shown++
				t.Errorf("  %s: %s", diff.name, l)
			}
		}
	}
}

// percentile interpolates between the two nearest of the values.
func percentile(values []model.Time, p float64) any {
	if len(values) == 0 {
		return nil
	}
	values = slices.Sorted(slices.Values(values))
	rank := p / 100 * float64(len(values)-1)
	lower := int(rank)
	v := float64(values[lower])
	if lower+1 < len(values) {
		v += (rank - float64(lower)) * float64(values[lower+1]-values[lower])
	}
	return ns(v)
}

func sum(values []model.Time) (s model.Time) {
	for _, v := range values {
		s += v
	}
	return s
}

// longest is nil of no values.
func longest(values []model.Time) any {
	if len(values) == 0 {
		return nil
	}
	return slices.Max(values)
}

// groups collects values by a key.
type groups[V any] map[string][]V

func (g groups[V]) add(v V, key ...any) {
	k := text(key...)
	g[k] = append(g[k], v)
}

func (g groups[V]) lines(row func(values []V) []any) (lines []string) {
	for k, values := range g {
		lines = append(lines, text(append([]any{k}, row(values)...)...))
	}
	return lines
}

func queries(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no queries: %v", err)
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f, ".sql"))
	}
	return names
}

// checks has a check for each query: what it answers, told by the model.
var checks = map[string]func(*testing.T, *converted){
	"blocked_functions":          checkBlockedFunctions,
	"blocked_goroutines":         checkBlockedGoroutines,
	"critical_path_of_goroutine": checkCriticalPathOfGoroutine,
	"critical_path_of_task":      checkCriticalPathOfTask,
	"functions":                  checkFunctions,
	"gc_cost":                    checkGCCost,
	"go_statements":              checkGoStatements,
	"leak_suspects":              checkLeakSuspects,
	"regions":                    checkRegions,
	"runnable_queue":             checkRunnableQueue,
	"sched_latency_by_function":  checkLatencyByFunction,
	"sched_latency_by_lane":      checkLatencyByLane,
	"stop_the_world":             checkStopTheWorld,
	"syscalls":                   checkSyscalls,
	"tasks":                      checkTasks,
	"who_wakes_whom":             checkWhoWakesWhom,
}

func TestQueries(t *testing.T) {
	names := queries(t)
	for _, name := range names {
		if checks[name] == nil {
			t.Errorf("%s.sql has no check", name)
		}
	}
	if len(checks) != len(names) {
		t.Errorf("%d checks of %d queries", len(checks), len(names))
	}
	for _, trace := range testtrace.Readable(t) {
		t.Run(trace, func(t *testing.T) {
			t.Parallel()
			c := convert(t, trace, defaults)
			first := make(map[string]*traceprocessor.Result)
			for _, name := range names {
				t.Run(name, func(t *testing.T) { checks[name](t, c) })
				first[name] = c.run(t, name)
			}
			// The UI keeps the tables of one query for the next.
			for _, name := range names {
				if again := c.run(t, name); fmt.Sprint(again.Rows) != fmt.Sprint(first[name].Rows) {
					t.Errorf("%s.sql answers differently after the others", name)
				}
			}
		})
	}
}

// TestOptions holds the same with more tracks.
func TestOptions(t *testing.T) {
	t.Parallel()
	opts := defaults
	opts.Threads, opts.LanePerGoroutine = true, true
	c := convert(t, "httpserver-go1.25", opts)
	for name, check := range checks {
		t.Run(name, func(t *testing.T) { check(t, c) })
	}
}

// TestComments holds what the queries promise their readers.
func TestComments(t *testing.T) {
	tour, err := os.ReadFile("../docs/perfetto.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range queries(t) {
		if !bytes.Contains(tour, []byte("(../queries/"+name+".sql) |")) {
			t.Errorf("docs/perfetto.md does not list %s.sql", name)
		}
		sql, err := os.ReadFile(name + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(string(sql), "\n"); !strings.HasPrefix(first, "-- ") || !strings.HasSuffix(first, "?") {
			t.Errorf("%s.sql begins with %q, not with a question", name, first)
		}
		if strings.Contains(string(sql), `"`) {
			t.Errorf("%s.sql has a double quote: the UI warns of it", name)
		}
	}
}

func checkBlockedFunctions(t *testing.T, c *converted) {
	got := lines(t, c.run(t, "blocked_functions"), "function", "reason", "place", "waits", "total_ms", "p50_ms", "max_ms")
	want := make(groups[model.Time])
	var total model.Time
	for _, w := range c.waits() {
		want.add(w.dur(), w.g.function, w.reason, w.place)
		total += w.dur()
	}
	same(t, "blocked functions", got, want.lines(func(ds []model.Time) []any {
		return []any{len(ds), sum(ds), percentile(ds, 50), longest(ds)}
	}))
}

func checkBlockedGoroutines(t *testing.T, c *converted) {
	got := lines(t, c.run(t, "blocked_goroutines", "LIMIT 1000", ""), "goroutine", "function", "ts", "dur", "reason", "place", "waits", "total_ms", "max_ms")
	want := make(groups[model.Time])
	for _, w := range c.waits() {
		want.add(w.dur(), fmt.Sprintf("G%d", w.g.id), w.g.function, w.g.start, w.g.end-w.g.start, w.reason, w.place)
	}
	same(t, "blocked goroutines", got, want.lines(func(ds []model.Time) []any {
		return []any{len(ds), sum(ds), longest(ds)}
	}))
}

// latencies are the times that goroutines were runnable before they ran, with who
// made them so.
func (c *converted) latencies(add func(g *goroutine, d model.Time, waker bool)) {
	for _, g := range c.goroutines {
		for i, s := range g.states {
			if s.kind != model.Runnable || s.open || s.next != model.Running || s.start == s.end {
				continue
			}
			waker := i == 0 && g.creator != nil || i > 0 && g.states[i-1].kind == model.Waiting && g.states[i-1].waker != nil
			add(g, s.end-s.start, waker)
		}
	}
}

func checkLatencyByFunction(t *testing.T, c *converted) {
	got := lines(t, c.run(t, "sched_latency_by_function"), "function", "latencies", "p50_us", "p99_us", "max_us", "total_ms", "no_waker")
	want, noWaker := make(groups[model.Time]), make(map[string]int)
	c.latencies(func(g *goroutine, d model.Time, waker bool) {
		want.add(d, g.function)
		if !waker {
			noWaker[g.function]++
		}
	})
	var rows []string
	for f, ds := range want {
		rows = append(rows, text(f, len(ds), percentile(ds, 50), percentile(ds, 99), longest(ds), sum(ds), noWaker[f]))
	}
	same(t, "latencies", got, rows)
}

// The model knows no lanes: those of a function are together what the function is.
func checkLatencyByLane(t *testing.T, c *converted) {
	r := c.run(t, "sched_latency_by_lane")
	got := make(map[string][3]int64)
	for _, row := range r.Rows {
		f := row[slices.Index(r.Columns, "function")].(string)
		was := got[f]
		got[f] = [3]int64{
			was[0] + row[slices.Index(r.Columns, "latencies")].(int64),
			was[1] + inNS("total_ms", row[slices.Index(r.Columns, "total_ms")]).(int64),
			max(was[2], inNS("max_us", row[slices.Index(r.Columns, "max_us")]).(int64)),
		}
		id := row[slices.Index(r.Columns, "id")].(int64)
		d, err := traceprocessor.Column[int64](c.Processor, fmt.Sprintf("select dur from thread_state where id = %d and state = 'R'", id))
		if err != nil {
			t.Fatal(err)
		}
		if want := inNS("max_us", row[slices.Index(r.Columns, "max_us")]); len(d) != 1 || d[0] != want {
			t.Errorf("id %d of %s lasts %v, not its maximum %v", id, f, d, want)
		}
	}
	want := make(map[string][3]int64)
	c.latencies(func(g *goroutine, d model.Time, _ bool) {
		was := want[g.function]
		want[g.function] = [3]int64{was[0] + 1, was[1] + int64(d), max(was[2], int64(d))}
	})
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func checkWhoWakesWhom(t *testing.T, c *converted) {
	got := lines(t, c.run(t, "who_wakes_whom"), "waker", "woken", "ended", "times", "waited_ms", "p50_us", "max_us")
	want := make(groups[woken])
	for _, w := range c.wakings() {
		by := "(scheduler)"
		if w.by != nil {
			by = w.by.function
		}
		want.add(w, by, w.g.function, w.ended)
	}
	same(t, "wakings", got, want.lines(func(ws []woken) []any {
		var waited, latencies []model.Time
		for _, w := range ws {
			waited = append(waited, w.waited)
			if w.latency >= 0 {
				latencies = append(latencies, w.latency)
			}
		}
		return []any{len(ws), sum(waited), percentile(latencies, 50), longest(latencies)}
	}))
}

// checkRunnableQueue walks through all changes.
func checkRunnableQueue(t *testing.T, c *converted) {
	type change struct {
		t                  model.Time
		runnable, busy, ps int
	}
	start, end := c.trace.Start, c.summary.End
	var changes []change
	for _, g := range c.goroutines {
		for _, s := range g.states {
			if s.kind == model.Runnable {
				changes = append(changes, change{t: s.start, runnable: 1}, change{t: s.end, runnable: -1})
			}
		}
	}
	for _, r := range c.runs {
		changes = append(changes, change{t: r.start, busy: 1}, change{t: r.end, busy: -1})
	}
	ps := 0
	for i, m := range c.gomaxprocs {
		at := m.Time
		if i == 0 {
			at = start
		}
		changes = append(changes, change{t: at, ps: int(m.Value) - ps})
		ps = int(m.Value)
	}
	var bounds []model.Time
	for i := range 101 {
		bounds = append(bounds, start+model.Time(math.Ceil(float64(end-start)*float64(i)/100)))
		changes = append(changes, change{t: bounds[i]})
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.t, b.t) })

	type bucket struct {
		runnable, busy, short model.Time
		max, ps               int
	}
	buckets := make([]bucket, 100)
	var now change
	for i, x := range changes {
		now.runnable, now.busy, now.ps = now.runnable+x.runnable, now.busy+x.busy, now.ps+x.ps
		if i+1 == len(changes) || changes[i+1].t == x.t {
			continue
		}
		d := changes[i+1].t - x.t
		at, found := slices.BinarySearch(bounds, x.t)
		if !found {
			at--
		}
		b := &buckets[at]
		b.runnable += d * model.Time(now.runnable)
		b.busy += d * model.Time(now.busy)
		if now.runnable > now.ps-now.busy {
			b.short += d
		}
		b.max, b.ps = max(b.max, now.runnable), max(b.ps, now.ps)
	}
	var want []string
	for i, b := range buckets {
		if d := bounds[i+1] - bounds[i]; d > 0 {
			want = append(want, text(bounds[i], d, b.ps, b.busy, b.runnable, b.max, b.short))
		}
	}
	r := c.run(t, "runnable_queue")
	durs := slices.Index(r.Columns, "dur")
	for _, row := range r.Rows { // averages to totals
		for _, column := range []string{"busy_ps", "runnable"} {
			i := slices.Index(r.Columns, column)
			row[i] = ns(row[i].(float64) * float64(row[durs].(int64)))
		}
	}
	same(t, "queue", lines(t, r, "ts", "dur", "gomaxprocs", "busy_ps", "runnable", "max_runnable", "short_ms"), want)
}

func checkFunctions(t *testing.T, c *converted) {
	got := lines(t, c.run(t, "functions"), "function", "goroutines", "running_ms", "runnable_ms", "waiting_ms", "syscall_ms", "runs")
	type times struct {
		goroutines, runs                    int
		running, runnable, waiting, syscall model.Time
	}
	all := make(map[string]*times)
	for _, g := range c.goroutines {
		k := all[g.function]
		if k == nil {
			k = &times{}
			all[g.function] = k
		}
		k.goroutines++
		for _, s := range g.states {
			d := s.end - s.start
			switch s.kind {
			case model.Running:
				k.running += d
			case model.Runnable:
				k.runnable += d
			case model.Waiting:
				k.waiting += d
			case model.Syscall:
				k.running += s.lost - s.start
				k.syscall += s.end - s.lost
			}
		}
	}
	for _, r := range c.runs {
		if r.end > r.start {
			all[r.g.function].runs++
		}
	}
	var want []string
	for f, k := range all {
		want = append(want, text(f, k.goroutines, k.running, k.runnable, k.waiting, k.syscall, k.runs))
	}
	same(t, "functions", got, want)
}

func checkSyscalls(t *testing.T, c *converted) {
	got := lines(t, c.run(t, "syscalls"), "function", "place", "calls", "total_ms", "p50_us", "max_ms", "lost_p", "without_p_ms")
	want := make(groups[state])
	for _, g := range c.goroutines {
		for _, s := range g.states {
			if s.kind == model.Syscall && s.hasSlice() {
				want.add(s, g.function, s.place)
			}
		}
	}
	same(t, "system calls", got, want.lines(func(calls []state) []any {
		var ds []model.Time
		var lost int
		var without model.Time
		for _, s := range calls {
			ds = append(ds, s.end-s.start)
			if s.lost < s.end {
				lost++
				without += s.end - s.lost
			}
		}
		return []any{len(ds), sum(ds), percentile(ds, 50), longest(ds), lost, without}
	}))
}

func checkLeakSuspects(t *testing.T, c *converted) {
	got := lines(t, c.run(t, "leak_suspects"), "function", "reason", "place", "goroutines")
	want := make(groups[bool])
	for _, w := range c.waits() {
		if w.g.before && w.g.open && w.start == c.trace.Start && w.end == c.summary.End &&
			!strings.HasPrefix(w.g.function, "runtime.") && !strings.HasPrefix(w.g.function, "runtime/") {
			want.add(true, w.g.function, w.reason, w.place)
		}
	}
	same(t, "suspects", got, want.lines(func(all []bool) []any { return []any{len(all)} }))
}

func checkGCCost(t *testing.T, c *converted) {
	got := lines(t, c.run(t, "gc_cost"), "function", "work", "times", "wall_ms", "cpu_ms")
	type cost struct{ wall, cpu model.Time }
	want := make(groups[cost])
	ran := onProc(c.runs)
	for _, r := range c.ranges {
		switch d := r.end - r.start; {
		case r.kind != model.MarkAssist && r.kind != model.Sweep:
		case r.g == nil:
			want.add(cost{d, d}, "(no goroutine)", r.name)
		default:
			want.add(cost{d, within(ran[r.g], r.start, r.end)}, r.g.function, r.name)
		}
	}
	for _, r := range c.runs {
		d := r.end - r.start
		switch {
		case r.label != "":
			want.add(cost{d, d}, r.g.function, r.label)
		case d == 0:
		case r.g.function == "runtime.bgsweep":
			want.add(cost{d, d}, r.g.function, "background sweep")
		case r.g.function == "runtime.bgscavenge":
			want.add(cost{d, d}, r.g.function, "background scavenge")
		}
	}
	same(t, "cost", got, want.lines(func(costs []cost) []any {
		var all cost
		for _, k := range costs {
			all.wall += k.wall
			all.cpu += k.cpu
		}
		return []any{len(costs), all.wall, all.cpu}
	}))
}

func checkStopTheWorld(t *testing.T, c *converted) {
	got := lines(t, c.run(t, "stop_the_world"), "ts", "pause", "pause_us", "stopped_by", "ran", "ran_us", "last_stop_us")
	var want []string
	for _, p := range c.ranges {
		if p.kind != model.StopTheWorld || p.start == p.end {
			continue
		}
		by := ""
		if p.g != nil {
			by = p.g.function
		}
		ran, last := make(map[string]model.Time), make(map[string]model.Time)
		for _, r := range c.runs {
			if from, to := max(r.start, p.start), min(r.end, p.end); from < to {
				ran[r.g.function] += to - from
				last[r.g.function] = max(last[r.g.function], to-p.start)
			}
		}
		for f, d := range ran {
			want = append(want, text(p.start, p.name, p.end-p.start, by, f, d, last[f]))
		}
		if len(ran) == 0 {
			want = append(want, text(p.start, p.name, p.end-p.start, by, nil, nil, nil))
		}
	}
	same(t, "pauses", got, want)
}

func checkTasks(t *testing.T, c *converted) {
	got := lines(t, c.run(t, "tasks"), "task", "parent", "tasks", "cut", "p50_ms", "p90_ms", "p99_ms", "max_ms", "total_ms")
	types := make(map[model.TaskID]string)
	for _, k := range c.tasks {
		types[k.id] = k.typ
	}
	want := make(groups[*task])
	for _, k := range c.tasks {
		want.add(k, k.typ, types[k.parent])
	}
	same(t, "tasks", got, want.lines(func(tasks []*task) []any {
		var ds []model.Time
		var total any
		for _, k := range tasks {
			if !k.before && !k.open {
				ds = append(ds, k.end-k.start)
				total = sum(ds)
			}
		}
		return []any{len(ds), len(tasks) - len(ds), percentile(ds, 50), percentile(ds, 90), percentile(ds, 99), longest(ds), total}
	}))
}

func checkRegions(t *testing.T, c *converted) {
	got := lines(t, c.run(t, "regions"), "region", "function", "regions", "open", "p50_us", "p99_us", "max_us", "total_ms",
		"running_ms", "runnable_ms", "waiting_ms", "syscall_ms")
	want := make(groups[region])
	for _, x := range c.regions {
		want.add(x, x.typ, x.g.function)
	}
	same(t, "regions", got, want.lines(func(regions []region) []any {
		var ds []model.Time
		var in [4]model.Time
		open := 0
		for _, x := range regions {
			if x.open {
				open++
				continue
			}
			ds = append(ds, x.end-x.start)
			for _, s := range x.g.states {
				overlap := func(from, to model.Time) model.Time {
					return max(0, min(to, x.end)-max(from, x.start))
				}
				switch s.kind {
				case model.Running:
					in[0] += overlap(s.start, s.end)
				case model.Runnable:
					in[1] += overlap(s.start, s.end)
				case model.Waiting:
					in[2] += overlap(s.start, s.end)
				case model.Syscall:
					in[0] += overlap(s.start, s.lost)
					in[3] += overlap(s.lost, s.end)
				}
			}
		}
		if len(ds) == 0 {
			return []any{0, open, nil, nil, nil, nil, nil, nil, nil, nil}
		}
		return []any{len(ds), open, percentile(ds, 50), percentile(ds, 99), longest(ds), sum(ds), in[0], in[1], in[2], in[3]}
	}))
}

func checkGoStatements(t *testing.T, c *converted) {
	got := lines(t, c.run(t, "go_statements"), "place", "function", "goroutines", "alive", "p50_us", "max_ms", "cpu_ms", "p50_cpu_us")
	want := make(groups[*goroutine])
	for _, g := range c.goroutines {
		if !g.before {
			want.add(g, g.place, g.function)
		}
	}
	ran := onProc(c.runs)
	same(t, "go statements", got, want.lines(func(gs []*goroutine) []any {
		var lived, cpu []model.Time
		for _, g := range gs {
			if !g.open {
				lived = append(lived, g.end-g.start)
			}
			cpu = append(cpu, within(ran[g], g.start, g.end))
		}
		return []any{len(gs), len(gs) - len(lived), percentile(lived, 50), longest(lived), sum(cpu), percentile(cpu, 50)}
	}))
}

// checkPath compares a critical path, and that it covers its interval.
func checkPath(t *testing.T, r *traceprocessor.Result, g *goroutine, start, end model.Time) {
	t.Helper()
	want := make(groups[model.Time])
	var total model.Time
	for _, p := range criticalPath(g, start, end) {
		want.add(p.dur, fmt.Sprintf("G%d", p.g.id), p.g.function, p.state, p.reason)
		total += p.dur
	}
	if total != end-start {
		t.Errorf("the path in the model is %d ns long, its interval %d", total, end-start)
	}
	same(t, "path", lines(t, r, "goroutine", "function", "state", "reason", "ms"),
		want.lines(func(ds []model.Time) []any { return []any{sum(ds)} }))
}

func checkCriticalPathOfTask(t *testing.T, c *converted) {
	var slowest *task
	for _, k := range c.tasks {
		if !k.before && !k.open && k.ender != nil && k.end > k.start && (slowest == nil || k.end-k.start > slowest.end-slowest.start) {
			slowest = k
		}
	}
	r := c.run(t, "critical_path_of_task")
	if slowest == nil {
		same(t, "path of no task", lines(t, r, "goroutine"), nil)
		return
	}
	checkPath(t, r, slowest.ender, slowest.start, slowest.end)
}

// Without an edit for the longest goroutine, with one for some others.
func checkCriticalPathOfGoroutine(t *testing.T, c *converted) {
	var all []*goroutine
	for _, g := range c.goroutines {
		if !g.open && !g.before && g.start < g.end && !strings.HasPrefix(g.function, "runtime.") && !strings.HasPrefix(g.function, "runtime/") {
			all = append(all, g)
		}
	}
	if len(all) == 0 {
		same(t, "path of no goroutine", lines(t, c.run(t, "critical_path_of_goroutine"), "goroutine"), nil)
		return
	}
	slices.SortStableFunc(all, func(a, b *goroutine) int { return cmp.Compare(b.end-b.start, a.end-a.start) })
	checkPath(t, c.run(t, "critical_path_of_goroutine"), all[0], all[0].start, all[0].end)
	for i := 1; i < len(all); i += 1 + len(all)/4 {
		g := all[i]
		r := c.run(t, "critical_path_of_goroutine",
			"WHERE ended AND ts > trace_start() AND function NOT GLOB 'runtime[./]*'",
			fmt.Sprintf("WHERE goroutine = 'G%d' AND ts = %d", g.id, g.start))
		checkPath(t, r, g, g.start, g.end)
	}
}

// TestLeak: exactly the goroutines that testdata/gen/leak leaks.
func TestLeak(t *testing.T) {
	t.Parallel()
	c := convert(t, "leak", defaults)
	same(t, "suspects", lines(t, c.run(t, "leak_suspects"), "function", "reason", "goroutines"), []string{
		"main.leakNilChannel chan receive 1", "main.leakEmptySelect forever 1", "main.leakMutex sync 1",
		"main.leakReceive chan receive 1", "main.leakSend chan send 1", "main.leakSelect select 1",
		"main.leakWaitGroup sync 1", "main.leakCond sync.(*Cond).Wait 1",
	})
}

// TestChain: the task waits for A, which waits for B, and B for C, which does 20 ms of
// work before B does 10 and A 5 (testdata/gen/chain).
func TestChain(t *testing.T) {
	t.Parallel()
	c := convert(t, "chain", defaults)
	r := c.run(t, "critical_path_of_task")
	got := make(map[string]float64)
	for _, row := range r.Rows {
		if row[slices.Index(r.Columns, "state")] == "running" {
			got[row[slices.Index(r.Columns, "function")].(string)] += row[slices.Index(r.Columns, "ms")].(float64)
		}
	}
	for f, want := range map[string]float64{"main.goroutineC": 20, "main.goroutineB": 10, "main.goroutineA": 5} {
		if math.Abs(got[f]-want) > want/10 {
			t.Errorf("%s ran %.3f ms on the path, want about %v", f, got[f], want)
		}
	}
	if ms, ok := got["main.bystander"]; ok {
		t.Errorf("main.bystander is on the path, with %v ms", ms)
	}
}

// TestStates: what testdata/gen/states makes one goroutine wait for.
func TestStates(t *testing.T) {
	t.Parallel()
	c := convert(t, "states", defaults)
	r := c.run(t, "regions")
	got := make(map[string]map[string]float64)
	for _, row := range r.Rows {
		in := make(map[string]float64)
		for _, column := range []string{"running_ms", "runnable_ms", "waiting_ms"} {
			in[column] = row[slices.Index(r.Columns, column)].(float64)
		}
		got[row[slices.Index(r.Columns, "region")].(string)] = in
	}
	for _, want := range []struct {
		region, column string
		ms             float64
	}{
		{"asleep", "waiting_ms", 10}, {"mutex", "waiting_ms", 20}, {"channel", "waiting_ms", 5},
		{"work", "running_ms", 30}, {"work", "runnable_ms", 20},
	} {
		if ms := got[want.region][want.column]; math.Abs(ms-want.ms) > want.ms/5 {
			t.Errorf("region %s has %.3f %s, want about %v", want.region, ms, want.column, want.ms)
		}
	}
}
