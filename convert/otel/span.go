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
	kindCritical
	numKinds
)

func (k kind) String() string {
	return [...]string{"program", "task", "region", "goroutine", "state", "gc", "critical"}[k]
}

// span is a span before it is encoded. What it refers to does not change.
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
	link   *link // to the task that was waited for; nil for none
	// profile is the ID of the span whose profile shows what this one did; zero for none.
	profile spanID
	path    *pathSums // of a task; nil if it is not known

	lost    model.Time     // how much of it lies in damaged parts of the trace
	leftOut int            // of a root: spans that the limits left out
	misuse  map[string]int // of the program
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
	// sent says that the node becomes a span if the budget has a place for it, and
	// certain that it has. If a node does not become a span, and is not linked, its
	// children stand below its parent.
	sent, certain bool
	paid          int64      // part of the budget, if certain
	worth         model.Time // see kept
	dropped       int        // number of dropped states, of a goroutine of the program

	// linked says that the program sent the span itself.
	linked bool
	// asked says that the task is selected.
	asked bool

	// A goroutine at work for a task, and a region, are stints.
	g              *model.Goroutine
	stint          times.Stint
	outer, inner   *node // neighbours among the stints of the goroutine, by their beginnings
	around, within *node // open regions of the same task and goroutine, likewise

	held     []*span // states of a goroutine that works for no task
	heldCost int64
	old      *node // of a task: see oldTask
}

// verdict says whether a trace is wanted.
type verdict uint8

const (
	undecided verdict = iota // it may be too short
	wanted
	unwanted
)

// root is a trace of a root task or of the program. For a task that the program sent
// itself, it is what stands below that span.
type root struct {
	trace   traceID
	node    *node
	verdict verdict
	linked  int // tasks that are spans, while undecided
	ended   bool
	begun   bool // something of it has been sent

	kept     []kept // spans that are complete, and may be left out
	keptCost int64
	spent    int64      // of the budget, by spans that are sent or will be
	shortest model.Time // spans that are shorter have no place
	leftOut  int
	told     int // of leftOut, below a linked root

	waits  map[waitKey]*node // see criticalTree
	ending int               // tasks in endings
}
