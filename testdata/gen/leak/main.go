// Command leak writes the execution trace of a program that leaks goroutines:
// they block before the trace starts, each in its own way, and are still
// blocked when it stops. Beside them a few goroutines do ordinary work.
//
// It builds with Go 1.19 and later.
package main

import (
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
	log.SetPrefix("leak: ")
	duration := flag.Duration("d", 1200*time.Millisecond, "trace for this `duration`")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: leak [flags] output-file")
	}
	runtime.GOMAXPROCS(2)
	if err := run(flag.Arg(0), *duration); err != nil {
		log.Fatal(err)
	}
}

func run(output string, duration time.Duration) error {
	var mu sync.Mutex
	mu.Lock() // for ever
	silent := make(chan int)
	full := make(chan int, 1)
	full <- 1
	var never sync.WaitGroup
	never.Add(1)
	cond := sync.NewCond(new(sync.Mutex))

	go leakNilChannel()
	go leakEmptySelect()
	go leakMutex(&mu)
	go leakReceive(silent)
	go leakSend(full)
	go leakSelect(silent, full)
	go leakWaitGroup(&never)
	go leakCond(cond)
	time.Sleep(20 * time.Millisecond) // let them all block

	f, err := os.Create(output)
	if err != nil {
		return err
	}
	if err := trace.Start(f); err != nil {
		return err
	}
	work(time.Now().Add(duration))
	trace.Stop()

	runtime.KeepAlive(silent)
	runtime.KeepAlive(full)
	return f.Close()
}

//go:noinline
func leakNilChannel() {
	var ch chan int
	<-ch
}

//go:noinline
func leakEmptySelect() {
	select {}
}

//go:noinline
func leakMutex(mu *sync.Mutex) {
	mu.Lock()
	defer mu.Unlock()
}

//go:noinline
func leakReceive(silent <-chan int) {
	<-silent
}

//go:noinline
func leakSend(full chan<- int) {
	full <- 2
}

//go:noinline
func leakSelect(silent <-chan int, full chan<- int) {
	select {
	case <-silent:
	case full <- 3:
	}
}

//go:noinline
func leakWaitGroup(never *sync.WaitGroup) {
	never.Wait()
}

//go:noinline
func leakCond(cond *sync.Cond) {
	cond.L.Lock()
	cond.Wait()
	cond.L.Unlock()
}

// work starts short-lived goroutines, which answer and exit, until the time
// given.
func work(stop time.Time) {
	answers := make(chan int)
	for i := 0; time.Now().Before(stop); i++ {
		go answer(i, answers)
		<-answers
		time.Sleep(2 * time.Millisecond)
	}
}

//go:noinline
func answer(n int, answers chan<- int) {
	sum := 0
	for i := 0; i < 10000; i++ {
		sum += i * n
	}
	answers <- sum
}
