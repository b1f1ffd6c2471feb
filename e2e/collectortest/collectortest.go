// Package collectortest runs a real OpenTelemetry Collector with the receiver of
// execution traces, for tests: the one of ../../collector/distribution. It is built from
// source on first use, which takes minutes, and cached. The build needs bash besides go.
package collectortest

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trace2x/trace2x/e2e/cache"
	"github.com/trace2x/trace2x/internal/rusage"
)

// program returns the path of the Collector, which it builds.
var program = sync.OnceValues(func() (string, error) {
	folder, err := cache.Folder()
	if err != nil {
		return "", err
	}
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/trace2x/trace2x").Output()
	if err != nil {
		return "", fmt.Errorf("find the folder of trace2x: %w", err)
	}
	file := filepath.Join(folder, "otelcol", "otelcol")
	script := filepath.Join(strings.TrimSpace(string(root)), "collector", "distribution", "build.sh")
	if out, err := exec.Command("bash", script, file).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the Collector: %w\n%s", err, out)
	}
	return file, nil
})

// A Collector is a running process.
type Collector struct {
	cmd *exec.Cmd
	log bytes.Buffer
}

// Start starts a Collector with a configuration in YAML and flags, which ends with the
// test. With -short, the test is skipped.
func Start(t testing.TB, config string, flags ...string) *Collector {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Collector, which takes minutes to build the first time")
	}
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	c := &Collector{cmd: exec.Command(file, append([]string{"--config=yaml:" + config}, flags...)...)}
	c.cmd.Env = []string{} // none: it would heed OTEL_ variables
	c.cmd.Stdout, c.cmd.Stderr = &c.log, &c.log
	c.cmd.WaitDelay = 5 * time.Second
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Kill()
		if t.Failed() {
			log := c.log.Bytes()
			t.Logf("the log of the Collector ends with\n%s", log[max(0, len(log)-8<<10):])
		}
	})
	return c
}

// Kill ends the Collector at once, as SIGKILL does. A second call has no effect.
func (c *Collector) Kill() {
	if c.cmd.ProcessState != nil {
		return
	}
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// Cost ends the Collector and returns the most memory that it had, in bytes, and the CPU
// time that it took.
func (c *Collector) Cost(t testing.TB) (memory int64, cpu time.Duration) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	c.Kill()
	state := c.cmd.ProcessState
	if err != nil { // not on Linux
		memory, _ = rusage.PeakMemory(state)
	}
	for line := range strings.Lines(string(status)) {
		var kB int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kB); err == nil {
			memory = kB << 10
		}
	}
	return memory, state.UserTime() + state.SystemTime()
}

// Address returns an address of this machine that nobody listens on, as far as one can
// know.
func Address(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Await waits until a server answers.
func Await(t testing.TB, url string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
