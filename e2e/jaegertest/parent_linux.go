package jaegertest

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the command killed when the thread that starts it ends, as
// it does when a test binary panics or times out without having called Close.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
