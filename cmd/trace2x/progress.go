package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how much of an input has been read, how fast, and how long the
// rest will take if its size is known; on a terminal only.
type progress struct {
	w       io.Writer
	opened  chan amount
	notes   chan func()
	done    chan struct{}
	stopped chan struct{}
}

// newProgress returns a progress that begins before the input is open: opening can take
// as long as a program is traced. Call opened when it is open. name is what to call the
// input.
func newProgress(w io.Writer, name string) *progress {
	p := &progress{
		w:      w,
		opened: make(chan amount, 1), notes: make(chan func()),
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
			progressbar.OptionSetSpinnerChangeInterval(0), // else a goroutine never stops drawing it
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
				read = in.read
				if in.size >= 0 {
					bar.Clear()
					bar = newBar(in.size)
				}
			case note := <-p.notes:
				bar.Clear()
				note()
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

// amount is how much there is to read.
type amount struct {
	size int64        // in bytes, negative if unknown
	read func() int64 // how many of them have been read
}

// note prints a line above the bar.
func (p *progress) note(text string) { p.clear(func() { fmt.Fprintln(p.w, text) }) }

// clear calls print, which prints whole lines above the bar.
func (p *progress) clear(print func()) {
	printed := make(chan struct{})
	note := func() {
		defer close(printed)
		print()
	}
	select {
	case p.notes <- note:
		<-printed
	case <-p.stopped:
		note()
	}
}

// stop removes the bar.
func (p *progress) stop() {
	close(p.done)
	<-p.stopped
}
