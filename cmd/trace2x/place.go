package main

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/spf13/pflag"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/deeplink"
	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/model"
)

// place has the flags of trace2x open that say where in the trace the UI opens.
type place struct {
	slowest bool
	at      string

	moment  model.Moment   // of at
	task    string         // the value of --task if it chooses a unit
	taskID  model.TaskID   // of the unit
	types   *regexp.Regexp // it is the slowest of the tasks of these types
	context bool           // only what is around the moment is converted

	clock  *model.ClockSnapshot // the first in the trace
	origin model.Time           // when the trace began
	view   deeplink.View        // what the UI shows, after found
}

// aroundMoment is how much of the trace is converted before and behind a moment, unless
// the user says which part.
const aroundMoment = time.Second / 2

const placeHelp = `open shows the whole trace, or a place in it. --slowest opens at the slowest task (or
region, request or goroutine, where there are no tasks) and --task ID at one task:
with its critical path on top, only the goroutines that take part, and zoomed to it.
--slowest --task REGEXP opens at the slowest of these tasks. --at opens at a moment,
with half a second of the trace around it, or with what --from and --to say. In the
UI, the workspace "Default Workspace" has everything.`

func (p *place) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&p.slowest, "slowest", false, "open at the slowest task (of those of --task), or, where there are none, region, request or goroutine")
	f.StringVar(&p.at, "at", "", "open at a `TIME`: a duration since the trace began, or a time of day as in RFC 3339")
}

// parse checks the flags. Where they choose a unit, --task does not limit the conversion.
func (p *place) parse(c *conversion) (err error) {
	byID := c.TaskID != model.BackgroundTask
	switch {
	case p.slowest && p.at != "":
		return errors.New("--slowest and --at are two places: give one of them")
	case byID && (p.slowest || p.at != ""):
		return fmt.Errorf("--task %s is a place of its own: leave out --slowest and --at", shown(c.task))
	}
	if p.moment, err = parseMoment("--at", p.at); err != nil {
		return err
	}
	if byID || p.slowest {
		p.task, p.taskID, p.types = c.task, c.TaskID, c.Task
		c.task, c.TaskID, c.Task = "", model.BackgroundTask, nil
		c.opts.Selection = c.Selection
	}
	if byID {
		c.opts.Show = func(u *critical.Unit) bool { return u.Kind == critical.Task && u.Task == p.taskID }
	}
	if p.context = p.at != "" && c.part == (model.Window{}); p.context {
		c.part = around(p.moment)
		c.asked = c.part
	}
	return nil
}

// around returns the part of a trace around a moment.
func around(m model.Moment) (w model.Window) {
	if !m.Wall.IsZero() {
		w.From.Wall, w.To.Wall = m.Wall.Add(-aroundMoment), m.Wall.Add(aroundMoment)
		return w
	}
	w.From.Since, w.To.Since = max(m.Since-aroundMoment, 0), m.Since+aroundMoment
	return w
}

// found decides what the UI shows, when the trace is converted.
func (p *place) found(in *input.Input, w *perfetto.Writer, sum *model.Summary) error {
	p.origin, p.view = sum.Origin, deeplink.View{Start: sum.Start, End: sum.End}
	paths := w.Paths()
	switch {
	case p.at != "":
		at, err := p.time(in, sum)
		if err != nil {
			return err
		}
		p.view = deeplink.Around(sum.Start, sum.End, at, "--at "+p.at)
	case p.taskID != model.BackgroundTask:
		for i := range paths {
			if u := &paths[i]; u.Kind == critical.Task && u.Task == p.taskID {
				p.view.Path = u
				return nil
			}
		}
		return &missedError{fmt.Sprintf("%s: no task %d that the trace has from its beginning to its end", in.Name, p.taskID)}
	case p.slowest:
		for i := range paths {
			if u := &paths[i]; (p.types == nil || u.Kind == critical.Task && p.types.MatchString(u.Type)) &&
				(p.view.Path == nil || u.Duration() > p.view.Path.Duration()) {
				p.view.Path = u
			}
		}
		switch {
		case p.view.Path != nil:
		case p.types != nil:
			return &missedError{fmt.Sprintf("%s: no task that the trace has from its beginning to its end matches --task %s", in.Name, shown(p.task))}
		default:
			return &missedError{in.Name + ": no unit of work that the trace has from its beginning to its end"}
		}
	}
	return nil
}

// unit reports whether the place is a unit of work. The methods unit and path may be
// called on nil.
func (p *place) unit() bool { return p != nil && (p.slowest || p.taskID != model.BackgroundTask) }

// path returns the critical path of the unit, after found; nil for none.
func (p *place) path() *perfetto.Path {
	if p == nil {
		return nil
	}
	return p.view.Path
}

// time returns the time of --at.
func (p *place) time(in *input.Input, sum *model.Summary) (model.Time, error) {
	at := sum.Origin + model.Time(p.moment.Since)
	if !p.moment.Wall.IsZero() {
		if p.clock == nil {
			return 0, fmt.Errorf("%s: this part of the trace does not tell the time of day: give --at as a time since the trace began", in.Name)
		}
		at = p.clock.Trace + model.Time(p.moment.Wall.Sub(p.clock.Wall))
	}
	if at < sum.Start || at > sum.End {
		return 0, &missedError{fmt.Sprintf("%s: what was converted, from %v to %v, does not have --at %s", in.Name,
			time.Duration(sum.Start-sum.Origin), time.Duration(sum.End-sum.Origin), p.at)}
	}
	return at, nil
}

// sink returns the sink that a trace is converted with.
func (p *place) sink(w *perfetto.Writer) model.Sink { return &clockFinder{w, p} }

// clockFinder finds the first clock of a trace.
type clockFinder struct {
	*perfetto.Writer
	place *place
}

func (c *clockFinder) Sync(s *model.Sync) {
	if c.place.clock == nil {
		c.place.clock = s.Clock
	}
	c.Writer.Sync(s)
}
