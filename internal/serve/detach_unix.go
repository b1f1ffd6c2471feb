//go:build unix

package serve

import (
	"os/exec"
	"syscall"
)

// detach keeps the terminal's Ctrl-C from a browser that the command starts.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
