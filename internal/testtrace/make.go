package testtrace

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// NetHTTP returns the path of a new trace of the tests of net/http, made by the
// toolchain that runs the tests. It is made once in the run of a test binary. It
// has about a million events, of Go programs that nobody wrote for trace2x.
func NetHTTP(t testing.TB) string {
	t.Helper()
	data, err := netHTTP()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "net_http.trace")
	if err := os.WriteFile(file, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

var netHTTP = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "trace2x-net-http-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "http.trace")
	cmd := exec.Command("go", "test", "-count=1", "-short", "-run=^Test(Server|Serve|Transport|Client|HTTP2)",
		"-o="+filepath.Join(dir, "http.test"), "-trace="+file, "net/http")
	cmd.Dir = dir
	out, runErr := cmd.CombinedOutput()
	data, err := os.ReadFile(file)
	// If a test of net/http fails, the trace is as good.
	if err != nil || len(data) == 0 {
		return nil, fmt.Errorf("no trace of the tests of net/http: %w\n%s", runErr, out)
	}
	return data, nil
})

// Load returns the path of a new trace of about this many events. It is of an HTTP
// server under load whose requests are tasks (testdata/gen/load).
func Load(t testing.TB, events int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "load.trace")
	run(t, "go", "run", "./testdata/gen/load", "-events", strconv.Itoa(events), file)
	return file
}

// Command returns the path of the program trace2x, which it builds without the race
// detector and, as that takes long, without its profile for the compiler.
func Command(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "trace2x")
	run(t, "go", "build", "-pgo=off", "-o", program, "./cmd/trace2x")
	return program
}

// run runs a command to its end in the module's folder.
func run(t testing.TB, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
}
