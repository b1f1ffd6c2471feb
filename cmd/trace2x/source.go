package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/model"
)

// sourceHelp tells what a command with a source takes for TRACE.
const sourceHelp = `TRACE is a file, or - for standard input, plain or compressed with gzip; or an
http or https URL. The address of a program that imports net/http/pprof is
enough (http://localhost:6060): it is then traced for --seconds. Ctrl-C ends a
recording early, and what has arrived is used, as a truncated trace; a second
one gives it up.`

// source is where a command's trace comes from: its argument TRACE, and the
// flags about that.
type source struct {
	seconds  float64
	from, to string
}

// addFlags adds the flags of a source.
func (s *source) addFlags(f *pflag.FlagSet) {
	f.StringVar(&s.from, "from", "", "begin at `TIME`: since the trace began (1.2s), or of the day (RFC 3339)")
	f.StringVar(&s.to, "to", "", "end at `TIME`, likewise")
	s.addSeconds(f)
}

// addSeconds adds only the flag about URLs.
func (s *source) addSeconds(f *pflag.FlagSet) {
	f.Float64Var(&s.seconds, "seconds", 0, fmt.Sprintf("trace the program behind a URL for `N` seconds (default %d)", input.DefaultSeconds))
}

// name is the name under which package input opens what the user called arg.
func (s *source) name(arg string) (string, error) {
	switch {
	case s.seconds < 0 || math.IsNaN(s.seconds) || math.IsInf(s.seconds, 0):
		return "", errors.New("--seconds must be a positive number")
	case input.IsURL(arg):
		return input.Endpoint(arg, s.seconds)
	case s.seconds > 0:
		return "", fmt.Errorf("--seconds is for a URL; %s is none", arg)
	}
	return arg, nil
}

// window is the part of the trace that is asked for.
func (s *source) window() (w model.Window, err error) {
	if w.From, err = parseMoment("--from", s.from); err != nil {
		return w, err
	}
	if w.To, err = parseMoment("--to", s.to); err != nil {
		return w, err
	}
	if w.From.Wall.IsZero() && w.To.Wall.IsZero() && !w.To.IsZero() && w.To.Since <= w.From.Since {
		return w, fmt.Errorf("--to %s is not after --from %s", s.to, cmp.Or(s.from, "0s"))
	}
	return w, nil
}

// parseMoment reads a duration or a time of day; "" is the edge of the trace.
func parseMoment(flag, s string) (m model.Moment, err error) {
	if s == "" {
		return m, nil
	}
	if m.Since, err = time.ParseDuration(s); err == nil {
		if m.Since < 0 {
			return m, fmt.Errorf("%s %s: it is negative", flag, s)
		}
		return m, nil
	}
	if m.Wall, err = time.Parse(time.RFC3339Nano, s); err != nil {
		return m, fmt.Errorf("%s %q: it is a duration since the trace began, as 1.2s, or a time of day, as 2026-01-02T15:04:05.123Z", flag, s)
	}
	return m, nil
}

// completeFiles completes the argument TRACE.
func completeFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// recording is an input that is being read, and its progress.
type recording struct {
	in  *input.Input
	bar *progress
}

// open opens an input and shows how it is read until done is called, as it must
// be before anything else is printed. In between, interrupt ends a recording
// instead of the command.
func (e *env) open(ctx context.Context, name string) (in *input.Input, done func(), err error) {
	bar := newProgress(e.stderr, label(name))
	in, err = input.Open(ctx, name, e.stdin)
	if err != nil {
		bar.stop()
		return nil, nil, hint(name, err)
	}
	bar.opened <- in
	e.recording.Store(&recording{in, bar})
	return in, sync.OnceFunc(func() {
		e.recording.Store(nil)
		bar.stop()
	}), nil
}

// label is what the progress of an input is called: short, to leave space for
// the bar.
func label(name string) string {
	switch u, err := url.Parse(name); {
	case name == "-":
		return "standard input"
	case !input.IsURL(name) || err != nil:
		return filepath.Base(name)
	case u.Query().Has("seconds"):
		return fmt.Sprintf("tracing %s for %s s", u.Host, u.Query().Get("seconds"))
	default:
		return "reading " + u.Host
	}
}

// interrupt does what the user wants with Ctrl-C: it ends the recording that is
// under way, or else the command, with abort.
func (e *env) interrupt(abort func()) {
	if r := e.recording.Swap(nil); r != nil && r.in.Stop() {
		r.bar.note("stopped recording; interrupt once more to give up what has arrived")
		return
	}
	abort()
}

// hint adds to an error about a file what the user may have meant.
func hint(name string, err error) error {
	if _, port, e := net.SplitHostPort(name); e == nil && errors.Is(err, os.ErrNotExist) && strings.Trim(port, "0123456789") == "" {
		return fmt.Errorf("%w; the address of a program begins with http://", err)
	}
	return err
}

// inInput names the input in an error that is about it.
func inInput(in *input.Input, err error) error {
	var format *model.FormatError
	var window *model.WindowError
	switch {
	case errors.As(err, &window):
		return fmt.Errorf("%s: %w", in.Name, err)
	case !errors.As(err, &format):
		return err
	case in.Answer() != "":
		return fmt.Errorf("%s: %w; the server answered %s", in.Name, err, in.Answer())
	}
	return fmt.Errorf("%s: %w", in.Name, err)
}

// inDamage names the input in an error that is about what is wrong with it.
func inDamage(in *input.Input, err error) error {
	var damage *model.Damage
	if errors.As(err, &damage) {
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	return err
}
