package perfetto_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/e2e/traceprocessor"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

// These tests load what the package writes into Perfetto's real trace processor
// and compare what that makes of it with what the model counted.

var defaults = perfetto.Options{MinBlock: perfetto.DefaultMinBlock, Version: "test"}

// converted is a trace in both forms.
type converted struct {
	*modeltest.Record
	*traceprocessor.Processor
	file string
}

// convert converts a trace of testdata/traces and opens the result.
func convert(t *testing.T, name string, opts perfetto.Options) *converted {
	t.Helper()
	data := testtrace.Data(t, name)
	p, file := converttest.Load(t, converttest.Perfetto(t, data, opts))
	record := modeltest.NewRecord()
	converttest.Read(t, data, record)
	return &converted{record, p, file}
}

// query returns the rows of a query, each as a line of its values.
func (c *converted) query(t *testing.T, sql string) []string {
	t.Helper()
	r, err := c.Query(sql)
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]string, len(r.Rows))
	for i, row := range r.Rows {
		lines[i] = strings.TrimSuffix(fmt.Sprintln(row...), "\n")
	}
	return lines
}

// same compares two lists without regard to their order.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if slices.Equal(got, want) {
		return
	}
	t.Errorf("%s: %d in Perfetto, %d in the model", what, len(got), len(want))
	shown := 0
	for len(got) > 0 || len(want) > 0 {
		var order int
		switch {
		case len(got) == 0:
			order = 1
		case len(want) == 0:
			order = -1
		default:
			order = cmp.Compare(got[0], want[0])
		}
		if order != 0 && shown < 5 {
			shown++
			if order < 0 {
				t.Errorf("  only in Perfetto: %s", got[0])
			} else {
				t.Errorf("  only in the model: %s", want[0])
			}
		}
		if order <= 0 {
			got = got[1:]
		}
		if order >= 0 {
			want = want[1:]
		}
	}
}

// line is an interval as the queries here give it: an open one has no duration.
func line(i modeltest.Interval, more ...any) string {
	d := int64(i.End - i.Start)
	if i.Open {
		d = -1
	}
	return strings.TrimSuffix(fmt.Sprintln(append([]any{int64(i.Start), d, i.Name}, more...)...), "\n")
}

func lines(is []modeltest.Interval, more func(modeltest.Interval) []any) []string {
	out := make([]string, len(is))
	for i, in := range is {
		if more != nil {
			out[i] = line(in, more(in)...)
		} else {
			out[i] = line(in)
		}
	}
	return out
}

func goroutine(in modeltest.Interval) []any { return []any{fmt.Sprintf("G%d", in.Goroutine)} }

// onLanes has the slices of lanes with the goroutine in whose lifetime they are.
const onLanes = `
	create perfetto view on_lane as
	select s.*, iif(s.depth = 0, s.name, (
		select a.name from ancestor_slice(s.id) a where a.depth = 0
	)) as goroutine
	from slice s join thread_track t on t.id = s.track_id`

// reasonSQL is the reason of a blocked state, without the place.
const reasonSQL = `substr(blocked_function, 1, instr(blocked_function || '` + perfetto.ReasonAt + `', '` + perfetto.ReasonAt + `') - 1)`

// TestTraces holds on every trace of the repository what the output promises.
func TestTraces(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := convert(t, name, defaults)
			checkStats(t, c)
			checkSched(t, c)
			checkStates(t, c)
			checkWakers(t, c)
			checkSlices(t, c, defaults.MinBlock.Nanoseconds())
			checkWorks(t, c, name)
			checkCounters(t, c)
			checkMetadata(t, c)
		})
	}
}

// TestOptions holds the same with options that change what is written.
func TestOptions(t *testing.T) {
	for _, opts := range []perfetto.Options{
		{MinBlock: 0, Threads: true},
		{MinBlock: perfetto.DefaultMinBlock, LanePerGoroutine: true},
	} {
		t.Run(fmt.Sprintf("%+v", opts), func(t *testing.T) {
			t.Parallel()
			for _, name := range []string{"httpserver-go1.25", "cgo", "httpserver-go1.21"} {
				c := convert(t, name, opts)
				checkStats(t, c)
				checkSched(t, c)
				checkStates(t, c)
				checkSlices(t, c, opts.MinBlock.Nanoseconds())
				if opts.LanePerGoroutine {
					same(t, "lanes with more than one goroutine", c.query(t, "select track_id from slice where category = 'goroutine' group by 1 having count(*) > 1"), nil)
				}
				if opts.Threads {
					same(t, "runs on threads",
						c.query(t, "select s.ts, s.dur from slice s where category = 'thread' and name != 'syscall'"),
						runsOnThreads(c))
				}
			}
		})
	}
}

