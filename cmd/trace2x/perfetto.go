package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
)

func newPerfetto(e *env) *cobra.Command {
	opts := perfetto.Options{Version: version()}
	var out, traceID string
	cmd := &cobra.Command{
		Use:   "perfetto TRACE",
		Short: "Write a trace for ui.perfetto.dev",
		Long: `perfetto writes a Go execution trace as a Perfetto trace: open it in
https://ui.perfetto.dev, or query it with Perfetto's trace processor.

TRACE is a file, or - for standard input, plain or compressed with gzip. The
output is TRACE with the ending .pftrace, in the working directory, if -o does
not name it. A truncated or damaged trace is converted up to the damage, with a
warning and exit code 1.`,
		Example: `  # writes trace.pftrace
  trace2x perfetto trace.out

  # five seconds of a running server
  curl -s localhost:6060/debug/pprof/trace?seconds=5 | trace2x perfetto -o server.pftrace -

  # compressed, as ui.perfetto.dev opens it too
  trace2x perfetto -o trace.pftrace.gz trace.out

  # only the goroutines at work for one distributed trace, linked by spanlink
  trace2x perfetto --trace-id 4bf92f3577b34da6a3ce929d0e0e4736 trace.out

  # every wait with its stack, however short, and the OS threads
  trace2x perfetto --min-block 0 --threads trace.out`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.MinBlock < 0 {
				return errors.New("--min-block must not be negative")
			}
			var err error
			if opts.TraceID, err = parseTraceID(traceID); err != nil {
				return err
			}
			e.ran = true
			name := out
			if name == "" {
				name = outputName(args[0], ".pftrace")
			}
			return toPerfetto(cmd.Context(), e, args[0], name, opts)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "write to `FILE`, - for standard output; compressed if it ends in .gz")
	f.DurationVar(&opts.MinBlock, "min-block", perfetto.DefaultMinBlock, "the shortest wait that becomes a slice with its stack; the states have all waits")
	f.BoolVar(&opts.Threads, "threads", false, "add a track for each OS thread, with what ran on it")
	f.BoolVar(&opts.LanePerGoroutine, "lane-per-goroutine", false, "give each goroutine a lane of its own, instead of the lane of one that exited")
	f.StringVar(&traceID, "trace-id", "", "only the tasks that are spans of the distributed trace `ID`, 32 hex digits, and the goroutines at work for them; the Ps, the GC and the counters stay whole")
	return cmd
}

// reportTraceID tells how many spans of the distributed trace asked for there
// were.
func (e *env) reportTraceID(id [16]byte, spans int) {
	if spans == 0 {
		fmt.Fprintf(e.stderr, "warning: no task is a span of the distributed trace %x\n", id)
		return
	}
	fmt.Fprintf(e.stderr, "%s of the distributed trace %x\n", plural(spans, "span"), id)
}

// parseTraceID reads the ID of a distributed trace as OpenTelemetry writes it;
// "" is the zero ID.
func parseTraceID(s string) (id [16]byte, err error) {
	if s == "" {
		return id, nil
	}
	if n, err := hex.Decode(id[:], []byte(s[:min(len(s), 32)])); err != nil || n != len(id) || len(s) != 32 || id == [16]byte{} {
		return id, fmt.Errorf("--trace-id %q: it is 32 hex digits, not all 0", s)
	}
	return id, nil
}

// outputName names the output of an input for which the user gave none.
func outputName(in, ext string) string {
	if in == "-" {
		return "trace" + ext
	}
	base := strings.TrimSuffix(filepath.Base(in), ".gz")
	for _, old := range []string{".trace", ".out"} {
		if cut := strings.TrimSuffix(base, old); cut != "" && cut != base {
			base = cut
			break
		}
	}
	return base + ext
}

func toPerfetto(ctx context.Context, e *env, from, to string, opts perfetto.Options) error {
	in, err := input.Open(ctx, from, e.stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := output.Create(to, e.stdout)
	if err != nil {
		return err
	}
	defer out.Discard()

	bar := newProgress(e.stderr, in)
	w := perfetto.NewWriter(out, opts)
	sum, err := model.Read(ctx, in, w)
	bar.stop()
	if sum == nil {
		return inInput(in, err)
	}
	if commitErr := out.Commit(); commitErr != nil {
		return commitErr
	}
	e.report(in, sum)
	if opts.TraceID != [16]byte{} {
		e.reportTraceID(opts.TraceID, w.Spans())
	}
	fmt.Fprintf(e.stderr, "%s: %s, %.1f bytes per event\n", outName(to), byteCount(out.Size()), float64(out.Size())/float64(max(sum.Events, 1)))
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

// inInput names the input in an error that is about it.
func inInput(in *input.Input, err error) error {
	var format *model.FormatError
	if errors.As(err, &format) {
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	return err
}
