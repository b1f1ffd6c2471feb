package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/trace2x/trace2x/internal/output"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1 // something failed, or only a part of the input could be read
	exitUsage       = 2
	exitHangup      = 129 // ended by SIGHUP, as in shells
	exitInterrupted = 130 // by Ctrl-C
	exitTerminated  = 143 // by SIGTERM
)

// exitHelp describes the exit codes.
const exitHelp = `0 if all worked, 1 if something failed or only a part of
the input could be read, 2 for wrong usage; 129, 130 and 143 if SIGHUP, Ctrl-C or
SIGTERM ended the command, or a recording.`

// env is what a command may touch of the outside world, apart from files.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	// ran is set when a command begins its work: an error before that is wrong
	// usage.
	ran bool
	// recording is the input that interrupt may end, or nil.
	recording atomic.Pointer[recording]
	// signal is the exit code for the first signal, 0 if there was none.
	signal atomic.Int32
	// cutShort is set when a signal has ended a recording.
	cutShort atomic.Bool
	profile  cpuProfile

	mu      sync.Mutex
	written []string // files that are complete
	told    bool     // the interrupt has been reported, or is expected
}

// errTold is an error that has been printed.
var errTold = errors.New("told")

// run executes a command line and returns the exit code. Only data goes to stdout;
// messages go to stderr.
func (e *env) run(ctx context.Context, args []string) int {
	root := newRoot(e)
	root.SetArgs(args)
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if profileErr := e.endProfile(err == nil || e.ran); profileErr != nil {
		fmt.Fprintf(e.stderr, "trace2x: %s\n", oneLine(profileErr))
		err = cmp.Or(err, errTold)
	}
	code := exitFailed
	var usage *output.UsageError
	switch {
	case err == nil:
		code = exitOK
	case !e.ran:
		fmt.Fprintf(e.stderr, "trace2x: %s\nRun '%s --help' for usage.\n", oneLine(err), cmd.CommandPath())
		return exitUsage
	case errors.As(err, &usage):
		fmt.Fprintf(e.stderr, "trace2x: %s\n", oneLine(err))
		return exitUsage
	case errors.Is(err, errTold):
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return e.interrupted()
	default:
		fmt.Fprintf(e.stderr, "trace2x: %s\n", oneLine(err))
	}
	if s := e.signal.Load(); s != 0 && (err != nil || e.cutShort.Load()) {
		code = int(s)
	}
	return code
}

// interrupted reports that the command was interrupted, and which files it has made. It
// returns the exit code.
func (e *env) interrupted() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.told {
		e.told = true
		what := "nothing was written"
		switch n := len(e.written); {
		case n > 3:
			what = english.Sprintf("complete and kept: %d files, %s to %s", n, e.written[0], e.written[n-1])
		case n > 0:
			what = "complete and kept: " + strings.Join(e.written, ", ")
		}
		fmt.Fprintf(e.stderr, "trace2x: interrupted; %s\n", what)
	}
	return cmp.Or(int(e.signal.Load()), exitInterrupted)
}

// expectInterrupt makes an interrupt the usual end of the command: none is reported.
func (e *env) expectInterrupt() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told = true
}

// commit moves an output to its place.
func (e *env) commit(out *output.Output) error {
	if err := out.Commit(); err != nil {
		return err
	}
	if out.Name() != "-" {
		e.mu.Lock()
		e.written = append(e.written, shown(out.Name()))
		e.mu.Unlock()
	}
	return nil
}

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "trace2x",
		Short: "Go execution traces in the terminal, Perfetto, OpenTelemetry and pprof",
		Long: `trace2x reads Go execution traces (runtime/trace, go test -trace,
/debug/pprof/trace, flight recorder dumps; of Go 1.11 and later), sums them up,
and writes them in formats of the tools where people look.

An output replaces an older output of the same format. It replaces other files only
with --force. An output that is a recording, or is made from one, replaces no file.
An output has the permissions of the trace that it is made from.

The exit code is ` + exitHelp,
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
		Args:          unknownCommand,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			if err := checkEmpty(cmd, args); err != nil {
				return err
			}
			return e.startProfile()
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.New("which command? For a first look: trace2x summary TRACE")
		},
	}
	root.SetFlagErrorFunc(flagError)
	e.profile.addFlag(root.PersistentFlags())
	root.SetVersionTemplate(versionLine() + "\n")
	root.AddCommand(newSummary(e), newWeb(e), newOpen(e), newCapture(e), newPerfetto(e), newOtel(e), newPprof(e), newDiff(e), newCheck(e), newVersion(e), newMan(e))
	return root
}
