package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

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
}

// run executes a command line and returns the exit code. Only data goes to
// stdout; what the user is told goes to stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr}
	root := newRoot(e)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return exitOK
	case !e.ran:
		fmt.Fprintf(stderr, "trace2x: %v\nRun '%s --help' for usage.\n", err, cmd.CommandPath())
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		fmt.Fprintln(stderr, "trace2x: interrupted; nothing was written")
	default:
		fmt.Fprintf(stderr, "trace2x: %v\n", err)
	}
	return exitFailed
}

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "trace2x",
		Short: "Go execution traces in the terminal, Perfetto and OpenTelemetry",
		Long: `trace2x reads Go execution traces (runtime/trace, go test -trace,
/debug/pprof/trace, flight recorder dumps; of Go 1.11 and later), sums them up,
and writes them in formats of the tools where people look.`,
		Example: `  # a trace of a test: what it spends its time on
  go test -trace trace.out ./mypackage
  trace2x summary trace.out

  # the same in ui.perfetto.dev
  trace2x perfetto trace.out

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
	root.SetVersionTemplate("trace2x {{.Version}}\n")
	root.AddCommand(newPerfetto(e), newOtel(e), newSummary(e))
	return root
}

// version is the version of the module that the program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
