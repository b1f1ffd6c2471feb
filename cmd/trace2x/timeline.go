package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/trace2x/trace2x/align"
	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/internal/deeplink"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
)

// programsHelp says what several traces mean for the commands that convert them.
const programsHelp = `Several traces, or a folder of them, are those of several programs at the same time:
they are shown on one timeline, each program as a machine of its own. Their clocks are
brought together by the wall clocks in the traces (Go 1.25 and later), and by calls from
one program to another if spanlink logged both sides; flows show these. --from and --to
count from when the first of them begins.`

// programFlags are the flags for several programs.
type programFlags struct{ names, offsets []string }

func (p *programFlags) addFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&p.names, "name", nil, "with several traces, what to call the program of one, as in `NAME=TRACE` (default the name of the file)")
	f.StringArrayVar(&p.offsets, "offset", nil, "with several traces, when one began after the first one, as in `NAME=12ms`, whatever its clock says")
}

// alone returns an error if a flag is given although there is no timeline of several traces.
func (p *programFlags) alone() error {
	switch {
	case len(p.names) > 0:
		return errors.New("--name is for several traces on one timeline")
	case len(p.offsets) > 0:
		return errors.New("--offset is for several traces on one timeline")
	}
	return nil
}

// timeline has the traces that are put on one timeline.
type timeline struct {
	in      inputs
	names   map[string]string // by file
	offsets map[string]time.Duration
	// programs are those whose traces can be read, with their files.
	programs []*align.Program
	files    []string
	aligned  *align.Result
}

// timeline checks the flags for several traces, and finds the traces.
func (c *conversion) timeline(e *env, args []string) (t *timeline, err error) {
	switch {
	case c.TaskID != model.BackgroundTask:
		return nil, fmt.Errorf("--task %s is a task of one program: give one trace, or a regular expression", shown(c.task))
	case len(c.Goroutines) > 0:
		return nil, errors.New("--goroutine is a goroutine of one program: give one trace, or --func")
	case c.place != nil && (c.place.slowest || c.place.taskID != model.BackgroundTask):
		return nil, errors.New("--slowest and --task ID are a place in one program: give one trace (--slowest takes no number)")
	}
	t = &timeline{names: make(map[string]string), offsets: make(map[string]time.Duration)}
	given := make(map[string]string) // names by what the user called the trace
	for _, s := range c.programs.names {
		name, file, ok := strings.Cut(s, "=")
		if !ok || name == "" || file == "" {
			return nil, badValue("--name", s, "NAME=TRACE", "gateway=dumps/a.trace")
		}
		given[filepath.Clean(file)] = name
	}
	for _, s := range c.programs.offsets {
		name, value, ok := strings.Cut(s, "=")
		d, err := time.ParseDuration(value)
		if !ok || err != nil || d.Abs() > maxOffset {
			return nil, badValue("--offset", s, "NAME=DURATION, of a year at most", "checkout=12ms")
		}
		t.offsets[name] = d
	}
	if t.in, err = e.expand(args); err != nil {
		return nil, err
	}
	if n := len(t.in.files); n > perfetto.MaxMachines {
		return nil, fmt.Errorf("%s: one timeline has %d programs at most", plural(n, "trace"), perfetto.MaxMachines)
	}
	used, found := make(map[string]bool), make(map[string]bool)
	for _, file := range t.in.files {
		name := given[filepath.Clean(file)]
		if name == "" {
			name = outputName(location{name: file}, "")
		}
		found[filepath.Clean(file)] = true
		for base, n := name, 2; used[name]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		used[name] = true
		t.names[file] = name
	}
	for _, s := range c.programs.names {
		if _, file, _ := strings.Cut(s, "="); !found[filepath.Clean(file)] {
			return nil, fmt.Errorf("--name %s: %s is not among the traces", shown(s), shown(file))
		}
	}
	for _, s := range c.programs.offsets {
		name, _, _ := strings.Cut(s, "=")
		switch {
		case !used[name]:
			return nil, fmt.Errorf("--offset %s: no program has this name", shown(name))
		case name == t.names[t.in.files[0]]:
			return nil, fmt.Errorf("--offset %s: it is the first program, after whose beginning offsets count", shown(name))
		}
	}
	return t, nil
}

// maxOffset is the largest value of --offset. Programs on one timeline ran at the same
// time, so a larger one is a mistake.
const maxOffset = 365 * 24 * time.Hour

