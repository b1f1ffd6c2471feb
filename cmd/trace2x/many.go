package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
)

// readTrace is a trace that was read into a sink.
type readTrace[S model.Sink] struct {
	file string
	sink S
	sum  *model.Summary
	// damage is the error if only a part could be read.
	damage error
}

// readMany reads the part of each trace into a sink of its own, as many at a time as
// there are cores, and calls each with those that could be read, in the order of the
// files. It reports what could not be read. Then its error is errTold. It stops with the
// error of each, or of ctx.
//
// It keeps the sinks of at most two traces more than there are cores.
func readMany[S model.Sink](ctx context.Context, e *env, in inputs, part model.Window, newSink func() S, each func(readTrace[S]) error) error {
	for _, name := range in.files {
		if err := output.SameError(e.stdout, location{name: name}.file(e.stdin)); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	readers := runtime.GOMAXPROCS(0)
	type result struct {
		readTrace[S]
		err error
	}
	results := make([]chan result, len(in.files))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	var read atomic.Int64
	todo, room := make(chan int), make(chan struct{}, readers+2)
	go func() {
		defer close(todo)
		for i := range in.files {
			select {
			case room <- struct{}{}:
			case <-ctx.Done():
				return
			}
			todo <- i
		}
	}()
	for range readers {
		go func() {
			for i := range todo {
				t := readTrace[S]{file: in.files[i], sink: newSink()}
				err := t.read(ctx, part, &read)
				results[i] <- result{t, err}
			}
		}()
	}
	bar := newProgress(e.stderr, in.name())
	bar.opened <- amount{in.size, read.Load}
	defer bar.stop()
	outside, failed := 0, false
	for i := range in.files {
		var r result
		select {
		case r = <-results[i]:
		case <-ctx.Done():
			return ctx.Err()
		}
		<-room
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var window *model.WindowError
		switch {
		case errors.As(r.err, &window):
			outside++
			continue
		case r.err != nil:
			failed = true
			bar.clear(func() { e.skipped(r.file, r.err) })
			continue
		case r.damage != nil:
			failed = true
			bar.clear(func() { fmt.Fprintf(e.stderr, "trace2x: %s\n", oneLine(r.damage)) })
		}
		if err := each(r.readTrace); err != nil {
			return err
		}
	}
	if outside > 0 {
		bar.clear(func() {
			fmt.Fprintf(e.stderr, "%s with nothing between --from and --to\n", plural(outside, "trace"))
		})
	}
	if failed {
		return errTold
	}
	return nil
}

// read reads the part of a trace, and adds to read how many bytes that were.
func (t *readTrace[S]) read(ctx context.Context, part model.Window, read *atomic.Int64) error {
	in, err := input.Open(ctx, t.file, input.Options{})
	if err != nil {
		return hint(t.file, err)
	}
	defer in.Close()
	defer func() { read.Add(in.BytesRead()) }()
	t.sum, err = model.ReadWindow(ctx, in, t.sink, part)
	if t.sum == nil {
		return inInput(in, err)
	}
	t.damage = inDamage(in, err)
	return nil
}

// nothingRead is the error if none of several traces could be read.
func nothingRead(n int, err error) error {
	if n == 0 && err == nil {
		return errors.New("none of the traces has anything between --from and --to")
	}
	return err
}
