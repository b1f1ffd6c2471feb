// Command cases writes a trace of a program that uses package runtime/trace, or the
// runtime, in a way that is rare: cases NAME FILE.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/trace"
	"sync"
	"time"
)

var cases = map[string]func(){
	"async":       async,
	"emptyname":   emptyName,
	"escapes":     escapes,
	"manyps":      manyPs,
	"opentasks":   openTasks,
	"regionorder": regionOrder,
	"regionother": regionOther,
}

func main() {
	if len(os.Args) != 3 || cases[os.Args[1]] == nil && os.Args[1] != "concat" {
		fmt.Fprintln(os.Stderr, "usage: cases NAME FILE")
		os.Exit(2)
	}
	f, err := os.Create(os.Args[2])
	if err != nil {
		panic(err)
	}
	record := func(program func()) {
		if err := trace.Start(f); err != nil {
			panic(err)
		}
		program()
		trace.Stop()
	}
	if program := cases[os.Args[1]]; program != nil {
		record(program)
	} else { // two traces, one after the other
		record(emptyName)
		record(emptyName)
	}
	if err := f.Close(); err != nil {
		panic(err)
	}
}

// async is a dispatcher that begins a task for each request; the request's own
// goroutine ends it.
func async() {
	var wg sync.WaitGroup
	for range 400 {
		_, t := trace.NewTask(context.Background(), "request")
		wg.Add(1)
		go func() {
			defer wg.Done()
			time.Sleep(50 * time.Millisecond)
			t.End()
		}()
	}
	wg.Wait()
}

// openTasks begins tasks that nobody ends.
func openTasks() {
	for range 2000 {
		trace.NewTask(context.Background(), "open")
	}
}

func emptyName() {
	ctx, t := trace.NewTask(context.Background(), "")
	trace.Log(ctx, "", "")
	trace.WithRegion(ctx, "", func() { time.Sleep(time.Millisecond) })
	t.End()
}

// escapes has names that would change a terminal.
func escapes() {
	for _, s := range []string{"\x1b[2J\x1b]0;owned\x07", "a\nb\rc", "\xff\xfe"} {
		ctx, t := trace.NewTask(context.Background(), s)
		trace.WithRegion(ctx, s, func() { time.Sleep(time.Millisecond) })
		t.End()
	}
}

// manyPs has more Ps than Perfetto has CPUs.
func manyPs() {
	const n = 1100
	runtime.GOMAXPROCS(n)
	var wg sync.WaitGroup
	for range 2 * n {
		wg.Add(1)
		go wg.Done()
	}
	wg.Wait()
	runtime.GOMAXPROCS(n - 1)
}

// regionOrder ends two regions in the order in which they began.
func regionOrder() {
	a := trace.StartRegion(context.Background(), "a")
	b := trace.StartRegion(context.Background(), "b")
	a.End()
	b.End()
	for range 100 { // what comes after it
		_, t := trace.NewTask(context.Background(), "request")
		time.Sleep(time.Millisecond)
		t.End()
	}
}

// regionOther ends regions on other goroutines than those that began them.
func regionOther() {
	for range 20 {
		r := trace.StartRegion(context.Background(), "crossing")
		done := make(chan bool)
		go func() {
			time.Sleep(time.Millisecond)
			r.End()
			close(done)
		}()
		<-done
	}
}
