//go:build !unix || solaris || aix

package output

import (
	"io"
	"io/fs"
	"os"
	"runtime"
)

// lock does nothing: Windows does not remove a file that is open.
func lock(string) (io.Closer, bool) { return io.NopCloser(nil), true }

func removeAbandoned(path string) bool {
	return runtime.GOOS == "windows" && isFile(path) && os.Remove(path) == nil
}

func keepOwner(*os.File, fs.FileInfo) {}
