package recorder

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The names of files in the folder.
const (
	prefix   = "trace2x-"
	ofTrace  = ".trace"
	ofJSON   = ".json"
	unfinish = ".tmp"
	// leftover is how old an unfinished file is that nobody writes any more.
	leftover = 10 * time.Minute
)

// write writes a dump to the folder. Both files are complete when they appear, the trace
// after its metadata.
func (r *Recorder) write(window io.WriterTo, m *Metadata) (file string, size int64, err error) {
	defer func() {
		if err != nil {
			r.stats.notWritten.Add(1)
			r.once.complain(writing, "recorder: cannot write a dump", err)
			return
		}
		r.once.works(writing)
		r.makeRoom(file)
	}()
	if err := os.MkdirAll(r.opts.Folder, 0o777); err != nil {
		return "", 0, err
	}
	base := filepath.Join(r.opts.Folder, fileName(m))
	if _, err := r.finish(base+ofJSON, strings.NewReader(m.json()+"\n")); err != nil {
		return "", 0, err
	}
	size, err = r.finish(base+ofTrace, window)
	if err != nil {
		return "", 0, errors.Join(err, os.Remove(base+ofJSON))
	}
	return base + ofTrace, size, nil
}

// fileName returns the name of a dump without its ending: no other program has it.
func fileName(m *Metadata) string {
	host, _ := os.Hostname()
	host = strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.", c) {
			return c
		}
		return '_'
	}, host)
	name := fmt.Sprintf("%s%s-%d-%s", prefix, m.Time.Format("20060102T150405.000000000Z"), os.Getpid(), host)
	if m.TraceID != "" {
		name += "-" + m.TraceID
	}
	return name
}

// finish writes a file that appears when it is complete.
func (r *Recorder) finish(file string, content io.WriterTo) (size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+prefix+"*"+unfinish)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if size, err = content.WriteTo(f); err != nil {
		return 0, err
	}
	// The system may refuse what it has taken until here: a full disk, over NFS.
	if err := errors.Join(f.Chmod(r.opts.FileMode), f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	return size, os.Rename(f.Name(), file)
}

// makeRoom removes the oldest dumps beyond MaxBytes, except the last one, and files that
// were never finished.
func (r *Recorder) makeRoom(last string) {
	type dump struct {
		name string
		size int64
	}
	entries, err := os.ReadDir(r.opts.Folder)
	if err != nil {
		return // the next dump tells
	}
	sizes := make(map[string]int64)
	for _, e := range entries {
		name := e.Name()
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if strings.HasPrefix(name, "."+prefix) && strings.HasSuffix(name, unfinish) && time.Since(info.ModTime()) > leftover {
			os.Remove(filepath.Join(r.opts.Folder, name))
			continue
		}
		ending := filepath.Ext(name)
		if strings.HasPrefix(name, prefix) && (ending == ofTrace || ending == ofJSON) {
			sizes[strings.TrimSuffix(name, ending)] += info.Size()
		}
	}
	var dumps []dump
	var total int64
	for name, size := range sizes {
		dumps = append(dumps, dump{name, size})
		total += size
	}
	// The names begin with the times.
	slices.SortFunc(dumps, func(a, b dump) int { return cmp.Compare(a.name, b.name) })
	for _, d := range dumps {
		if total <= r.opts.MaxBytes || d.name+ofTrace == filepath.Base(last) {
			break
		}
		base := filepath.Join(r.opts.Folder, d.name)
		err := os.Remove(base + ofTrace)
		// Somebody else may remove them too.
		if err2 := os.Remove(base + ofJSON); err == nil || errors.Is(err, fs.ErrNotExist) && err2 == nil {
			r.stats.removed.Add(1)
			total -= d.size
		}
	}
}
