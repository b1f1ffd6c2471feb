//go:build unix

package critical_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/trace"
	"syscall"
	"testing"
	"time"

	"github.com/trace2x/trace2x/critical"
)

// TestStall stops a program that computes, as a whole. The path of its task tells
// for how long.
func TestStall(t *testing.T) {
	const computes = 400 * time.Millisecond
	if file := os.Getenv("STALL_TRACE"); file != "" {
		f, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := trace.Start(f); err != nil {
			t.Fatal(err)
		}
		_, task := trace.NewTask(t.Context(), "compute")
		os.Stdout.WriteString("computing\n")
		for start := time.Now(); time.Since(start) < computes; {
		}
		task.End()
		trace.Stop()
		f.Close()
		return
	}

	file := filepath.Join(t.TempDir(), "stall.trace")
	cmd := exec.Command(os.Args[0], "-test.run=^TestStall$")
	cmd.Env = append(os.Environ(), "STALL_TRACE="+file)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	stopped := time.Now()
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(150 * time.Millisecond)
	cmd.Process.Signal(syscall.SIGCONT)
	atLeast := time.Since(stopped) - 20*time.Millisecond
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f := newFound(critical.Options{})
	if err := read(data, f); err != nil {
		t.Fatal(err)
	}
	if len(f.units) == 0 || f.units[0].Kind != critical.Task {
		t.Fatalf("%d units", len(f.units))
	}
	var stalled time.Duration
	for _, s := range f.units[0].Path.Segments {
		stalled += s.Stalled
	}
	if stalled < atLeast || stalled >= f.units[0].Duration() {
		t.Errorf("stalled for %v of %v, want at least %v", stalled, f.units[0].Duration(), atLeast)
	}
	t.Logf("stalled for %v of %v", stalled, f.units[0].Duration())
}
