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
	"strings"

	"github.com/spf13/cobra"

	"github.com/trace2x/trace2x/diff"
	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// diffFlags are the flags of trace2x diff.
type diffFlags struct {
	destination
	unit string
	top  int
	all  bool
	json bool
	html bool
}

func newDiff(e *env) *cobra.Command {
	var fl diffFlags
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Compare traces of a program before and after a change",
		Long: `diff compares traces of a program before and after a change. The first line says what
changed most, in time for each unit of work (a task, an HTTP request of net/http, the
life of a goroutine), and why: which part of their critical paths became longer, in
which function. The table has what else changed: latencies and parts of critical paths
by type of unit, CPU time, waits for a P and blocking by function, scheduler latency,
the GC, and goroutines that are started and do not end.

BEFORE and AFTER are each a trace, a folder (all traces in it, by content), or several
of these with commas. Each trace is one run of the program. With five runs or more on
each side, only what differs significantly is shown, with its p-value (Mann-Whitney, p
below 0.01, and corrected for the hundreds of numbers that are compared). Record the
runs of both sides in turn, on an idle machine. With fewer runs no significance is
claimed: what is shown differs by more than twice as much as the runs of one side
among themselves, or, of one run, as its two halves.

Functions are compared by name, never by line; closures by the function around them,
as other versions of Go number them otherwise.

--json writes all numbers; docs/diff.md has the names and units. --html writes a page.
The exit code does not depend on what changed: see trace2x check for that.`,
		Example: `  trace2x diff before.trace after.trace

  # several runs on each side, as of go test -trace, or of a flight recorder
  trace2x diff before/ after/
  trace2x diff run1.out,run2.out,run3.out,run4.out,run5.out after/

  # all numbers; a page
  trace2x diff --all before/ after/
  trace2x diff --html -o diff.html before/ after/`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("%s, not %d: what was before and what is after, as in trace2x diff before.trace after.trace; several traces of one side in a folder, or with commas", plural(2, "argument"), len(args))
			}
			return nil
		},
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if fl.top < 0 {
				return badValue("--top", strconv.Itoa(fl.top), "0, for all, or more", "10")
			}
			if fl.json && fl.html {
				return errors.New("--json and --html: only one of them is possible")
			}
			opts := report.Options{}
			if err := (&units{unit: fl.unit}).apply(&opts); err != nil {
				return err
			}
			return compare(cmd.Context(), e, args, &fl, opts)
		},
	}
	f := cmd.Flags()
	f.StringVar(&fl.unit, "unit", "", "compare units of work of a `KIND`: task, region, http or goroutine; without it, the first of them that a trace has")
	f.IntVar(&fl.top, "top", 20, "show the first `N` changes, 0 for all")
	f.BoolVar(&fl.all, "all", false, "also the numbers that did not change")
	f.BoolVar(&fl.json, "json", false, "write JSON")
	f.BoolVar(&fl.html, "html", false, "write a page, which needs no other files")
	fl.destination.addFlags(f, "write to `FILE`, - for standard output (the default)")
	completeUnit(cmd, "none")
	return cmd
}

// compare writes the difference between two sides.
func compare(ctx context.Context, e *env, args []string, fl *diffFlags, opts report.Options) error {
	var sides [2][]*diff.Run
	var all inputs
	var failed error
	for i, arg := range args {
		in, err := e.expand(listed(arg))
		if err != nil {
			return err
		}
		all.files = append(all.files, in.files...)
		sides[i], err = e.runs(ctx, in, opts)
		if len(sides[i]) == 0 {
			return err
		}
		failed = cmp.Or(failed, err)
	}
	if err := e.writeDiff(diff.Compare(sides[0], sides[1]), all, fl); err != nil {
		return err
	}
	return failed
}

// listed returns the files and folders of an argument: those between its commas, if it is
// none itself.
func listed(arg string) []string {
	if _, err := os.Stat(arg); err == nil || input.IsURL(arg) {
		return []string{arg}
	}
	return strings.Split(arg, ",")
}

// runs reads the traces of one side. It reports a trace that cannot be read and leaves it
// out; the error is then errTold, and the other traces are returned. With any other error
// it returns no runs.
func (e *env) runs(ctx context.Context, in inputs, opts report.Options) (runs []*diff.Run, err error) {
	newSink := func() *report.Builder { return report.New(opts) }
	err = readMany(ctx, e, in, model.Window{}, newSink, func(t readTrace[*report.Builder]) error {
		runs = append(runs, diff.NewRun(t.file, t.sink.Report()))
		return nil
	})
	if len(runs) == 0 || err != nil && err != errTold {
		return nil, nothingRead(len(runs), err)
	}
	if halvesErr := e.addHalves(ctx, runs, opts); halvesErr != nil {
		return nil, halvesErr
	}
	return runs, err
}

// addHalves reads the halves of a trace that is the only one of its side. Its error is
// the error of ctx.
func (e *env) addHalves(ctx context.Context, runs []*diff.Run, opts report.Options) error {
	if len(runs) != 1 {
		return nil
	}
	run := runs[0]
	middle := model.Moment{Since: run.Length / 2}
	for _, half := range []model.Window{{To: middle}, {From: middle}} {
		// What is wrong with the file has been reported.
		quiet := &env{stdin: e.stdin, stdout: e.stdout, stderr: io.Discard}
		readMany(ctx, quiet, inputs{files: []string{run.File}}, half, func() *report.Builder { return report.New(opts) }, func(t readTrace[*report.Builder]) error {
			run.Halves = append(run.Halves, diff.NewRun(t.file, t.sink.Report()))
			return nil
		})
	}
	return ctx.Err()
}

// writeDiff writes a result in the form that the flags ask for.
func (e *env) writeDiff(r *diff.Result, in inputs, fl *diffFlags) error {
	if fl.out == "" {
		fl.out = "-"
	}
	out, err := fl.create(e, in, output.Difference)
	if err != nil {
		return err
	}
	defer out.Discard()
	switch {
	case fl.html:
		err = diff.HTML(out, r)
	case fl.json:
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err = enc.Encode(r)
	default:
		opts := diff.TextOptions{Top: fl.top, All: fl.all}
		if fl.out == "-" {
			opts.Width, opts.Color = terminal(e.stdout)
		}
		err = diff.Text(out, r, opts)
	}
	if err != nil {
		return fmt.Errorf("writing the difference: %w", err)
	}
	return e.commit(out)
}
