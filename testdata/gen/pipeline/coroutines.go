//go:build go1.23

package main

import (
	"context"
	"iter"
	"runtime/trace"
)

// coroutines pulls n numbers out of a sequence, which switches to another
// goroutine and back for each of them.
func coroutines(ctx context.Context, n int) {
	defer trace.StartRegion(ctx, "coroutines").End()
	next, stop := iter.Pull(numbers(n))
	defer stop()
	for {
		if _, ok := next(); !ok {
			return
		}
	}
}

func numbers(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i < n; i++ {
			if !yield(i) {
				return
			}
		}
	}
}
