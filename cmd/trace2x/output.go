package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/internal/output"
)

// destination is where a command writes: its flags about that.
type destination struct {
	out   string
	force bool
}

// addFlags adds the flags of a destination; usage is the usage of -o.
func (d *destination) addFlags(f *pflag.FlagSet, usage string) {
	f.StringVarP(&d.out, "output", "o", "", usage)
	f.BoolVar(&d.force, "force", false, "overwrite the output if it exists, whatever it is")
}

// target returns where to write what is made from a source. If the source is a URL, no
// file is replaced: what has been recorded cannot be recorded again.
func (d *destination) target(e *env, name string, kind *output.Kind, from location) output.Target {
	return output.Target{
		Name: name, Stdout: e.stdout, Kind: kind,
		Keep: input.IsURL(from.name), Force: d.force, Source: from.file(e.stdin),
	}
}

// targetOf returns where to write what is made of several traces, which may not be any of
// them.
func (d *destination) targetOf(e *env, name string, kind *output.Kind, in inputs) (output.Target, error) {
	for _, file := range in.files {
		target := d.target(e, name, kind, location{name: file})
		if err := target.Check(); err != nil {
			return output.Target{}, err
		}
	}
	return d.target(e, name, kind, location{name: in.strictest()}), nil
}

// create creates what is made of several traces.
func (d *destination) create(e *env, in inputs, kind *output.Kind) (*output.Output, error) {
	target, err := d.targetOf(e, d.out, kind, in)
	if err != nil {
		return nil, err
	}
	return output.Create(target)
}

// outputName returns the name of an output for which the user gave none. The name of a
// recording has the time, so that all names differ.
func outputName(from location, ext string) string {
	if from.name == "-" {
		return "trace" + ext
	}
	if input.IsRecording(from.name) {
		base := input.BaseName(from.name) + time.Now().Format("-20060102-150405")
		name := base + ext
		for n := 2; exists(name); n++ {
			name = fmt.Sprintf("%s-%d%s", base, n, ext)
		}
		return name
	}
	base := strings.TrimSuffix(input.BaseName(from.name), ".gz")
	for _, old := range []string{".trace", ".out"} {
		if cut := strings.TrimSuffix(base, old); cut != "" && cut != base {
			base = cut
			break
		}
	}
	return base + ext
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return !errors.Is(err, os.ErrNotExist)
}

// outName returns what to call an output in messages.
func outName(name string) string {
	if name == "-" {
		return "standard output"
	}
	return shown(name)
}
