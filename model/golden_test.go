package model_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

var update = flag.Bool("update", false, "write the goldens anew")

// lasting passes on what concerns goroutines that wait in one place for as long
// as the trace is, and what concerns none.
type lasting struct {
	*modeltest.Dump
	found map[string]int
}

func (l lasting) GoroutineStart(*model.Goroutine) {}
func (l lasting) GoroutineEnd(*model.Goroutine)   {}
func (l lasting) Run(*model.Run)                  {}
func (l lasting) ProcState(*model.ProcState)      {}
func (l lasting) Metric(*model.Metric)            {}
func (l lasting) Range(*model.Range)              {}
func (l lasting) GoroutineState(g *model.Goroutine, s *model.GoState) {
	if s.Before && s.Open {
		l.found[g.Func]++
		l.Dump.GoroutineState(g, s)
	}
}

// few says what to pass on of what a trace has many of: the first few with each
// key.
type few map[string]int

func (f few) has(key string) bool {
	const most = 3
	f[key]++
	return f[key] <= most
}

// noted passes on what the program notes: tasks, the first few of each type, with
// the regions, logs and work of these, and what belongs to no task.
type noted struct {
	*modeltest.Dump
	few  few
	left map[model.TaskID]bool // out
}

func newNoted(d *modeltest.Dump) model.Sink {
	return noted{d, make(few), make(map[model.TaskID]bool)}
}

func (noted) GoroutineStart(*model.Goroutine)                 {}
func (noted) GoroutineEnd(*model.Goroutine)                   {}
func (noted) GoroutineState(*model.Goroutine, *model.GoState) {}
func (noted) Run(*model.Run)                                  {}
func (noted) ProcState(*model.ProcState)                      {}
func (noted) Metric(*model.Metric)                            {}
func (noted) Range(*model.Range)                              {}
func (noted) Sample(*model.Sample)                            {}

func (n noted) TaskStart(t *model.Task) {
	if n.left[t.ID] = !n.few.has(t.Type); !n.left[t.ID] {
		n.Dump.TaskStart(t)
	}
}
func (n noted) TaskEnd(t *model.Task) {
	if !n.left[t.ID] {
		n.Dump.TaskEnd(t)
	}
}
func (n noted) RegionStart(r *model.Region) {
	if !n.left[r.TaskID] {
		n.Dump.RegionStart(r)
	}
}
func (n noted) RegionEnd(r *model.Region) {
	if !n.left[r.TaskID] {
		n.Dump.RegionEnd(r)
	}
}
func (n noted) Log(l *model.Log) {
	if !n.left[l.TaskID] {
		n.Dump.Log(l)
	}
}
func (n noted) WorkStart(w *model.Work) {
	if !n.left[w.Task.ID] {
		n.Dump.WorkStart(w)
	}
}
func (n noted) WorkEnd(w *model.Work) {
	if !n.left[w.Task.ID] {
		n.Dump.WorkEnd(w)
	}
}

// ofRuntime passes on what the runtime does apart from goroutines: all samples, and
// the first few states of each P, values of each metric and ranges of each name.
type ofRuntime struct {
	*modeltest.Dump
	few few
}

func (o ofRuntime) ProcState(p *model.ProcState) {
	if o.few.has(fmt.Sprint("P", p.Proc)) {
		o.Dump.ProcState(p)
	}
}
func (o ofRuntime) Metric(m *model.Metric) {
	if o.few.has(m.Name) {
		o.Dump.Metric(m)
	}
}
func (o ofRuntime) Range(r *model.Range) {
	if o.few.has(r.Name) {
		o.Dump.Range(r)
	}
}
func (ofRuntime) GoroutineStart(*model.Goroutine)                 {}
func (ofRuntime) GoroutineEnd(*model.Goroutine)                   {}
func (ofRuntime) GoroutineState(*model.Goroutine, *model.GoState) {}
func (ofRuntime) Run(*model.Run)                                  {}
func (ofRuntime) RegionStart(*model.Region)                       {}
func (ofRuntime) RegionEnd(*model.Region)                         {}
func (ofRuntime) TaskStart(*model.Task)                           {}
func (ofRuntime) TaskEnd(*model.Task)                             {}
func (ofRuntime) Log(*model.Log)                                  {}
func (ofRuntime) WorkStart(*model.Work)                           {}
func (ofRuntime) WorkEnd(*model.Work)                             {}

