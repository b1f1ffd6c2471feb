package main

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/trace2x/trace2x/internal/input"
)

// interrupt does what the user wants with a signal: it ends the recording that is
// under way, or else the command, with abort.
//
// While a program is traced, nothing can be shown before a generation of its trace
// is complete. So the first Ctrl-C waits for the one that is being recorded, as
// long as something arrives; the second one does not, nor do other signals.
func (e *env) interrupt(s os.Signal, abort func()) {
	code := exitInterrupted
	switch s {
	case syscall.SIGTERM:
		code = exitTerminated
	case syscall.SIGHUP:
		code = exitHangup
	}
	e.signal.CompareAndSwap(0, int32(code))
	if r := e.recording.Load(); r != nil && r.interrupt(s == os.Interrupt, abort) {
		e.cutShort.Store(true)
		return
	}
	abort()
}

// recording is an input that is being read, and its progress.
type recording struct {
	bar  *progress
	live bool // a program is traced for it

	mu        sync.Mutex
	in        *input.Input // nil until something has arrived
	finishing bool
	timer     *time.Timer
}

// opened tells that something has arrived.
func (r *recording) opened(in *input.Input) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.in = in
	if r.finishing {
		r.timer.Stop()
		if !in.Finish() {
			in.Stop()
		}
	}
}

// interrupt ends the recording, and reports whether there was one to end: with
// patience, when its generation is complete, or with abort, if nothing arrives.
func (r *recording) interrupt(patience bool, abort func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	patience = patience && !r.finishing
	const waits = "stopping: the second that is being recorded is still waited for; interrupt once more to stop at once"
	switch {
	case r.in == nil && !(r.live && patience):
		return false
	case r.in == nil:
		r.finishing = true
		r.timer = time.AfterFunc(input.Patience, func() {
			r.bar.note(fmt.Sprintf("nothing has arrived for %v", input.Patience))
			abort()
		})
		r.bar.note(waits)
	case patience && r.in.Finish():
		r.finishing = true
		r.bar.note(waits)
	case r.in.Stop():
		r.bar.note("stopped recording; interrupt once more to give up what has arrived")
	default:
		return false
	}
	return true
}
