// Command gc writes the execution trace of a program in which the garbage
// collector is nearly always at work: on a large live heap, with goroutines
// that allocate, and so must assist. When the trace passes to its next
// generation, a collection is under way, and that generation begins with ranges
// that are active already.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/trace"
	"sync"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("gc: ")
	duration := flag.Duration("d", 2100*time.Millisecond, "trace for this `duration`")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: gc [flags] output-file")
	}
	runtime.GOMAXPROCS(2)
	debug.SetGCPercent(5)
	if err := run(flag.Arg(0), *duration); err != nil {
		log.Fatal(err)
	}
}

func run(output string, duration time.Duration) error {
	live := grow(20) // about 64 MiB
	f, err := os.Create(output)
	if err != nil {
		return err
	}
	if err := trace.Start(f); err != nil {
		return err
	}
	work(time.Now().Add(duration))
	trace.Stop()
	runtime.KeepAlive(live)
	return f.Close()
}

// A node of a binary tree.
type node struct {
	left, right *node
	data        [6]int
}

// grow returns a tree of the depth given.
func grow(depth int) *node {
	if depth == 0 {
		return nil
	}
	return &node{left: grow(depth - 1), right: grow(depth - 1)}
}

func work(stop time.Time) {
	ctx, task := trace.NewTask(context.Background(), "collect")
	defer task.End()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { allocate(ctx, stop) })
	}
	wg.Wait()
}

// allocate makes garbage, in pieces large enough for few events, with small
// pauses.
//
//go:noinline
func allocate(ctx context.Context, stop time.Time) {
	defer trace.StartRegion(ctx, "allocate").End()
	for time.Now().Before(stop) {
		block := make([]*node, 16<<10)
		block[0] = grow(4)
		runtime.KeepAlive(block)
		time.Sleep(time.Millisecond)
	}
}
