package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/trace2x/trace2x/check"
	"github.com/trace2x/trace2x/diff"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

func newCheck(e *env) *cobra.Command {
	var require []string
	var before, unit string
	cmd := &cobra.Command{
		Use:   "check --require EXPRESSION TRACE...",
		Short: "Check requirements on traces, for CI",
		Long: `check evaluates requirements on what trace2x summary --json says of a trace, or of
several together, and prints each with its values. With --before it also compares with
other traces, as trace2x diff --json does.

A requirement is an expression such as tasks["request"].p99 < 50ms: names of the JSON,
durations (50ms, 1m30s), bytes (10MB, 1GiB), percent (10%), comparisons, and, or, not,
arithmetic, and functions as in all(values(tasks), .p99 < 1s). docs/ci.md has the names
and a recipe for GitHub Actions.

The exit code is 0 if all requirements hold, 1 if one does not or a trace cannot be
read whole, and 2 if one cannot be understood or names what is not there: a check that
cannot fail is none.

` + inputsHelp,
		Example: `  trace2x check --require 'tasks["request"].p99 < 50ms' --require 'gc.share < 10%' \
    --require 'leaks == 0' trace.out

  # compared with another version
  trace2x check --before main/ --require 'len(diff.changes) == 0' branch/
  trace2x check --before main/ --require 'diff.tasks["request"].p99.relative < 20%' branch/`,
		Args:              someTraces,
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(require) == 0 {
				return errors.New(`what is required? As in --require 'gc.share < 10%'`)
			}
			opts := report.Options{}
			if err := (&units{unit: unit}).apply(&opts); err != nil {
				return err
			}
			return checkTraces(cmd.Context(), e, args, before, require, opts)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&require, "require", nil, "an `EXPRESSION` that must hold; may be repeated")
	f.StringVar(&before, "before", "", "compare with `TRACES` from before: a file, a folder, or several with commas")
	f.StringVar(&unit, "unit", "", "look at units of work of a `KIND`: task, region, http or goroutine; without it, the first of them that the trace has")
	completeUnit(cmd, "none")
	return cmd
}

// checkTraces prints each requirement with its values.
func checkTraces(ctx context.Context, e *env, args []string, before string, require []string, opts report.Options) error {
	in, err := e.expand(args)
	if err != nil {
		return err
	}
	var after []*diff.Run
	b, failed := e.mergeTraces(ctx, in, opts, model.Window{}, func(t readTrace[*report.Builder]) {
		if before != "" {
			after = append(after, diff.NewRun(t.file, t.sink.Report()))
		}
	})
	if b == nil {
		return failed
	}
	values, err := check.Summary(b.Report())
	if err != nil {
		return err
	}
	if before != "" {
		old, err := e.expand(listed(before))
		if err != nil {
			return err
		}
		runs, err := e.runs(ctx, old, opts)
		if len(runs) == 0 {
			return err
		}
		failed = cmp.Or(failed, err)
		if err := e.addHalves(ctx, after, opts); err != nil {
			return err
		}
		if err := values.AddDiff(diff.Compare(runs, after)); err != nil {
			return err
		}
	}
	return e.checkAll(require, values, failed)
}

// checkAll prints which requirements hold. failed is the error of reading the traces.
func (e *env) checkAll(require []string, values check.Values, failed error) error {
	width := 0
	for _, r := range require {
		width = max(width, utf8.RuneCountInString(r))
	}
	width = min(width, 60)
	var wrong []error
	for _, text := range require {
		r, err := check.Evaluate(text, values)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		verdict := "ok  "
		if !r.Holds {
			verdict, failed = "FAIL", errTold
		}
		line := fmt.Sprintf("%s  %s", verdict, escaped(text))
		line += strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0))
		values := r.Values
		if len(r.Failing) > 0 {
			values = r.Failing
		}
		for i, v := range values {
			sep := ", "
			if i == 0 {
				sep = "   "
			}
			if len(values) == 1 && len(r.Failing) == 0 {
				line += sep + escaped(v.Value)
			} else {
				line += sep + escaped(v.Name) + " " + escaped(v.Value)
			}
		}
		if _, err := fmt.Fprintln(e.stdout, line); err != nil {
			return fmt.Errorf("writing standard output: %w", err)
		}
	}
	if len(wrong) > 0 {
		return &output.UsageError{Reason: errors.Join(wrong...).Error()}
	}
	return failed
}
