// Command bench measures what trace2x promises about speed, memory and size, and
// prints a table of it with the bar for each. It makes the traces that it measures
// on (testdata/gen/load, an HTTP server under two loads), and runs each program by
// itself, so that CPU time and memory are its own. Times are medians; all ratios
// are of runs in turn, on the same machine. "bench pgo" makes the profile for the compiler.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/internal/rusage"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	runs := flag.Int("runs", 3, "how often each program runs")
	short := flag.Bool("short", false, "without the 1 GB trace")
	scale := flag.Float64("scale", 1, "make traces smaller by this `factor`, to try the benchmark")
	flag.Parse()
	var err error
	switch flag.Arg(0) {
	case "bare":
		err = bare(flag.Arg(1))
	case "pgo":
		err = run(*runs, *scale, (*bench).pgo)
	default:
		err = run(*runs, *scale, func(b *bench) error { return b.table(*short) })
	}
	if err != nil {
		log.Fatal(err)
	}
}

// usage is what a program took.
type usage struct {
	wall, cpu time.Duration
	rss       int64 // the peak in bytes; 0 if the system does not tell
	out       string
}

// measure runs a program to its end.
func measure(program string, args ...string) (usage, error) {
	cmd := exec.Command(program, args...)
	start := time.Now()
	out, peak, err := rusage.Run(cmd)
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return usage{time.Since(start), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak, string(out)}, nil
}

// median returns the run with the median time.
func median(us []usage) usage {
	us = slices.Clone(us)
	slices.SortFunc(us, func(a, b usage) int { return int(a.wall - b.wall) })
	return us[len(us)/2]
}

// bench has the programs and what was measured.
type bench struct {
	dir, trace2x, self string
	runs               int
	scale              float64
	rows               []row
}

// row is a measurement of a trace.
type row struct{ trace, what, bar, measured string }

// trace is a trace to measure on.
type trace struct {
	name, file string
	size       int64
	// known when it was read
	events int64
	length time.Duration
}

func (b *bench) row(t *trace, what, bar, format string, args ...any) {
	r := row{t.name, what, bar, fmt.Sprintf(format, args...)}
	b.rows = append(b.rows, r)
	log.Printf("%s: %s: %s (bar: %s)", r.trace, r.what, r.measured, r.bar)
}

// inTurn measures several command lines, one after the other, and again.
func (b *bench) inTurn(commands ...[]string) ([]usage, error) {
	all := make([][]usage, len(commands))
	for range b.runs {
		for i, c := range commands {
			u, err := measure(c[0], c[1:]...)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], u)
		}
	}
	var medians []usage
	for _, us := range all {
		medians = append(medians, median(us))
	}
	return medians, nil
}

// load is how a trace is made.
type load struct {
	name   string
	events int
	flags  []string
}

// The two loads differ in what a request costs: goroutines that ask others over and over,
// or many that live shortly, system calls and waits. Programs are like one or the other;
// a conversion that is tuned to one is slow for the next.
var (
	fanOut = load{"fan-out", 21_000_000, nil}
	fresh  = load{"connections", 5_100_000, []string{"-fresh", "-fanout", "2", "-queries", "1"}}
)

// make makes a trace of a load.
func (b *bench) make(l load) (*trace, error) {
	t := &trace{name: l.name, file: filepath.Join(b.dir, strings.ReplaceAll(l.name, " ", "-")+".trace")}
	log.Printf("making the trace %q", l.name)
	args := append([]string{"run", "./testdata/gen/load", "-events", fmt.Sprint(int(float64(l.events) * b.scale)), "-d", "10m"}, l.flags...)
	if _, err := measure("go", append(args, t.file)...); err != nil {
		return nil, err
	}
	info, err := os.Stat(t.file)
	if err != nil {
		return nil, err
	}
	t.size = info.Size()
	return t, nil
}

