package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
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

// reportTraceID tells how many spans of the distributed trace asked for there
// were.
func (e *env) reportTraceID(id [16]byte, spans int) {
	if spans == 0 {
		fmt.Fprintf(e.stderr, "warning: no task is a span of the distributed trace %x\n", id)
		return
	}
	fmt.Fprintf(e.stderr, "%s of the distributed trace %x\n", plural(spans, "span"), id)
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

// progress shows how much of an input has been read, how fast, and how long the
// rest will take if its size is known; on a terminal only.
type progress struct {
	w       io.Writer
	opened  chan *input.Input
	notes   chan string
	done    chan struct{}
	stopped chan struct{}
}

// newProgress begins before the input is open, since that can take as long as a
// program is traced for; opened ends that. The name is what to call the input.
func newProgress(w io.Writer, name string) *progress {
	p := &progress{
		w:      w,
		opened: make(chan *input.Input, 1), notes: make(chan string),
		done: make(chan struct{}), stopped: make(chan struct{}),
	}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		close(p.stopped)
		return p
	}
	newBar := func(size int64) *progressbar.ProgressBar {
		return progressbar.NewOptions64(size,
			progressbar.OptionSetWriter(w),
			progressbar.OptionSetDescription(name),
			progressbar.OptionShowBytes(true),
			progressbar.OptionShowCount(),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionFullWidth(),
			progressbar.OptionSetSpinnerChangeInterval(0), // else a goroutine goes on drawing it
			progressbar.OptionSpinnerType(14),
			progressbar.OptionUseANSICodes(runtime.GOOS != "windows"), // they clear also the ^C that a terminal shows
		)
	}
	go func() {
		defer close(p.stopped)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		bar := newBar(-1)
		read := func() int64 { return 0 }
		for {
			select {
			case in := <-p.opened:
				read = in.BytesRead
				if in.Size >= 0 {
					bar.Clear()
					bar = newBar(in.Size)
				}
			case note := <-p.notes:
				bar.Clear()
				fmt.Fprintln(w, note)
			case <-tick.C:
				bar.Set64(read())
			case <-p.done:
				bar.Exit()
				bar.Clear()
				return
			}
		}
	}()
	return p
}

// note prints a line above the bar.
func (p *progress) note(text string) {
	select {
	case p.notes <- text:
	case <-p.stopped:
		fmt.Fprintln(p.w, text)
	}
}

// stop removes the bar.
func (p *progress) stop() {
	close(p.done)
	<-p.stopped
}
