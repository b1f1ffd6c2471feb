package decode

// Names of the metrics that traces have, as in package runtime/metrics.
const (
	HeapObjects = "/memory/classes/heap/objects:bytes"
	HeapGoal    = "/gc/heap/goal:bytes"
	GOMAXPROCS  = "/sched/gomaxprocs:threads"
)