// fromC passes on goroutines that C threads bring to Go, and calls of C that
// lost their P.
type fromC struct {
	*modeltest.Dump
	fromC map[model.GoID]bool
}

func (f fromC) GoroutineStart(g *model.Goroutine) {
	if f.fromC[g.ID] = !g.Before && g.State == model.Syscall; f.fromC[g.ID] {
		f.Dump.GoroutineStart(g)
	}
}
func (f fromC) GoroutineState(g *model.Goroutine, s *model.GoState) {
	if f.fromC[g.ID] || s.Kind == model.Syscall && s.ProcLost < s.End {
		f.Dump.GoroutineState(g, s)
	}
}
func (f fromC) GoroutineEnd(g *model.Goroutine) {
	if f.fromC[g.ID] {
		f.Dump.GoroutineEnd(g)
	}
}
func (f fromC) Run(r *model.Run) {
	if f.fromC[r.Goroutine.ID] {
		f.Dump.Run(r)
	}
}
func (fromC) ProcState(*model.ProcState) {}
func (fromC) Metric(*model.Metric)       {}
func (fromC) Range(*model.Range)         {}
func (fromC) WorkStart(*model.Work)      {}
func (fromC) WorkEnd(*model.Work)        {}

// TestGolden compares the calls of the model, or some of them, with goldens.
// After they have been written anew, read what git diff says.
func TestGolden(t *testing.T) {
	whole := func(d *modeltest.Dump) model.Sink { return d }
	leaked := make(map[string]int)
	tests := []struct {
		trace  string
		golden string
		sink   func(*modeltest.Dump) model.Sink
	}{
		{"chain", "chain", whole},
		{"states", "states", whole},
		{"empty", "empty", whole},
		{"manytasks", "manytasks-noted", newNoted},
		{"leak", "leak", func(d *modeltest.Dump) model.Sink { return lasting{d, leaked} }},
		{"leak-go1.21", "leak-go1.21", func(d *modeltest.Dump) model.Sink { return lasting{d, make(map[string]int)} }},
		{"syscalls", "syscalls", func(d *modeltest.Dump) model.Sink { return lasting{d, make(map[string]int)} }},
		{"spanlink", "spanlink-noted", newNoted},
		{"flightrecorder", "flightrecorder-noted", newNoted},
		{"cgo", "cgo", func(d *modeltest.Dump) model.Sink { return fromC{d, make(map[model.GoID]bool)} }},
		{"cpuprofile", "cpuprofile", func(d *modeltest.Dump) model.Sink { return ofRuntime{d, make(few)} }},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			var out bytes.Buffer
			if _, err := model.Read(context.Background(), bytes.NewReader(testtrace.Data(t, tt.trace)), tt.sink(modeltest.NewDump(&out))); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", tt.golden+".golden")
			if *update {
				if err := os.MkdirAll("testdata", 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, out.Bytes(), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, wanted := bytes.Split(out.Bytes(), []byte("\n")), bytes.Split(want, []byte("\n"))
			for i := range min(len(got), len(wanted)) {
				if !bytes.Equal(got[i], wanted[i]) {
					t.Fatalf("%s:%d: got\n%s\nwant\n%s", file, i+1, got[i], wanted[i])
				}
			}
			if len(got) != len(wanted) {
				t.Fatalf("%s: %d lines, want %d", file, len(got), len(wanted))
			}
		})
	}

	// testdata/gen/leak has these, and they must not depend on a golden.
	for _, name := range []string{
		"main.leakNilChannel", "main.leakEmptySelect", "main.leakMutex", "main.leakReceive",
		"main.leakSend", "main.leakSelect", "main.leakWaitGroup", "main.leakCond",
	} {
		if leaked[name] != 1 {
			t.Errorf("%d goroutines %s wait from before the trace to its end, want 1; of all: %v", leaked[name], name, leaked)
		}
	}
}
