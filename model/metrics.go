package model

// Names of the metrics that traces have, as in package runtime/metrics.
const (
	// HeapObjects is the memory of live objects and of dead ones not yet swept, in
	// bytes.
	HeapObjects = "/memory/classes/heap/objects:bytes"
	// HeapGoal is the size of the heap, in bytes, at which the GC wants to be done.
	HeapGoal = "/gc/heap/goal:bytes"
	// GOMAXPROCS is the number of Ps.
	GOMAXPROCS = "/sched/gomaxprocs:threads"
)
