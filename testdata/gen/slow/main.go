// Command slow writes the execution trace of a program with planted reasons for being
// slow. There are 21 tasks of each type, one after the other. The last one is slow, for
// the reason that the type is named after.
//
// Where most of the time of the slow task goes, the line has a comment "planted:" with
// the type.
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
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("slow: ")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: slow output-file")
	}
	runtime.GOMAXPROCS(2)
	debug.SetGCPercent(-1)
	heap = newHeap()
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
	for _, r := range []struct {
		name   string
		handle func(ctx context.Context, slow bool)
	}{
		{"lock of one that sleeps", lockOfSleeper},
		{"lock of one that computes", lockOfComputer},
		{"busy pool", busyPool},
		{"late sender", lateSender},
		{"fan-out", fanOut},
		{"too few Ps", tooFewPs},
		{"system call", systemCall},
		{"created late", createdLate},
		{"assist", assist},
	} {
		const n = 21
		for i := range n {
			ctx, task := trace.NewTask(context.Background(), r.name)
			r.handle(ctx, i == n-1)
			task.End()
			time.Sleep(time.Millisecond)
		}
	}
	trace.Stop()
	return f.Close()
}

const planted = 15 * time.Millisecond

func lockOfSleeper(_ context.Context, slow bool) {
	var mu sync.RWMutex
	held := make(chan struct{})
	go sleepingHolder(&mu, held, slow)
	<-held
	mu.RLock()
	mu.RUnlock()
}

//go:noinline
func sleepingHolder(mu *sync.RWMutex, held chan<- struct{}, slow bool) {
	mu.Lock()
	close(held)
	if slow {
		time.Sleep(planted) // planted: lock of one that sleeps
	}
	mu.Unlock()
}

func lockOfComputer(_ context.Context, slow bool) {
	var mu sync.Mutex
	held := make(chan struct{})
	go computingHolder(&mu, held, slow)
	<-held
	mu.Lock()
	mu.Unlock()
}

//go:noinline
func computingHolder(mu *sync.Mutex, held chan<- struct{}, slow bool) {
	mu.Lock()
	close(held)
	if slow {
		time.Sleep(time.Millisecond) // so that the other one waits for the lock by then
	}
	for start := time.Now(); slow && time.Since(start) < planted; { // planted: lock of one that computes
	}
	mu.Unlock() // planted: lock of one that computes
}

// busyPool hands a job to a pool of one worker, which has one of somebody else
// before.
func busyPool(_ context.Context, slow bool) {
	jobs := make(chan func(), 2)
	go poolWorker(jobs)
	if slow {
		jobs <- bigJob
	}
	done := make(chan struct{})
	jobs <- func() { close(done) }
	<-done
	close(jobs)
}

//go:noinline
func poolWorker(jobs <-chan func()) {
	for job := range jobs {
		job()
	}
}

//go:noinline
func bigJob() {
	time.Sleep(planted) // planted: busy pool
}

func lateSender(_ context.Context, slow bool) {
	ch := make(chan int)
	go sender(ch, slow)
	<-ch
}

//go:noinline
func sender(ch chan<- int, slow bool) {
	for start := time.Now(); slow && time.Since(start) < planted; { // planted: late sender
	}
	ch <- 1 // planted: late sender
}

// fanOut waits for three workers. The last one is late.
func fanOut(_ context.Context, slow bool) {
	var wg sync.WaitGroup
	wg.Add(3)
	for i := range 3 {
		go fanWorker(&wg, slow && i == 2)
	}
	wg.Wait()
}

//go:noinline
func fanWorker(wg *sync.WaitGroup, slow bool) {
	d := 100 * time.Microsecond
	if slow {
		d = planted
	}
	for start := time.Now(); time.Since(start) < d; { // planted: fan-out
	}
	wg.Done() // planted: fan-out
}

// tooFewPs yields. The slow one does so to goroutines that keep all Ps busy.
func tooFewPs(_ context.Context, slow bool) {
	var hogs atomic.Int32
	if slow {
		hogs.Store(4)
	}
	for range hogs.Load() {
		go hog(&hogs)
	}
	for n := 0; n == 0 || n < 100 && hogs.Load() > 0; n++ {
		runtime.Gosched() // planted: too few Ps
	}
}

//go:noinline
func hog(hogs *atomic.Int32) {
	for start := time.Now(); time.Since(start) < planted; {
	}
	hogs.Add(-1)
}

func systemCall(_ context.Context, slow bool) {
	d := 10 * time.Microsecond
	if slow {
		d = planted
	}
	ts := syscall.NsecToTimespec(int64(d))
	syscall.Nanosleep(&ts, nil) // planted: system call
}

// createdLate waits for a goroutine that does its work at once, but somebody
// sleeps before creating it.
func createdLate(_ context.Context, slow bool) {
	done := make(chan struct{})
	go creator(done, slow)
	<-done
}

//go:noinline
func creator(done chan<- struct{}, slow bool) {
	if slow {
		time.Sleep(planted) // planted: created late
	}
	go quick(done)
}

//go:noinline
func quick(done chan<- struct{}) { close(done) }

// heap is what the collector has to mark.
var heap []*node

type node struct {
	next *node
	data [6]int
}

func newHeap() []*node {
	out := make([]*node, 1<<19)
	for i := range out {
		out[i] = &node{}
		if i > 0 {
			out[i].next = out[i-1]
		}
	}
	return out
}

// assist allocates. The slow one does so while the collector has too much to do,
// so that it has to help.
func assist(_ context.Context, slow bool) {
	if !slow {
		allocate(100)
		return
	}
	debug.SetGCPercent(5)
	allocate(1 << 18)
	debug.SetGCPercent(-1)
}

//go:noinline
func allocate(n int) {
	var last *node
	for range n {
		last = &node{next: last} // planted: assist
	}
	sink = last
}

var sink *node
