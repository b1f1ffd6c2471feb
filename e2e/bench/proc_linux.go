package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// tree returns a process and its descendants.
func tree(pid int) []int {
	pids := []int{pid}
	// Each thread has the children that it started.
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range threads {
		children, _ := os.ReadFile(file)
		for _, s := range strings.Fields(string(children)) {
			if child, err := strconv.Atoi(s); err == nil {
				pids = append(pids, tree(child)...)
			}
		}
	}
	return pids
}

// childMemory returns the largest peak of memory, in bytes, of a process and the
// processes that it started.
func childMemory(pid int) (peak int64, err error) {
	for _, p := range tree(pid) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(status)) {
			var kB int64
			if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kB); err == nil {
				peak = max(peak, kB*1024)
			}
		}
	}
	return peak, nil
}

func killTree(pid int) {
	for _, p := range tree(pid) {
		syscall.Kill(p, syscall.SIGKILL)
	}
}
