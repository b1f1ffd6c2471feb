//go:build !go1.23

package main

import "context"

// coroutines does nothing: this version of Go has no iter.Pull.
func coroutines(context.Context, int) {}
