// Package output writes what a command makes, to standard output or to a file. A file
// appears whole or not at all. It is compressed with gzip if its name says so, unless the
// contents are already.
//
// It protects the user's files. An output never replaces the input. It replaces only a
// file of the same [Kind]. It is as private as the file that it was made from. What a
// killed program leaves behind is private too, and the next run that writes into the
// folder removes it.
package output

import (
	"cmp"
	"compress/gzip"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/trace2x/trace2x/internal/address"
)

// Target says where to write, and what may be replaced there.
type Target struct {
	// Name is the name of a file, or "-" for Stdout.
	Name   string
	Stdout io.Writer
	// Kind is what is written.
	Kind *Kind
	// Keep keeps an existing file, also one of the same kind.
	Keep bool
	// Force lets the output replace any file except the input.
	Force bool
	// Source is the file from which the output is made, nil if that is no file. It
	// must not be the output. A new output gets its permissions.
	Source fs.FileInfo
}

// UsageError says that what the user asked for would do harm.
type UsageError struct{ Reason string }

func (e *UsageError) Error() string { return e.Reason }

// SameError returns a [UsageError] if a writer is the source. The output would destroy
// the file that it is made from.
func SameError(w io.Writer, source fs.FileInfo) error {
	f, ok := w.(*os.File)
	if !ok || source == nil {
		return nil
	}
	if info, err := f.Stat(); err == nil && os.SameFile(info, source) && !info.IsDir() && info.Mode()&os.ModeCharDevice == 0 {
		return &UsageError{"standard output is the input: write to another file"}
	}
	return nil
}

// Check returns why Create would refuse the target. It changes nothing, and does not open
// the source for writing. A command calls it before work that cannot be repeated.
func (t *Target) Check() error {
	_, err := t.check()
	return err
}

// place is what is known of where to write.
type place struct {
	path string      // with symbolic links followed; "" for standard output
	old  fs.FileInfo // the file that is there; nil if there is none
}

func (t *Target) check() (p place, err error) {
	if t.Name == "-" {
		if err := SameError(t.Stdout, t.Source); err != nil {
			return p, err
		}
		return p, t.checkTerminal(t.Stdout)
	}
	name := address.Name(t.Name)
	p.path = t.Name
	if p.old, err = os.Stat(t.Name); err != nil || p.old.Mode().IsRegular() { // not /dev/stdout, a link to no path
		if p.path, err = follow(t.Name); err != nil {
			return p, err
		}
		p.old, err = os.Stat(p.path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		dir, dirErr := os.Stat(folder(p.path))
		if dirErr != nil {
			return p, &fs.PathError{Op: "create", Path: t.Name, Err: errors.Unwrap(dirErr)}
		}
		if !dir.IsDir() {
			return p, fmt.Errorf("%s: %s is not a folder", name, address.Name(folder(p.path)))
		}
		return p, nil
	case err != nil:
		return p, err
	case t.Source != nil && os.SameFile(p.old, t.Source):
		return p, &UsageError{fmt.Sprintf("%s is the input: it would be destroyed; give another name with -o", name)}
	case p.old.IsDir():
		return p, fmt.Errorf("%s is a directory", name)
	case !p.old.Mode().IsRegular():
		return p, nil
	case p.old.Mode().Perm()&0o222 == 0:
		return p, fmt.Errorf("%s is read-only: give another name with -o, or make it writable", name)
	case !t.Force && t.Keep:
		return p, fmt.Errorf("%s exists: a recording does not overwrite it; give another name with -o, or --force", name)
	}
	if !t.Force {
		if err := t.Kind.check(t.Name, p.path); err != nil {
			return p, err
		}
	}
	f, err := os.OpenFile(p.path, os.O_WRONLY, 0) // as the user may not be allowed to
	if err != nil {
		return p, err
	}
	return p, f.Close()
}

func (t *Target) checkTerminal(w io.Writer) error {
	if f, ok := w.(*os.File); ok && t.Kind.Binary && term.IsTerminal(int(f.Fd())) {
		return &UsageError{fmt.Sprintf("%s is not for a terminal: name a file with -o, or redirect standard output", t.Kind.Name)}
	}
	return nil
}

// maxLinks is how many symbolic links are followed, as in Linux.
const maxLinks = 40

// follow returns the path behind symbolic links, also if nothing is there yet.
func follow(path string) (string, error) {
	for range maxLinks {
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		to, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			to = folder(path) + string(filepath.Separator) + to
		}
		path = to
	}
	return "", fmt.Errorf("%s: too many symbolic links", address.Name(path))
}

