// Command pipeline writes the execution trace of stages that are connected by
// channels: a paced source on a locked thread, workers, a table behind a
// read-write mutex, and a queue with a condition variable. It exercises
// sync.Cond, Mutex and RWMutex, select with and without a default, timers and
// tickers, runtime.Gosched, runtime.LockOSThread and, since Go 1.23, the
// coroutines of iter.Pull.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"runtime"
	"runtime/trace"
	"strconv"
	"sync"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("pipeline: ")
	items := flag.Int("n", 400, "`number` of items that go through the pipeline")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: pipeline [flags] output-file")
	}
	runtime.GOMAXPROCS(2)
	if err := run(flag.Arg(0), *items); err != nil {
		log.Fatal(err)
	}
}

func run(output string, items int) error {
	f, err := os.Create(output)
	if err != nil {
		return err
	}
	if err := trace.Start(f); err != nil {
		return err
	}
	work(items)
	trace.Stop()
	return f.Close()
}

type item struct {
	id    int
	value uint64
}

func work(items int) {
	ctx, task := trace.NewTask(context.Background(), "pipeline")
	defer task.End()

	raw := make(chan item)
	hashed := make(chan item, 16)
	var t table
	q := newQueue()
	done := make(chan struct{})

	var stages, watchers sync.WaitGroup
	goIn(&watchers, func() { watch(ctx, &t, done) })
	goIn(&watchers, func() { yield(done) })

	goIn(&stages, func() { source(ctx, raw, items) })
	goIn(&stages, func() { hashAll(ctx, raw, hashed) })
	goIn(&stages, func() { store(ctx, hashed, &t, q) })
	goIn(&stages, func() { sink(ctx, q) })
	goIn(&stages, func() { coroutines(ctx, items/4) })
	stages.Wait()
	close(done)
	watchers.Wait()
}

// goIn runs f in a goroutine that wg counts.
func goIn(wg *sync.WaitGroup, f func()) {
	wg.Add(1)
	go func() {
		defer wg.Done()
		f()
	}()
}

// source sends items in bursts, at the pace of a ticker, from a thread of its
// own.
func source(ctx context.Context, raw chan<- item, items int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer trace.StartRegion(ctx, "source").End()
	defer close(raw)

	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for id := 0; id < items; id++ {
		if id%10 == 0 {
			<-tick.C
		}
		raw <- item{id: id}
	}
}

// hashAll fans the items out to two workers.
func hashAll(ctx context.Context, raw <-chan item, hashed chan<- item) {
	var wg sync.WaitGroup
	for i := 0; i < 2; i++ {
		goIn(&wg, func() { hash(ctx, raw, hashed) })
	}
	wg.Wait()
	close(hashed)
}

func hash(ctx context.Context, raw <-chan item, hashed chan<- item) {
	for it := range raw {
		region := trace.StartRegion(ctx, "hash")
		x := uint64(it.id)
		for i := 0; i < 50000; i++ {
			x = (x ^ uint64(i)) * 1099511628211
		}
		region.End()
		it.value = x
		hashed <- it
	}
}

// A table is read by some goroutines and written by another one.
type table struct {
	mu     sync.RWMutex
	values map[int]uint64
}

func (t *table) put(it item) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.values == nil {
		t.values = make(map[int]uint64)
	}
	t.values[it.id] = it.value
}

func (t *table) sum() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var sum uint64
	for _, v := range t.values {
		sum += v
	}
	time.Sleep(200 * time.Microsecond) // make the writer wait
	return sum
}

// store puts the items in the table and in the queue. When none has come for a
// while, it says so.
func store(ctx context.Context, hashed <-chan item, t *table, q *queue) {
	defer q.close()
	idle := time.NewTimer(time.Millisecond)
	defer idle.Stop()
	for {
		select {
		case it, ok := <-hashed:
			if !ok {
				return
			}
			t.put(it)
			q.push(it)
		case <-idle.C:
			trace.Log(ctx, "store", "idle")
		}
		idle.Reset(time.Millisecond)
	}
}

// A queue has no bound. Whoever pops waits on a condition variable.
type queue struct {
	mu       sync.Mutex
	nonempty *sync.Cond
	items    []item
	closed   bool
}

func newQueue() *queue {
	q := new(queue)
	q.nonempty = sync.NewCond(&q.mu)
	return q
}

func (q *queue) push(it item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = append(q.items, it)
	q.nonempty.Signal()
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.nonempty.Broadcast()
}

// pop returns false when the queue is closed and empty.
func (q *queue) pop() (item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 && !q.closed {
		q.nonempty.Wait()
	}
	if len(q.items) == 0 {
		return item{}, false
	}
	it := q.items[0]
	q.items = q.items[1:]
	return it, true
}

// sink takes the items from the queue with two goroutines.
func sink(ctx context.Context, q *queue) {
	var wg sync.WaitGroup
	for i := 0; i < 2; i++ {
		goIn(&wg, func() {
			for {
				it, ok := q.pop()
				if !ok {
					return
				}
				if it.id%100 == 0 {
					trace.Log(ctx, "sink", strconv.Itoa(it.id))
				}
			}
		})
	}
	wg.Wait()
}

// watch reads the table at the pace of a ticker and of timers.
func watch(ctx context.Context, t *table, done <-chan struct{}) {
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			trace.WithRegion(ctx, "sum", func() { t.sum() })
		case <-time.After(2 * time.Millisecond):
			t.sum()
		}
	}
}

// yield polls a channel and gives its P away in between.
func yield(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		default:
			for i := 0; i < 3; i++ {
				runtime.Gosched()
			}
			time.Sleep(time.Millisecond)
		}
	}
}
