//go:build unix && !solaris && !aix

package output

import (
	"io"
	"io/fs"
	"os"
	"syscall"
)

// lock locks a file until it is closed. It returns false if another process has locked
// it. Where files cannot be locked, it does nothing, and no leftovers are removed.
func lock(path string) (io.Closer, bool) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, false
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == syscall.EWOULDBLOCK {
		f.Close()
		return nil, false
	}
	return f, true
}

// removeAbandoned removes a file if nobody has locked it, and reports whether it did.
func removeAbandoned(path string) bool {
	if !isFile(path) {
		return false
	}
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return false
	}
	return os.Remove(path) == nil
}

// keepOwner gives a file the owner and the group of another one, if it may.
func keepOwner(f *os.File, of fs.FileInfo) {
	if s, ok := of.Sys().(*syscall.Stat_t); ok {
		f.Chown(int(s.Uid), int(s.Gid))
	}
}
