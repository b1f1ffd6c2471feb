// Command chain writes the execution trace of three goroutines that wait for
// one another: goroutineA waits for goroutineB, which waits for goroutineC.
// goroutineC works for about 20 ms, then goroutineB for 10 ms, then goroutineA
// for 5 ms, each in a region, so that the critical path is known. A bystander
// works at the same time and has no part in it.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"runtime"
	"runtime/trace"
	"sync"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("chain: ")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: chain output-file")
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
	work()
	trace.Stop()
	return f.Close()
}

func work() {
	ctx, task := trace.NewTask(context.Background(), "chain")
	defer task.End()

	fromB := make(chan struct{})
	fromC := make(chan struct{})
	var wg sync.WaitGroup
	wg.Add(2)
	go goroutineA(ctx, fromB, &wg)
	go goroutineB(ctx, fromC, fromB)
	time.Sleep(2 * time.Millisecond) // let both of them wait
	go goroutineC(ctx, fromC)
	go bystander(ctx, &wg)
	wg.Wait()
}

//go:noinline
func goroutineA(ctx context.Context, fromB <-chan struct{}, wg *sync.WaitGroup) {
	defer wg.Done()
	<-fromB
	trace.WithRegion(ctx, "A", func() { burn(5 * time.Millisecond) })
}

//go:noinline
func goroutineB(ctx context.Context, fromC <-chan struct{}, done chan<- struct{}) {
	<-fromC
	trace.WithRegion(ctx, "B", func() { burn(10 * time.Millisecond) })
	close(done)
}

//go:noinline
func goroutineC(ctx context.Context, done chan<- struct{}) {
	trace.WithRegion(ctx, "C", func() { burn(20 * time.Millisecond) })
	close(done)
}

//go:noinline
func bystander(ctx context.Context, wg *sync.WaitGroup) {
	defer wg.Done()
	trace.WithRegion(ctx, "bystander", func() { burn(8 * time.Millisecond) })
}

func burn(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}