func runsOnThreads(c *converted) (lines []string) {
	for _, r := range c.Runs {
		if r.Thread == model.NoThread {
			continue
		}
		d := int64(r.End - r.Start)
		if r.Open {
			d = -1
		}
		lines = append(lines, fmt.Sprint(int64(r.Start), " ", d))
	}
	return lines
}

func checkStats(t *testing.T, c *converted) {
	t.Helper()
	same(t, "errors of the trace processor", c.query(t, `
		select name, severity, value from stats
		where value != 0 and severity in ('error', 'data_loss')`), nil)
}

// checkSched: one row per interval in which a goroutine held a P, or, on a P that no
// CPU stands for, one slice.
func checkSched(t *testing.T, c *converted) {
	t.Helper()
	var want, beyond []string
	for _, r := range c.Runs {
		run := fmt.Sprint(int64(r.Start), " ", int64(r.End-r.Start), " ", r.Proc)
		if r.Proc < perfetto.MaxCPUs {
			want = append(want, run)
		} else {
			beyond = append(beyond, run)
		}
	}
	same(t, "runs without a CPU", c.query(t, "select s.ts, s.dur, substr(t.name, 2) from slice s join track t on t.id = s.track_id where category = 'run'"), beyond)
	same(t, "runs", c.query(t, "select ts, dur, ucpu from sched where utid != 0"), want)
	same(t, "overlaps on a P", c.query(t, `
		select ts, following from (
			select ts, dur, lead(ts) over (partition by ucpu order by ts) as following from sched
		) where dur > 0 and ts + dur > following`), nil)
}

// lifetimes has the goroutines on lanes, which are threads: the goroutine is the
// lifetime around a moment.
const lifetimes = `
	create or replace perfetto table lifetime as
	select t.utid, s.ts, iif(s.dur = -1, trace_end() + 1, s.ts + s.dur) as ts_end, s.name
	from slice s join thread_track t on t.id = s.track_id
	where s.category = 'goroutine';`

// checkStates: the time in each state, to the nanosecond.
func checkStates(t *testing.T, c *converted) {
	t.Helper()
	var want []string
	add := func(name string, d model.Time) {
		if d > 0 {
			want = append(want, fmt.Sprint(name, " ", int64(d)))
		}
	}
	_, beyond := beyondCPUs(c)
	add("Running", c.OnProc-beyond)
	add("R", c.States[model.Runnable])
	add("S", c.States[model.Waiting])
	add("D", c.Blocked)
	// X and T are lanes without a goroutine. T is also what is unknown, in a gap, and
	// what runs on a P that no CPU stands for.
	same(t, "time by state", c.query(t, `
		select state, sum(dur) from thread_state
		where utid != 0 and dur > 0 and state not in ('X', 'T') group by 1`), want)

	want = nil
	add("T", c.States[model.Unknown]+beyond)
	same(t, "time in T", c.query(t, lifetimes+`
		select s.state, sum(s.dur) from thread_state s
		join lifetime g on g.utid = s.utid and s.ts >= g.ts and s.ts < g.ts_end
		where s.state = 'T' and s.dur > 0 group by 1`), want)

	want = nil
	for reason, d := range c.Reasons {
		add("S "+reason, d)
	}
	same(t, "waits by reason", c.query(t, `
		select 'S ' || ifnull(`+reasonSQL+`, '(none)'), sum(dur) from thread_state
		where state = 'S' and dur > 0 group by 1`), want)
	same(t, "system calls without a reason", c.query(t, `
		select ts from thread_state
		where state = 'D' and dur > 1 and ifnull(`+reasonSQL+`, '') != 'syscall'`), nil)
}

