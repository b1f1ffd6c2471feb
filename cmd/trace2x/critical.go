package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/input"
)

// criticalFlags are the flags of trace2x pprof for the type critical.
type criticalFlags struct {
	unit, slowest string
}

// criticalHelp is the part of the help of trace2x pprof about the type critical.
const criticalHelp = `critical divides the latency of each unit of work among what it was spent on: a
task, a region, an HTTP request of net/http or the life of a goroutine, as --unit
says; the default is the first of these that the trace has. Where the unit waited
for another goroutine, that one's stack comes instead of the wait, on top of the
stack that waited. Samples have the labels state, reason, func, own (whether the
goroutine is the unit's) and unit (its type); the slowest units that are spans also
have trace_id and span_id. --slowest 1% leaves the slowest hundredth of each type.
--task, --trace-id, --region and --func choose units: these tasks, without their
subtasks, these regions, or the lives of these goroutines; --goroutine those that it
began.`

func (fl *criticalFlags) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&fl.unit, "unit", "", "for critical, the `KIND` of units: task, region, http or goroutine (default the first that the trace has)")
	f.StringVar(&fl.slowest, "slowest", "", "for critical, only the slowest `PERCENT` of the units of each type, as in 1%")
	completeUnit(cmd)
}

// apply checks the flags and puts them into the options.
func (fl *criticalFlags) apply(opts *pprof.Options) error {
	if opts.Type != pprof.Critical {
		switch {
		case fl.slowest != "":
			return errors.New("--slowest is only for --type critical: the other types do not tell units of work apart")
		case fl.unit != "":
			return errors.New("--unit is only for --type critical: the other types do not tell units of work apart")
		}
		return nil
	}
	if fl.unit != "" {
		var kind critical.Kind
		if err := kind.UnmarshalText([]byte(fl.unit)); err != nil {
			return badValue("--unit", fl.unit, "task, region, http or goroutine", "http")
		}
		opts.Unit = critical.KindsOf(kind)
	}
	if fl.slowest != "" {
		number, isPercent := strings.CutSuffix(fl.slowest, "%")
		percent, err := strconv.ParseFloat(number, 64)
		if err != nil || !isPercent || !(percent > 0 && percent <= 100) || math.IsInf(percent, 0) {
			return badValue("--slowest", fl.slowest, "a percentage, more than 0% and at most 100%", "1%")
		}
		opts.Slowest = percent
	}
	// Each of these flags chooses one kind of units.
	kind, flags := critical.Kind(0), []string(nil)
	for _, limit := range []struct {
		flag  string
		given bool
		kind  critical.Kind
	}{
		{"--task or --trace-id", opts.ByTask(), critical.Task},
		{"--region", opts.Region != nil, critical.Region},
		{"--func", opts.Func != nil, critical.GoroutineLife},
	} {
		if limit.given {
			kind, flags = limit.kind, append(flags, limit.flag)
		}
	}
	switch {
	case len(flags) > 1:
		return fmt.Errorf("--type critical: %s choose units of different kinds: only one of them is possible", strings.Join(flags, " and "))
	case len(flags) == 1 && opts.Unit != 0 && opts.Unit != critical.KindsOf(kind):
		return fmt.Errorf("%s chooses units of the kind %v: --unit %s contradicts that", flags[0], kind, fl.unit)
	}
	return nil
}

// missedUnits returns an error if the trace has no unit that the user asked for.
func missedUnits(in *input.Input, opts pprof.Options, s pprof.Stats) error {
	if s.Units > 0 {
		return nil
	}
	limited := !opts.All() || opts.Region != nil
	switch {
	case limited:
		return &missedError{in.Name + ": no unit of work that the trace has from its beginning to its end matches the flags"}
	case opts.Unit != 0:
		for _, k := range critical.AllKinds {
			if opts.Unit.Has(k) {
				return &missedError{fmt.Sprintf("%s: no %s that the trace has from its beginning to its end (--unit)", in.Name, unitNoun(k))}
			}
		}
	}
	return nil
}

// unitNoun returns the word for a unit of a kind.
func unitNoun(k critical.Kind) string {
	if k == critical.HTTP {
		return "HTTP request"
	}
	return k.String()
}

// reportUnits reports which units a profile of critical paths has.
func (e *env) reportUnits(s pprof.Stats) {
	for _, k := range critical.AllKinds {
		if s.Unit.Has(k) {
			fmt.Fprintf(e.stderr, "the critical paths of %s\n", plural(int(s.Units), unitNoun(k)))
		}
	}
	if s.Missing > 0 {
		fmt.Fprintf(e.stderr, "warning: not complete: %s that --slowest asks for are missing, the fastest of them: at most %d of each type are kept\n",
			plural(int(s.Missing), "unit"), pprof.MaxTail)
	}
}
