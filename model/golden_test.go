package model_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

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

// noted passes on what the program notes: tasks, regions and logs.
type noted struct{ *modeltest.Dump }

func (noted) GoroutineStart(*model.Goroutine)                 {}
func (noted) GoroutineEnd(*model.Goroutine)                   {}
func (noted) GoroutineState(*model.Goroutine, *model.GoState) {}
func (noted) Run(*model.Run)                                  {}
func (noted) ProcState(*model.ProcState)                      {}
func (noted) Metric(*model.Metric)                            {}
func (noted) Range(*model.Range)                              {}
func (noted) Sample(*model.Sample)                            {}

// ofRuntime passes on what the runtime does apart from goroutines.
type ofRuntime struct{ *modeltest.Dump }

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
		{"chain.trace", "chain", whole},
		{"states.trace", "states", whole},
		{"empty.trace", "empty", whole},
		{"manytasks.trace", "manytasks", whole},
		{"leak.trace", "leak", func(d *modeltest.Dump) model.Sink { return lasting{d, leaked} }},
		{"leak-go1.21.trace", "leak-go1.21", func(d *modeltest.Dump) model.Sink { return lasting{d, make(map[string]int)} }},
		{"syscalls.trace", "syscalls", func(d *modeltest.Dump) model.Sink { return lasting{d, make(map[string]int)} }},
		{"spanlink.trace", "spanlink-noted", func(d *modeltest.Dump) model.Sink { return noted{d} }},
		{"flightrecorder.trace", "flightrecorder-noted", func(d *modeltest.Dump) model.Sink { return noted{d} }},
		{"cgo.trace", "cgo", func(d *modeltest.Dump) model.Sink { return fromC{d, make(map[model.GoID]bool)} }},
		{"cpuprofile.trace", "cpuprofile", func(d *modeltest.Dump) model.Sink { return ofRuntime{d} }},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			var out bytes.Buffer
			if _, err := model.Read(context.Background(), bytes.NewReader(traceData(t, tt.trace)), tt.sink(modeltest.NewDump(&out))); err != nil {
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
