// Command cgo writes the execution trace of a program that calls C, with short
// calls and long ones, that is called back by C, and that is called by a thread
// which C has created, for which the runtime makes a goroutine.
package main

/*
#cgo LDFLAGS: -lpthread

#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

extern void goCallback(int n);
extern void goThreadMain(int n);

static int addShort(int a, int b) { return a + b; }

static void sleepLong(int us) { usleep(us); }

static void callBack(int n) {
	usleep(1000);
	goCallback(n);
	usleep(1000);
}

static void *threadMain(void *arg) {
	int i;
	for (i = 0; i < 3; i++) {
		usleep(2000);
		goThreadMain(i);
	}
	return NULL;
}

// runThread returns when the thread, which calls Go, has exited.
static int runThread(void) {
	pthread_t t;
	int err = pthread_create(&t, NULL, threadMain, NULL);
	if (err != 0) {
		return err;
	}
	return pthread_join(t, NULL);
}
*/
import "C"

import (
	"context"
	"flag"
	"fmt"
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
	log.SetPrefix("cgo: ")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: cgo output-file")
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
	err = work()
	trace.Stop()
	if err != nil {
		return err
	}
	return f.Close()
}

func work() error {
	var wg sync.WaitGroup
	wg.Go(shortCalls)
	wg.Go(longCalls)
	wg.Go(callbacks)
	var errno C.int
	wg.Go(func() {
		for i := 0; i < 3 && errno == 0; i++ {
			errno = C.runThread()
		}
	})
	wg.Wait()
	if errno != 0 {
		return fmt.Errorf("cannot run a thread: error %d", errno)
	}
	return nil
}

func shortCalls() {
	sum := C.int(0)
	for i := range 1000 {
		sum = C.addShort(sum, C.int(i))
	}
	trace.Log(context.Background(), "sum", strconv.Itoa(int(sum)))
}

func longCalls() {
	ctx, task := trace.NewTask(context.Background(), "long calls")
	defer task.End()
	for range 5 {
		trace.WithRegion(ctx, "sleepLong", func() { C.sleepLong(30000) })
	}
}

func callbacks() {
	for i := range 20 {
		C.callBack(C.int(i))
	}
}

//export goCallback
func goCallback(n C.int) {
	defer trace.StartRegion(context.Background(), "goCallback").End()
	time.Sleep(100 * time.Microsecond)
	trace.Log(context.Background(), "callback", strconv.Itoa(int(n)))
}

//export goThreadMain
func goThreadMain(n C.int) {
	defer trace.StartRegion(context.Background(), "goThreadMain").End()
	time.Sleep(100 * time.Microsecond)
	trace.Log(context.Background(), "thread", strconv.Itoa(int(n)))
}
