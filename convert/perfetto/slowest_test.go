package perfetto_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"regexp"
	"testing"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// TestSlowest: the slowest units of each type have the critical paths that package
// critical reports, and flows lead to the lanes of who is on them.
func TestSlowest(t *testing.T) {
	for name, group := range map[string]string{
		"chain":             "Slowest tasks",
		"slow":              "Slowest tasks",
		"damaged":           "Slowest tasks",
		"httpserver-go1.21": "Slowest tasks",
		"leak":              "Slowest goroutines",
		"pipeline":          "Slowest tasks",
		"cpuprofile":        "Slowest tasks",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := defaults
			opts.Slowest = 3
			c := convert(t, name, opts)
			checkStats(t, c)
			report := slowestOf(t, name, opts.Slowest)
			same(t, "paths", c.query(t, pathSQL), pathLines(report, nil))
			checkFlows(t, c)
			comes := 0
			for _, typ := range report.Types {
				for _, k := range typ.Slowest {
					last := model.NoGoroutine
					for _, s := range k.Path.Segments {
						if s.Goroutine != model.NoGoroutine && s.Goroutine != last {
							comes++
						}
						last = s.Goroutine
					}
				}
			}
			same(t, "flows", c.query(t, "select count(*) from flow join slice o on o.id = slice_out where o.category = 'slowest'"), []string{fmt.Sprint(comes)})
			same(t, "group", c.query(t, "select name from track where name glob 'Slowest *'"), []string{group})
		})
	}
}

// TestSlowestInFocus: a file of some goroutines has the paths that the whole one has.
func TestSlowestInFocus(t *testing.T) {
	t.Parallel()
	const name = "httpserver-go1.25"
	const all = math.MaxInt32
	query := regexp.MustCompile("^query$")
	var third model.TaskID
	for _, typ := range slowestOf(t, name, 3).Types {
		if typ.Name == "handleRequest" {
			third = typ.Slowest[2].Task
		}
	}
	for what, c := range map[string]struct {
		opts  perfetto.Options
		keep  func(*critical.Kept) bool
		where string
	}{
		"a type": {perfetto.Options{Selection: model.Selection{Task: query}}, func(k *critical.Kept) bool { return query.MatchString(k.Type) }, ""},
		// Its subtasks are in focus, too.
		"a task": {perfetto.Options{Selection: model.Selection{TaskID: third}}, func(k *critical.Kept) bool { return k.Task == third }, " and p.name = 'handleRequest'"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c.opts.Slowest, c.opts.MinBlock = all, defaults.MinBlock
			file := convert(t, name, c.opts)
			checkStats(t, file)
			want := pathLines(slowestOf(t, name, all), c.keep)
			if len(want) < 3 {
				t.Fatalf("%d slices", len(want))
			}
			same(t, "paths", file.query(t, pathSQL+c.where), want)
			checkFlows(t, file)
		})
	}
}

// pathSQL is one line for each slice of a path.
const pathSQL = `
	select p.name, s.depth, s.ts, s.dur from slice s
	join track t on t.id = s.track_id join track p on p.id = t.parent_id
	where s.category = 'slowest' and s.track_id not in (select id from thread_track)`

// slowestOf is what package critical reports.
func slowestOf(t *testing.T, name string, n int) *critical.Report {
	sums := critical.NewSums(critical.SumOptions{Slowest: n})
	if _, err := model.Read(t.Context(), bytes.NewReader(testtrace.Data(t, name)), sums); err != nil && !model.IsDamage(err) {
		t.Fatal(err)
	}
	return sums.Report()
}

func pathLines(r *critical.Report, keep func(*critical.Kept) bool) (lines []string) {
	for _, typ := range r.Types {
		add := func(depth int, start, end model.Time) {
			lines = append(lines, fmt.Sprint(cmp.Or(typ.Name, "(no name)"), " ", depth, " ", int64(start), " ", int64(end-start)))
		}
		for _, k := range typ.Slowest {
			if keep != nil && !keep(&k) {
				continue
			}
			add(0, k.Start, k.End)
			for _, w := range k.Path.Waits {
				add(w.Depth+1, w.Start, w.End)
			}
			for _, s := range k.Path.Segments {
				add(s.Depth+1, s.Start, s.End)
			}
		}
	}
	return lines
}

// checkFlows: each leads from a step of a path to the lane of its goroutine, at the
// same moment.
func checkFlows(t *testing.T, c *converted) {
	t.Helper()
	if _, err := c.Query(onLanes); err != nil {
		t.Fatal(err)
	}
	flows := `
		select o.ts, o.name, extract_arg(o.arg_set_id, 'debug.goroutine') as want, l.goroutine, l.ts as lane_ts
		from flow join slice o on o.id = flow.slice_out join on_lane l on l.id = flow.slice_in
		where o.category = 'slowest'`
	if n := len(c.query(t, flows)); n == 0 {
		t.Error("no flows")
	}
	same(t, "flows to elsewhere", c.query(t, "select * from ("+flows+") where lane_ts != ts or want is not goroutine"), nil)
	same(t, "instants without a flow", c.query(t, `
		select ts, name from on_lane where category = 'slowest' and id not in (select slice_in from flow)`), nil)
}