// align reads the traces for what tells their times. Its error is errTold if some of them
// cannot be read, or are damaged.
func (t *timeline) align(ctx context.Context, e *env) error {
	err := readMany(ctx, e, t.in, model.Window{}, func() *align.Program { return align.New("") }, func(r readTrace[*align.Program]) error {
		r.sink.Name = t.names[r.file]
		t.programs, t.files = append(t.programs, r.sink), append(t.files, r.file)
		return nil
	})
	if err != nil && (err != errTold || len(t.programs) == 0) {
		return err
	}
	if first := t.in.files[0]; len(t.offsets) > 0 && t.files[0] != first {
		return fmt.Errorf("--offset counts from when the first trace begins, and %s cannot be read: leave it out", shown(first))
	}
	t.aligned = align.Align(t.programs, t.offsets)
	return err
}

// since returns a moment as the time since the timeline begins.
func (t *timeline) since(m model.Moment) (time.Duration, error) {
	if m.Wall.IsZero() {
		return m.Since, nil
	}
	at, ok := t.aligned.Time(m.Wall)
	if !ok {
		return 0, errors.New("none of the traces tells the time of day: give times since they begin, as in 1.2s")
	}
	return time.Duration(at - t.aligned.Start), nil
}

// window returns the part of a program's trace that is in a part of the timeline, and
// whether there can be anything in it.
func (t *timeline) window(i int, part model.Window) (w model.Window, ok bool, err error) {
	begins := time.Duration(t.programs[i].Start()) + t.aligned.Clocks[i].Shift - time.Duration(t.aligned.Start)
	if !part.From.IsZero() {
		from, err := t.since(part.From)
		if err != nil {
			return w, false, err
		}
		w.From.Since = max(from-begins, 0)
	}
	if !part.To.IsZero() {
		to, err := t.since(part.To)
		if err != nil || to <= begins {
			return w, false, err
		}
		w.To.Since = to - begins
	}
	return w, true, nil
}

// runTimeline converts several traces into one file. Messages call it shown.
// The file is there if the error is nil or errTold.
func (c *conversion) runTimeline(ctx context.Context, e *env, t *timeline, to, shown string) error {
	target, err := c.targetOf(e, to, output.Perfetto, t.in)
	if err == nil {
		err = target.Check()
	}
	if err != nil {
		return err
	}
	failed := t.align(ctx, e)
	if t.aligned == nil {
		return failed
	}
	for attempt := 1; ; attempt++ {
		parts, err := c.convertTimeline(ctx, e, t, target, to == shown, shown, attempt)
		if parts == nil {
			return cmp.Or(err, failed)
		}
		c.lowerTimeline(t, parts, attempt)
	}
}

// converted is a program that was converted.
type converted struct {
	index  int // of the program
	writer *perfetto.Writer
	sum    *model.Summary
	report func()
}

// convertTimeline is one attempt of runTimeline. It returns the programs if they are too
// many bytes.
func (c *conversion) convertTimeline(ctx context.Context, e *env, t *timeline, target output.Target, named bool, shown string, attempt int) (tooLarge []converted, err error) {
	out, err := output.Create(target)
	if err != nil {
		return nil, err
	}
	defer out.Discard()
	to, err := c.draft(out, attempt)
	if err != nil {
		return nil, err
	}
	defer to.close()
	var all []converted
	var found model.Found
	var size, events int64
	for i := range t.programs {
		part, ok, err := t.window(i, c.part)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		p, err := c.convertProgram(ctx, e, t, i, part, to)
		var window *model.WindowError
		switch {
		case errors.As(err, &window):
			continue
		case p == nil:
			return nil, err
		}
		found.Add(p.writer.Found())
		size, events = size+p.writer.Size(), events+p.sum.Events
		all = append(all, *p)
	}
	switch {
	case len(all) == 0 && c.place != nil && c.place.context:
		return nil, t.without(c.place)
	case len(all) == 0:
		return nil, nothingRead(0, nil)
	case to.limited && size > int64(c.budget):
		return all, nil
	}
	if missed := c.selection.missed(t.in.name(), found); missed != nil {
		return nil, missed
	}
	if err := t.look(c.place, all); err != nil {
		return nil, err
	}
	if err := to.accept(); err != nil {
		return nil, err
	}
	if err := e.commit(out); err != nil {
		return nil, err
	}
	if named { // it is not a temporary file
		shown = out.Name()
	}
	for i := range all {
		all[i].report()
	}
	t.report(e)
	c.selection.report(e, found)
	e.reportFile(outName(shown), out.Size(), &model.Summary{Events: events})
	c.reportDetail(e, size)
	return nil, nil
}

