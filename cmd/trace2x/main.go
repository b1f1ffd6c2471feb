// Command trace2x brings Go execution traces to where people look: the terminal,
// Perfetto, OpenTelemetry and pprof.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/trace2x/trace2x/internal/output"
)

// grace is how long a command may take to end after a signal.
const grace = 500 * time.Millisecond

// setHeapGrowth sets by how much the heap grows, in percent, until it is collected; unless
// the user has done so, with GOGC.
func setHeapGrowth(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

func main() {
	// Most of the heap is what is decoded ahead, without pointers. Collecting it more often
	// takes 2% more CPU time, and saves a fifth of the memory.
	setHeapGrowth(50)
	e := &env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	ctx, abort := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // as with nohup
			signal.Notify(signals, s)
		}
	}
	// What does not look at the context, such as a write to a pipe that is stuck, does
	// not get more time either.
	giveUp := sync.OnceFunc(func() {
		output.DiscardAll()
		os.Exit(e.interrupted())
	})
	go func() {
		aborted := false
		for s := range signals {
			e.interrupt(s, func() {
				if aborted {
					giveUp()
				}
				aborted = true
				abort()
				time.AfterFunc(grace, giveUp)
			})
		}
	}()
	os.Exit(e.run(ctx, os.Args[1:]))
}
