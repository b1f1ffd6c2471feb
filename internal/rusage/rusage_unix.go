//go:build unix

// Package rusage tells what memory a process took.
package rusage

import (
	"os"
	"runtime"
	"syscall"
)

// PeakMemory returns the largest resident size, in bytes, of a process that has
// ended; ok is false where the system does not tell.
func PeakMemory(p *os.ProcessState) (bytes int64, ok bool) {
	peak := int64(p.SysUsage().(*syscall.Rusage).Maxrss)
	if runtime.GOOS != "darwin" && runtime.GOOS != "ios" {
		peak *= 1024 // the others count in KiB
	}
	return peak, true
}