// folder returns the folder of a path. filepath.Dir would remove x/.., although x may be
// a link.
func folder(path string) string {
	dir, _ := filepath.Split(path)
	if len(dir) > 1 {
		dir = strings.TrimRight(dir, string(filepath.Separator))
	}
	return cmp.Or(dir, ".")
}

// Output is an open output. It must be ended with Commit or Discard.
type Output struct {
	w     io.Writer
	zip   *gzip.Writer
	file  *os.File // nil for standard output
	temp  string   // where the file is until Commit; "" if it is written in place
	lock  io.Closer
	path  string // where it goes then
	name  string
	keep  bool // as Target.Keep
	mode  fs.FileMode
	n     int64
	state state
}

type state int

const (
	writing state = iota
	closed        // complete, but not in its place
	ended
)

// Create opens an output. A regular file is written beside its place and moved
// there by Commit; a device or a pipe is written directly.
func Create(t Target) (*Output, error) {
	p, err := t.check()
	if err != nil {
		return nil, err
	}
	o := &Output{name: t.Name, path: p.path, keep: t.Keep && !t.Force}
	switch {
	case t.Name == "-":
		o.w = t.Stdout
		return o, nil
	case p.old != nil && !p.old.Mode().IsRegular():
		if o.file, err = os.OpenFile(p.path, os.O_WRONLY, 0); err != nil {
			return nil, err
		}
		if err := t.checkTerminal(o.file); err != nil {
			o.file.Close()
			return nil, err
		}
	default:
		removeLeftovers(folder(p.path))
		if err := o.createTemp(p.old, t.Source); err != nil {
			return nil, err
		}
	}
	o.w = o.file
	if strings.HasSuffix(t.Name, ".gz") && !t.Kind.Zipped {
		o.zip = gzip.NewWriter(counted{o})
	}
	return o, nil
}

// Direct reports whether what is written is there at once and cannot be taken back: the
// output is standard output, a pipe or a device.
func (o *Output) Direct() bool { return o.temp == "" }

// createTemp makes the file in the folder of its place, since a file cannot be moved
// between file systems. Until it is complete, only its owner may read it.
func (o *Output) createTemp(old, source fs.FileInfo) error {
	mode := fs.FileMode(0o666)
	if source != nil && source.Mode().IsRegular() {
		mode = source.Mode().Perm()&0o666 | 0o600 // one that cannot be overwritten would be a nuisance
	}
	for range 10 {
		temp := o.path + "." + rand.Text()[:8] + tempEnding
		file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		lock, ok := hold(temp, file)
		if !ok {
			file.Close() // another process takes it for a leftover
			os.Remove(temp)
			continue
		}
		o.file, o.lock, o.temp = file, lock, temp
		break
	}
	if o.file == nil {
		return fmt.Errorf("%s: temporary files disappear from there", address.Name(o.path))
	}
	register(o)
	info, err := o.file.Stat() // the permissions that the umask left
	if err != nil {
		o.Discard()
		return err
	}
	o.mode = info.Mode().Perm()
	if old != nil {
		o.mode = old.Mode().Perm()
		keepOwner(o.file, old)
	}
	o.file.Chmod(0o600) // fails where files have no permissions
	return nil
}

type counted struct{ o *Output }

