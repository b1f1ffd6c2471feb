package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// units has the flags that say which units of work get critical paths.
type units struct {
	unit    string
	slowest int
}

// completeUnit completes the flag --unit: it is a kind of units of work, or one of others.
func completeUnit(cmd *cobra.Command, others ...string) {
	var names []string
	for _, k := range critical.AllKinds {
		names = append(names, k.String())
	}
	cmd.RegisterFlagCompletionFunc("unit", cobra.FixedCompletions(append(names, others...), cobra.ShellCompDirectiveNoFileComp))
}

func (u *units) addFlags(cmd *cobra.Command, f *pflag.FlagSet) {
	f.StringVar(&u.unit, "unit", "", "explain units of work of a `KIND`: task, region, http, goroutine or none; without it, the first of them that the trace has")
	f.IntVar(&u.slowest, "slowest", 0, "the critical paths, step by step, of the slowest `N` units of each type")
	completeUnit(cmd, "none")
}

// apply sets the options.
func (u *units) apply(opts *report.Options) error {
	if u.slowest < 0 {
		return badValue("--slowest", strconv.Itoa(u.slowest), "0 or more", "3")
	}
	opts.Units.Slowest = max(u.slowest, 10)
	switch u.unit {
	case "":
	case "none":
		opts.NoUnits = true
	default:
		var kind critical.Kind
		if kind.UnmarshalText([]byte(u.unit)) != nil {
			return badValue("--unit", u.unit, "task, region, http, goroutine or none", "http")
		}
		opts.Units.Kinds = critical.KindsOf(kind)
	}
	return nil
}

// missedUnit returns an error if the task that the user asked for has no critical path.
func (fl *summaryFlags) missedUnit(in *input.Input, rep *report.Report) error {
	if fl.TaskID == model.BackgroundTask || rep.Why == nil || len(rep.Why.Kept) > 0 || !rep.Why.Kinds.Has(critical.Task) {
		return nil
	}
	return &missedError{fmt.Sprintf("%s: task %d begins before the trace or ends after it, so it has no critical path (--unit none shows the rest)", in.Name, fl.TaskID)}
}
