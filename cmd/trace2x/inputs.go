package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/internal/decode"
	"github.com/trace2x/trace2x/internal/input"
)

// inputsHelp says what a command takes for several traces.
const inputsHelp = `TRACE may also be several files, or folders. A folder stands for all traces in it
and in the folders in it, whatever their names; other files there are skipped. A trace
that cannot be read is reported and left out, and the exit code is 1.`

// someTraces returns an error unless there are arguments.
func someTraces(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("which trace? As in %s trace.out", cmd.CommandPath())
	}
	return nil
}

// isMany reports whether arguments are for several traces: more than one, or a folder.
func isMany(args []string) bool { return len(args) > 1 || isFolder(args[0]) }

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// inputs are the files that several arguments stand for, in their order and in a folder
// by name, each once.
type inputs struct {
	files []string
	size  int64 // bytes of all
	// others is how many files in folders are no traces.
	others int
}

// errNoTraces is the error that there are no traces in folders.
var errNoTraces = errors.New("no Go execution trace in it")

// expand returns the files that arguments stand for, and begins the work of the command.
func (e *env) expand(args []string) (in inputs, err error) {
	for _, arg := range args {
		if arg == "-" || input.IsURL(arg) {
			return in, fmt.Errorf("%s is one trace: several must be files or folders", shown(arg))
		}
	}
	e.ran = true
	seen := make(map[string]bool)
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil || !info.IsDir() {
			in.add(seen, arg, info) // reading it reports the error
			continue
		}
		before, others := len(in.files), in.others
		err = filepath.WalkDir(arg, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil && !errors.Is(err, fs.ErrNotExist):
				in.add(seen, path, nil) // reading it reports the error
			case err != nil || entry.IsDir():
			default:
				in.take(seen, path)
			}
			return nil
		})
		if err == nil && len(in.files) == before {
			err = errNoTraces
			if n := in.others - others; n > 0 {
				err = fmt.Errorf("%w; it has %s of other kinds", errNoTraces, plural(n, "file"))
			}
		}
		if err != nil {
			return in, fmt.Errorf("%s: %w", shown(arg), hint(arg, err))
		}
	}
	return in, nil
}

// inFolders returns the arguments, with the traces in folders in the place of these.
func (e *env) inFolders(args []string) (files []string, err error) {
	for _, arg := range args {
		if !isFolder(arg) {
			files = append(files, arg)
			continue
		}
		in, err := e.expand([]string{arg})
		if err != nil {
			return nil, err
		}
		files = append(files, in.files...)
	}
	return files, nil
}

// take adds a file of a folder if it is a trace, or cannot be read: then reading it reports
// the error.
func (in *inputs) take(seen map[string]bool, path string) {
	info, err := os.Stat(path) // of what a link leads to
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	if ok, err := isTrace(path); ok || err != nil && !errors.Is(err, fs.ErrNotExist) {
		in.add(seen, path, info)
	} else {
		in.others++
	}
}

func (in *inputs) add(seen map[string]bool, path string, info fs.FileInfo) {
	key := path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		key, _ = filepath.Abs(real)
	}
	if seen[key] {
		return
	}
	seen[key] = true
	in.files = append(in.files, path)
	if info != nil {
		in.size += info.Size()
	}
}

// isTrace reports whether a file begins as a Go execution trace, maybe compressed with
// gzip. One that is cut inside its header is one too.
func isTrace(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, 4<<10)
	n, err := io.ReadFull(f, head)
	if head = head[:n]; err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return false, err
	}
	if zr, err := gzip.NewReader(bytes.NewReader(head)); err == nil {
		head, _ = io.ReadAll(io.LimitReader(zr, 512)) // what there is of it
	}
	return decode.CheckHeader(head[:min(len(head), 512)]) == nil || bytes.HasPrefix(head, []byte("go 1.")) && len(head) < 16, nil
}

// name returns what to call the inputs in messages.
func (in *inputs) name() string { return plural(len(in.files), "trace") }

// outputName returns the name of an output that is made of several traces, if the user
// gave none. It begins with the name of the folder, if there is only one.
func (in *inputs) outputName(args []string, ext string) string {
	base := ""
	if len(args) == 1 {
		if abs, err := filepath.Abs(args[0]); err == nil {
			base = strings.Trim(filepath.Base(abs), string(filepath.Separator)+".")
		}
	}
	return cmp.Or(base, "traces") + ext
}

// strictest returns the file that the fewest people can read.
func (in *inputs) strictest() string {
	best, least := in.files[0], fs.FileMode(0o1000)
	for _, name := range in.files {
		if info, err := os.Stat(name); err == nil && info.Mode().Perm()&0o077 < least {
			best, least = name, info.Mode().Perm()&0o077
		}
	}
	return best
}

// skipped reports a file that is left out.
func (e *env) skipped(name string, err error) {
	text := oneLine(err)
	if !strings.Contains(text, address.Name(name)) {
		text = address.Name(name) + ": " + text
	}
	fmt.Fprintf(e.stderr, "trace2x: %s; left out\n", text)
}