// checkWakers: who made each goroutine runnable.
func checkWakers(t *testing.T, c *converted) {
	t.Helper()
	var want []string
	for _, w := range c.Wakes {
		waker := "-"
		if w.Waker != model.NoGoroutine {
			waker = fmt.Sprintf("G%d", w.Waker)
		}
		want = append(want, fmt.Sprintf("%d G%d %s", w.Time, w.Goroutine, waker))
	}
	same(t, "wakings", c.query(t, lifetimes+`
		select s.ts, g.name, iif(s.irq_context, '-', w.name)
		from thread_state s
		join lifetime g on g.utid = s.utid and s.ts >= g.ts and s.ts < g.ts_end
		left join lifetime w on w.utid = s.waker_utid and s.ts >= w.ts and s.ts < w.ts_end
		where s.state = 'R' and s.waker_utid is not null`), want)
}

// checkSlices: lifetimes, waits, system calls, regions, tasks and ranges one to
// one, each on the lane of its goroutine, with its stack.
func checkSlices(t *testing.T, c *converted, minBlock int64) {
	t.Helper()
	if _, err := c.Query(onLanes); err != nil {
		t.Fatal(err)
	}
	var lifetimes []string
	for _, g := range c.Goroutines {
		g.Name = fmt.Sprintf("G%d", g.Goroutine)
		lifetimes = append(lifetimes, line(g))
	}
	same(t, "lifetimes", c.query(t, "select ts, dur, name from slice where category = 'goroutine'"), lifetimes)

	long := func(all []modeltest.Interval) (out []modeltest.Interval) {
		for _, i := range all {
			if int64(i.End-i.Start) >= minBlock {
				out = append(out, i)
			}
		}
		return out
	}
	waits, syscalls := long(c.Waits), long(c.Syscalls)
	laneSlices := func(category string) string {
		return fmt.Sprintf("select ts, dur, name, goroutine from on_lane where category = '%s'", category)
	}
	same(t, "waits", c.query(t, laneSlices("wait")), lines(waits, goroutine))
	same(t, "system calls", c.query(t, laneSlices("syscall")), lines(syscalls, goroutine))
	same(t, "regions", c.query(t, laneSlices("region")), lines(c.Regions, goroutine))
	tasks := slices.Clone(c.Tasks)
	for i := range tasks {
		if tasks[i].Name == "" {
			tasks[i].Name = "(task from before the trace)"
		}
	}
	same(t, "tasks", c.query(t, "select ts, dur, name from slice where category = 'task'"), lines(tasks, nil))
	var ranges []string
	for _, r := range c.Ranges {
		ranges = append(ranges, line(r))
	}
	same(t, "ranges of the runtime", c.query(t, `
		select ts, dur, name from slice
		where category in ('gc', 'stw') and name not in ('GC (dedicated)', 'GC (fractional)', 'GC (idle)')`), ranges)

	stacks := func(category string) string {
		return fmt.Sprintf(`
			select s.ts, s.dur, s.name from slice s
			join __intrinsic_track_event_callstacks k on k.slice_id = s.id
			where s.category = '%s' and k.callsite_id is not null`, category)
	}
	withStack := func(is []modeltest.Interval) (out []modeltest.Interval) {
		for _, i := range is {
			if i.HasStack {
				out = append(out, i)
			}
		}
		return out
	}
	same(t, "stacks of waits", c.query(t, stacks("wait")), lines(withStack(waits), nil))
	same(t, "stacks of system calls", c.query(t, stacks("syscall")), lines(withStack(syscalls), nil))
	same(t, "stacks of regions", c.query(t, stacks("region")), lines(withStack(c.Regions), nil))

	same(t, "slices that do not nest", c.query(t, `
		select s.ts, s.dur, s.name from slice s join slice p on p.id = s.parent_id
		where s.ts < p.ts or p.dur != -1 and (s.dur = -1 or s.ts + s.dur > p.ts + p.dur)`), nil)

	same(t, "flows from go statements", c.query(t, `
		select f.goroutine, o.ts from flow join slice o on o.id = flow.slice_out
		join on_lane f on f.id = flow.slice_in
		where o.category = 'go' and f.category = 'goroutine' and o.ts = f.ts`),
		c.query(t, "select s.name, s.ts from slice s join args a using (arg_set_id) where s.category = 'goroutine' and a.key = 'debug.parent' and s.ts > trace_start()"))
	same(t, "number of flows, logs, samples", c.query(t, `
		select (select count(*) from flow join slice o on o.id = slice_out where o.category = 'go'), (select count(*) from on_lane where category = 'log'), (select count(*) from perf_sample)`),
		[]string{fmt.Sprint(c.Creations, " ", c.Logs, " ", c.Samples)})
}

