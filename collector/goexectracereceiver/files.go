package goexectracereceiver

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/trace2x/trace2x/model"
)

// file is a file that is watched, as it was when it was looked at last.
type file struct {
	path     string
	size     int64
	modified time.Time
	key      string // of its checkpoint, once it is complete
}

// watcher looks for files that are complete and not done.
type watcher struct {
	cfg   *FilesConfig
	known map[string]*file // by path
	kept  time.Time        // when checkpoints were forgotten last
}

// watch takes the files until ctx ends.
func (d *dumps) watch(ctx context.Context) {
	w := &watcher{cfg: &d.cfg.Files, known: make(map[string]*file)}
	for {
		files, err := w.look()
		if err != nil {
			d.log.Warn("Cannot look for dumps", zap.Error(err))
		}
		d.takeFiles(ctx, w, files)
		select {
		case <-time.After(w.cfg.PollInterval):
		case <-ctx.Done():
			return
		}
	}
}

// look returns the files that are complete, the oldest first.
func (w *watcher) look() (complete []*file, err error) {
	there := make(map[string]*file)
	for _, pattern := range w.cfg.Include {
		if info, err := os.Stat(pattern); err == nil && info.IsDir() {
			pattern = filepath.Join(pattern, "*")
		}
		paths, globErr := filepath.Glob(pattern)
		err = errors.Join(err, globErr)
		for _, path := range paths {
			if there[path] != nil || !w.wanted(path) {
				continue
			}
			info, statErr := os.Stat(path)
			if statErr != nil || !info.Mode().IsRegular() || info.Size() == 0 {
				continue // it may be gone by now
			}
			f := w.known[path]
			if f == nil || f.size != info.Size() || !f.modified.Equal(info.ModTime()) {
				f = &file{path: path, size: info.Size(), modified: info.ModTime()}
			}
			there[path] = f
			if f.key != "" || w.complete(f) {
				complete = append(complete, f)
			}
		}
	}
	w.known = there
	slices.SortFunc(complete, func(a, b *file) int {
		return cmp.Or(a.modified.Compare(b.modified), cmp.Compare(a.path, b.path))
	})
	return complete, err
}

// wanted reports whether a file may be a dump by its name.
func (w *watcher) wanted(path string) bool {
	name := filepath.Base(path)
	if strings.HasPrefix(name, ".") || slices.Contains([]string{".tmp", ".json", ".part"}, filepath.Ext(name)) {
		return false
	}
	for _, pattern := range w.cfg.Exclude {
		if ok, _ := filepath.Match(pattern, path); ok {
			return false
		}
		if ok, _ := filepath.Match(pattern, name); ok {
			return false
		}
	}
	return true
}

// complete reports whether nobody writes a file any more. Package recorder writes the
// metadata first and renames the dump when it is whole; else time tells.
func (w *watcher) complete(f *file) bool {
	if _, err := os.Stat(beside(f.path)); err == nil && strings.HasPrefix(filepath.Base(f.path), "trace2x-") {
		return true
	}
	return time.Since(f.modified) >= w.cfg.Settle
}

// beside returns the path of the metadata of a dump.
func beside(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + ".json"
}

// keyBytes is how much of the beginning of a file identifies it, together with its size:
// a dump begins with times.
const keyBytes = 64 << 10

// identify returns the key of a file: the same wherever it is, so that it may be renamed.
func identify(f *file) (string, error) {
	r, err := os.Open(f.path)
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	fmt.Fprintln(h, f.size)
	if _, err := io.Copy(h, io.LimitReader(r, keyBytes)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// takeFiles takes the files that are not done. As many as may be read at the same time
// are.
func (d *dumps) takeFiles(ctx context.Context, w *watcher, files []*file) {
	there := make(map[string]bool, len(files))
	whole := true // there are no files that cannot be identified
	slots := make(chan struct{}, d.cfg.MaxConcurrent)
	var todo []*file
	for _, f := range files {
		if f.key == "" {
			key, err := identify(f)
			if err != nil {
				whole = false
				continue // next time
			}
			f.key = key
		}
		if there[f.key] {
			continue // a copy
		}
		there[f.key] = true
		done, err := d.checkpoints.has(ctx, f.key)
		if err != nil {
			d.log.Warn("Cannot read a checkpoint", zap.String("file", f.path), zap.Error(err))
		} else if !done {
			todo = append(todo, f)
		}
	}
	for _, f := range todo {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		go func() {
			defer func() { <-slots }()
			d.takeFile(ctx, f)
		}()
	}
	for range cap(slots) { // all have ended
		slots <- struct{}{}
	}
	if whole && ctx.Err() == nil && time.Since(w.kept) > time.Hour {
		w.kept = time.Now()
		if err := d.checkpoints.keep(ctx, there); err != nil {
			d.log.Warn("Cannot forget old checkpoints", zap.Error(err))
		}
	}
}

// takeFile reads a file and makes it done.
func (d *dumps) takeFile(ctx context.Context, f *file) {
	res, err := d.readFile(ctx, f)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
			d.log.Warn("Cannot read a dump: trying again", zap.String("file", f.path), zap.Error(err))
		}
		return
	}
	// Even while the receiver ends: the pipelines have accepted it.
	ctx = context.WithoutCancel(ctx)
	if err := d.checkpoints.add(ctx, f.key); err != nil {
		d.log.Error("Cannot write a checkpoint: the dump may be read again after a restart", zap.String("file", f.path), zap.Error(err))
	}
	if res.outcome == converted || res.outcome == damaged {
		if err := d.after(f); err != nil {
			d.log.Warn("Cannot "+d.cfg.Files.AfterSuccess+" a dump that is done", zap.String("file", f.path), zap.Error(err))
		}
	}
}

func (d *dumps) readFile(ctx context.Context, f *file) (result, error) {
	r, err := os.Open(f.path)
	if err != nil {
		return result{}, err
	}
	defer r.Close()
	x := &dump{from: fromFile, name: f.path, size: f.size, data: r, patient: true}
	if text, err := readSmall(beside(f.path)); err == nil {
		if x.info, err = parseMetadata(text); err != nil {
			d.log.Warn("The metadata of a dump is not what package recorder writes", zap.String("file", beside(f.path)), zap.Error(err))
		}
	}
	if x.info.Time.IsZero() {
		x.info.Time = f.modified
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.ErrUnexpectedEOF {
		return result{}, err
	}
	if err := model.CheckHeader(head[:n]); err != nil {
		d.telemetry.dump(ctx, fromFile, foreign, f.size)
		d.log.Warn("Not an execution trace: left alone", zap.String("file", f.path), zap.Error(err))
		return result{outcome: foreign, err: err}, nil
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return result{}, err
	}
	return d.take(ctx, x)
}

// readSmall reads a file of metadata.
func readSmall(path string) ([]byte, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, maxMetadata))
}

// after removes or moves a file that is done, with its metadata.
func (d *dumps) after(f *file) error {
	var do func(path string) error
	switch c := &d.cfg.Files; c.AfterSuccess {
	case keep:
		return nil
	case remove:
		do = os.Remove
	case move:
		if err := os.MkdirAll(c.MoveTo, 0o777); err != nil {
			return err
		}
		do = func(path string) error { return os.Rename(path, filepath.Join(c.MoveTo, filepath.Base(path))) }
	}
	err := do(f.path)
	if err2 := do(beside(f.path)); !errors.Is(err2, fs.ErrNotExist) {
		err = errors.Join(err, err2)
	}
	return err
}
