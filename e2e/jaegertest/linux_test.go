package jaegertest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every listener of the process is on 127.0.0.1 and on a port that the system
// chose, also those that this package does not use.
func TestListeners(t *testing.T) {
	j := StartTest(t)
	proc := fmt.Sprintf("/proc/%d", j.cmd.Process.Pid)
	fds, err := filepath.Glob(proc + "/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	sockets := map[string]bool{}
	for _, fd := range fds {
		target, _ := os.Readlink(fd) // one that was closed meanwhile is none of them
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			sockets[strings.TrimSuffix(inode, "]")] = true
		}
	}
	listeners := 0
	for _, table := range []string{"/net/tcp", "/net/tcp6", "/net/udp", "/net/udp6"} {
		text, err := os.ReadFile(proc + table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			const local, state, inode = 1, 3, 9
			const listen, unconnected = "0A", "07"
			f := strings.Fields(line)
			if f[state] != listen && f[state] != unconnected || !sockets[f[inode]] {
				continue
			}
			listeners++
			host, port, _ := strings.Cut(f[local], ":")
			if host != "0100007F" {
				t.Errorf("%s: listens on the address %s", table, host)
			}
			for _, fixed := range []int{4317, 4318, 5778, 5779, 6831, 6832, 8888, 9411, 13133, 14250, 14268, 16685, 16686, 27777, 27778} {
				if port == fmt.Sprintf("%04X", fixed) {
					t.Errorf("%s: listens on port %d", table, fixed)
				}
			}
		}
	}
	if listeners < 4 {
		t.Errorf("found %d listeners", listeners)
	}
}

// A test binary that ends without having called Close takes its Jaeger along.
func TestDieWithParent(t *testing.T) {
	const variable = "JAEGERTEST_ORPHAN"
	if os.Getenv(variable) != "" {
		j, err := Start(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("pid", j.cmd.Process.Pid)
		os.Exit(0)
	}
	needsJaeger(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDieWithParent$")
	cmd.Env = append(os.Environ(), variable+"=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var pid int
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	for lines.Scan() && pid == 0 {
		fmt.Sscanf(lines.Text(), "pid %d", &pid)
	}
	if pid == 0 {
		t.Fatalf("no process ID in %s", out)
	}
	for range 500 {
		// PID (COMMAND) STATE, and Z for a process that nobody has waited for yet
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(err, os.ErrNotExist) || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}
