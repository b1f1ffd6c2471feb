package pprof_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// goToolTypes are the types that go tool trace has.
var goToolTypes = []pprof.Type{pprof.Net, pprof.Sync, pprof.Syscall, pprof.Sched}

// TestGoToolTrace compares profiles with those of go tool trace -pprof, which it
// runs, on all test traces: the same stacks of functions, files and lines, with
// the same counts and nanoseconds. Before Go 1.26 it left out most system calls:
// https://go.dev/issue/74850.
func TestGoToolTrace(t *testing.T) {
	sums := make(map[pprof.Type]sum)
	for _, name := range testtrace.All(t) {
		t.Run(name, func(t *testing.T) {
			file := testtrace.Path(name)
			readable := file
			switch name {
			case testtrace.Unreadable:
				unreadable(t, file)
				return
			case "damaged", "truncated":
				readable = untilDamage(t, file)
			}
			for _, typ := range goToolTypes {
				got := byStack(convert(t, readable, pprof.Options{Type: typ}))
				want := byStack(goTool(t, file, typ))
				if name == "cgo" {
					// C threads that call Go use IDs of goroutines again. go tool trace
					// keeps of an ID only when its last goroutine first ran (the map in
					// internal/trace/summary.go, in which pprofMatchingGoroutines looks),
					// and does not count the earlier ones. That is in no issue of
					// golang/go as of 2026; testdata/gen/cgo shows it.
					if last := total(lastLives(t, file, typ)); (typ == pprof.Syscall || typ == pprof.Sched) && last.count >= total(got).count {
						t.Errorf("%v: the last goroutines of each ID have %v of all %v: nothing is missing in go tool trace", typ, last, total(got))
					}
					got = lastLives(t, file, typ)
				}
				compare(t, typ, got, want)
				all := sums[typ]
				all.add(total(want))
				sums[typ] = all
			}
		})
	}
	for _, typ := range goToolTypes {
		if s := sums[typ]; s.count < 1000 || s.time < 1e6 {
			t.Errorf("%v: go tool trace has only %v", typ, s)
		}
	}
}

// TestGoToolTraceOfNetHTTP does it on a new trace, of tests of package net/http.
func TestGoToolTraceOfNetHTTP(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs tests of net/http")
	}
	file := testtrace.NetHTTP(t)
	for _, typ := range goToolTypes {
		p := convert(t, file, pprof.Options{Type: typ})
		got := byStack(p)
		compare(t, typ, got, byStack(goTool(t, file, typ)))
		if s := total(got); len(got) < 50 || s.count < 1000 {
			t.Errorf("%v: only %v at %d stacks", typ, s, len(got))
		}
		if p.TimeNanos == 0 || p.DurationNanos < 1e8 {
			t.Errorf("%v: begins at %d, takes %d ns", typ, p.TimeNanos, p.DurationNanos)
		}
	}
}

// sum is a count and a time in ns.
type sum struct{ count, time int64 }

func (s *sum) add(o sum) {
	s.count += o.count
	s.time += o.time
}

func (s sum) String() string { return fmt.Sprintf("%d in %d ns", s.count, s.time) }

func total(sums map[string]sum) (s sum) {
	for _, o := range sums {
		s.add(o)
	}
	return s
}

// byStack adds a profile up by functions, files and lines.
func byStack(p *profile.Profile) map[string]sum {
	sums := make(map[string]sum)
	for _, s := range p.Sample {
		var stack strings.Builder
		for _, l := range s.Location {
			for _, line := range l.Line {
				fmt.Fprintf(&stack, "\n\t%s %s:%d", line.Function.Name, line.Function.Filename, line.Line)
			}
		}
		sum := sums[stack.String()]
		sum.count += s.Value[0]
		sum.time += s.Value[1]
		sums[stack.String()] = sum
	}
	return sums
}

func compare(t *testing.T, typ pprof.Type, got, want map[string]sum) {
	t.Helper()
	stacks := maps.Clone(got)
	maps.Copy(stacks, want)
	differ := 0
	for _, stack := range slices.Sorted(maps.Keys(stacks)) {
		if got[stack] == want[stack] {
			continue
		}
		if differ++; differ <= 3 {
			t.Errorf("%v: %v, want %v at%s", typ, got[stack], want[stack], stack)
		}
	}
	if differ > 3 {
		t.Errorf("%v: %d of %d stacks differ", typ, differ, len(stacks))
	}
}

