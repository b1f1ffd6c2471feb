// Command trace2x brings Go execution traces to where people look: the terminal,
// Perfetto, OpenTelemetry and pprof.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	e := &env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	ctx, abort := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range signals {
			e.interrupt(abort)
		}
	}()
	os.Exit(e.run(ctx, os.Args[1:]))
}