// convertProgram converts a part of one program's trace. It does not report damage, since
// align did.
func (c *conversion) convertProgram(ctx context.Context, e *env, t *timeline, i int, part model.Window, to io.Writer) (*converted, error) {
	in, done, err := e.open(ctx, location{name: t.files[i]})
	if err != nil {
		return nil, err
	}
	defer in.Close()
	defer done()
	clock := &t.aligned.Clocks[i]
	opts := c.opts
	opts.Machine = &perfetto.Machine{
		Index: i, Of: len(t.programs), Name: clock.Name, Shift: clock.Shift, Calls: t.aligned.Spans[i],
		Attributes: map[string]string{
			"trace2x.program":        clock.Name,
			"trace2x.clock":          clock.String(),
			"trace2x.clock.shift_ns": fmt.Sprint(clock.Shift.Nanoseconds()),
		},
	}
	w := perfetto.NewWriter(to, opts)
	defer w.Close()
	sum, err := model.ReadWindow(ctx, in, w, part)
	done()
	if sum == nil {
		return nil, inInput(in, err)
	}
	return &converted{i, w, sum, func() {
		e.report(in, sum)
		e.warnBeyond(sum)
	}}, nil
}

// report reports how the clocks were aligned.
func (t *timeline) report(e *env) {
	if len(t.programs) < 2 {
		return
	}
	for i := range t.aligned.Clocks {
		c := &t.aligned.Clocks[i]
		warning := ""
		if c.Source == align.Beginning || c.Alone || c.Refuted > 0 {
			warning = "warning: "
		}
		fmt.Fprintf(e.stderr, "%sclock of %s: %s\n", warning, escaped(c.Name), c)
		if c.Source == align.Beginning {
			fmt.Fprintf(e.stderr, "warning: --offset %s=12ms says how long after %s it began\n", escaped(c.Name), escaped(t.aligned.Clocks[0].Name))
		}
	}
	fmt.Fprintf(e.stderr, "%s from one program to another\n", plural(t.aligned.Calls, "call"))
	if t.aligned.NotNoted > 0 {
		fmt.Fprintf(e.stderr, "warning: %s beyond the first million of a program: calls of these have no flows\n", plural(t.aligned.NotNoted, "span"))
	}
}

// look decides what the UI shows.
func (t *timeline) look(p *place, all []converted) error {
	if p == nil {
		return nil
	}
	shift := func(c *converted) model.Time { return model.Time(t.aligned.Clocks[c.index].Shift) }
	start, end := all[0].sum.Start+shift(&all[0]), model.Time(0)
	for i := range all {
		c := &all[i]
		start, end = min(start, c.sum.Start+shift(c)), max(end, c.sum.End+shift(c))
	}
	p.view = deeplink.View{Start: start, End: end}
	if p.at != "" {
		since, err := t.since(p.moment)
		if err != nil {
			return err
		}
		at := t.aligned.Start + model.Time(since)
		if at < start || at > end {
			return t.without(p)
		}
		p.view = deeplink.Around(start, end, at, "--at "+p.at)
	}
	p.view.Programs = true
	return nil
}

// without is the error if a moment is not in what was converted.
func (t *timeline) without(p *place) error {
	return &missedError{fmt.Sprintf("%s: what was converted does not have --at %s; all together take %v",
		t.in.name(), p.at, time.Duration(t.aligned.End-t.aligned.Start))}
}

// lowerTimeline has less of the traces converted the next time. Each keeps its share of
// the bytes.
func (c *conversion) lowerTimeline(t *timeline, all []converted, attempt int) {
	aim, size := c.aim(attempt), int64(0)
	for i := range all {
		size += all[i].writer.Size()
	}
	var fit perfetto.Fit
	for i := range all {
		p := &all[i]
		f := p.writer.Fit(int64(float64(aim) * float64(p.writer.Size()) / float64(size)))
		fit.Detail = max(fit.Detail, f.Detail)
		if f.Until > 0 {
			until := f.Until + time.Duration(p.sum.Origin) + t.aligned.Clocks[p.index].Shift - time.Duration(t.aligned.Start)
			if fit.Until == 0 || until < fit.Until {
				fit.Until = until
			}
		}
	}
	c.apply(fit)
}
