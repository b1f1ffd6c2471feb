// Command flightrecorder writes the last part of a program's execution trace,
// as runtime/trace.FlightRecorder keeps it. A task, a region and a goroutine
// that is blocked all began before that part.
//
// It builds with Go 1.25 and later.
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
	log.SetPrefix("flightrecorder: ")
	duration := flag.Duration("d", 2500*time.Millisecond, "record for this `duration`")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: flightrecorder [flags] output-file")
	}
	runtime.GOMAXPROCS(2)
	if err := run(flag.Arg(0), *duration); err != nil {
		log.Fatal(err)
	}
}

func run(output string, duration time.Duration) error {
	rec := trace.NewFlightRecorder(trace.FlightRecorderConfig{
		MinAge:   1500 * time.Millisecond,
		MaxBytes: 1 << 20,
	})
	if err := rec.Start(); err != nil {
		return err
	}
	defer rec.Stop()

	return work(time.Now().Add(duration), func() error {
		f, err := os.Create(output)
		if err != nil {
			return err
		}
		if _, err := rec.WriteTo(f); err != nil {
			return err
		}
		return f.Close()
	})
}

// work runs until the time given, and calls snapshot while everything is still
// going on.
func work(stop time.Time, snapshot func() error) error {
	ctx, task := trace.NewTask(context.Background(), "session")
	defer task.End()
	defer trace.StartRegion(ctx, "serve").End()

	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { waitForEnd(done) })
	for time.Now().Before(stop) {
		step(ctx)
		time.Sleep(5 * time.Millisecond)
	}
	err := snapshot()
	close(done)
	wg.Wait()
	return err
}

//go:noinline
func waitForEnd(done <-chan struct{}) {
	<-done
}

// step is one subtask: a goroutine that answers.
func step(ctx context.Context) {
	ctx, task := trace.NewTask(ctx, "step")
	defer task.End()
	answers := make(chan int)
	go answer(ctx, answers)
	trace.Log(ctx, "answer", strconv.Itoa(<-answers))
}

//go:noinline
func answer(ctx context.Context, answers chan<- int) {
	defer trace.StartRegion(ctx, "answer").End()
	sum := 0
	for i := range 100000 {
		sum += i
	}
	answers <- sum
}