func (c counted) Write(p []byte) (int, error) {
	n, err := c.o.w.Write(p)
	c.o.n += int64(n)
	return n, err
}

func (o *Output) Write(p []byte) (int, error) {
	if o.zip != nil {
		return o.zip.Write(p)
	}
	return counted{o}.Write(p)
}

// Size returns the number of bytes written, after compression. It is final after
// Commit.
func (o *Output) Size() int64 { return o.n }

// Name returns the name of the output. With Target.Keep, it may differ from Target.Name
// after Commit.
func (o *Output) Name() string { return o.name }

// Close ends the writing. The file is complete, but not in its place yet.
func (o *Output) Close() error {
	if o.zip != nil {
		zip := o.zip
		o.zip = nil
		if err := zip.Close(); err != nil {
			o.Discard()
			return err
		}
	}
	if o.file == nil {
		return nil
	}
	open.Lock()
	defer open.Unlock()
	if o.state != writing {
		return nil
	}
	o.state = closed
	if o.temp != "" {
		o.file.Chmod(o.mode) // fails where files have no permissions
	}
	err := o.file.Close() // which may tell that the disk is full
	if err != nil {
		o.discard()
	}
	return err
}

// Commit ends the output: the file is in its place, complete.
func (o *Output) Commit() error {
	if err := o.Close(); err != nil || o.temp == "" {
		return err
	}
	open.Lock()
	defer open.Unlock()
	if o.state != closed {
		return fs.ErrClosed
	}
	if err := o.move(); err != nil {
		o.discard()
		return err
	}
	o.end()
	return nil
}

// move moves the file to its place.
func (o *Output) move() error {
	if !o.keep {
		return os.Rename(o.temp, o.path)
	}
	// Somebody may have made a file of that name meanwhile: both are kept.
	path, name := o.path, o.name
	for n := 2; ; n++ {
		err := os.Link(o.temp, path)
		switch {
		case err == nil:
			o.path, o.name = path, name
			return os.Remove(o.temp)
		case !errors.Is(err, fs.ErrExist): // the file system has no links
			if _, statErr := os.Lstat(path); statErr != nil {
				o.path, o.name = path, name
				return os.Rename(o.temp, path)
			}
		}
		path, name = Numbered(o.path, n), Numbered(o.name, n)
	}
}

// Numbered returns a name like this one, with a number before its endings.
func Numbered(name string, n int) string {
	base := filepath.Base(name)
	dir := strings.TrimSuffix(name, base)
	stem, ending := base, ""
	for range 2 { // .pftrace.gz
		ext := filepath.Ext(stem)
		if ext == stem || strings.ContainsAny(ext, "0123456789") {
			break
		}
		stem, ending = strings.TrimSuffix(stem, ext), ext+ending
	}
	return fmt.Sprintf("%s%s-%d%s", dir, stem, n, ending)
}

// Discard gives up the output and leaves no file. It does nothing after Commit.
func (o *Output) Discard() {
	if o.file == nil {
		return
	}
	open.Lock()
	defer open.Unlock()
	o.discard()
}

func (o *Output) discard() {
	if o.state == ended {
		return
	}
	o.file.Close()
	if o.temp != "" {
		os.Remove(o.temp)
	}
	o.end()
}

func (o *Output) end() {
	o.state = ended
	delete(open.outputs, o)
	if o.lock != nil {
		o.lock.Close()
	}
}

// open has the temporary files of this process.
var open struct {
	sync.Mutex
	outputs map[*Output]bool
}

func register(o *Output) {
	open.Lock()
	defer open.Unlock()
	if open.outputs == nil {
		open.outputs = make(map[*Output]bool)
	}
	open.outputs[o] = true
}

// DiscardAll gives up all open outputs, also while other goroutines write to them. It is
// for a program that is about to exit. From then on, no file appears.
func DiscardAll() {
	open.Lock() // and never Unlock: a Commit that comes now waits
	for o := range open.outputs {
		o.discard()
	}
	for f := range folders {
		f.remove()
	}
}
