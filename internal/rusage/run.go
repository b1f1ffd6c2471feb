package rusage

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Run runs a command, and returns its output and its largest resident size, in
// bytes; peak is 0 where the system does not tell.
//
// On Linux it asks /proc while the command runs: Maxrss, which [PeakMemory] returns,
// also counts what the process that started the command had (exec_mmap in fs/exec.c),
// and a test with the race detector may have more than what it measures.
func Run(cmd *exec.Cmd) (output []byte, peak int64, err error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	status := fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)
	for {
		select {
		case err := <-ended:
			if peak == 0 {
				peak, _ = PeakMemory(cmd.ProcessState)
			}
			return out.Bytes(), peak, err
		case <-time.After(10 * time.Millisecond):
			text, _ := os.ReadFile(status)
			for line := range strings.Lines(string(text)) {
				var kB int64
				if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kB); err == nil {
					peak = max(peak, kB*1024)
				}
			}
		}
	}
}
