package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/trace2x/trace2x/model"
)

// selection is the flags that limit a command to some goroutines, or to the time
// in which they are at work for some tasks. They mean the same in every command.
type selection struct {
	goroutines []int
	fn         string
	task       string
	traceID    string

	model.Selection // what the flags say, when parse has been called
}

func (s *selection) addFlags(f *pflag.FlagSet) {
	f.IntSliceVar(&s.goroutines, "goroutine", nil, "only the goroutine with this `ID`; may be repeated")
	f.StringVar(&s.fn, "func", "", "only goroutines whose start function, as in net/http.(*conn).serve, matches `REGEXP`")
	f.StringVar(&s.task, "task", "", "only the work for a task: `ID|REGEXP`, a number is its ID, anything else is for its type")
	f.StringVar(&s.traceID, "trace-id", "", "only the work for the spans of the distributed trace `ID`, 32 hex digits")
}

// parse checks the flags.
func (s *selection) parse() (err error) {
	for _, id := range s.goroutines {
		if id <= 0 {
			return fmt.Errorf("--goroutine %d: IDs begin at 1", id)
		}
		s.Goroutines = append(s.Goroutines, model.GoID(id))
	}
	if id, idErr := strconv.ParseUint(s.task, 10, 64); idErr == nil {
		if s.TaskID = model.TaskID(id); s.TaskID == model.BackgroundTask {
			return errors.New("--task 0 is no task, but what regions and logs without one have")
		}
	} else if s.Task, err = parseRegexp("--task", s.task); err != nil {
		return err
	}
	if s.Func, err = parseRegexp("--func", s.fn); err != nil {
		return err
	}
	s.TraceID, err = parseTraceID(s.traceID)
	return err
}

// report tells how many spans there were of the distributed trace that was asked for,
// and warns of what there was none of. It reports whether that was anything.
func (s *selection) report(e *env, found model.Found) (missed bool) {
	warn := func(format string, args ...any) {
		missed = true
		fmt.Fprintf(e.stderr, "warning: "+format+"\n", args...)
	}
	switch {
	case s.traceID == "":
	case found.Spans == 0:
		warn("no task is a span of the distributed trace %x", s.TraceID)
	default:
		fmt.Fprintf(e.stderr, "%s of the distributed trace %x\n", plural(found.Spans, "span"), s.TraceID)
	}
	if found.Goroutines == 0 && s.ByGoroutine() {
		warn("no goroutine matches --goroutine and --func")
	}
	if found.Tasks == 0 && s.task != "" {
		warn("no task matches --task %s", s.task)
	}
	return missed
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

// parseTraceID reads the ID of a distributed trace as OpenTelemetry writes it;
// "" is the zero ID.
func parseTraceID(s string) (id [16]byte, err error) {
	if s == "" {
		return id, nil
	}
	if n, err := hex.Decode(id[:], []byte(s[:min(len(s), 32)])); err != nil || n != len(id) || len(s) != 32 || id == [16]byte{} {
		return id, fmt.Errorf("--trace-id %q: it is 32 hex digits, not all 0", s)
	}
	return id, nil
}
