// Command trace2x brings Go execution traces to where people look: the terminal,
// Perfetto, OpenTelemetry and pprof.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	if os.Getenv("GOGC") == "" {
		// The heap is mostly what is decoded ahead, without pointers: to collect it
		// more often takes 2% more CPU time, and saves a fifth of the memory.
		debug.SetGCPercent(50)
	}
	e := &env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	ctx, abort := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range signals {
			e.interrupt(func() {
				abort()
				signal.Stop(signals) // one more kills, if a write to a pipe is stuck
			})
		}
	}()
	os.Exit(e.run(ctx, os.Args[1:]))
}
