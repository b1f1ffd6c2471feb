// Command manytasks writes an execution trace with the tasks, regions and logs
// that are not plain: subtasks of subtasks, tasks and regions that begin before
// the trace or end after it, or never, tasks that end in another goroutine than
// they began in, and logs of the background task.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/trace"
	"sync"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("manytasks: ")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: manytasks output-file")
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

	background := context.Background()
	ctx, early := trace.NewTask(background, "begunBefore")
	earlyRegion := startEarlyRegion(ctx)
	throughout := startOpenRegion(background, "throughoutRegion")

	if err := trace.Start(f); err != nil {
		return err
	}
	trace.Log(background, "background", "the trace has started")
	trace.Log(background, "", "a log without a category")
	trace.Log(ctx, "early", "a log of a task from before the trace")
	earlyRegion.end()
	_, orphan := trace.NewTask(ctx, "childOfEarly")
	orphan.End()
	early.End()

	nest(background)
	endElsewhere(background)
	exitInRegion(background)
	lateChild(background)
	lateRegion := startOpenRegion(background, "openAtStopRegion")
	_, open := trace.NewTask(background, "openAtStop")
	trace.Logf(background, "background", "the trace stops in %v", time.Millisecond)
	time.Sleep(time.Millisecond)
	trace.Stop()

	open.End()
	lateRegion.end()
	throughout.end()
	return f.Close()
}

// An openRegion is a region in a goroutine of its own, which is in it until
// somebody ends it.
type openRegion struct {
	leave, left chan struct{}
}

// startOpenRegion begins a region. It is done with trace.WithRegion, because
// what trace.StartRegion returns before the trace has started does nothing when
// it ends.
func startOpenRegion(ctx context.Context, name string) openRegion {
	r := openRegion{leave: make(chan struct{}), left: make(chan struct{})}
	entered := make(chan struct{})
	go func() {
		defer close(r.left)
		trace.WithRegion(ctx, name, func() {
			close(entered)
			<-r.leave
		})
	}()
	<-entered
	return r
}

func startEarlyRegion(ctx context.Context) openRegion {
	return startOpenRegion(ctx, "begunBeforeRegion")
}

func (r openRegion) end() {
	close(r.leave)
	<-r.left
}

// nest makes tasks in three levels, with regions and logs on each of them.
func nest(ctx context.Context) {
	const (
		roots    = 3
		children = 3
		leaves   = 4
	)
	for i := range roots {
		ctx, root := trace.NewTask(ctx, "root")
		trace.Log(ctx, "root", fmt.Sprint(i))
		var wg sync.WaitGroup
		for j := range children {
			wg.Go(func() {
				ctx, child := trace.NewTask(ctx, "child")
				defer child.End()
				defer trace.StartRegion(ctx, "childRegion").End()
				trace.Log(ctx, "child", fmt.Sprintf("%d.%d", i, j))
				for k := range leaves {
					ctx, leaf := trace.NewTask(ctx, "leaf")
					trace.WithRegion(ctx, "leafRegion", func() {
						trace.Log(ctx, "leaf", fmt.Sprintf("%d.%d.%d", i, j, k))
						time.Sleep(200 * time.Microsecond)
					})
					leaf.End()
				}
			})
		}
		wg.Wait()
		root.End()
	}
}

// endElsewhere ends a task in another goroutine than the one that began it.
func endElsewhere(ctx context.Context) {
	ctx, task := trace.NewTask(ctx, "endedElsewhere")
	done := make(chan struct{})
	go func() {
		defer close(done)
		trace.Log(ctx, "elsewhere", "ending")
		time.Sleep(time.Millisecond)
		task.End()
	}()
	<-done
}

// exitInRegion runs a goroutine that exits without ending its regions.
func exitInRegion(ctx context.Context) {
	ctx, task := trace.NewTask(ctx, "exitInRegion")
	defer task.End()
	done := make(chan struct{})
	go func() {
		defer close(done)
		trace.StartRegion(ctx, "neverEndedRegion")
		trace.StartRegion(ctx, "neverEndedInnerRegion")
		time.Sleep(time.Millisecond)
	}()
	<-done
}

// lateChild begins a subtask, and ends it, when its parent has ended.
func lateChild(ctx context.Context) {
	ctx, parent := trace.NewTask(ctx, "endedParent")
	parent.End()
	_, child := trace.NewTask(ctx, "childAfterParent")
	time.Sleep(time.Millisecond)
	child.End()
}
