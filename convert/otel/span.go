package otel

import (
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// kind is what a span stands for.
type kind uint8

const (
	kindProgram kind = iota
	kindTask
	kindRegion
	kindGoroutine
	kindState
	kindGC // and stop-the-world
	numKinds
)

func (k kind) String() string {
	return [...]string{"program", "task", "region", "goroutine", "state", "gc"}[k]
}

// span is a span before it is encoded. What it refers to may be kept for ever.
type span struct {
	kind         kind
	id, parent   spanID // parent is zero for a root
	name         string
	start, end   model.Time
	before, open bool // began before the trace; had not ended with it
	stack        *model.Stack
	times        *times.Times // nil for states and the like

	events     []event
	eventsLeft int // events that were too many

	task, parentTask model.TaskID
	datadogSpan      uint64     // 0 if none
	goroutine        model.GoID // NoGoroutine if none
	startFunc        string     // of the goroutine
	thread           model.ThreadID

	state  model.StateKind // of a state
	reason string
	waker  *waker

	leftOut int // of a root: spans that the limit left out
}

// event is a log.
type event struct {
	time              model.Time
	category, message string
}

// waker is who ended a wait.
type waker struct {
	goroutine model.GoID // NoGoroutine for the scheduler
	startFunc string
	stack     *model.Stack
}

// maxEvents limits the events of a span: the logs of a task.
const maxEvents = 1000

func (s *span) addEvent(e event) {
	if len(s.events) >= maxEvents {
		s.eventsLeft++
		return
	}
	s.events = append(s.events, e)
}

// node is a span that is open.
type node struct {
	span
	root   *root
	parent *node // nil for a root
	// sent says that it becomes a span. What is below a node that does not, and
	// is not linked, is below its parent.
	sent bool

	// linked says that the span is one that the program sent itself.
	linked bool
	// asked says that a task is selected.
	asked bool

	// A goroutine at work for a task, and a region, are stints.
	g     *model.Goroutine
	task  *node // of a goroutine
	work  *model.Work
	stint times.Stint
	held  []*span // in a pause: they are sent if the goroutine comes back
}

// as is the ID under which the children of a node stand.
func (n *node) as() spanID {
	for n != nil && !n.sent && !n.linked {
		n = n.parent
	}
	if n == nil {
		return spanID{}
	}
	return n.id
}

// verdict says whether a trace is wanted.
type verdict uint8

const (
	undecided verdict = iota // it may be too short
	wanted
	unwanted
)

// root is a trace: a root task, or the program; or, for a task that is a span,
// what there is of its trace below it.
type root struct {
	trace   traceID
	node    *node
	verdict verdict
	pending []*span // while undecided
	spans   int     // that it has, or will have when they end
	leftOut int
	told    int // of leftOut, below a linked root
	linked  int // tasks that are spans, while undecided
}

// reserve takes a place in the trace for a span.
func (r *root) reserve(limit int) bool {
	if limit > 0 && r.spans >= limit {
		r.leftOut++
		return false
	}
	r.spans++
	return true
}
