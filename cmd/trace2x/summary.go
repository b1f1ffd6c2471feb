package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// summaryFlags are the flags of trace2x summary.
type summaryFlags struct {
	source
	selection
	units
	top    int
	topSet bool
	sort   string
	json   bool
	each   bool
	html   string
}

func newSummary(e *env) *cobra.Command {
	var fl summaryFlags
	cmd := &cobra.Command{
		Use:   "summary TRACE...",
		Short: "Sum up traces: why units of work are slow, goroutines, blocking, latency, GC, tasks, suspects",
		Long: `summary first shows why units of work took so long, on their critical paths: all
units of a type, and the slowest hundredth. Units are tasks. In a program without
tasks they are regions, HTTP requests of net/http servers, or the lives of
goroutines; --unit chooses. > marks what made the slow ones slower than the others.
docs/why.md is a guide.

--task ID prints the critical path of one task step by step. --trace-id does so for each
span of a distributed trace, and --slowest for the slowest units.
Below a wait stands what another goroutine did until it ended the wait. With --task
TYPE, --func or --goroutine, there are histograms of latency. They name units around
the median, and the slowest.

Then it shows which goroutines use the CPU, which wait, on what and where, how long
they wait for a P, what the GC costs, what tasks and regions spend their time on,
and what looks wrong.

` + sourceHelp + `

` + inputsHelp + `
The sums add up, percentiles are of everything that was counted, and a moment has the
name of its file. --each writes a line for each file instead.

` + secretsHelp + `

Times count from the beginning of the trace, also with --from. Percentiles are off by
at most 0.8%; all other numbers are exact. Parts of a trace that are damaged are
left out, with a warning and exit code 1.

--goroutine, --func, --task and --trace-id limit the summary to some goroutines, or
to the time in which these are at work for a task. If there are several, all must
hold. What the Ps ran, the queue of runnable goroutines and the garbage collector
stay those of the whole program. One --goroutine and no other limit also shows the
life of that goroutine. --func also lists the single goroutines, those with the most
in the column of --sort first.

--sort takes one of the columns of the goroutines: count, exec, wait, block,
syscall, assist and total; or one reason of blocking, as in block:sync. With max- in
front, it sorts by the most of a single goroutine. It also takes one of the columns of
blocking: count, total, p50, p99, max and units, which is the time in units of work
(tasks or requests are other names of it). Without it, blocking is sorted by units, so
that idle waits come last.

--json writes everything; docs/summary.md has the names and units. --html writes pages
with plots and tables as one file, of several traces together without what is over time;
trace2x web shows them, and more, in the browser.`,
		Example: `  trace2x summary trace.out

  # why one task took so long; why the two slowest requests did
  trace2x summary --task 8797 trace.out
  trace2x summary --unit http --slowest 2 trace.out

  # who waits longest for a P, and who for mutexes and the like
  trace2x summary --sort wait trace.out
  trace2x summary --sort block:sync --top 20 trace.out

  # the life of one goroutine
  trace2x summary --goroutine 42 trace.out

  # which of the goroutines of a function wait longest
  trace2x summary --func '^main\.worker$' --sort block trace.out

  # only the work for tasks of one type, with their latencies, or for one distributed trace
  trace2x summary --task '^handleRequest$' trace.out
  trace2x summary --trace-id 4bf92f3577b34da6a3ce929d0e0e4736 trace.out

  # a running server
  trace2x summary http://localhost:6060

  # all dumps of a flight recorder: together, and a line for each
  trace2x summary dumps/
  trace2x summary --each dumps/

  # as one HTML file, for a ticket
  trace2x summary --html report.html trace.out

  # the 99th percentile of the scheduler latency, in nanoseconds
  trace2x summary --json trace.out | jq .scheduling.p99_ns`,
		Args:              someTraces,
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			fl.topSet = cmd.Flags().Changed("top")
			if fl.top < 0 {
				return badValue("--top", strconv.Itoa(fl.top), "0, for all, or more", "5")
			}
			if err := fl.parse(); err != nil {
				return err
			}
			if err := report.CheckColumn(fl.sort); err != nil {
				return fmt.Errorf("--sort: %w, as in --sort wait", err)
			}
			from, err := fl.locate(args[0])
			if err != nil {
				return err
			}
			part, err := fl.window()
			if err != nil {
				return err
			}
			opts := report.Options{Selection: fl.Selection, Worst: max(fl.top, 10)}
			if len(fl.Goroutines) == 1 && fl.Func == nil && !fl.ByTask() {
				opts.Goroutine = fl.Goroutines[0]
			}
			if fl.Func != nil {
				opts.Singles, opts.SinglesBy = fl.top, fl.sort
				if fl.top == 0 || fl.json && !fl.topSet {
					opts.Singles = -1
				}
			}
			if err := fl.units.apply(&opts); err != nil {
				return err
			}
			if fl.html != "" {
				if err := checkHTML(&fl); err != nil {
					return err
				}
				if isMany(args) {
					return writeHTMLOfMany(cmd.Context(), e, args, &fl, opts, part)
				}
				e.ran = true
				return writeHTML(cmd.Context(), e, from, &fl, opts, part)
			}
			if isMany(args) || fl.each {
				return summarizeMany(cmd.Context(), e, args, &fl, opts, part)
			}
			e.ran = true
			return summarize(cmd.Context(), e, from, &fl, opts, part)
		},
	}
	f := cmd.Flags()
	f.IntVar(&fl.top, "top", 5, "show the first `N` entries of each list, 0 for all; --json has all without it")
	f.StringVar(&fl.sort, "sort", "exec", "sort the goroutines, or blocking, by `COLUMN`")
	fl.selection.addFlags(f)
	fl.units.addFlags(cmd, f)
	f.BoolVar(&fl.json, "json", false, "write JSON")
	f.BoolVar(&fl.each, "each", false, "a line for each file; with --json a report for each, on a line of its own")
	f.StringVar(&fl.html, "html", "", "write pages with plots and tables into `FILE`, which needs nothing else, - for standard output")
	fl.source.addFlags(f)
	fl.addHeader(f, "header")
	cmd.RegisterFlagCompletionFunc("sort", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return report.Columns(), cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func summarize(ctx context.Context, e *env, from location, fl *summaryFlags, opts report.Options, part model.Window) error {
	if err := output.SameError(e.stdout, from.file(e.stdin)); err != nil {
		return err
	}
	in, done, err := e.open(ctx, from)
	if err != nil {
		return err
	}
	defer in.Close()
	defer done()
	b := report.New(opts)
	sum, err := model.ReadWindow(ctx, in, b, part)
	done()
	if sum == nil {
		return inInput(in, err)
	}
	rep := b.Report()
	if opts.Goroutine != 0 && rep.Goroutine == nil {
		missing := fmt.Errorf("%s: there is no goroutine %d in the trace", in.Name, opts.Goroutine)
		return errors.Join(missing, inDamage(in, err))
	}
	if missed := cmp.Or(fl.missed(in.Name, b.Found()), fl.missedUnit(in, rep)); missed != nil {
		return errors.Join(missed, inDamage(in, err))
	}
	if err := cmp.Or(rep.CheckReason(fl.sort), rep.Sort(fl.sort)); err != nil {
		return fmt.Errorf("%s: --sort: %w", in.Name, err)
	}
	return cmp.Or(e.writeSummary(rep, fl, b.Found()), inDamage(in, err))
}

// writeSummary writes a report in the form that the flags ask for. Then it warns of what
// is wrong with the trace, and says what the filters found.
func (e *env) writeSummary(rep *report.Report, fl *summaryFlags, found model.Found) error {
	var err error
	if fl.json {
		if fl.topSet && fl.top > 0 {
			rep.Limit(fl.top)
		}
		enc := json.NewEncoder(e.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err = enc.Encode(rep)
	} else {
		width, color := terminal(e.stdout)
		err = report.Text(e.stdout, rep, report.TextOptions{Top: fl.top, Width: width, Color: color, Slowest: fl.slowest, SortedBy: fl.sort})
	}
	if err != nil {
		return fmt.Errorf("writing standard output: %w", err)
	}
	e.warn(rep.Trace)
	fl.report(e, found)
	return nil
}

// terminal returns the width of the terminal w, 0 if w is none, and whether the user
// wants colours there (https://no-color.org).
func terminal(w io.Writer) (width int, color bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 0
	}
	return width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
