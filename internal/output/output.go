// Package output writes what a command makes: to a file that appears whole or
// not at all, or to standard output, compressed with gzip if the name says so
// and what is written is not.
package output

import (
	"compress/gzip"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Output is an open output. It must be ended with Commit or Discard.
type Output struct {
	w    io.Writer
	zip  *gzip.Writer
	file *os.File // nil for standard output
	temp string   // where the file is until Commit; "" if it is written in place
	name string
	n    int64
}

// Create opens the file with this name, or stdout for "-". A regular file is
// written beside its place and moved there by Commit; a device or a pipe is
// written directly.
func Create(name string, stdout io.Writer) (*Output, error) {
	o, err := CreateAsIs(name, stdout)
	if err == nil && strings.HasSuffix(name, ".gz") {
		o.zip = gzip.NewWriter(counted{o})
	}
	return o, err
}

// CreateAsIs is Create for what is compressed already: whatever the name says,
// it is not compressed again.
func CreateAsIs(name string, stdout io.Writer) (*Output, error) {
	o := &Output{name: name}
	if name == "-" {
		o.w = stdout
		return o, nil
	}
	var err error
	if info, statErr := os.Stat(name); statErr == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return nil, fmt.Errorf("%s is a directory", name)
		}
		o.file, err = os.OpenFile(name, os.O_WRONLY, 0)
	} else {
		// Beside the place, since a file cannot be moved between file systems.
		o.temp = name + "." + rand.Text()[:8] + ".tmp"
		o.file, err = os.OpenFile(o.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}
	if err != nil {
		return nil, err
	}
	o.w = o.file
	return o, nil
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

// Size is the number of bytes written, after compression. It is final after
// Commit.
func (o *Output) Size() int64 { return o.n }

// Commit ends the output: the file is in its place, complete.
func (o *Output) Commit() error {
	if o.zip != nil {
		if err := o.zip.Close(); err != nil {
			o.Discard()
			return err
		}
	}
	if o.file == nil {
		return nil
	}
	if err := o.file.Close(); err != nil {
		o.remove()
		return err
	}
	if o.temp == "" {
		return nil
	}
	if err := os.Rename(o.temp, o.name); err != nil {
		o.remove()
		return err
	}
	o.temp = ""
	return nil
}

// Discard gives the output up and leaves no file. It does nothing after Commit.
func (o *Output) Discard() {
	if o.file != nil {
		if err := o.file.Close(); errors.Is(err, os.ErrClosed) && o.temp == "" {
			return
		}
		o.remove()
	}
}

func (o *Output) remove() {
	if o.temp != "" {
		os.Remove(o.temp)
	}
}
