package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
)

// pprofFlags are the flags of trace2x pprof.
type pprofFlags struct {
	source
	destination
	selection
	typ    string
	region string
}

func newPprof(e *env) *cobra.Command {
	var fl pprofFlags
	cmd := &cobra.Command{
		Use:   "pprof --type TYPE TRACE",
		Short: "Write a profile for go tool pprof",
		Long: `pprof adds a Go execution trace up by stack, as a profile for go tool pprof. The
types are

  net      waits for the network
  sync     waits on channels, in select and on what package sync has
  syscall  system calls and calls of C
  sched    waits for a P, by the stack that made the goroutine ready to run
  cpu      samples of the CPU profiler, if it ran while the program was traced;
           each counts as 10 ms, since a trace does not tell the profiler's rate
  wall     all the time of all goroutines, with the labels state, reason and func;
           of one that runs, there is only the function that it was started with

The first four are those of go tool trace -pprof, with the same numbers: they
count what has ended when the trace does, and of each goroutine what comes after
it first ran in the trace. wall has the rest too.

--goroutine, --func, --task, --trace-id and --region limit a profile to some
goroutines, or to the time in which these are at work for a task or in a region;
of several, all must hold. For a task, they are at work while they have a region
of it, between their logs and regions of it, or if they began it or were started
for it. Its subtasks count as well.

` + sourceHelp + `

` + secretsHelp + `

The output is TRACE with the ending .TYPE.pb.gz, in the working directory, if -o
does not name it; it is compressed whatever its name is. An older profile of that
name is replaced, unless what is written is a recording, and another file only
with --force. A truncated or damaged
trace is read up to the damage, with a warning and exit code 1.`,
		Example: `  # writes trace.sched.pb.gz: who waits for a P, and who made them ready?
  trace2x pprof --type sched trace.out
  go tool pprof -top trace.sched.pb.gz

  # where does the time of requests go? By state, in the browser
  trace2x pprof --type wall --task '^handleRequest$' -o requests.pb.gz trace.out
  go tool pprof -http=: -tagroot=state requests.pb.gz

  # only in regions of one type, of goroutines that one function started
  trace2x pprof --type sync --region '^query$' --func '^main\.worker$' trace.out

  # two goroutines, five seconds of a running server
  trace2x pprof --type wall --goroutine 18,42 -o g.pb.gz http://localhost:6060`,
		Args:              oneTrace,
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := fl.options()
			if err != nil {
				return err
			}
			from, err := fl.locate(args[0])
			if err != nil {
				return err
			}
			part, err := fl.window()
			if err != nil {
				return err
			}
			e.ran = true
			if fl.out == "" {
				fl.out = outputName(from, "."+opts.Type.String()+".pb.gz")
			}
			return toPprof(cmd.Context(), e, from, &fl, opts, part)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&fl.typ, "type", "", "`TYPE`: net, sync, syscall, sched, cpu or wall")
	fl.selection.addFlags(f)
	f.StringVar(&fl.region, "region", "", "only the time in regions whose type matches `REGEXP`")
	fl.destination.addFlags(f, "write to `FILE`, - for standard output")
	fl.source.addFlags(f)
	fl.addHeader(f, "header")
	cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"net", "sync", "syscall", "sched", "cpu", "wall"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// options checks the flags.
func (fl *pprofFlags) options() (opts pprof.Options, err error) {
	const types = "net, sync, syscall, sched, cpu or wall"
	if fl.typ == "" {
		return opts, errors.New("which --type? It is " + types + ", as in --type sync")
	}
	var ok bool
	if opts.Type, ok = pprof.ParseType(fl.typ); !ok {
		return opts, badValue("--type", fl.typ, types, "sync")
	}
	if err := fl.parse(); err != nil {
		return opts, err
	}
	opts.Selection = fl.selection.Selection
	opts.Region, err = parseRegexp("--region", fl.region)
	return opts, err
}

func toPprof(ctx context.Context, e *env, from location, fl *pprofFlags, opts pprof.Options, part model.Window) error {
	target := fl.target(e, fl.out, output.Profile, from)
	if err := target.Check(); err != nil {
		return err
	}
	in, done, err := e.open(ctx, from)
	if err != nil {
		return err
	}
	defer in.Close()
	defer done()
	out, err := output.Create(target)
	if err != nil {
		return err
	}
	defer out.Discard()

	c := pprof.NewCollector(opts)
	sum, err := model.ReadWindow(ctx, in, c, part)
	done()
	if sum == nil {
		return inInput(in, err)
	}
	stats := c.Stats()
	if missed := fl.missed(in, stats); missed != nil {
		return errors.Join(missed, inDamage(in, err))
	}
	if err := c.Profile().Write(out); err != nil {
		return fmt.Errorf("writing the profile: %w", err)
	}
	if err := e.commit(out); err != nil {
		return err
	}
	e.report(in, sum)
	fl.selection.report(e, stats.Found)
	e.reportProfile(out, opts, stats)
	return inDamage(in, err)
}

// missed returns an error if nothing matches a filter that the user gave.
func (fl *pprofFlags) missed(in *input.Input, s pprof.Stats) error {
	if err := fl.selection.missed(in, s.Found); err != nil {
		return err
	}
	if fl.region != "" && s.Regions == 0 {
		return &missedError{fmt.Sprintf("%s: no region matches --region %s", in.Name, shown(fl.region))}
	}
	return nil
}

// reportProfile tells what is in a profile, and why nothing is.
func (e *env) reportProfile(out *output.Output, opts pprof.Options, s pprof.Stats) {
	noun := "wait"
	switch opts.Type {
	case pprof.Syscall:
		noun = "system call"
	case pprof.CPU:
		noun = "sample"
	case pprof.Wall:
		noun = "state"
	}
	fmt.Fprintf(e.stderr, "%s: %s, %v in %s at %s\n", outName(out.Name()), byteCount(out.Size()),
		time.Duration(s.Time).Round(time.Microsecond), plural(int(s.Count), noun), plural(s.Stacks, "stack"))
	switch {
	case s.Count > 0:
	case opts.Type == pprof.CPU:
		fmt.Fprintln(e.stderr, "warning: no CPU samples: they are in a trace if the program runs the CPU profiler while it is traced")
	default:
		fmt.Fprintln(e.stderr, "warning: the profile is empty")
	}
}
