package main

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/trace2x/trace2x/model"
)

// selection has the flags that limit a command to some goroutines, or to the time in
// which they are at work for some tasks. They mean the same in every command.
type selection struct {
	goroutines []int
	fn         string
	task       string
	traceID    string

	model.Selection // what the flags say, after parse
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
			return badValue("--goroutine", strconv.Itoa(id), "an ID, which begin at 1", "18")
		}
		s.Goroutines = append(s.Goroutines, model.GoID(id))
	}
	if id, idErr := strconv.ParseUint(s.task, 10, 64); idErr == nil {
		if s.TaskID = model.TaskID(id); s.TaskID == model.BackgroundTask {
			return badValue("--task", s.task, "an ID from 1 on or a regular expression", "'^handleRequest$'")
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

// missed returns an error if nothing matches a flag of the user. found is what there was
// of the selection.
func (s *selection) missed(name string, found model.Found) error {
	if s.traceID != "" && found.Spans == 0 {
		return &missedError{fmt.Sprintf("%s: no task is a span of the distributed trace %x", name, s.TraceID)}
	}
	var given []string
	if s.Goroutines != nil {
		given = append(given, "--goroutine "+strings.Trim(fmt.Sprint(s.Goroutines), "[]"))
	}
	if s.Func != nil {
		given = append(given, "--func "+shown(s.fn))
	}
	if found.Goroutines == 0 && len(given) > 0 {
		return &missedError{fmt.Sprintf("%s: no goroutine matches %s", name, strings.Join(given, " and "))}
	}
	if found.Tasks == 0 && s.task != "" {
		return &missedError{fmt.Sprintf("%s: no task matches --task %s", name, shown(s.task))}
	}
	return nil
}

// report reports how many spans the selected distributed trace has here.
func (s *selection) report(e *env, found model.Found) {
	if s.traceID != "" {
		fmt.Fprintf(e.stderr, "%s of the distributed trace %x\n", plural(found.Spans, "span"), s.TraceID)
	}
}

// missedError is the error that nothing matches a filter.
type missedError struct{ reason string }

func (e *missedError) Error() string { return e.reason + ": nothing was written" }

// parseRegexp returns the value of a flag, nil for "".
func parseRegexp(flag, s string) (*regexp.Regexp, error) {
	if s == "" {
		return nil, nil
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: it must be a regular expression, as in %s '^main\\.worker$'", flag, err, flag)
	}
	return re, nil
}

// parseTraceID returns the ID of a distributed trace from OpenTelemetry's notation, the
// zero ID for "".
func parseTraceID(s string) (id [16]byte, err error) {
	if s == "" {
		return id, nil
	}
	if n, err := hex.Decode(id[:], []byte(s[:min(len(s), 32)])); err != nil || n != len(id) || len(s) != 32 || id == [16]byte{} {
		return id, badValue("--trace-id", s, "32 hex digits, not all 0", "4bf92f3577b34da6a3ce929d0e0e4736")
	}
	return id, nil
}
