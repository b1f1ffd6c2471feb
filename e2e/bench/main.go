// Command bench measures what trace2x promises about speed, memory and size, and
// prints a table of it with the bar for each. It makes the traces that it measures
// on (testdata/gen/load, an HTTP server under load), and runs each program by
// itself, so that CPU time and memory are its own. Times are medians; all ratios
// are of runs in turn, on the same machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
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
	flag.Parse()
	var err error
	if flag.Arg(0) == "bare" {
		err = bare(flag.Arg(1))
	} else {
		err = run(*runs, *short)
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
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return usage{}, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out.String())
	}
	return ended(cmd, time.Since(start), out.String()), nil
}

func ended(cmd *exec.Cmd, wall time.Duration, out string) usage {
	peak, _ := rusage.PeakMemory(cmd.ProcessState)
	return usage{wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak, out}
}

// median returns the run with the median time.
func median(us []usage) usage {
	us = slices.Clone(us)
	slices.SortFunc(us, func(a, b usage) int { return int(a.wall - b.wall) })
	return us[len(us)/2]
}

// bench has the programs and the traces.
type bench struct {
	dir, trace2x, self string
	runs               int
	rows               [][3]string
}

func (b *bench) row(what, bar, format string, args ...any) {
	b.rows = append(b.rows, [3]string{what, bar, fmt.Sprintf(format, args...)})
	log.Printf("%s: %s (bar: %s)", what, b.rows[len(b.rows)-1][2], bar)
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

// load makes a trace of about this many events.
func (b *bench) load(name string, events int) (file string, size int64, err error) {
	file = filepath.Join(b.dir, name)
	log.Printf("making a trace of about %d million events", events/1_000_000)
	if _, err := measure("go", "run", "./testdata/gen/load", "-events", fmt.Sprint(events), "-d", "10m", file); err != nil {
		return "", 0, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", 0, err
	}
	return file, info.Size(), nil
}

func run(runs int, short bool) error {
	dir, err := os.MkdirTemp("", "trace2x-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &bench{dir: dir, trace2x: filepath.Join(dir, "trace2x"), self: self, runs: runs}
	if _, err := measure("go", "build", "-o", b.trace2x, "./cmd/trace2x"); err != nil {
		return err
	}
	trace, size, err := b.load("load.trace", 21_000_000)
	if err != nil {
		return err
	}
	events, err := b.speed(trace, size)
	if err != nil {
		return err
	}
	if err := b.spans(trace, events); err != nil {
		return err
	}
	if !short {
		if err := b.large(trace); err != nil {
			return err
		}
		os.Remove(filepath.Join(dir, "large.trace"))
	}
	small, _, err := b.load("small.trace", 2_700_000)
	if err != nil {
		return err
	}
	if err := b.loading(small); err != nil {
		return err
	}
	if err := b.goTool(context.Background(), small); err != nil {
		return err
	}
	if err := b.collector(); err != nil {
		return err
	}
	fmt.Printf("\n%s, %d cores, %s; %d events, %.0f MB\n\n", runtime.Version(), runtime.NumCPU(), runtime.GOARCH, events, float64(size)/1e6)
	fmt.Println("| what | bar | measured |\n| --- | --- | --- |")
	for _, r := range b.rows {
		fmt.Printf("| %s | %s | %s |\n", r[0], r[1], r[2])
	}
	return nil
}

// speed measures the conversion to Perfetto.
func (b *bench) speed(trace string, size int64) (events int64, err error) {
	out, zipped := filepath.Join(b.dir, "out.pftrace"), filepath.Join(b.dir, "out.pftrace.gz")
	us, err := b.inTurn(
		[]string{b.self, "bare", trace},
		[]string{b.trace2x, "perfetto", "-o", os.DevNull, trace},
		[]string{b.trace2x, "summary", trace},
	)
	if err != nil {
		return 0, err
	}
	bare, perfetto, summary := us[0], us[1], us[2]
	fmt.Sscan(bare.out, &events)
	b.row("`trace2x perfetto`, wall ÷ bare read loop", "≤ 1.0", "%.2f (%.2f s; bare %.2f s)", ratio(perfetto.wall, bare.wall), perfetto.wall.Seconds(), bare.wall.Seconds())
	b.row("CPU time ÷ bare read loop's", "≤ 2.0", "%.2f", ratio(perfetto.cpu, bare.cpu))
	b.row("`trace2x summary`, wall ÷ bare read loop", "≤ 1.5", "%.2f", ratio(summary.wall, bare.wall))
	for _, file := range []string{out, zipped} {
		if _, err := measure(b.trace2x, "perfetto", "-o", file, trace); err != nil {
			return 0, err
		}
	}
	plain, err := os.Stat(out)
	if err != nil {
		return 0, err
	}
	gz, err := os.Stat(zipped)
	if err != nil {
		return 0, err
	}
	b.row("output bytes per event, plain / gzip", "≤ 14 / ≤ 4", "%.1f / %.1f", float64(plain.Size())/float64(events), float64(gz.Size())/float64(events))
	os.Remove(out)
	os.Remove(zipped)
	return events, nil
}

// large compares the memory for a trace of 1 GB with the memory for the other trace, and
// the time for a window of it with 20 s.
func (b *bench) large(trace string) error {
	large, size, err := b.load("large.trace", 150_000_000)
	if err != nil {
		return err
	}
	var rss [2]int64
	for i, file := range []string{trace, large} {
		u, err := measure(b.trace2x, "perfetto", "-o", os.DevNull, file)
		if err != nil {
			return err
		}
		rss[i] = u.rss
	}
	b.row(fmt.Sprintf("peak RSS, 100 MB and %.2f GB trace", float64(size)/1e9), "≤ 300 MB, within 20%", "%.0f and %.0f MB", float64(rss[0])/1e6, float64(rss[1])/1e6)
	us, err := b.inTurn(
		[]string{b.trace2x, "perfetto", "-o", os.DevNull, "--to", "20s", large},
		[]string{b.trace2x, "perfetto", "-o", os.DevNull, "--from", "10s", "--to", "10.1s", large},
	)
	if err != nil {
		return err
	}
	b.row("100 ms window ÷ 20 s", "≤ 0.1", "%.2f (%.2f s)", ratio(us[1].wall, us[0].wall), us[1].wall.Seconds())
	return nil
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }
