// Command syscalls writes the execution trace of goroutines in system calls:
// long ones, in which a P is retaken from its thread, many short ones, and one
// that begins before the trace and ends after it.
package main

import (
	"flag"
	"log"
	"os"
	"runtime"
	"runtime/trace"
	"sync"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("syscalls: ")
	duration := flag.Duration("d", 1200*time.Millisecond, "trace for this `duration`")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: syscalls [flags] output-file")
	}
	runtime.GOMAXPROCS(2)
	if err := run(flag.Arg(0), *duration); err != nil {
		log.Fatal(err)
	}
}

// A pipe is one that the runtime's poller knows nothing about, so that reading
// it blocks the thread.
type pipe struct{ r, w int }

func newPipe() (pipe, error) {
	var fd [2]int
	err := syscall.Pipe(fd[:])
	return pipe{fd[0], fd[1]}, err
}

// read blocks in a system call until somebody writes.
func (p pipe) read() error {
	var b [1]byte
	_, err := syscall.Read(p.r, b[:])
	return err
}

func (p pipe) write() error {
	_, err := syscall.Write(p.w, []byte{1})
	return err
}

func (p pipe) close() {
	syscall.Close(p.r)
	syscall.Close(p.w)
}

func run(output string, duration time.Duration) error {
	outer, err := newPipe()
	if err != nil {
		return err
	}
	defer outer.close()
	outerDone := make(chan error)
	go readThroughout(outer, outerDone)
	time.Sleep(20 * time.Millisecond) // let it enter the call

	f, err := os.Create(output)
	if err != nil {
		return err
	}
	if err := trace.Start(f); err != nil {
		return err
	}
	err = work(time.Now().Add(duration))
	trace.Stop()
	if err != nil {
		return err
	}

	if err := outer.write(); err != nil {
		return err
	}
	if err := <-outerDone; err != nil {
		return err
	}
	return f.Close()
}

// readThroughout is in a system call from before the trace until after it.
//
//go:noinline
func readThroughout(p pipe, done chan<- error) {
	done <- p.read()
}

func work(stop time.Time) error {
	long, err := newPipe()
	if err != nil {
		return err
	}
	defer long.close()

	errs := make(chan error, 3)
	var wg sync.WaitGroup
	wg.Go(func() { errs <- readLong(long, stop) })
	wg.Go(func() { errs <- writeLate(long, stop) })
	wg.Go(func() { errs <- statOften(stop) })
	wg.Go(func() { burn(stop) })
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// readLong stays in each of its system calls until the writer writes, about
// 40 ms.
//
//go:noinline
func readLong(p pipe, stop time.Time) error {
	for time.Now().Before(stop) {
		if err := p.read(); err != nil {
			return err
		}
	}
	return nil
}

// writeLate lets the reader wait, and writes once more after it has stopped.
//
//go:noinline
func writeLate(p pipe, stop time.Time) error {
	for time.Now().Before(stop) {
		time.Sleep(40 * time.Millisecond)
		if err := p.write(); err != nil {
			return err
		}
	}
	return p.write()
}

// statOften makes many short system calls.
//
//go:noinline
func statOften(stop time.Time) error {
	for time.Now().Before(stop) {
		for range 50 {
			var st syscall.Stat_t
			if err := syscall.Stat("/", &st); err != nil {
				return err
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// burn keeps a P busy for half of the time, so that the other one is wanted
// back from the goroutine in the system call.
//
//go:noinline
func burn(stop time.Time) {
	for time.Now().Before(stop) {
		for start := time.Now(); time.Since(start) < 10*time.Millisecond; {
		}
		time.Sleep(10 * time.Millisecond)
	}
}
