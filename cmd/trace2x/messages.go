package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/model"
)

// english prints large numbers with groups of digits.
var english = message.NewPrinter(language.English)

// plural is a number of things.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return english.Sprintf("%d %s", n, noun)
}

// report reports what was read, and what of it was left out.
func (e *env) report(in *input.Input, s *model.Summary) {
	english.Fprintf(e.stderr, "%s: %s, %d events in %v, %d goroutines (%d at once)\n",
		in.Name, s.Format, s.Events, time.Duration(s.End-s.Start).Round(time.Microsecond), s.Goroutines, s.MaxAlive)
	if n := s.LinkedSpans + s.OldSpans; n > 0 {
		fmt.Fprintf(e.stderr, "%s of OpenTelemetry among the tasks\n", plural(n, "span"))
	}
	e.warn(s)
}

// warn reports what of a trace was left out, or is not as it should be.
func (e *env) warn(s *model.Summary) {
	for _, what := range slices.Sorted(maps.Keys(s.Unknown)) {
		english.Fprintf(e.stderr, "warning: left out %d of an unknown kind: %s\n", s.Unknown[what], escaped(what))
	}
	for _, what := range slices.Sorted(maps.Keys(s.Inconsistent)) {
		english.Fprintf(e.stderr, "warning: the trace contradicts itself, %s: %s\n", plural(s.Inconsistent[what], "time"), escaped(what))
	}
	if s.Missing > 0 {
		fmt.Fprintf(e.stderr, "warning: %s to stacks or strings that are not in the trace: these events have none\n", plural(s.Missing, "reference"))
	}
	if s.ClockSteps > 0 {
		fmt.Fprintf(e.stderr, "warning: the time of day was set %s during the recording: all times of day are by the clock as it was before\n", plural(s.ClockSteps, "time"))
	}
	if s.BadClocks > 0 {
		fmt.Fprintf(e.stderr, "warning: left out %s that cannot be true: the machine did not know the time of day, or they are damaged\n", plural(s.BadClocks, "clock snapshot"))
	}
	for _, what := range slices.Sorted(maps.Keys(s.Misuse)) {
		fmt.Fprintf(e.stderr, "misuse of runtime/trace by the program, %s: %s\n", plural(s.Misuse[what], "time"), what)
	}
}

func byteCount(n int64) string {
	switch {
	case n < 1_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}
