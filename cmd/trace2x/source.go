package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/model"
)

// sourceHelp says what a command with a source takes for TRACE.
const sourceHelp = `TRACE is a file, or - for standard input, plain or compressed with gzip; or an
http or https URL. The address of a program that imports net/http/pprof is
enough (http://localhost:6060): it is then traced for --seconds.

Ctrl-C ends such a recording early, when the current part of about a second is
complete. A second Ctrl-C ends it at once, and what has arrived is used as a
truncated trace. A third one gives it up.`

// secretsHelp says how to pass secrets.
const secretsHelp = `Headers for a URL, as for a login, come from --header and from the lines of the
variable TRACE2X_HEADER. They go to the host and port of the URL, and not to where
it redirects. --header @FILE reads them from a file, so that no list of processes
shows them. Messages do not show headers, passwords or values in URLs.`

// source says where a command's trace comes from: its argument TRACE, and the flags about
// it.
type source struct {
	seconds  seconds
	from, to string

	headers    []string
	headerFlag string
}

// location says where package input finds a trace.
type location struct {
	name   string
	header http.Header // for a URL
}

// file returns what the system knows of the file, nil if the location is no file.
func (l location) file(stdin io.Reader) fs.FileInfo {
	var info fs.FileInfo
	switch f, ok := stdin.(*os.File); {
	case l.name == "-" && ok:
		info, _ = f.Stat()
	case l.name != "-" && !input.IsURL(l.name):
		info, _ = os.Stat(l.name)
	}
	return info
}

// addFlags adds the flags of a source.
func (s *source) addFlags(f *pflag.FlagSet) {
	f.StringVar(&s.from, "from", "", "begin at `TIME`: since the trace began (1.2s), or of the day (RFC 3339)")
	f.StringVar(&s.to, "to", "", "end at `TIME`, likewise")
	s.addSeconds(f)
}

// addHeader adds the flag for headers of a URL. It is --header, except in trace2x otel,
// where --header is for the backend.
func (s *source) addHeader(f *pflag.FlagSet, name string) {
	s.headerFlag = "--" + name
	f.StringArrayVar(&s.headers, name, nil, "to the server of a trace, "+headerHelp)
}

// addSeconds adds only the flag about the time of a recording.
func (s *source) addSeconds(f *pflag.FlagSet) {
	f.Var(&s.seconds, "seconds", fmt.Sprintf("trace the program behind a URL for `N` seconds (default %d)", input.DefaultSeconds))
}

// seconds is a flag for a length of time in seconds, 0 if it is not given.
type seconds float64

func (n *seconds) Set(s string) error {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || !(x > 0) || math.IsInf(x, 0) {
		return fmt.Errorf("%q is no positive number", s)
	}
	*n = seconds(x)
	return nil
}

func (n *seconds) String() string { return strconv.FormatFloat(float64(*n), 'g', -1, 64) }

func (n *seconds) Type() string { return "SECONDS" }

// locate returns where to find the trace of the argument arg.
func (s *source) locate(arg string) (l location, err error) {
	switch {
	case !input.IsURL(arg) && s.seconds > 0:
		return l, fmt.Errorf("--seconds is for a URL, as in http://localhost:6060; %s is none", shown(arg))
	case !input.IsURL(arg) && len(s.headers) > 0:
		return l, fmt.Errorf("%s is for a URL, as in http://localhost:6060; %s is none", s.headerFlag, shown(arg))
	case !input.IsURL(arg):
		return location{name: arg}, nil
	}
	if l.name, err = input.Endpoint(arg, float64(s.seconds)); err != nil {
		return l, err
	}
	l.header, err = s.header()
	return l, err
}

// headerVariable has headers for URLs of traces, one on each line.
const headerVariable = "TRACE2X_HEADER"

// header returns the headers that are sent to the server of a URL.
func (s *source) header() (http.Header, error) {
	headers, err := parseHeaders(s.headerFlag, s.headers)
	if err != nil {
		return nil, err
	}
	all := make(map[string]string)
	for line := range strings.Lines(os.Getenv(headerVariable)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := addHeader(all, line, headerVariable); err != nil {
			return nil, err
		}
	}
	h := make(http.Header)
	for _, m := range []map[string]string{all, headers} {
		for key, value := range m {
			h.Set(key, value)
		}
	}
	return h, nil
}

