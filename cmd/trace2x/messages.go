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

// english groups the digits of large numbers.
var english = message.NewPrinter(language.English)

// plural is a number of things.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return english.Sprintf("%d %s", n, noun)
}

// report tells what was read, and what of it was left out.
func (e *env) report(in *input.Input, s *model.Summary) {
	english.Fprintf(e.stderr, "%s: %s, %d events in %v, %d goroutines (%d at once)\n",
		in.Name, s.Format, s.Events, time.Duration(s.End-s.Start).Round(time.Microsecond), s.Goroutines, s.MaxAlive)
	if s.LinkedSpans > 0 {
		fmt.Fprintf(e.stderr, "%s of OpenTelemetry among the tasks\n", plural(s.LinkedSpans, "span"))
	}
	e.warn(s.Unknown, s.Inconsistent)
}

// warn tells what of a trace was left out.
func (e *env) warn(unknown, inconsistent map[string]int) {
	for _, what := range slices.Sorted(maps.Keys(unknown)) {
		english.Fprintf(e.stderr, "warning: left out %d of an unknown kind: %s\n", unknown[what], what)
	}
	for _, what := range slices.Sorted(maps.Keys(inconsistent)) {
		english.Fprintf(e.stderr, "warning: the trace contradicts itself, %d times: %s\n", inconsistent[what], what)
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