// run calls f with a temporary folder, which is removed then.
func run(runs int, scale float64, f func(*bench) error) error {
	dir, err := os.MkdirTemp("", "trace2x-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return f(&bench{dir: dir, trace2x: filepath.Join(dir, "trace2x"), self: self, runs: runs, scale: scale})
}

// build builds trace2x.
func (b *bench) build(flags ...string) error {
	_, err := measure("go", slices.Concat([]string{"build", "-o", b.trace2x}, flags, []string{"./cmd/trace2x"})...)
	return err
}

// table measures everything and prints the table.
func (b *bench) table(short bool) error {
	if err := b.build(); err != nil {
		return err
	}
	if err := b.all(short); err != nil {
		return err
	}
	fmt.Printf("\n%s, %d cores, %s\n\n", runtime.Version(), runtime.NumCPU(), runtime.GOARCH)
	fmt.Println("| trace | what | bar | measured |\n| --- | --- | --- | --- |")
	for _, r := range b.rows {
		fmt.Printf("| %s | %s | %s | %s |\n", r.trace, r.what, r.bar, r.measured)
	}
	return nil
}

func (b *bench) all(short bool) error {
	loads := []load{fanOut, fresh, {"connections, 3 s", fresh.events, append([]string{"-d", "3s"}, fresh.flags...)}}
	var traces []*trace
	for _, l := range loads {
		t, err := b.make(l)
		if err != nil {
			return err
		}
		traces = append(traces, t)
		if err := b.speed(t); err != nil {
			return err
		}
		if err := b.spans(t); err != nil {
			return err
		}
		if err := b.web(t); err != nil {
			return err
		}
	}
	if err := b.loads(traces[1]); err != nil {
		return err
	}
	if !short {
		if err := b.large(traces[0]); err != nil {
			return err
		}
	}
	small, err := b.make(load{"fan-out, 15 MB", 2_700_000, nil})
	if err != nil {
		return err
	}
	if err := b.plain(small); err != nil {
		return err
	}
	if err := b.goTool(context.Background(), small); err != nil {
		return err
	}
	return b.collector()
}

// speed measures the conversion to Perfetto, and the summary.
func (b *bench) speed(t *trace) error {
	us, err := b.inTurn(
		[]string{b.self, "bare", t.file},
		[]string{b.trace2x, "perfetto", "-o", os.DevNull, t.file},
		[]string{b.trace2x, "summary", t.file},
		[]string{b.trace2x, "otel", "--dry-run", t.file},
	)
	if err != nil {
		return err
	}
	bare, perfetto, summary, otel := us[0], us[1], us[2], us[3]
	fmt.Sscan(bare.out, &t.events)
	if t.length, err = lengthOf(perfetto.out); err != nil {
		return err
	}
	b.row(t, "`trace2x perfetto`, wall ÷ bare read loop", "≤ 0.75", "%.2f (%.2f s; bare %.2f s)", ratio(perfetto.wall, bare.wall), perfetto.wall.Seconds(), bare.wall.Seconds())
	b.row(t, "CPU time ÷ bare read loop's", "≤ 1.3", "%.2f", ratio(perfetto.cpu, bare.cpu))
	b.row(t, "`trace2x summary` with WHY, wall ÷ bare read loop", "≤ 0.7", "%.2f (CPU time %.2f)", ratio(summary.wall, bare.wall), ratio(summary.cpu, bare.cpu))
	b.row(t, "`trace2x otel --dry-run`, wall ÷ bare read loop", "≤ 0.9", "%.2f (CPU time %.2f)", ratio(otel.wall, bare.wall), ratio(otel.cpu, bare.cpu))
	var sizes [2]float64
	for i, name := range []string{"out.pftrace", "out.pftrace.gz"} {
		file := filepath.Join(b.dir, name)
		if _, err := measure(b.trace2x, "perfetto", "-o", file, t.file); err != nil {
			return err
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		sizes[i] = float64(info.Size()) / float64(t.events)
		os.Remove(file)
	}
	b.row(t, "output bytes per event, plain / gzip", "≤ 14 / ≤ 4", "%.1f / %.1f", sizes[0], sizes[1])
	return nil
}

// large measures with a trace of 0.9 GB: memory, compared with another trace; a window at
// its end; and the loading of what a budget leaves of it.
func (b *bench) large(other *trace) error {
	large, err := b.make(load{"fan-out, 0.9 GB", 150_000_000, nil})
	if err != nil {
		return err
	}
	defer os.Remove(large.file)
	var rss [2]int64
	var report string
	for i, t := range []*trace{other, large} {
		u, err := measure(b.trace2x, "perfetto", "-o", os.DevNull, t.file)
		if err != nil {
			return err
		}
		rss[i], report = u.rss, u.out
	}
	b.row(large, fmt.Sprintf("peak RSS, %.0f MB and %.2f GB", float64(other.size)/1e6, float64(large.size)/1e9), "≤ 150 MB both", "%.0f and %.0f MB", float64(rss[0])/1e6, float64(rss[1])/1e6)
	if large.length, err = lengthOf(report); err != nil {
		return err
	}
	if err := b.web(large); err != nil {
		return err
	}
	from := large.length - 150*time.Millisecond
	us, err := b.inTurn([]string{b.trace2x, "perfetto", "-o", os.DevNull, "--from", from.String(), "--to", (from + 100*time.Millisecond).String(), large.file})
	if err != nil {
		return err
	}
	b.row(large, "100 ms window at the end", "≤ 0.15 s", "%.2f s (CPU time %.2f s)", us[0].wall.Seconds(), us[0].cpu.Seconds())

	file := filepath.Join(b.dir, "budget.pftrace")
	if us, err = b.inTurn([]string{b.trace2x, "perfetto", "--budget", "32MB", "-o", file, large.file}); err != nil {
		return err
	}
	cpu, peak, err := b.loadingOf(file)
	if err != nil {
		return err
	}
	b.row(large, "loading what `--budget 32MB` leaves, CPU time", "≤ 10 s", "%.1f s, %.0f MB (converting takes %.2f s)", cpu.Seconds(), float64(peak)/1e6, us[0].wall.Seconds())
	return nil
}

// lengthOf returns how long a trace is, from what trace2x perfetto reports.
func lengthOf(report string) (time.Duration, error) {
	m := regexp.MustCompile(`events in (\S+),`).FindStringSubmatch(report)
	if m == nil {
		return 0, fmt.Errorf("no duration: %s", report)
	}
	return time.ParseDuration(m[1])
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }
