package output

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A program that is killed cannot remove its temporary files. They have names that no
// other program uses, and they are locked as long as the program lives. So another run
// of trace2x knows which ones it may remove.

// tempEnding is how the names of temporary files end.
const tempEnding = ".trace2x.tmp"

var tempName = regexp.MustCompile(`^.+\.[A-Z2-7]{8}\.trace2x\.tmp$`)

// folderLock is the file in a temporary folder that is locked.
const folderLock = "lock" + tempEnding

// folderPrefix is how the names of temporary folders begin.
const folderPrefix = "trace2x-open-"

// removeLeftovers removes the temporary files of killed programs from a folder.
func removeLeftovers(folder string) {
	each(folder, func(name string) {
		if tempName.MatchString(name) {
			removeAbandoned(filepath.Join(folder, name))
		}
	})
}

// each calls f for all names in a folder.
func each(folder string, f func(name string)) {
	dir, err := os.Open(folder)
	if err != nil {
		return
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(1000)
		for _, name := range names {
			f(name)
		}
		if err != nil { // io.EOF, if not another
			return
		}
	}
}

// hold locks a new temporary file until the lock is closed. It returns false if another
// process has removed the file, or is about to.
func hold(path string, file *os.File) (io.Closer, bool) {
	l, ok := lock(path)
	if !ok {
		return nil, false
	}
	have, err := file.Stat()
	there, thereErr := os.Lstat(path)
	if err != nil || thereErr != nil || !os.SameFile(have, there) {
		l.Close()
		return nil, false
	}
	return l, true
}

// A Folder is a temporary folder that only the user may read.
type Folder struct {
	Path string
	lock io.Closer // of the file folderLock in it
}

// TempFolder returns a new folder. It also removes the folders of killed programs.
func TempFolder() (*Folder, error) {
	temp := os.TempDir()
	each(temp, func(name string) {
		if strings.HasPrefix(name, folderPrefix) {
			removeAbandonedFolder(filepath.Join(temp, name))
		}
	})
	path, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return nil, err
	}
	f := &Folder{Path: path, lock: io.NopCloser(nil)}
	if err := os.WriteFile(filepath.Join(path, folderLock), nil, 0o600); err != nil {
		os.RemoveAll(path)
		return nil, err
	}
	if l, ok := lock(filepath.Join(path, folderLock)); ok {
		f.lock = l
	}
	open.Lock()
	defer open.Unlock()
	folders[f] = true
	return f, nil
}

// folders are the temporary folders of this process, under the lock of open.
var folders = map[*Folder]bool{}

// Remove removes the folder and what is in it.
func (f *Folder) Remove() {
	open.Lock()
	defer open.Unlock()
	delete(folders, f)
	f.remove()
}

func (f *Folder) remove() {
	f.lock.Close()
	os.RemoveAll(f.Path)
}

// removeAbandonedFolder removes a folder if the lock in it is free, which means that its
// program was killed. It leaves a new folder, which may not have its lock yet.
func removeAbandonedFolder(path string) {
	info, err := os.Lstat(path)
	if err == nil && info.IsDir() && time.Since(info.ModTime()) > time.Minute && removeAbandoned(filepath.Join(path, folderLock)) {
		os.RemoveAll(path)
	}
}

// isFile reports whether a path is a regular file, not a link to one.
func isFile(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}
