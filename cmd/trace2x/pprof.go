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
	criticalFlags
}

func newPprof(e *env) *cobra.Command {
	var fl pprofFlags
	cmd := &cobra.Command{
		Use:   "pprof --type TYPE TRACE...",
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
           a running goroutine has only its start function, and no stack
  critical the critical paths of units of work: why they took as long as they did

The first four have the same numbers as go tool trace -pprof: they count only what
ended in the trace, and only after the goroutine first ran in it. wall has the rest
too.

` + criticalHelp + `

--goroutine, --func, --task, --trace-id and --region limit a profile to some
goroutines, or to the time in which these are at work for a task or in a region. If
there are several, all must hold. A goroutine works for the task of its latest sign:
it began the task, has a region or a log of it, or was started for it. Work for a
subtask counts for the tasks around it too.

` + sourceHelp + `

` + inputsHelp + `
The profiles add up. --slowest is a share of the units of each trace.

` + secretsHelp + `

Without -o, the output is in the working directory. It has the name of TRACE, a file
or a folder, with the ending .TYPE.pb.gz; of several, it is traces.TYPE.pb.gz. It is
always compressed. It replaces an older profile with that name, unless it is a
recording, and any other file only with --force. Parts of a trace that are damaged are
left out, with a warning and exit code 1.`,
		Example: `  # writes trace.sched.pb.gz: who waits for a P, and who made them ready?
  trace2x pprof --type sched trace.out
  go tool pprof -top trace.sched.pb.gz

  # where does the time of requests go? By state, in the browser
  trace2x pprof --type wall --task '^handleRequest$' -o requests.pb.gz trace.out
  go tool pprof -http=: -tagroot=state requests.pb.gz

  # only in one type of region, in goroutines with one start function
  trace2x pprof --type sync --region '^query$' --func '^main\.worker$' trace.out

  # why were the slowest requests slow? Their stacks begin with what waited
  trace2x pprof --type critical --slowest 1% trace.out
  go tool pprof -http=: trace.critical.pb.gz

  # where all dumps of a folder wait: dumps.sync.pb.gz
  trace2x pprof --type sync dumps/

  # two goroutines, five seconds of a running server
  trace2x pprof --type wall --goroutine 18,42 -o g.pb.gz http://localhost:6060`,
		Args:              someTraces,
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
			if isMany(args) {
				return toPprofMany(cmd.Context(), e, args, &fl, opts, part)
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
	f.StringVar(&fl.typ, "type", "", "`TYPE`: net, sync, syscall, sched, cpu, wall or critical")
	fl.selection.addFlags(f)
	f.StringVar(&fl.region, "region", "", "only the time in regions whose type matches `REGEXP`")
	fl.criticalFlags.addFlags(cmd)
	fl.destination.addFlags(f, "write to `FILE`, - for standard output")
	fl.source.addFlags(f)
	fl.addHeader(f, "header")
	cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"net", "sync", "syscall", "sched", "cpu", "wall", "critical"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// options checks the flags.
func (fl *pprofFlags) options() (opts pprof.Options, err error) {
	const types = "net, sync, syscall, sched, cpu, wall or critical"
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
	if opts.Region, err = parseRegexp("--region", fl.region); err != nil {
		return opts, err
	}
	return opts, fl.criticalFlags.apply(&opts)
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

	c := pprof.New(opts)
	sum, err := model.ReadWindow(ctx, in, c, part)
	done()
	if sum == nil {
		return inInput(in, err)
	}
	stats := c.Stats()
	if missed := fl.missed(in, opts, stats); missed != nil {
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

// toPprofMany writes the profile of several traces.
func toPprofMany(ctx context.Context, e *env, args []string, fl *pprofFlags, opts pprof.Options, part model.Window) error {
	in, err := e.expand(args)
	if err != nil {
		return err
	}
	if fl.out == "" {
		fl.out = in.outputName(args, "."+opts.Type.String()+".pb.gz")
	}
	out, err := fl.create(e, in, output.Profile)
	if err != nil {
		return err
	}
	defer out.Discard()

	var all pprof.Merged
	n := 0
	failed := readMany(ctx, e, in, part, func() pprof.Profiler { return pprof.New(opts) }, func(t readTrace[pprof.Profiler]) error {
		n++
		return all.Add(t.sink)
	})
	if n == 0 || failed != nil && failed != errTold {
		return nothingRead(n, failed)
	}
	prof, stats, err := all.Profile()
	if err != nil {
		return err
	}
	if missed := fl.missed(&input.Input{Name: in.name()}, opts, stats); missed != nil {
		return missed
	}
	if err := prof.Write(out); err != nil {
		return fmt.Errorf("writing the profile: %w", err)
	}
	if err := e.commit(out); err != nil {
		return err
	}
	fl.selection.report(e, stats.Found)
	e.reportProfile(out, opts, stats)
	return failed
}

// missed returns an error if nothing matches a filter of the user.
func (fl *pprofFlags) missed(in *input.Input, opts pprof.Options, s pprof.Stats) error {
	if opts.Type == pprof.Critical {
		return missedUnits(in, opts, s)
	}
	if err := fl.selection.missed(in.Name, s.Found); err != nil {
		return err
	}
	if fl.region != "" && s.Regions == 0 {
		return &missedError{fmt.Sprintf("%s: no region matches --region %s", in.Name, shown(fl.region))}
	}
	return nil
}

// reportProfile reports what is in a profile, or why it is empty.
func (e *env) reportProfile(out *output.Output, opts pprof.Options, s pprof.Stats) {
	noun := "wait"
	switch opts.Type {
	case pprof.Syscall:
		noun = "system call"
	case pprof.CPU:
		noun = "sample"
	case pprof.Wall:
		noun = "state"
	case pprof.Critical:
		e.reportUnits(s)
		noun = "segment"
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
