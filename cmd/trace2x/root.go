package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // something failed, or only a part of the input could be read
	exitUsage  = 2
)

// env is what a command may touch of the outside world, apart from files.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	// ran is set when a command begins its work: an error before that is wrong
	// usage.
	ran bool
	// recording is the input that interrupt may end, or nil.
	recording atomic.Pointer[recording]
}

// errTold is an error of which the user was told.
var errTold = errors.New("told")

// run executes a command line and returns the exit code. Only data goes to
// stdout; what the user is told goes to stderr.
func (e *env) run(ctx context.Context, args []string) int {
	root := newRoot(e)
	root.SetArgs(args)
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return exitOK
	case !e.ran:
		fmt.Fprintf(e.stderr, "trace2x: %v\nRun '%s --help' for usage.\n", err, cmd.CommandPath())
		return exitUsage
	case errors.Is(err, errTold):
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		fmt.Fprintln(e.stderr, "trace2x: interrupted; nothing was written")
	default:
		fmt.Fprintf(e.stderr, "trace2x: %v\n", err)
	}
	return exitFailed
}

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "trace2x",
		Short: "Go execution traces in the terminal, Perfetto, OpenTelemetry and pprof",
		Long: `trace2x reads Go execution traces (runtime/trace, go test -trace,
/debug/pprof/trace, flight recorder dumps; of Go 1.11 and later), sums them up,
and writes them in formats of the tools where people look.`,
		Example: `  # a trace of a test: what it spends its time on
  go test -trace trace.out ./mypackage
  trace2x summary trace.out

  # the same in ui.perfetto.dev
  trace2x open trace.out

  # five seconds of a running program that imports net/http/pprof
  trace2x open http://localhost:6060

  # shell completion
  source <(trace2x completion bash)`,
		Version:       version(),
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.New("which command?")
		},
	}
	root.SetVersionTemplate(versionLine() + "\n")
	root.AddCommand(newSummary(e), newOpen(e), newCapture(e), newPerfetto(e), newOtel(e), newPprof(e), newVersion(e), newMan(e))
	return root
}