func goTool(t *testing.T, file string, typ pprof.Type) *profile.Profile {
	t.Helper()
	out, err := goToolTrace(file, typ)
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.ParseData(out)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func goToolTrace(file string, typ pprof.Type) ([]byte, error) {
	out, err := exec.Command("go", "tool", "trace", "-pprof="+typ.String(), file).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("go tool trace: %w: %s", err, exit.Stderr)
	}
	return out, err
}

func readFile(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func convert(t *testing.T, file string, opts pprof.Options) *profile.Profile {
	t.Helper()
	var out bytes.Buffer
	if _, err := pprof.Convert(t.Context(), bytes.NewReader(readFile(t, file)), &out, opts); err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse(&out)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// unreadable: traces of Go 1.21 and earlier that are cut can be read neither here
// nor there.
func unreadable(t *testing.T, file string) {
	t.Helper()
	if _, err := goToolTrace(file, pprof.Net); err == nil {
		t.Error("go tool trace can read it: compare")
	}
	var out bytes.Buffer
	_, err := pprof.Convert(t.Context(), bytes.NewReader(readFile(t, file)), &out, pprof.Options{})
	if format := (*model.FormatError)(nil); !errors.As(err, &format) || out.Len() > 0 {
		t.Errorf("%d bytes, error %v", out.Len(), err)
	}
}

// untilDamage makes a file of the generations before the damage of a trace: go
// tool trace opens damaged traces since https://go.dev/issue/65316, but leaves
// out all of the generation with the damage (parseTrace goes back to the last
// Sync), while package model reports what comes before it. The profile of the
// whole file may therefore have more, and must not have less.
func untilDamage(t *testing.T, file string) string {
	t.Helper()
	data := readFile(t, file)
	profiles := make(map[pprof.Type]map[string]sum)
	var damage *model.Damage
	for _, typ := range goToolTypes {
		var out bytes.Buffer
		if _, err := pprof.Convert(t.Context(), bytes.NewReader(data), &out, pprof.Options{Type: typ}); !errors.As(err, &damage) {
			t.Fatalf("the error is %v", err)
		}
		p, err := profile.Parse(&out)
		if err != nil {
			t.Fatal(err)
		}
		profiles[typ] = byStack(p)
	}
	end := damage.Offset
	if damage.Truncated {
		end = damage.Offset - damage.Lost
	}
	readable := filepath.Join(t.TempDir(), filepath.Base(file))
	if err := os.WriteFile(readable, data[:end], 0o666); err != nil {
		t.Fatal(err)
	}
	for _, typ := range goToolTypes {
		for stack, least := range byStack(convert(t, readable, pprof.Options{Type: typ})) {
			if got := profiles[typ][stack]; got.count < least.count || got.time < least.time {
				t.Errorf("%v: %v, and %v before the generation with the damage, at%s", typ, got, least, stack)
			}
		}
	}
	return readable
}

// lastLives is the profile without the goroutines whose ID another one has later.
func lastLives(t *testing.T, file string, typ pprof.Type) map[string]sum {
	t.Helper()
	lives := &lifeCounter{lives: make(map[model.GoID]int)}
	if _, err := model.Read(t.Context(), bytes.NewReader(readFile(t, file)), lives); err != nil {
		t.Fatal(err)
	}
	c := pprof.NewCollector(pprof.Options{Type: typ})
	if _, err := model.Read(t.Context(), bytes.NewReader(readFile(t, file)), &lastLife{c, lives.lives}); err != nil {
		t.Fatal(err)
	}
	return byStack(c.Profile())
}

type lifeCounter struct {
	model.NopSink
	lives map[model.GoID]int
}

func (c *lifeCounter) GoroutineStart(g *model.Goroutine) { c.lives[g.ID]++ }

// lastLife keeps from a collector the states of goroutines that are not the last
// ones of their IDs.
type lastLife struct {
	*pprof.Collector
	left map[model.GoID]int
}

func (l *lastLife) GoroutineState(g *model.Goroutine, s *model.GoState) {
	if l.left[g.ID] == 1 {
		l.Collector.GoroutineState(g, s)
	}
}

func (l *lastLife) GoroutineEnd(g *model.Goroutine) {
	l.Collector.GoroutineEnd(g)
	l.left[g.ID]--
}
