package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
)

func newPerfetto(e *env) *cobra.Command {
	c := newConversion()
	var split time.Duration
	cmd := &cobra.Command{
		Use:   "perfetto TRACE...",
		Short: "Write a trace for ui.perfetto.dev",
		Long: `perfetto writes a Go execution trace as a Perfetto trace: open it in
https://ui.perfetto.dev, or query it with Perfetto's trace processor.

` + sourceHelp + `

` + secretsHelp + `

` + programsHelp + `

Without -o, the output is in the working directory and has the name of TRACE with
the ending .pftrace. For a program's URL, it has the name of the host and the time.
It replaces an older Perfetto trace with that name, unless it is a recording, and
any other file only with --force. --budget leaves out short waits and system calls
first, then lifetimes of goroutines, then the end of the trace, until the file is small
enough, and says so. --split adds numbers to the name:
trace-0001.pftrace. Parts of a trace that are damaged are left out, with a warning
and exit code 1.

--goroutine, --func, --task and --trace-id hide other goroutines, except when one of
them wakes a selected one. What the Ps ran, the garbage collector and the counters
stay whole. The critical paths of the slowest units of work stay whole too, and are
then shown without --slowest.`,
		Example: `  # writes trace.pftrace
  trace2x perfetto trace.out

  # five seconds of a running server
  trace2x perfetto -o server.pftrace http://localhost:6060

  # compressed, as ui.perfetto.dev opens it too
  trace2x perfetto -o trace.pftrace.gz trace.out

  # only the goroutines at work for one distributed trace, linked by spanlink
  trace2x perfetto --trace-id 4bf92f3577b34da6a3ce929d0e0e4736 trace.out

  # one request through three programs, on one timeline
  trace2x perfetto --trace-id 4bf92f3577b34da6a3ce929d0e0e4736 -o request.pftrace \
    gateway.trace checkout.trace db.trace

  # 200 ms of a long trace; files of 5 s each
  trace2x perfetto --from 1.2s --to 1.4s trace.out
  trace2x perfetto --split 5s trace.out

  # at most 32 MB, which the UI loads in some seconds
  trace2x perfetto --budget 32MB trace.out

  # only the goroutines of one function, or at work for one type of task
  trace2x perfetto --func '^main\.worker$' trace.out
  trace2x perfetto --task '^handleRequest$' trace.out

  # why the slowest tasks took as long as they did
  trace2x perfetto --slowest 10 trace.out

  # every wait with its stack, however short, and the OS threads
  trace2x perfetto --min-block 0 --threads trace.out`,
		Args:              someTraces,
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := c.parse(args[0])
			if err != nil {
				return err
			}
			if !c.selection.Selection.All() && !cmd.Flags().Changed("slowest") {
				c.opts.Slowest = defaultSlowest
			}
			setHeapGrowth(200) // the heap stays small, and collecting takes a 20th of the time
			switch {
			case cmd.Flags().Changed("split") && split < time.Millisecond:
				return badValue("--split", split.String(), "1ms at least", "5s")
			case split > 0 && c.out == "-":
				return errors.New("--split makes files: leave out -o -")
			case split > 0 && c.budget > 0:
				return errors.New("--split makes files of a duration, --budget one of a size: leave out one of them")
			}
			if isMany(args) {
				if split > 0 {
					return errors.New("--split is for one trace")
				}
				t, err := c.timeline(e, args)
				if err != nil {
					return err
				}
				name := cmp.Or(c.out, t.in.outputName(args, ".pftrace"))
				return c.runTimeline(cmd.Context(), e, t, name, name)
			}
			if err := c.programs.alone(); err != nil {
				return err
			}
			e.ran = true
			name := cmp.Or(c.out, outputName(from, ".pftrace"))
			if split > 0 {
				return c.runSplit(cmd.Context(), e, from, name, split)
			}
			return c.run(cmd.Context(), e, from, name, name)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	c.destination.addFlags(f, "write to `FILE`, - for standard output; compressed if it ends in .gz")
	f.DurationVar(&split, "split", 0, "write numbered files of this `DURATION` each")
	c.addFlags(f, 0)
	f.IntVar(&c.opts.Slowest, "slowest", 0, "show the critical paths of the `N` slowest tasks of each type, or, where there are none, regions, requests or goroutines; 0 for none")
	return cmd
}

// conversion has the flags that say what becomes a Perfetto trace, and how.
type conversion struct {
	source
	destination
	selection
	programs programFlags
	opts     perfetto.Options
	budget   byteSize     // of the file; 0 for any size
	asked    model.Window // the part of the trace that the user wants
	part     model.Window // the part of it that is converted
	around   string       // what part is around, if that is because of the budget

	inputName string // in messages
	// place is where the UI opens the result, nil if nobody asks.
	place *place
}

func newConversion() *conversion {
	return &conversion{opts: perfetto.Options{Version: version()}}
}

// defaultSlowest is the default number of slowest units of each type whose critical path
// is shown, in commands that show any. Finding them takes a third of the time of the rest
// of the conversion.
const defaultSlowest = 10

func (c *conversion) addFlags(f *pflag.FlagSet, budget byteSize) {
	f.DurationVar(&c.opts.MinBlock, "min-block", perfetto.DefaultMinBlock, "the shortest wait or system call that becomes a slice with its stack; the states have all waits")
	f.IntVar(&c.opts.ShortWaits, "short-waits", perfetto.DefaultShortWaits, "of waits and system calls shorter than 1ms, the first `N` of each start function become slices; 0 for all")
	c.budget = budget
	f.Var(&c.budget, "budget", "lower the detail until the file has at most `SIZE`, such as 32MB; 0 for any size")
	f.BoolVar(&c.opts.Threads, "threads", false, "add a track for each OS thread, with what ran on it")
	f.BoolVar(&c.opts.LanePerGoroutine, "lane-per-goroutine", false, "give each goroutine a lane of its own, instead of the lane of one that exited")
	c.source.addFlags(f)
	c.addHeader(f, "header")
	c.selection.addFlags(f)
	c.programs.addFlags(f)
}

// parse checks the flags and the argument TRACE, and returns where the trace is.
func (c *conversion) parse(arg string) (from location, err error) {
	if from, err = c.locate(arg); err != nil {
		return from, err
	}
	if c.opts.MinBlock < 0 {
		return from, badValue("--min-block", c.opts.MinBlock.String(), "0 or more", "100µs")
	}
	if c.opts.ShortWaits < 0 {
		return from, badValue("--short-waits", strconv.Itoa(c.opts.ShortWaits), "0 or more", "100000")
	}
	if c.opts.Slowest < 0 {
		return from, badValue("--slowest", strconv.Itoa(c.opts.Slowest), "0 or more", "20")
	}
	if err := c.selection.parse(); err != nil {
		return from, err
	}
	c.opts.Selection = c.selection.Selection
	c.asked, err = c.window()
	c.part = c.asked
	return from, err
}

// run converts an input into a file, which is called shown in the report. The
// file is there if the error is nil, or a *model.Damage alone.
//
// If the file has more bytes than the budget, run converts the input again with less
// detail.
func (c *conversion) run(ctx context.Context, e *env, from location, to, shown string) error {
	target := c.target(e, to, output.Perfetto, from)
	if err := target.Check(); err != nil {
		return err
	}
	var k *kept
	if c.budget > 0 {
		var err error
		if k, err = keep(from); err != nil {
			return err
		}
		defer k.remove()
	}
	for attempt := 1; ; attempt++ {
		tooLarge, err := c.convert(ctx, e, from, k, target, to == shown, shown, attempt)
		if tooLarge == nil {
			return err
		}
		if path := c.place.path(); path != nil && attempt == 1 {
			c.narrow(path)
		} else {
			c.lower(tooLarge, attempt)
		}
		if from, err = k.again(from); err != nil {
			return err
		}
		k = nil
	}
}

// convert is one attempt of run. It returns the writer if that has written too much. What
// is read is kept in k, unless k is nil.
func (c *conversion) convert(ctx context.Context, e *env, from location, k *kept, target output.Target, named bool, shown string, attempt int) (tooLarge *perfetto.Writer, err error) {
	in, done, err := e.open(ctx, from)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	defer done()
	if attempt == 1 {
		c.inputName = in.Name
	}
	in.Name = c.inputName // what was kept has another name
	out, err := output.Create(target)
	if err != nil {
		return nil, err
	}
	opts := c.opts
	to, err := c.draft(out, attempt)
	if err != nil {
		return nil, err
	}
	defer to.close()
	if to.limited && attempt == 1 && !c.place.unit() {
		opts.Budget = int64(c.budget) // later on, the exact size is worth more than the time
	}
	w := perfetto.NewWriter(to, opts)
	defer w.Close()
	defer out.Discard() // which ends a write that is stuck

	var r io.Reader = in
	if k != nil {
		r = io.TeeReader(in, k)
	}
	var sink model.Sink = w
	if c.place != nil {
		sink = c.place.sink(w)
	}
	sum, err := model.ReadWindow(ctx, r, sink, c.part)
	done()
	if to.limited && (errors.Is(err, perfetto.ErrBudget) || sum != nil && w.Size() > int64(c.budget)) {
		if sum != nil && c.place.unit() {
			if missed := c.place.found(in, w, sum); missed != nil {
				return nil, errors.Join(missed, inDamage(in, err))
			}
		}
		return w, nil
	}
	if sum == nil {
		return nil, inInput(in, err)
	}
	missed := c.selection.missed(in.Name, w.Found())
	if missed == nil && c.place != nil {
		missed = c.place.found(in, w, sum)
	}
	if missed != nil {
		return nil, errors.Join(missed, inDamage(in, err))
	}
	if acceptErr := to.accept(); acceptErr != nil {
		return nil, acceptErr
	}
	if commitErr := e.commit(out); commitErr != nil {
		return nil, commitErr
	}
	if named { // it is not a temporary file
		shown = out.Name()
	}
	e.report(in, sum)
	e.warnBeyond(sum)
	c.selection.report(e, w.Found())
	e.reportFile(outName(shown), out.Size(), sum)
	c.reportDetail(e, w.Size())
	return nil, inDamage(in, err)
}

// reportDetail reports what was left out, or could be, of a file of so many bytes.
func (c *conversion) reportDetail(e *env, size int64) {
	switch {
	case c.opts.LeftOut != "" && c.budget > 0 && size > int64(c.budget):
		fmt.Fprintf(e.stderr, "warning: larger than --budget %v, without %s\n", &c.budget, c.opts.LeftOut)
	case c.opts.LeftOut != "":
		fmt.Fprintf(e.stderr, "left out, to fit into %v: %s; --budget 0 leaves out nothing, --from and --to show another part\n", &c.budget, c.opts.LeftOut)
	case size > perfetto.SlowToLoad:
		fmt.Fprintf(e.stderr, "to load it takes the Perfetto UI %s; --budget 32MB, --from and --to, --task or --func, or a longer --min-block make it less\n", loading(size))
	}
}

// warnBeyond warns that some of what ran is not shown on CPUs.
func (e *env) warnBeyond(sum *model.Summary) {
	if note := perfetto.Beyond(sum); note != "" {
		fmt.Fprintf(e.stderr, "warning: %s\n", note)
	}
}

func (e *env) reportFile(name string, size int64, sum *model.Summary) {
	each := ""
	if sum.Events > 0 {
		each = fmt.Sprintf(", %.1f bytes per event", float64(size)/float64(sum.Events))
	}
	fmt.Fprintf(e.stderr, "%s: %s%s\n", name, byteCount(size), each)
}

// runSplit converts an input into numbered files, one for each window. Complete files
// stay if a later one fails or is interrupted.
func (c *conversion) runSplit(ctx context.Context, e *env, from location, to string, every time.Duration) error {
	target := c.target(e, to, output.Perfetto, from)
	for n := range maxFiles {
		target.Name = numbered(to, n+1)
		if n > 0 && !exists(target.Name) {
			continue
		}
		if err := target.Check(); err != nil {
			return err
		}
	}
	in, done, err := e.open(ctx, from)
	if err != nil {
		return err
	}
	defer in.Close()
	defer done()
	var out *output.Output
	var w *perfetto.Writer
	n := 0
	var found model.Found
	var waiting []*output.Output // until there is something in one of them
	var lines []func()           // of the report, for when the progress is gone
	commit := func(sum *model.Summary) error {
		f := w.Found()
		if n > 1 {
			f.Spans -= f.SpansBefore // the last file has these too
		}
		found.Add(f)
		if err := out.Close(); err != nil {
			return err
		}
		waiting = append(waiting, out)
		o := out
		lines = append(lines, func() {
			english.Fprintf(e.stderr, "%s: %s, %s in %v\n", outName(o.Name()), byteCount(o.Size()), plural(int(sum.Events), "event"), time.Duration(sum.End-sum.Start))
			e.warn(sum)
			e.warnBeyond(sum)
		})
		if c.selection.missed(in.Name, found) != nil {
			return nil
		}
		for len(waiting) > 0 {
			if err := e.commit(waiting[0]); err != nil {
				return err
			}
			waiting = waiting[1:]
		}
		return nil
	}
	defer func() {
		if out != nil {
			out.Discard()
		}
		for _, o := range waiting {
			o.Discard()
		}
		if w != nil {
			w.Close()
		}
	}()
	sum, err := model.ReadSplit(ctx, in, c.part, every, func(last *model.Summary) (model.Sink, error) {
		if last != nil {
			if err := commit(last); err != nil {
				return nil, err
			}
		}
		n++
		err := ctx.Err() // a gap in the trace may be many windows long
		if err == nil && n > maxFiles {
			err = fmt.Errorf("that would be more than %d files: make --split longer", maxFiles)
		}
		if err != nil {
			return nil, err
		}
		target.Name = numbered(to, n)
		if out, err = output.Create(target); err != nil {
			return nil, err
		}
		w = perfetto.NewWriter(out, c.opts)
		return w, nil
	})
	done()
	if sum != nil {
		if commitErr := commit(sum); commitErr != nil {
			return commitErr
		}
		if missed := c.selection.missed(in.Name, found); missed != nil {
			return errors.Join(missed, inDamage(in, err))
		}
	}
	for _, line := range lines[:len(lines)-len(waiting)] {
		line()
	}
	if sum == nil {
		return inInput(in, err)
	}
	c.selection.report(e, found)
	return inDamage(in, err)
}

// maxFiles is the largest number of files that --split makes. Their numbers have room
// for no more.
const maxFiles = 9999

// numbered returns a name with a number in front of its endings.
func numbered(name string, n int) string {
	dir, base := filepath.Split(name)
	stem, ext, _ := strings.Cut(base, ".")
	if i := strings.Index(base, ".pftrace"); i > 0 {
		stem, ext = base[:i], base[i+1:]
	}
	if ext != "" {
		ext = "." + ext
	}
	return fmt.Sprintf("%s%s-%04d%s", dir, stem, n, ext)
}
