package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/internal/serve"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
	"github.com/trace2x/trace2x/web"
)

// webFlags are the flags of trace2x web.
type webFlags struct {
	source
	programs  programFlags
	ui        string
	listen    string
	port      uint16
	noBrowser bool
}

func newWeb(e *env) *cobra.Command {
	var fl webFlags
	cmd := &cobra.Command{
		Use:   "web TRACE...",
		Short: "Look at a trace in the browser: why it is slow, over time, in tables and flame graphs",
		Long: `web shows a Go execution trace in your browser: why units of work are slow,
suspects, plots over time, goroutines, blocking, scheduler latency, the GC, and flame
graphs. Drag in a plot to choose a range of time: everything is then of that range.
Arrows (↗) open the moment in the Perfetto UI, with only the window around it.

web reads the trace once, prints the address of the pages and opens it in $BROWSER or
the default browser. It ends with Ctrl-C, or with the button Stop on a page. The pages
are only for this machine: they are on 127.0.0.1, at an address that cannot be guessed,
and ask no other host for anything. What you open in Perfetto goes to the page of that
UI in your browser, and no further.

` + sourceHelp + `

Several traces, or all in a folder, have pages of each, and pages of all together: why
units of work were slow in any of them, goroutines, blocking, scheduling, the GC and
flame graphs. These have no plots over time, as the traces are of different times. Their
button "Open in Perfetto" shows the traces on one timeline, as those of several programs:
see trace2x perfetto.

A pipe or a recording goes to a temporary folder that only you can read. It is gone
when web ends.

` + secretsHelp,
		Example: `  trace2x web trace.out

  # five seconds of a running program that imports net/http/pprof
  trace2x web http://localhost:6060

  # on another machine, after ssh -L 8080:127.0.0.1:8080
  trace2x web --no-browser --port 8080 trace.out

  # several traces: together, and each by itself
  trace2x web before.out after.out
  trace2x web dumps/`,
		Args:              someTraces,
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			args, err := e.inFolders(args)
			if err != nil {
				return err
			}
			var from []location
			for _, arg := range args {
				l, err := fl.locate(arg)
				if err != nil {
					return err
				}
				from = append(from, l)
			}
			ui, err := serve.ParseUI(fl.ui)
			if err != nil {
				return fmt.Errorf("--ui: %w, as in --ui %s", err, serve.PerfettoUI)
			}
			timeline, err := fl.timeline(e, args)
			if err != nil {
				return err
			}
			e.ran = true
			return showWeb(cmd.Context(), e, from, timeline, ui, &fl)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&fl.noBrowser, "no-browser", false, "only print the address")
	f.Uint16Var(&fl.port, "port", 0, "serve on this `PORT`, 0 for any that is free")
	f.StringVar(&fl.listen, "listen", "127.0.0.1", "serve on this `ADDRESS` of the machine; others on the network can then read the trace if they know the address of the pages")
	f.StringVar(&fl.ui, "ui", serve.PerfettoUI, "open moments in the Perfetto UI at `URL`")
	fl.addSeconds(f)
	fl.addHeader(f, "header")
	fl.programs.addFlags(f)
	return cmd
}

// timeline returns what converts several traces into one Perfetto trace; nil if there is
// only one, or if they cannot be read again.
func (fl *webFlags) timeline(e *env, args []string) (func(context.Context, io.Writer) (url.Values, error), error) {
	if len(args) < 2 {
		return nil, fl.programs.alone()
	}
	if len(args) > perfetto.MaxMachines || slices.ContainsFunc(args, func(name string) bool { return name == "-" || input.IsURL(name) }) {
		return nil, fl.programs.alone()
	}
	prepare := func() (*conversion, *timeline, error) {
		c := newConversion()
		c.opts.MinBlock, c.opts.Slowest = perfetto.DefaultMinBlock, defaultSlowest
		c.programs, c.budget, c.place = fl.programs, perfetto.SlowToLoad, &place{}
		t, err := c.timeline(e, args)
		return c, t, err
	}
	if _, _, err := prepare(); err != nil {
		return nil, err
	}
	return func(ctx context.Context, w io.Writer) (url.Values, error) {
		c, t, err := prepare()
		if err != nil {
			return nil, err
		}
		// What is wrong with the traces has been reported.
		quiet := &env{stdin: e.stdin, stdout: w, stderr: io.Discard}
		if err := c.runTimeline(ctx, quiet, t, "-", "-"); err != nil && err != errTold {
			return nil, err
		}
		return c.place.view.Args(), nil
	}, nil
}

func showWeb(ctx context.Context, e *env, from []location, timeline func(context.Context, io.Writer) (url.Values, error), ui *url.URL, fl *webFlags) error {
	// Before the work, which would be in vain if the port cannot be used.
	ln, err := net.Listen("tcp", net.JoinHostPort(fl.listen, strconv.Itoa(int(fl.port))))
	if err != nil {
		return err
	}
	defer ln.Close()
	temp, err := output.TempFolder()
	if err != nil {
		return err
	}
	defer temp.Remove()

	var traces []*web.Trace
	var damages []error
	for _, l := range from {
		t, err := e.readWeb(ctx, l, temp, web.ReadOptions{})
		if t == nil && len(from) > 1 && ctx.Err() == nil {
			e.skipped(l.name, err)
			damages = append(damages, err)
			continue
		}
		if t == nil {
			return err
		}
		if err != nil {
			fmt.Fprintf(e.stderr, "warning: %s\n", oneLine(err))
			damages = append(damages, err)
		}
		defer t.Close()
		traces = append(traces, t)
	}
	if len(traces) == 0 {
		return errTold
	}
	s := web.NewServer(ctx, ln.Addr(), traces, web.Options{
		UI: ui, Version: version(), Timeline: timeline, TempFile: func() (*os.File, error) { return os.CreateTemp(temp.Path, "window-*.pftrace") },
	})
	host := ln.Addr().String()
	if a, ok := ln.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		fmt.Fprintf(e.stderr, "warning: the pages are on %s: everybody on the network who knows their address can read the trace, and it is sent without encryption\n", host)
		if a.IP.IsUnspecified() {
			host = net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Port))
		}
	}
	link := "http://" + host + s.Path()
	if _, err := fmt.Fprintln(e.stdout, link); err != nil {
		return err
	}
	fmt.Fprintln(e.stderr, "Ctrl-C ends it, or the button Stop on a page")
	e.expectInterrupt()
	ended := make(chan error, 1)
	go func() { ended <- servePages(ctx, ln, s) }()
	if err := e.browse(link, fl.noBrowser, ended); err != nil {
		return err
	}
	if len(damages) > 0 {
		return errTold
	}
	return nil
}