// window returns the part of the trace that the user asked for.
func (s *source) window() (w model.Window, err error) {
	if w.From, err = parseMoment("--from", s.from); err != nil {
		return w, err
	}
	if w.To, err = parseMoment("--to", s.to); err != nil {
		return w, err
	}
	if w.From.Wall.IsZero() && w.To.Wall.IsZero() && s.to != "" && w.To.Since <= w.From.Since {
		return w, fmt.Errorf("--to %s is not after --from %s", s.to, cmp.Or(s.from, "0s"))
	}
	return w, nil
}

// parseMoment returns a duration or a time of day; "" is the edge of the trace.
func parseMoment(flag, s string) (m model.Moment, err error) {
	if s == "" {
		return m, nil
	}
	if m.Since, err = time.ParseDuration(s); err == nil {
		if m.Since < 0 {
			return m, badValue(flag, s, "a positive duration", "1.2s")
		}
		return m, nil
	}
	if m.Wall, err = time.Parse(time.RFC3339Nano, s); err != nil || m.Wall.Year() < 1970 || m.Wall.Year() > 2200 {
		return m, badValue(flag, s, "a duration since the trace began or a time of day", "1.2s or "+flag+" 2026-01-02T15:04:05.123Z")
	}
	return m, nil
}

// completeFiles completes the argument TRACE.
func completeFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// open opens an input and shows the progress of reading until done is called. The caller
// must call done before it prints anything. Until then, interrupt ends a recording
// instead of the command.
func (e *env) open(ctx context.Context, from location) (in *input.Input, done func(), err error) {
	bar := newProgress(e.stderr, label(from.name))
	rec := &recording{bar: bar, live: input.IsRecording(from.name)}
	e.recording.Store(rec)
	done = sync.OnceFunc(func() {
		e.recording.Store(nil)
		bar.stop()
	})
	in, err = input.Open(ctx, from.name, input.Options{Stdin: e.stdin, Header: from.header})
	if err != nil {
		done()
		return nil, nil, hint(from.name, err)
	}
	bar.opened <- amount{in.Size, in.BytesRead}
	rec.opened(in)
	return in, done, nil
}

// label returns the name of an input in the progress and on pages. It is short, to leave
// space for the bar.
func label(name string) string {
	switch u, err := url.Parse(name); {
	case name == "-":
		return "standard input"
	case !input.IsURL(name) || err != nil:
		return shown(filepath.Base(name))
	case u.Query().Has("seconds"):
		return fmt.Sprintf("tracing %s for %s s", u.Host, u.Query().Get("seconds"))
	default:
		return "reading " + u.Host
	}
}

// hint returns an error about a file with what the user may have meant.
func hint(name string, err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		err = fmt.Errorf("%s %s: %w", file.Op, shown(file.Path), file.Err)
	}
	isURL := strings.Contains(name, "://")
	_, port, portErr := net.SplitHostPort(name)
	isAddress := isURL || portErr == nil && strings.Trim(port, "0123456789") == ""
	if isAddress && errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w; the address of a program begins with http://", err)
	}
	return err
}

// inInput returns an error about an input with its name.
func inInput(in *input.Input, err error) error {
	var format *model.FormatError
	var window *model.WindowError
	switch {
	case errors.As(err, &window):
		return fmt.Errorf("%s: %w", in.Name, err)
	case !errors.As(err, &format):
		return err
	case in.Answer() != "":
		return &inputError{fmt.Sprintf("%s: %s; the server answered %s", in.Name, in.Hide(err.Error()), in.Answer()), err}
	}
	return fmt.Errorf("%s: %w", in.Name, err)
}

// inDamage returns an error about damage of an input with its name.
func inDamage(in *input.Input, err error) error {
	if model.IsDamage(err) {
		return &inputError{fmt.Sprintf("%s: %s", in.Name, in.Hide(err.Error())), err}
	}
	return err
}

// inputError is an error with a text of its own.
type inputError struct {
	text string
	err  error
}

func (e *inputError) Error() string { return e.text }
func (e *inputError) Unwrap() error { return e.err }
