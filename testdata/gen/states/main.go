// Command states writes the execution trace of a goroutine whose time is known
// by what it is spent on. On a single P, in the task "known", it is 10 ms
// asleep (region "asleep"), waits 20 ms for a mutex that main.holder holds
// (region "mutex"), waits 5 ms to receive from a channel (region "channel") and
// then runs for 30 ms (region "work"). While it does the last, main.competitor
// wants the P for 20 ms, and the goroutine is runnable for about as long.
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
	log.SetPrefix("states: ")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: states output-file")
	}
	runtime.GOMAXPROCS(1)
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
	ctx, task := trace.NewTask(context.Background(), "known")
	done := make(chan struct{})
	go known(ctx, done)
	<-done
	task.End()
	trace.Stop()
	return f.Close()
}

// known is the goroutine whose time is known.
//
//go:noinline
func known(ctx context.Context, done chan<- struct{}) {
	defer close(done)

	trace.WithRegion(ctx, "asleep", func() { time.Sleep(10 * time.Millisecond) })

	var mu sync.Mutex
	held, begin := make(chan struct{}), make(chan struct{})
	go holder(&mu, held, begin)
	<-held
	close(begin)
	trace.WithRegion(ctx, "mutex", mu.Lock)
	mu.Unlock()

	ch := make(chan int)
	go sender(ch)
	trace.WithRegion(ctx, "channel", func() { <-ch })

	var wg sync.WaitGroup
	wg.Add(1)
	go competitor(&wg)
	trace.WithRegion(ctx, "work", func() {
		for range 6 {
			burn(5 * time.Millisecond)
			runtime.Gosched() // the competitor is to be done before the region ends
		}
	})
	wg.Wait()
}

// holder holds the mutex for 20 ms after begin has been closed.
//
//go:noinline
func holder(mu *sync.Mutex, held chan<- struct{}, begin <-chan struct{}) {
	mu.Lock()
	defer mu.Unlock()
	close(held)
	<-begin
	time.Sleep(20 * time.Millisecond)
}

//go:noinline
func sender(ch chan<- int) {
	time.Sleep(5 * time.Millisecond)
	ch <- 1
}

//go:noinline
func competitor(wg *sync.WaitGroup) {
	defer wg.Done()
	burn(20 * time.Millisecond)
}

// burn runs for d, not counting what it is made to wait for the P: it counts
// short steps, and those that took too long only in part.
func burn(d time.Duration) {
	const longest = 50 * time.Microsecond
	var spent time.Duration
	for before := time.Now(); spent < d; {
		now := time.Now()
		spent += min(now.Sub(before), longest)
		before = now
	}
}