// servePages serves until somebody stops it on a page.
func servePages(ctx context.Context, ln net.Listener, s *web.Server) error {
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		srv.Close()
		return ctx.Err()
	case <-s.Stopped():
		// The page that says so is on its way.
		closing, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		srv.Shutdown(closing)
		return nil
	}
}

// writeHTML writes the pages of a trace as one file.
func writeHTML(ctx context.Context, e *env, from location, fl *summaryFlags, opts report.Options, part model.Window) error {
	target := new(destination).target(e, fl.html, output.HTML, from)
	if err := target.Check(); err != nil {
		return err
	}
	temp, err := output.TempFolder()
	if err != nil {
		return err
	}
	defer temp.Remove()
	t, damage := e.readWeb(ctx, from, temp, web.ReadOptions{Window: part, Units: opts.Units.Kinds})
	if t == nil {
		return damage
	}
	defer t.Close()
	out, err := output.Create(target)
	if err != nil {
		return err
	}
	defer out.Discard()
	if err := web.Write(ctx, out, t, "trace2x summary --html FILE "+shellName(from.name)); err != nil {
		return err
	}
	if err := e.commit(out); err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "%s: %s\n", outName(out.Name()), byteCount(out.Size()))
	return damage
}

// writeHTMLOfMany writes the pages of several traces together as one file.
func writeHTMLOfMany(ctx context.Context, e *env, args []string, fl *summaryFlags, opts report.Options, part model.Window) error {
	in, err := e.expand(args)
	if err != nil {
		return err
	}
	target, err := new(destination).targetOf(e, fl.html, output.HTML, in)
	if err != nil {
		return err
	}
	out, err := output.Create(target)
	if err != nil {
		return err
	}
	defer out.Discard()
	kinds, n := opts.Units.Kinds, 0
	all := web.NewTogether(kinds)
	failed := readMany(ctx, e, in, part, func() *web.Part { return web.NewPart(kinds) }, func(t readTrace[*web.Part]) error {
		all.Add(t.file, t.sink, t.damage)
		n++
		return nil
	})
	if n == 0 || failed != nil && failed != errTold {
		return nothingRead(n, failed)
	}
	if err := web.WriteTogether(ctx, out, all, in.name(), again(in.files)); err != nil {
		return err
	}
	if err := e.commit(out); err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "%s: %s\n", outName(out.Name()), byteCount(out.Size()))
	return failed
}

// again returns a function that reads a window of one of these files once more. It returns
// nil if one of them cannot be read again, such as a pipe.
func again(files []string) web.ReadAgain {
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			return nil
		}
	}
	return func(ctx context.Context, file string, sink model.Sink, w model.Window) (*model.Summary, error) {
		t := readTrace[model.Sink]{file: file, sink: sink}
		if err := t.read(ctx, w, new(atomic.Int64)); err != nil {
			return nil, err
		}
		return t.sum, t.damage
	}
}

// checkHTML returns an error about flags that pages do not know.
func checkHTML(fl *summaryFlags) error {
	switch {
	case fl.each:
		return errors.New("--html shows several traces together: leave out --each")
	case fl.json:
		return errors.New("--html and --json contradict each other")
	case !fl.Selection.All():
		return errors.New("--html has all goroutines and tasks: leave out --goroutine, --func, --task and --trace-id")
	case fl.unit == "none":
		return errors.New("--html explains units of work: leave out --unit none")
	}
	return nil
}

// shellName is the name of a trace as it may be shown in a command.
func shellName(name string) string {
	if name == "-" || input.IsURL(name) {
		return "TRACE"
	}
	return shown(filepath.Base(name))
}

// readWeb reads a trace once. What cannot be read again goes to the temporary folder
// meanwhile. The error may be that of a damaged trace.
func (e *env) readWeb(ctx context.Context, from location, temp *output.Folder, opts web.ReadOptions) (*web.Trace, error) {
	in, done, err := e.open(ctx, from)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	defer done()
	file := from.name
	r := io.Reader(in)
	var spool *os.File
	if in.Section() == nil { // it cannot be read again
		if spool, err = os.CreateTemp(temp.Path, "trace-*"); err != nil {
			return nil, err
		}
		defer spool.Close()
		file, r = spool.Name(), io.TeeReader(in, spool)
	}
	t, err := web.Read(ctx, label(from.name), r, func() (*os.File, error) { return os.Open(file) }, opts)
	done()
	if t == nil {
		return nil, inInput(in, err)
	}
	if spool != nil {
		// What comes behind the end of the trace is not needed.
		if closeErr := spool.Close(); closeErr != nil && !errors.Is(closeErr, os.ErrClosed) {
			return nil, closeErr
		}
	}
	e.report(in, t.Report().Trace)
	if err != nil && !model.IsDamage(err) {
		return nil, err
	}
	return t, inDamage(in, err)
}
