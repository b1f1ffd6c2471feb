package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// web measures the pages of a trace: how long the first one takes, and windows for the UI
// at its beginning, in its middle and at its end.
func (b *bench) web(t *trace) error {
	us, err := b.inTurn([]string{b.self, "bare", t.file})
	if err != nil {
		return err
	}
	cmd := exec.Command(b.trace2x, "web", "--no-browser", t.file)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		cmd.Process.Signal(os.Interrupt) // so that it removes what it keeps
		cmd.Wait()
	}()
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return fmt.Errorf("trace2x web prints no address: %w", err)
	}
	address = strings.TrimSpace(address)
	if err := get(address); err != nil {
		return err
	}
	first := time.Since(start)
	peak, err := childMemory(cmd.Process.Pid)
	if err != nil {
		return err
	}
	b.row(t, "first page of `trace2x web`, wall ÷ bare read loop", "≤ 1.2", "%.2f (%.2f s)", ratio(first, us[0].wall), first.Seconds())
	b.row(t, "its memory", "≤ 300 MB", "%.0f MB", float64(peak)/1e6)
	var windows []string
	for _, from := range []time.Duration{0, t.length / 2, t.length - 150*time.Millisecond} {
		start := time.Now()
		if err := get(fmt.Sprintf("%strace.pftrace?from=%v&to=%v", address, from, from+100*time.Millisecond)); err != nil {
			return err
		}
		windows = append(windows, fmt.Sprintf("%.2f", time.Since(start).Seconds()))
	}
	b.row(t, "its windows of 100 ms: at the beginning, in the middle, at the end", "≤ 0.3 s", "%s s", strings.Join(windows, ", "))
	return nil
}

// get fetches a page and throws it away.
func get(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}