func checkCounters(t *testing.T, c *converted) {
	t.Helper()
	for name, track := range map[string]string{
		"/memory/classes/heap/objects:bytes": "Heap in use",
		"/gc/heap/goal:bytes":                "Heap goal",
		"/sched/gomaxprocs:threads":          "GOMAXPROCS",
	} {
		rows := c.query(t, fmt.Sprintf(`
			select c.ts, cast(c.value as int) from counter c join track t on t.id = c.track_id where t.name = '%s' order by c.ts, c.id`, track))
		checkSamples(t, track, c.Trace.Start, rows, c.Metrics[name])
	}
	// At each sample, the counters say what the states do.
	if c.Summary.End-c.Trace.Start < 1e9 { // quadratic
		same(t, "goroutine counters that differ from the states", c.query(t, `
			with sample as (
				select c.ts, c.value, t.name,
					case t.name when 'Goroutines waiting' then 'S' when 'Goroutines runnable' then 'R' end as state
				from counter c join track t on t.id = c.track_id
				where t.name in ('Goroutines waiting', 'Goroutines runnable')
					and c.ts < trace_end()
				order by c.ts limit 200
			)
			select s.ts, s.name, s.value, count(x.id) as states
			from sample s left join thread_state x
				on x.state = s.state and x.ts <= s.ts and (x.dur = -1 or x.ts + x.dur > s.ts)
			group by s.ts, s.name having states != s.value`), nil)
	}
}

// checkSamples compares the samples of a counter with what the trace has. In the first
// second, all are there. After that, one that is left out is less than 1 ms from the two
// around it, and between them.
func checkSamples(t *testing.T, track string, start model.Time, rows []string, samples []model.Metric) {
	t.Helper()
	between := func(x, a, b uint64) bool { return min(a, b) <= x && x <= max(a, b) }
	last, left := -1, 0
	for i := range samples {
		s := &samples[i]
		if len(rows) == 0 || rows[0] != fmt.Sprint(int64(s.Time), " ", s.Value) {
			left++
			if s.Time < start+1e9 || last < 0 || i == len(samples)-1 {
				t.Fatalf("%s: sample %d of %d, at %d, is not there", track, i, len(samples), s.Time)
			}
			continue
		}
		rows = rows[1:]
		for out := last + 1; out < i; out++ {
			if b := &samples[last]; s.Time-b.Time >= 1e6 || !between(samples[out].Value, b.Value, s.Value) {
				t.Fatalf("%s: sample %d at %d, %d, is left out between %v and %v", track, out, samples[out].Time, samples[out].Value, *b, *s)
			}
		}
		last = i
	}
	if len(rows) > 0 {
		t.Errorf("%s: %d samples that the trace does not have, the first is %s", track, len(rows), rows[0])
	}
	t.Logf("%s: %d of %d samples left out", track, left, len(samples))
}

func checkMetadata(t *testing.T, c *converted) {
	t.Helper()
	want := []string{
		"go.trace.events " + fmt.Sprint(c.Summary.Events),
		"go.trace.format " + c.Summary.Format,
		"go.trace.generations " + fmt.Sprint(c.Summary.Generations),
		"go.trace.goroutines " + fmt.Sprint(c.Summary.Goroutines),
		"trace2x.version test",
	}
	for _, gap := range c.Summary.Gaps {
		want = append(want, "go.trace.damage "+gap.Damage.Error())
		same(t, "mark of the damage", c.query(t, "select ts, dur, extract_arg(arg_set_id, 'debug.error') from slice where category = 'damage'"),
			[]string{fmt.Sprint(int64(gap.Start), " ", int64(gap.End-gap.Start), " ", gap.Damage.Error())})
	}
	if note := perfetto.Beyond(&c.Summary); note != "" {
		want = append(want, "go.trace.ps_without_cpu "+note)
	}
	same(t, "metadata", c.query(t, `
		select substr(name, length('trace_attribute.') + 1), coalesce(str_value, int_value)
		from metadata where name glob 'trace_attribute.*'`), want)
	var clocks []string
	for _, k := range c.Clocks {
		clocks = append(clocks, fmt.Sprint("REALTIME ", k.Wall.UnixNano()), fmt.Sprint("MONOTONIC ", k.Mono))
	}
	same(t, "clock snapshots", c.query(t, "select clock_name, clock_value from clock_snapshot where clock_name in ('REALTIME', 'MONOTONIC')"), clocks)
}

