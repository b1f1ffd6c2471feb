package distributed

import (
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/e2e/traceprocessor"
)

// TestTimeline traces two services at once and puts them on one timeline: each program is
// as in a file of its own, calls lead from one to the other, and the clocks fit as well as
// trace2x says.
func TestTimeline(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the trace processor")
	}
	program := build(t, "service", ".")
	trace2x := build(t, "../..", "./cmd/trace2x")
	back := start(t, program, "", "back", "")
	front := start(t, program, "", "front", back.url)
	dir := t.TempDir()
	file := func(s *service) string { return filepath.Join(dir, s.name+".trace") }
	for i, s := range []*service{back, front} {
		time.Sleep(time.Duration(i) * 50 * time.Millisecond) // one begins later
		s.get(t, "/trace/start?file="+url.QueryEscape(file(s)))
	}
	front.load(t, requests)
	front.get(t, "/slow")
	for _, s := range []*service{front, back} {
		s.get(t, "/trace/stop")
	}
	const calls = clients*requests + 1

	perfetto := func(args ...string) (file, report string) {
		t.Helper()
		file = filepath.Join(t.TempDir(), "out.pftrace")
		out, err := exec.Command(trace2x, append([]string{"perfetto", "-o", file}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return file, string(out)
	}
	both, report := perfetto("--name", "gateway="+file(front), file(front), file(back))
	m := regexp.MustCompile(`clock of back: by the wall clocks.*; right to within (\S+), as (\d+) calls tell\n`).FindStringSubmatch(report)
	if m == nil || m[2] != fmt.Sprint(calls) || !strings.Contains(report, fmt.Sprint(calls)+" calls from one program to another\n") {
		t.Fatalf("%s", report)
	}
	within, err := time.ParseDuration(m[1])
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, both)
	check := func(query, want string) {
		t.Helper()
		if got := fmt.Sprint(rows(t, p, query)); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	check("select name, idx, value from stats where value != 0 and severity in ('error', 'data_loss')", "[]")
	check("select raw_id, sysname from machine order by raw_id", "[[0 gateway] [1 back]]")
	check("select distinct machine_id from cpu order by 1", "[[0] [1]]")

	// The flows are the calls, and servers are within their clients.
	flows := rows(t, p, `select x.ts, x.dur, y.ts, y.dur,
		extract_arg(x.arg_set_id, 'debug.program') || ' ' || x.name || ', ' || extract_arg(y.arg_set_id, 'debug.program') || ' ' || y.name
		from flow f join slice x on x.id = f.slice_out join slice y on y.id = f.slice_in
		join track a on a.id = x.track_id join track above on above.id = a.parent_id where above.name = 'Calls'`)
	if len(flows) != calls {
		t.Errorf("%d flows from one program to the other, %d calls", len(flows), calls)
	}
	for _, f := range flows {
		client, server := f[0].(int64), f[2].(int64)
		early, late := client-server, server+f[3].(int64)-client-f[1].(int64)
		if max(early, late) > within.Nanoseconds() {
			t.Errorf("%v: the server is out of its client by %v and %v ns, more than %v", f, early, late, within)
		}
		if f[4] != "gateway HTTP GET, back GET /" {
			t.Errorf("a flow is of %v", f[4])
		}
	}

	// Each program is as in its own file.
	begin := func(p *traceprocessor.Processor, machine int) int64 {
		return rows(t, p, fmt.Sprintf("select min(ts) from thread_state join thread using (utid) where machine_id = %d", machine))[0][0].(int64)
	}
	for machine, s := range []*service{front, back} {
		alone, _ := perfetto(file(s))
		own := open(t, alone)
		for name, query := range map[string]string{
			"sched": `select s.ts - %[2]d, iif(s.dur < 0, 0, s.dur), cpu.cpu, t.tid, s.end_state from sched s
				join thread t using (utid) join cpu using (ucpu) where t.machine_id = %[1]d order by 1, 3, 2`,
			"thread_state": `select s.ts - %[2]d, iif(s.dur < 0, 0, s.dur), t.tid, s.state, s.blocked_function, w.tid from thread_state s
				join thread t using (utid) left join thread w on w.utid = s.waker_utid where t.machine_id = %[1]d order by 1, 3, 2, 4`,
			"slices": `select s.ts - %[2]d, iif(s.dur < 0, 0, s.dur), s.name, s.depth from slice s join track t on t.id = s.track_id
				left join track above on above.id = t.parent_id
				where t.machine_id = %[1]d and above.name is not 'Calls' order by 1, 3, 2, 4`,
		} {
			want := rows(t, own, fmt.Sprintf(query, 0, begin(own, 0)))
			got := rows(t, p, fmt.Sprintf(query, machine, begin(p, machine)))
			if len(want) < 1000 || len(got) != len(want) {
				t.Errorf("%s of %s: %d rows, %d in its own file", name, s.name, len(got), len(want))
				continue
			}
			for i := range want {
				if fmt.Sprint(got[i]) != fmt.Sprint(want[i]) {
					t.Errorf("%s of %s: %v, in its own file %v", name, s.name, got[i], want[i])
					break
				}
			}
		}
	}

	// One distributed trace of both.
	id := rows(t, p, `select extract_arg(arg_set_id, 'debug.trace_id') from slice where name = 'HTTP GET' order by dur desc limit 1`)[0][0].(string)
	spans := rows(t, p, fmt.Sprintf("select count(*) from slice where category = 'task' and extract_arg(arg_set_id, 'debug.trace_id') = '%s'", id))[0][0]
	one, report := perfetto("--trace-id", id, file(front), file(back))
	if !strings.Contains(report, fmt.Sprintf("%d spans of the distributed trace %s", spans, id)) {
		t.Errorf("%s", report)
	}
	p = open(t, one)
	check(`select t.name, s.name from slice s join track t on t.id = s.track_id join track above on above.id = t.parent_id
		where above.name = 'Calls' order by s.ts`, "[[front HTTP GET] [back GET /]]")
	check("select count(*) from flow f join slice x on x.id = f.slice_out join track t on t.id = x.track_id join track above on above.id = t.parent_id where above.name = 'Calls'", "[[1]]")
}

func open(t *testing.T, file string) *traceprocessor.Processor {
	t.Helper()
	p, err := traceprocessor.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func rows(t *testing.T, p *traceprocessor.Processor, query string) [][]any {
	t.Helper()
	r, err := p.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return r.Rows
}
