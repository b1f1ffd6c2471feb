package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
)

// pprofFlags are the flags of trace2x pprof.
type pprofFlags struct {
	out        string
	typ        string
	goroutines []int
	fn         string
	task       string
	region     string
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

Filters limit a profile to some goroutines, or to the time in which these are at
work for a task or in a region; of several, all must hold. For a task, they are
at work while they have a region of it, between their logs and regions of it, or
if they began it or were started for it. Its subtasks count as well.

TRACE is a file, or - for standard input, plain or compressed with gzip. The
output is TRACE with the ending .TYPE.pb.gz, in the working directory, if -o does
not name it; it is compressed whatever its name is. A truncated or damaged trace
is read up to the damage, with a warning and exit code 1.`,
		Example: `  # writes trace.sched.pb.gz: who waits for a P, and who made them ready?
  trace2x pprof --type sched trace.out
  go tool pprof -top trace.sched.pb.gz

  # where does the time of requests go? By state, in the browser
  trace2x pprof --type wall --task '^handleRequest$' -o requests.pb.gz trace.out
  go tool pprof -http=: -tagroot=state requests.pb.gz

  # only in regions of one type, of goroutines that one function started
  trace2x pprof --type sync --region '^query$' --func '^main\.worker$' trace.out

  # two goroutines, five seconds of a running server
  curl -s localhost:6060/debug/pprof/trace?seconds=5 | trace2x pprof --type wall --goroutine 18,42 -o g.pb.gz -`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := fl.options()
			if err != nil {
				return err
			}
			e.ran = true
			if fl.out == "" {
				fl.out = outputName(args[0], "."+opts.Type.String()+".pb.gz")
			}
			return toPprof(cmd.Context(), e, args[0], &fl, opts)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&fl.typ, "type", "", "`TYPE`: net, sync, syscall, sched, cpu or wall")
	f.IntSliceVar(&fl.goroutines, "goroutine", nil, "only the goroutine with this `ID`; may be repeated")
	f.StringVar(&fl.fn, "func", "", "only goroutines whose start function, as in net/http.(*conn).serve, matches `REGEXP`")
	f.StringVar(&fl.task, "task", "", "only the work for a task: `ID|REGEXP`, a number is its ID, anything else is for its type")
	f.StringVar(&fl.region, "region", "", "only the time in regions whose type matches `REGEXP`")
	f.StringVarP(&fl.out, "output", "o", "", "write to `FILE`, - for standard output")
	cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"net", "sync", "syscall", "sched", "cpu", "wall"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// options checks the flags.
func (fl *pprofFlags) options() (opts pprof.Options, err error) {
	const types = "net, sync, syscall, sched, cpu or wall"
	if fl.typ == "" {
		return opts, errors.New("which --type? It is " + types)
	}
	var ok bool
	if opts.Type, ok = pprof.ParseType(fl.typ); !ok {
		return opts, fmt.Errorf("--type %q: it is %s", fl.typ, types)
	}
	for _, id := range fl.goroutines {
		if id <= 0 {
			return opts, fmt.Errorf("--goroutine %d: IDs begin at 1", id)
		}
		opts.Goroutines = append(opts.Goroutines, model.GoID(id))
	}
	if id, idErr := strconv.ParseUint(fl.task, 10, 64); idErr == nil {
		if opts.TaskID = model.TaskID(id); opts.TaskID == model.BackgroundTask {
			return opts, errors.New("--task 0 is no task, but what regions and logs without one have")
		}
	} else if opts.Task, err = parseRegexp("--task", fl.task); err != nil {
		return opts, err
	}
	if opts.Func, err = parseRegexp("--func", fl.fn); err != nil {
		return opts, err
	}
	opts.Region, err = parseRegexp("--region", fl.region)
	return opts, err
}

// parseRegexp reads the value of a flag; "" is none.
func parseRegexp(flag, s string) (*regexp.Regexp, error) {
	if s == "" {
		return nil, nil
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return re, nil
}

func toPprof(ctx context.Context, e *env, from string, fl *pprofFlags, opts pprof.Options) error {
	in, err := input.Open(ctx, from, e.stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := output.CreateAsIs(fl.out, e.stdout)
	if err != nil {
		return err
	}
	defer out.Discard()

	bar := newProgress(e.stderr, in)
	c := pprof.NewCollector(opts)
	sum, err := model.Read(ctx, in, c)
	bar.stop()
	if sum == nil {
		return inInput(in, err)
	}
	if err := c.Profile().Write(out); err != nil {
		return fmt.Errorf("writing the profile: %w", err)
	}
	if err := out.Commit(); err != nil {
		return err
	}
	e.report(in, sum)
	e.reportProfile(fl, opts, c.Stats(), out.Size())
	var damage *model.Damage
	if errors.As(err, &damage) {
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	return err
}

// reportProfile tells what is in a profile, and why nothing is.
func (e *env) reportProfile(fl *pprofFlags, opts pprof.Options, s pprof.Stats, size int64) {
	noun := "wait"
	switch opts.Type {
	case pprof.Syscall:
		noun = "system call"
	case pprof.CPU:
		noun = "sample"
	case pprof.Wall:
		noun = "state"
	}
	fmt.Fprintf(e.stderr, "%s: %s, %v in %s at %s\n", outName(fl.out), byteCount(size),
		time.Duration(s.Time).Round(time.Microsecond), plural(int(s.Count), noun), plural(s.Stacks, "stack"))
	missed := false
	warn := func(format string, args ...any) {
		missed = true
		fmt.Fprintf(e.stderr, "warning: "+format+"\n", args...)
	}
	if s.Goroutines == 0 && (opts.Goroutines != nil || opts.Func != nil) {
		warn("no goroutine matches --goroutine and --func")
	}
	if s.Tasks == 0 && fl.task != "" {
		warn("no task matches --task %s", fl.task)
	}
	if s.Regions == 0 && opts.Region != nil {
		warn("no region matches --region %s", fl.region)
	}
	switch {
	case missed || s.Count > 0:
	case opts.Type == pprof.CPU:
		warn("no CPU samples: they are in a trace if the program runs the CPU profiler while it is traced")
	default:
		warn("the profile is empty")
	}
}
