// Command plants writes an execution trace of a server under steady load, with regressions
// to find in a comparison, each planted in one function: see the lines that end in
// "planted".
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"runtime"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"time"
)

var (
	duration = flag.Duration("d", time.Second, "trace for this `duration`")
	slower   = flag.Bool("slower", false, "price computes 20% longer")
	waits    = flag.Bool("waits", false, "ship waits 20% longer")
	holds    = flag.Bool("holds", false, "1% of the calls of put hold its mutex 5 ms longer")
	leaks    = flag.Bool("leaks", false, "10 goroutines a second do not end")
)

// store has a mutex that all requests lock.
type store struct {
	mu    sync.Mutex
	calls atomic.Int64
	sold  map[int]int
}

func (s *store) put(item int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sold[item]++
	if n := s.calls.Add(1); *holds && n%100 == 0 {
		time.Sleep(5 * time.Millisecond) // planted
	}
}

// price computes for about a millisecond.
func price(out chan<- int) {
	n := 500_000
	if *slower {
		n += n / 5 // planted
	}
	x := 1
	for i := range n {
		x = x*31 + i
	}
	out <- x
}

// ship waits for another service.
func ship() {
	d := 5 * time.Millisecond
	if *waits {
		d += d / 5 // planted
	}
	time.Sleep(d)
}

// watch waits for what never comes.
func watch(done <-chan struct{}) { <-done }

func request(s *store, n int) {
	ctx, task := trace.NewTask(context.Background(), "request")
	defer task.End()
	out := make(chan int)
	trace.WithRegion(ctx, "price", func() {
		go price(out)
		<-out
	})
	s.put(n % 10)
	ship()
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("plants: ")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: plants [flags] output-file")
	}
	runtime.GOMAXPROCS(2)
	f, err := os.Create(flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	s := &store{sold: make(map[int]int)}
	for range 20 { // warm up
		request(s, 0)
	}
	if err := trace.Start(f); err != nil {
		log.Fatal(err)
	}
	var wg sync.WaitGroup
	end := time.Now().Add(*duration)
	for client := range 4 {
		wg.Go(func() {
			for n := client; time.Now().Before(end); n += 4 {
				request(s, n)
			}
		})
	}
	wg.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for now := range tick.C {
			if now.After(end) {
				return
			}
			if *leaks {
				go watch(make(chan struct{})) // planted
			}
		}
	})
	wg.Wait()
	trace.Stop()
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}
}
