package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
)

// TestUnreadable: what of a folder cannot be read is reported, and the rest is read.
func TestUnreadable(t *testing.T) {
	data := read(t, trace(t, "chain"))
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(filepath.Join("dumps", "closed"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"..", ".", "dumps"} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	secret, closed := filepath.Join("dumps", "secret"), filepath.Join("dumps", "closed")
	write(t, filepath.Join("dumps", "a.trace"), data)
	write(t, secret, data)
	for name, mode := range map[string]os.FileMode{filepath.Join("dumps", "a.trace"): 0o644, secret: 0, closed: 0} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	defer os.Chmod(closed, 0o755)
	// Root may read everything. This thread, which ends with the goroutine, may not.
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0); errno != 0 {
			t.Error(errno)
			return
		}
		in, err := new(env).expand([]string{"dumps"})
		if want := []string{filepath.Join("dumps", "a.trace"), closed, secret}; err != nil || !slices.Equal(in.files, want) {
			t.Errorf("%v, %v, want %v", in.files, err, want)
		}
		in, err = new(env).expand([]string{closed})
		if err != nil || !slices.Equal(in.files, []string{closed}) {
			t.Errorf("%v, %v", in.files, err)
		}
	}()
	<-done
}
