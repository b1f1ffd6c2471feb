package queries_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// preludes returns the part of each query that decides what the place of a stack is.
func preludes(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.sql")
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, ok := strings.Cut(string(text), "-- The place of a stack:")
		if !ok {
			if strings.Contains(string(text), "stack_profile_callsite") {
				t.Errorf("%s has another way to the place of a stack", file)
			}
			continue
		}
		const end = "JOIN go_place AS l USING (callsite_id);"
		prelude, _, ok := strings.Cut(rest, end)
		if !ok {
			t.Fatalf("%s: no %q", file, end)
		}
		out[file] = "--" + prelude + end
	}
	if len(out) < 2 {
		t.Errorf("%d queries have places", len(out))
	}
	return out
}

// TestPreludes: all queries decide in the same way.
func TestPreludes(t *testing.T) {
	first, text := "", ""
	for file, prelude := range preludes(t) {
		if first == "" {
			first, text = file, prelude
		}
		if prelude != text {
			t.Errorf("%s and %s differ:\n%s\n%s", file, first, prelude, text)
		}
	}
}

// stacks keeps all stacks of a trace that the queries can see.
type stacks struct {
	model.NopSink
	all map[*model.Stack]bool
}

func (s *stacks) add(stack *model.Stack) {
	if stack != nil {
		s.all[stack] = true
	}
}
func (s *stacks) GoroutineStart(g *model.Goroutine)                    { s.add(g.Creation) }
func (s *stacks) RegionStart(r *model.Region)                          { s.add(r.Stack) }
func (s *stacks) GoroutineState(_ *model.Goroutine, st *model.GoState) { s.addState(st) }
func (s *stacks) TaskStart(t *model.Task)                              { s.add(t.Stack) }
func (s *stacks) Log(l *model.Log)                                     { s.add(l.Stack) }
func (s *stacks) Range(r *model.Range)                                 { s.add(r.Stack) }
func (s *stacks) addState(st *model.GoState) {
	if st.Kind == model.Waiting || st.Kind == model.Syscall {
		s.add(st.Stack)
	}
}

// TestPlaces: the SQL and model.Stack.Place give the same place for every stack, and
// model.IsMechanism is the same for names that the traces do not have.
func TestPlaces(t *testing.T) {
	var prelude string
	for _, prelude = range preludes(t) {
		break
	}
	for _, name := range []string{"httpserver", "syscalls", "gc", "leak-go1.21"} {
		t.Run(name, func(t *testing.T) {
			c := convert(t, name, perfetto.Options{})
			all := &stacks{all: make(map[*model.Stack]bool)}
			converttest.Read(t, testtrace.Data(t, name), all)
			want := make(map[string]bool)
			for s := range all.all {
				want[place(s)] = true
			}
			r, err := c.Query(prelude + "\nSELECT DISTINCT place FROM go_slice_place")
			if err != nil {
				t.Fatal(err)
			}
			got := make(map[string]bool)
			for _, row := range r.Rows {
				got[fmt.Sprint(row[0])] = true
				if !want[fmt.Sprint(row[0])] {
					t.Errorf("only SQL has %v", row[0])
				}
			}
			for p := range want {
				if !got[p] {
					t.Errorf("only the model has %s", p)
				}
			}
			if len(want) < 5 {
				t.Errorf("only %d places", len(want))
			}
		})
	}
	c := convert(t, "states", perfetto.Options{})
	for _, fn := range []string{
		"runtime.gopark", "runtime/pprof.Do", "runtimes.f", "internal/poll.(*FD).Read", "sync.(*Mutex).Lock", "sync/atomic.AddInt64",
		"syscall.Syscall", "time.Sleep", "os.(*File).Read", "os/exec.(*Cmd).Run", "net.(*conn).Read", "net/http.(*conn).serve",
		"golang.org/x/sys/unix.EpollWait", "golang.org/x/sync/errgroup.(*Group).Wait", "example.com/time.Sleep", "main.main", "",
		"sync.OnceValue[go.shape.int].func1", "main.get[time.Time]", "timestamp.Now", "iter.Pull[...].func1", "iterate.f", "x",
	} {
		r, err := c.Query(prelude + fmt.Sprintf("\nSELECT go_is_mechanism('%s')", fn))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(r.Rows[0][0]) == "1"; got != model.IsMechanism(fn) {
			t.Errorf("%q: %v in SQL", fn, r.Rows[0][0])
		}
	}
}
