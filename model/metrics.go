package model

import "github.com/trace2x/trace2x/internal/decode"

// Names of the metrics that traces have, as in package runtime/metrics.
const (
	// HeapObjects is the memory of live objects and of dead ones not yet swept, in
	// bytes.
	HeapObjects = decode.HeapObjects
	// HeapGoal is the size of the heap, in bytes, at which the GC wants to be done.
	HeapGoal = decode.HeapGoal
	// GOMAXPROCS is the number of Ps.
	GOMAXPROCS = decode.GOMAXPROCS
)
