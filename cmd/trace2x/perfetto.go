package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
)

func newPerfetto(e *env) *cobra.Command {
	opts := perfetto.Options{Version: version()}
	var src source
	var out string
	cmd := &cobra.Command{
		Use:   "perfetto TRACE",
		Short: "Write a trace for ui.perfetto.dev",
		Long: `perfetto writes a Go execution trace as a Perfetto trace: open it in
https://ui.perfetto.dev, or query it with Perfetto's trace processor.

` + sourceHelp + `

The output is TRACE with the ending .pftrace, in the working directory, if -o
does not name it; of a program's URL, the name is that of the host. A truncated
or damaged trace is converted up to the damage, with a warning and exit code 1.`,
		Example: `  # writes trace.pftrace
  trace2x perfetto trace.out

  # five seconds of a running server
  trace2x perfetto -o server.pftrace http://localhost:6060

  # compressed, as ui.perfetto.dev opens it too
  trace2x perfetto -o trace.pftrace.gz trace.out

  # every wait with its stack, however short, and the OS threads
  trace2x perfetto --min-block 0 --threads trace.out`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := src.name(args[0])
			if err != nil {
				return err
			}
			if err := checkPerfetto(&opts); err != nil {
				return err
			}
			e.ran = true
			name := out
			if name == "" {
				name = outputName(from)
			}
			return toPerfetto(cmd.Context(), e, from, name, outName(name), opts)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "write to `FILE`, - for standard output; compressed if it ends in .gz")
	src.addFlags(f)
	addPerfettoFlags(f, &opts)
	return cmd
}

// addPerfettoFlags adds the flags that say how a trace is converted.
func addPerfettoFlags(f *pflag.FlagSet, opts *perfetto.Options) {
	f.DurationVar(&opts.MinBlock, "min-block", perfetto.DefaultMinBlock, "the shortest wait that becomes a slice with its stack; the states have all waits")
	f.BoolVar(&opts.Threads, "threads", false, "add a track for each OS thread, with what ran on it")
	f.BoolVar(&opts.LanePerGoroutine, "lane-per-goroutine", false, "give each goroutine a lane of its own, instead of the lane of one that exited")
}

// checkPerfetto checks the values of these flags.
func checkPerfetto(opts *perfetto.Options) error {
	if opts.MinBlock < 0 {
		return errors.New("--min-block must not be negative")
	}
	return nil
}

// outputName names the output of an input for which the user gave none.
func outputName(in string) string {
	if in == "-" {
		return "trace.pftrace"
	}
	base := strings.TrimSuffix(input.BaseName(in), ".gz")
	for _, ext := range []string{".trace", ".out"} {
		if cut := strings.TrimSuffix(base, ext); cut != "" && cut != base {
			base = cut
			break
		}
	}
	return base + ".pftrace"
}

// toPerfetto converts an input into a file, which is called shown in the report.
// The file is there if the error is nil or a *model.Damage.
func toPerfetto(ctx context.Context, e *env, from, to, shown string, opts perfetto.Options) error {
	in, done, err := e.open(ctx, from)
	if err != nil {
		return err
	}
	defer in.Close()
	defer done()
	out, err := output.Create(to, e.stdout)
	if err != nil {
		return err
	}
	defer out.Discard()

	sum, err := perfetto.Convert(ctx, in, out, opts)
	done()
	if sum == nil {
		return inInput(in, err)
	}
	if commitErr := out.Commit(); commitErr != nil {
		return commitErr
	}
	e.report(in, sum)
	fmt.Fprintf(e.stderr, "%s: %s, %.1f bytes per event\n", shown, byteCount(out.Size()), float64(out.Size())/float64(max(sum.Events, 1)))
	if err != nil {
		var damage *model.Damage
		if errors.As(err, &damage) {
			return fmt.Errorf("%s: %w", in.Name, err)
		}
		return err
	}
	return nil
}

func outName(name string) string {
	if name == "-" {
		return "standard output"
	}
	return name
}