// TestLeak: goroutines that are blocked from before the trace to its end.
func TestLeak(t *testing.T) {
	t.Parallel()
	c := convert(t, "leak", defaults)
	whole := int64(c.Summary.End - c.Trace.Start)
	var want []string
	for name, reason := range map[string]string{
		"main.leakNilChannel":  "chan receive",
		"main.leakEmptySelect": "forever",
		"main.leakMutex":       "sync",
		"main.leakReceive":     "chan receive",
		"main.leakSend":        "chan send",
		"main.leakSelect":      "select",
		"main.leakWaitGroup":   "sync",
		"main.leakCond":        "sync.(*Cond).Wait",
	} {
		want = append(want, fmt.Sprint(name, " S ", reason, " ", whole))
	}
	same(t, "states of leaked goroutines", c.query(t, `
		select p.name, s.state, `+reasonSQL+`, s.dur from thread_state s
		join thread using (utid) join process p using (upid)
		where p.name glob 'main.leak*' and s.dur > 0`), want)
	same(t, "slices of leaked goroutines without an end or a stack", c.query(t, `
		select p.name, s.dur, k.callsite_id is not null from slice s
		join thread_track t on t.id = s.track_id join thread using (utid) join process p using (upid)
		join __intrinsic_track_event_callstacks k on k.slice_id = s.id
		where p.name glob 'main.leak*' and s.category = 'wait' and (s.dur != -1 or k.callsite_id is null)`), nil)
}

// TestCriticalPath: A waits for B, and B for C, which does 20 ms of work before
// B does 10 and A 5 (testdata/gen/chain).
func TestCriticalPath(t *testing.T) {
	t.Parallel()
	c := convert(t, "chain", defaults)
	if _, err := c.Query("include perfetto module sched.thread_executing_span_with_slice"); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]int64)
	r, err := c.Query(`
		select process.name, sum(p.dur) from _thread_executing_span_critical_path(
			(select utid from thread join process using (upid) where process.name = 'main.goroutineA' and not is_main_thread),
			trace_start(), trace_end() - trace_start()) p
		join thread using (utid) join process using (upid) group by 1`)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		got[row[0].(string)] = row[1].(int64)
	}
	for name, want := range map[string]int64{"main.goroutineC": 20e6, "main.goroutineB": 10e6, "main.goroutineA": 5e6} {
		if got[name] < want*9/10 || got[name] > want*11/10+1e6 {
			t.Errorf("%s has %d ns on the critical path of A, want about %d", name, got[name], want)
		}
	}
	if len(got) != 3 {
		t.Errorf("on the critical path of A are %v, want A, B and C only", got)
	}
}

// TestUIQueries runs what the standard library offers for threads on goroutines.
func TestUIQueries(t *testing.T) {
	t.Parallel()
	c := convert(t, "cpuprofile", defaults)
	for _, module := range []string{"sched.latency", "sched.thread_level_parallelism", "sched.time_in_state", "linux.perf.samples"} {
		if _, err := c.Query("include perfetto module " + module); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "runs without a latency", c.query(t, `
		select count(*) > 0 from sched_latency_for_running_interval`), []string{"1"})
	same(t, "CPU time in samples (ns)", c.query(t, `
		select cast(sum(c.value) as int) from counter c join track t on t.id = c.track_id where t.name = 'cpu-clock'`),
		[]string{fmt.Sprint(c.Samples * 10_000_000)})
	same(t, "samples outside of the processes of start functions", c.query(t, `
		select p.name from perf_sample s join thread t using (utid) left join process p using (upid)
		where p.name is null or p.pid = 0`), nil)
}
