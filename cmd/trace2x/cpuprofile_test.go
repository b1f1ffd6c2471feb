package main

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// --cpuprofile leaves a whole profile, also of a command that fails, and never takes the
// place of another file.
func TestCPUProfile(t *testing.T) {
	in, damaged := trace(t, "pipeline"), trace(t, "damaged")
	t.Chdir(t.TempDir())
	write(t, "there", "")
	want := exec(t, "summary", in)
	wantProfile := func(file string) {
		t.Helper()
		p, err := profile.ParseData([]byte(read(t, file)))
		if err != nil {
			t.Fatal(err)
		}
		if len(p.SampleType) != 2 || p.SampleType[1].Type != "cpu" || p.DurationNanos == 0 {
			t.Errorf("%s is no CPU profile: %v", file, p)
		}
	}

	r := exec(t, "summary", "--cpuprofile", "cpu", in)
	r.want(t, exitOK, "cpu: a CPU profile of trace2x itself")
	if r.stdout != want.stdout {
		t.Error("the summary is another one")
	}
	wantProfile("cpu")
	exec(t, "summary", "--cpuprofile=failed", damaged).want(t, exitFailed, "failed: a CPU profile")
	wantProfile("failed")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	execWith(cancelled, strings.NewReader(""), "summary", "--cpuprofile=interrupted", in).want(t, exitInterrupted, "complete and kept: interrupted")
	wantProfile("interrupted")
	exec(t, "perfetto", "-o", "same", "--cpuprofile", "same", in).want(t, exitOK, "same-2: a CPU profile")
	wantPerfetto(t, read(t, "same"))
	wantProfile("same-2")

	exec(t, "summary", "--cpuprofile", "there", in).want(t, exitUsage, "--cpuprofile there: the file exists")
	exec(t, "summary", "--cpuprofile", "-", in).want(t, exitUsage, "--cpuprofile -: ")
	exec(t, "summary", "--cpuprofile", "missing/cpu", in).want(t, exitFailed, "missing/cpu")
	exec(t, "summary", "--cpuprofile", "none", "--top", "-1", in).want(t, exitUsage, "--top -1")
	wantFiles(t, "there", "cpu", "failed", "interrupted", "same", "same-2")
}

// The functions in which the profile for the compiler has most of the time are still in
// the program. If too many are not, "make pgo" makes a new one.
func TestDefaultPGO(t *testing.T) {
	const hot, mostMissing, mostBytes = 20, 5, 150_000
	data := []byte(read(t, "default.pgo"))
	if len(data) > mostBytes {
		t.Errorf("%d bytes, want at most %d", len(data), mostBytes)
	}
	p, err := profile.ParseData(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.SampleType) != 1 || *p.SampleType[0] != (profile.ValueType{Type: "cpu", Unit: "nanoseconds"}) {
		t.Fatalf("samples of %v: it is no CPU profile for the compiler", p.SampleType)
	}
	times := make(map[string]int64)
	for _, s := range p.Sample {
		if f := s.Location[0].Line[0].Function.Name; strings.HasPrefix(f, ours) {
			times[f] += s.Value[0]
		}
	}
	if len(times) < hot {
		t.Fatalf("%d functions", len(times))
	}
	names := slices.SortedFunc(maps.Keys(times), func(a, b string) int {
		return cmp.Or(cmp.Compare(times[b], times[a]), cmp.Compare(a, b))
	})
	there := functions(t)
	missing := slices.DeleteFunc(names[:hot], func(name string) bool { return there[name] })
	if len(missing) > mostMissing {
		t.Errorf("%d of the %d functions with most of the time are not in the program: make pgo\n%s", len(missing), hot, strings.Join(missing, "\n"))
	}
}

// ours is the prefix of the names of trace2x's functions, except in package main.
const ours = "github.com/trace2x/trace2x/"

// functions returns the names of all functions in this program, also of those that are only
// inlined: the table that stack traces take names from has them, each with a zero behind it.
func functions(t *testing.T) map[string]bool {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for rest := []byte(read(t, program)); ; {
		at := bytes.Index(rest, []byte(ours))
		if at < 0 {
			return names
		}
		var name []byte
		name, rest, _ = bytes.Cut(rest[at:], []byte{0})
		names[string(name)] = true
	}
}
