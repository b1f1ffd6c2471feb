package main

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/trace2x/trace2x/internal/input"
)

// interrupt handles a signal: it ends the current recording or, if there is none, the
// command, with abort.
//
// Nothing of a trace can be shown before a generation of it is complete. So the first
// Ctrl-C waits for the current generation, as long as something arrives. A second Ctrl-C
// and other signals do not wait.
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
	live bool // the input is a program that is being traced

	mu        sync.Mutex
	in        *input.Input // nil until something has arrived
	finishing bool
	timer     *time.Timer
}

// opened notes that something has arrived.
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

// interrupt ends the recording, and reports whether there was one to end. With patience,
// it ends when its generation is complete. If nothing has arrived, it calls abort.
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
