package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/internal/serve"
	"github.com/trace2x/trace2x/model"
)

// openFlags are the flags of trace2x open besides those of the conversion.
type openFlags struct {
	ui        string
	port      uint16
	noBrowser bool
}

func newOpen(e *env) *cobra.Command {
	c := newConversion()
	c.opts.Slowest = defaultSlowest
	c.place = &place{}
	var fl openFlags
	cmd := &cobra.Command{
		Use:   "open TRACE...",
		Short: "Convert a trace and open it in ui.perfetto.dev",
		Long: `open converts a Go execution trace as trace2x perfetto does and opens it in
https://ui.perfetto.dev. The trace goes to your browser and no further: it is
served once, from 127.0.0.1, to that page alone. open prints the link, opens it in
$BROWSER or the default browser, and ends when the browser has the trace. What would
take the UI long to load is shown in less detail, or only its beginning: see --budget.

` + placeHelp + `

` + sourceHelp + `

` + programsHelp + `

` + secretsHelp + `

Chrome asks whether ui.perfetto.dev may connect to this device: allow it. The UI
may fetch from port 9001 only. If that port is taken, or with another --port, the
link is to a page that hands the trace over inside the browser, which asks nothing.
If your browser refuses the connection, try --port 0.`,
		Example: `  trace2x open trace.out

  # why the slowest request was slow; one task, as trace2x summary names it; a moment
  trace2x open --slowest --task '^handleRequest$' trace.out
  trace2x open --task 934 trace.out
  trace2x open --at 1.2s trace.out

  # several programs on one timeline
  trace2x open gateway.trace checkout.trace

  # five seconds of a running program that imports net/http/pprof
  trace2x open http://localhost:6060

  # on another machine, after ssh -L 9001:127.0.0.1:9001
  trace2x open --no-browser trace.out

  # in a UI of your own, and keep the converted trace
  trace2x open --ui http://localhost:10000 -o trace.pftrace trace.out`,
		Args:              someTraces,
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := c.parse(args[0])
			if err != nil {
				return err
			}
			if err := c.place.parse(c); err != nil {
				return err
			}
			ui, err := serve.ParseUI(fl.ui)
			if err != nil {
				return fmt.Errorf("--ui: %w, as in --ui %s", err, serve.PerfettoUI)
			}
			if c.out == "-" {
				return errors.New("-o - is for trace2x perfetto")
			}
			convert, name := func(to, shown string) error { return c.run(cmd.Context(), e, from, to, shown) }, ""
			if isMany(args) {
				t, err := c.timeline(e, args)
				if err != nil {
					return err
				}
				convert, name = func(to, shown string) error { return c.runTimeline(cmd.Context(), e, t, to, shown) }, t.in.outputName(args, ".pftrace")
			} else {
				if err := c.programs.alone(); err != nil {
					return err
				}
				name = outputName(from, ".pftrace")
			}
			e.ran = true
			return open(cmd.Context(), e, convert, name, ui, cmd.Flags().Changed("port"), &fl, c)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&fl.noBrowser, "no-browser", false, "only print the link")
	f.Uint16Var(&fl.port, "port", serve.FetchPort, "serve on this `PORT` of 127.0.0.1, 0 for any that is free")
	f.StringVar(&fl.ui, "ui", serve.PerfettoUI, "open the Perfetto UI at `URL`")
	c.destination.addFlags(f, "keep the converted trace in `FILE`; compressed if it ends in .gz")
	c.place.addFlags(f)
	c.addFlags(f, perfetto.SlowToLoad)
	return cmd
}

// open opens what convert writes to a file, which the report calls shown. Without -o, that
// is name.
func open(ctx context.Context, e *env, convert func(to, shown string) error, name string, ui *url.URL, portGiven bool, fl *openFlags, c *conversion) error {
	file, shown := c.out, c.out
	if file == "" {
		temp, err := output.TempFolder()
		if err != nil {
			return err
		}
		defer temp.Remove()
		shown = name
		file = filepath.Join(temp.Path, shown)
	}

	// Before the work, which would be in vain if the port cannot be used.
	srv, page, err := listen(e, ui, portGiven, fl.port)
	if err != nil {
		return err
	}
	defer srv.Close()

	err = convert(file, shown)
	var missed *missedError
	switch {
	case err == errTold && exists(file): // of the other traces
	case model.IsDamage(err) && !errors.As(err, &missed):
		fmt.Fprintf(e.stderr, "warning: %s\n", oneLine(err))
		err = errTold
	case err != nil:
		return err
	}
	f, openErr := os.Open(file)
	if openErr != nil {
		return openErr
	}
	defer f.Close()
	info, statErr := f.Stat()
	if statErr != nil {
		return statErr
	}

	offer := srv.Add(serve.File{Name: filepath.Base(file), Content: f, Size: info.Size(), Args: c.place.view.Args()})
	if c.place.context {
		fmt.Fprintf(e.stderr, "only what is within %v of --at is converted; --from and --to take more\n", aroundMoment)
	}
	link := offer.Link()
	if _, err := fmt.Fprintln(e.stdout, link); err != nil {
		return err
	}
	question := ""
	if !page {
		question = fmt.Sprintf("; if it asks whether %s may connect to this device, allow it", ui.Host)
	}
	fmt.Fprintf(e.stderr, "waiting for the browser to read the trace%s\n", question)
	ended := make(chan error, 1)
	go func() { ended <- handOver(ctx, srv, offer) }()
	if serveErr := e.browse(link, fl.noBrowser, ended); serveErr != nil {
		return serveErr
	}
	fmt.Fprintln(e.stderr, "the browser has it")
	return err
}

// handOver serves until the browser has fetched what is offered.
func handOver(ctx context.Context, srv *serve.Server, offer *serve.Offer) error {
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(serving) }()
	select {
	case <-offer.Fetched():
		stop()
		<-served
		return nil
	case err := <-served:
		if ctx.Err() != nil {
			return errors.New("interrupted before a browser had read the trace")
		}
		return err
	}
}

// listen starts the server on the port. If the port is taken and the user did not ask for
// it, listen takes another. It reports whether a page hands the trace over.
func listen(e *env, ui *url.URL, portGiven bool, port uint16) (srv *serve.Server, page bool, err error) {
	page = port != serve.FetchPort
	srv, err = serve.Listen(serve.Options{UI: ui, Port: int(port), Page: page})
	if err == nil || portGiven {
		return srv, page, err
	}
	fmt.Fprintf(e.stderr, "warning: %v; a page hands the trace over instead\n", err)
	srv, err = serve.Listen(serve.Options{UI: ui, Page: true})
	return srv, true, err
}
