package report_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime/trace"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trace2x/trace2x/model"
)

// taskWork is a task, and how long goroutines work for it.
type taskWork struct {
	start, end model.Time
	at         map[model.GoID]model.Time
}

// workers collects the tasks and the goroutines of a trace.
type workers struct {
	model.NopSink
	tasks      map[string]*taskWork // by type
	goroutines map[model.GoID]*model.Goroutine
}

func (w *workers) of(t *model.Task) *taskWork {
	x := w.tasks[t.Type]
	if x == nil {
		x = &taskWork{at: make(map[model.GoID]model.Time)}
		w.tasks[t.Type] = x
	}
	return x
}

func (w *workers) TaskEnd(t *model.Task) {
	x := w.of(t)
	x.start, x.end = t.Start, t.End
}

func (w *workers) WorkEnd(k *model.Work) {
	w.of(k.Task).at[k.Goroutine.ID] += k.End - k.Start
}

func (w *workers) GoroutineEnd(g *model.Goroutine) {
	x := *g
	w.goroutines[g.ID] = &x
}

// The three patterns that model.Work describes. What a task does takes a while, so that
// all have different lengths.

func handler(done chan bool) {
	ctx, task := trace.NewTask(context.Background(), "handler")
	trace.WithRegion(ctx, "work", func() { time.Sleep(time.Millisecond) })
	task.End()
	done <- true
}

func dispatcher(done chan bool) {
	var wg sync.WaitGroup
	for _, name := range []string{"dispatched first", "dispatched second"} {
		_, task := trace.NewTask(context.Background(), name)
		wg.Add(1)
		go dispatched(task, &wg)
		time.Sleep(time.Millisecond)
	}
	wg.Wait()
	done <- true
}

func dispatched(task *trace.Task, wg *sync.WaitGroup) {
	time.Sleep(5 * time.Millisecond)
	task.End()
	wg.Done()
}

func fanOut(pool chan func(), done chan bool) {
	ctx, task := trace.NewTask(context.Background(), "fan-out")
	var wg sync.WaitGroup
	wg.Add(2)
	go part(&wg)
	pool <- func() {
		trace.WithRegion(ctx, "part", func() { time.Sleep(time.Millisecond) })
		time.Sleep(time.Millisecond) // for nobody
		wg.Done()
	}
	wg.Wait()
	task.End()
	done <- true
}

func part(wg *sync.WaitGroup) {
	time.Sleep(time.Millisecond)
	wg.Done()
}

func worker(pool chan func()) {
	for f := range pool {
		f()
	}
}

// TestWorkAsGoTool: the user tasks of go tool trace have the same durations. It shows
// the goroutines with an annotation of a task or of its end, each for as long as the task
// lasts. The model differs where that is not what happened: a dispatcher works for a task
// only until it begins another one, a goroutine of a pool only in its region; and a
// goroutine that was started for a task works for it without an annotation.
func TestWorkAsGoTool(t *testing.T) {
	if testing.Short() {
		t.Skip("starts go tool trace")
	}
	file := filepath.Join(t.TempDir(), "tasks.trace")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := make(chan func())
	go worker(pool)
	if err := trace.Start(out); err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go handler(done)
	<-done
	go dispatcher(done)
	<-done
	go fanOut(pool, done)
	<-done
	trace.Stop()
	close(pool)
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}

	ours := &workers{tasks: make(map[string]*taskWork), goroutines: make(map[model.GoID]*model.Goroutine)}
	readModel(t, file, ours)
	tool, err := startGoTool(t, file)
	if err != nil {
		t.Fatal(err)
	}
	for typ, want := range map[string]struct {
		shown []string // start functions of the goroutines that go tool trace shows
		less  string   // the one of these that works only for a part of the task
		more  []string // those that work for it and are not shown
	}{
		"handler":           {shown: []string{"handler"}},
		"dispatched first":  {shown: []string{"dispatched", "dispatcher"}, less: "dispatcher"},
		"dispatched second": {shown: []string{"dispatched", "dispatcher"}},
		"fan-out":           {shown: []string{"fanOut", "worker"}, less: "worker", more: []string{"part"}},
	} {
		elapsed, goroutines := goTask(t, string(tool.get(t, "/usertask", url.Values{"type": {typ}})))
		x := ours.tasks[typ]
		if x == nil || elapsed != time.Duration(x.end-x.start) {
			t.Errorf("%s: %+v; go tool trace: %v", typ, x, elapsed)
			continue
		}
		var shown, more []string
		for _, g := range goroutines {
			shown = append(shown, ours.name(g))
		}
		for g, at := range x.at {
			name := ours.name(g)
			if !slices.Contains(goroutines, g) {
				more = append(more, name)
			}
			// As go tool trace has it: all of the task in which the goroutine lives.
			whole := min(ours.goroutines[g].End, x.end) - max(ours.goroutines[g].Start, x.start)
			if name == want.less && at >= whole || name != want.less && at != whole {
				t.Errorf("%s: %s works for it for %d ns of %d", typ, name, at, whole)
			}
		}
		slices.Sort(shown)
		slices.Sort(more)
		if !slices.Equal(shown, want.shown) || !slices.Equal(more, want.more) || len(x.at) != len(shown)+len(more) {
			t.Errorf("%s: go tool trace shows %v, and %v work for it, too: %v", typ, shown, more, x.at)
		}
	}
}

// name returns the start function of a goroutine, without its package.
func (w *workers) name(g model.GoID) string {
	_, name, _ := strings.Cut(model.ShortFunc(w.goroutines[g].Func), ".")
	return name
}

var (
	goElapsed = regexp.MustCompile(`(?s)<tr class="first">.*?<td class="elapsed">([^<]*)</td>`)
	goGoid    = regexp.MustCompile(`<td class="goid">(\d+)</td>`)
)

// goTask returns what a page of user tasks has of its one task: how long it lasted, and
// the goroutines of its events.
func goTask(t *testing.T, page string) (elapsed time.Duration, goroutines []model.GoID) {
	t.Helper()
	m := goElapsed.FindAllStringSubmatch(page, -1)
	if len(m) != 1 {
		t.Fatalf("%d tasks: %s", len(m), page)
	}
	elapsed, err := time.ParseDuration(m[0][1])
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range goGoid.FindAllStringSubmatch(page, -1) {
		id, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(goroutines, model.GoID(id)) {
			goroutines = append(goroutines, model.GoID(id))
		}
	}
	return elapsed, goroutines
}
