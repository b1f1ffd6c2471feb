package pprof_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/model"
)

// both hands everything to two sinks.
type both struct {
	*history
	c *pprof.Collector
}

// TestRandomStints makes goroutines up that enter and leave states, regions and
// the work for tasks, far more often than the goroutines of the test traces, and
// compares as TestFilters does.
func TestRandomStints(t *testing.T) {
	tests := []struct {
		name   string
		opts   pprof.Options
		before bool // with regions from before the trace
	}{
		{"task", pprof.Options{Selection: model.Selection{Task: regexp.MustCompile("a|b")}}, true},
		{"region", pprof.Options{Region: regexp.MustCompile("a|b")}, true},
		{"both", pprof.Options{Selection: model.Selection{Task: regexp.MustCompile("a|b")}, Region: regexp.MustCompile("a")}, false},
		{"func", pprof.Options{Selection: model.Selection{Task: regexp.MustCompile("a"), Func: regexp.MustCompile("f")}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var counted int64
			for seed := range uint64(1000) {
				opts := tt.opts
				opts.Type = pprof.Wall
				b := both{newHistory(func(task *model.Task) bool { return opts.Task != nil && opts.Task.MatchString(task.Type) }), pprof.NewCollector(opts)}
				script := b.script(rand.New(rand.NewPCG(seed, 0)), tt.before)
				want := b.wall(&opts)
				compare(t, pprof.Wall, byLabels(b.c.Profile()), want)
				counted += total(want).count
				if t.Failed() {
					t.Fatalf("seed %d:\n%s", seed, script)
				}
			}
			if counted < 1000 {
				t.Errorf("only %d states count", counted)
			}
		})
	}
}

// script makes the life of one goroutine up and tells it; it returns what it told.
func (b both) script(r *rand.Rand, regionsFromBefore bool) (script string) {
	now := model.Time(r.IntN(3) * 100)
	say := func(format string, args ...any) {
		script += fmt.Sprintf("%5d ", now) + fmt.Sprintf(format, args...) + "\n"
	}
	b.c.Begin(&model.Trace{})
	tasks := make([]*model.Task, 3)
	works := make([]*model.Work, len(tasks))
	for i := range tasks {
		tasks[i] = &model.Task{ID: model.TaskID(i + 1), Type: "abc"[i : i+1]}
		b.TaskStart(tasks[i])
		b.c.TaskStart(tasks[i])
	}
	g := &model.Goroutine{ID: 1, Start: now, Before: now == 0}
	funcAt := model.Time(r.IntN(1000))
	b.GoroutineStart(g)
	b.c.GoroutineStart(g)
	s := model.GoState{Kind: model.Running, Start: now}
	var regions []*model.Region
	i := 0
	for range 60 {
		if r.IntN(4) > 0 { // also much at once, as a log is
			now += model.Time(r.IntN(20))
		}
		if g.Func == "" && now >= funcAt {
			g.Func = "fg"[r.IntN(2):][:1]
		}
		if r.IntN(3) > 0 {
			i = r.IntN(len(tasks))
		}
		switch r.IntN(6) {
		case 0, 1:
			s.End, s.Next = now, model.StateKind(1+r.IntN(4))
			say("%v ends", s.Kind)
			b.GoroutineState(g, &s)
			b.c.GoroutineState(g, &s)
			s = model.GoState{Kind: s.Next, Start: now, Reason: "xyz"[r.IntN(3):][:1]}
		case 2, 3:
			switch w := works[i]; {
			case w == nil:
				say("work for %s", tasks[i].Type)
				works[i] = &model.Work{Task: tasks[i], Goroutine: g, Start: now}
				b.WorkStart(works[i])
				b.c.WorkStart(works[i])
			default:
				say("no more work for %s", tasks[i].Type)
				w.End = now
				b.WorkEnd(w)
				b.c.WorkEnd(w)
				works[i] = nil
			}
		case 4:
			x := &model.Region{Goroutine: g, Type: tasks[i].Type, Start: now}
			if len(regions) == 0 && g.Before && regionsFromBefore && r.IntN(3) == 0 {
				x.Start, x.Before, x.End = 0, true, now
				say("region %s from before ends", x.Type)
				b.c.RegionStart(x)
				b.RegionEnd(x)
				b.c.RegionEnd(x)
				continue
			}
			say("region %s", x.Type)
			b.c.RegionStart(x)
			regions = append(regions, x)
		case 5:
			if n := len(regions); n > 0 {
				x := regions[n-1]
				regions = regions[:n-1]
				say("region %s ends", x.Type)
				x.End = now
				b.RegionEnd(x)
				b.c.RegionEnd(x)
			}
		}
	}
	s.End, s.Next = now, model.NotExist
	b.GoroutineState(g, &s)
	b.c.GoroutineState(g, &s)
	for _, x := range slices.Backward(regions) {
		x.End = now
		b.RegionEnd(x)
		b.c.RegionEnd(x)
	}
	for _, w := range works {
		if w != nil {
			w.End = now
			b.WorkEnd(w)
			b.c.WorkEnd(w)
		}
	}
	say("the end, of a goroutine of %q", g.Func)
	g.End = now
	b.GoroutineEnd(g)
	b.c.GoroutineEnd(g)
	return script
}
