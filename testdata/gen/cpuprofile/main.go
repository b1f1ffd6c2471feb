// Command cpuprofile writes an execution trace that has the samples of a CPU
// profile in it, because the program is profiled while it is traced.
package main

import (
	"context"
	"flag"
	"io"
	"log"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("cpuprofile: ")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: cpuprofile output-file")
	}
	runtime.GOMAXPROCS(2)
	if err := run(flag.Arg(0)); err != nil {
		log.Fatal(err)
	}
}

func run(output string) error {
	f, err := os.Create(output)
	if err != nil {
		return err
	}
	if err := trace.Start(f); err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		return err
	}
	work()
	pprof.StopCPUProfile()
	trace.Stop()
	return f.Close()
}

func work() {
	ctx, task := trace.NewTask(context.Background(), "burn")
	defer task.End()
	var wg sync.WaitGroup
	wg.Go(func() { trace.WithRegion(ctx, "integers", func() { burnIntegers(400 * time.Millisecond) }) })
	wg.Go(func() { trace.WithRegion(ctx, "floats", func() { burnFloats(400 * time.Millisecond) }) })
	wg.Go(func() { trace.WithRegion(ctx, "memory", func() { burnMemory(200 * time.Millisecond) }) })
	wg.Wait()
}

// The results are kept here, so that the work is not optimised away.
var (
	integers uint64
	floats   float64
	memory   []byte
)

//go:noinline
func burnIntegers(d time.Duration) {
	x := uint64(1)
	for start := time.Now(); time.Since(start) < d; {
		for range 10000 {
			x = x*6364136223846793005 + 1442695040888963407
		}
	}
	integers = x
}

//go:noinline
func burnFloats(d time.Duration) {
	x := 1.0
	for start := time.Now(); time.Since(start) < d; {
		for range 10000 {
			x = x*1.0000001 + 0.5/x
		}
	}
	floats = x
}

//go:noinline
func burnMemory(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
		b := make([]byte, 64<<10)
		for i := range b {
			b[i] = byte(i)
		}
		memory = b
	}
}
