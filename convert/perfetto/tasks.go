package perfetto

import (
	"container/heap"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
)

// tasks writes tasks on tracks named after their types, with subtasks below their
// parents. Tasks overlap, so a type has as many tracks as tasks of it were open at
// once. The next task gets a free track, as goroutines get lanes. The UI shows sibling
// tracks with the same name as one.
type tasks struct {
	lanes  *lanes
	events *events
	group  *group
	root   taskTrack
	open   map[*model.Task]*openTask
	types  map[string]*taskType // that have tracks
	other  taskType             // of the tasks beyond maxTypes
	flows  uint64               // how many there are
}

// openTask is a task that has not ended. Flows lead from it to where goroutines begin and
// resume to work for it. The slice has the first with its beginning, when its goroutine
// begins to work for it, and the others with its end, when they are known: for the trace
// processor, a flow leads from what begins earlier to what begins later, whichever of them
// names it first.
type openTask struct {
	track *taskTrack
	typ   *taskType
	by    model.GoID // began it, NoGoroutine if unknown
	first uint64     // the flow with its beginning, 0 for none
	marks []workMark
}

// workMark is where a goroutine begins or resumes to work for a task. It is written when
// the task ends, if the task is slow enough.
type workMark struct {
	track uint64
	time  model.Time
}

const (
	// maxMarks is the number of marks of a task.
	maxMarks = 65
	// maxMarked is the number of tasks of a type that get marks for being the slowest.
	maxMarked = 1000
)

// taskType is a type of tasks.
type taskType struct {
	slowest durations // of the slowest tasks so far, at most maxMarked
}

// isSlow reports whether a task that took d is one of the slowest of its type so far.
func (t *taskType) isSlow(d model.Time) bool {
	switch s := &t.slowest; {
	case len(*s) < maxMarked:
		heap.Push(s, d)
	case d <= (*s)[0]:
		return false
	default:
		(*s)[0] = d
		heap.Fix(s, 0)
	}
	return true
}

// durations is a heap with the shortest on top.
type durations []model.Time

func (h durations) Len() int           { return len(h) }
func (h durations) Less(i, j int) bool { return h[i] < h[j] }
func (h durations) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *durations) Push(x any)        { *h = append(*h, x.(model.Time)) }
func (h *durations) Pop() any          { panic("never") }

// maxTypes is the number of types of tasks that have tracks of their own. A program
// that gives each task its own name has millions. The later ones share tracks.
const maxTypes = 10_000

// taskTrack is a track of tasks with the tracks of their subtasks.
type taskTrack struct {
	uuid   uint64
	typ    string
	parent *taskTrack
	free   map[string][]*taskTrack // children without a task, by type
	// users is the number of tasks on the track and of children that are in use. The
	// track is free when it is 0.
	users int
}

func (ts *tasks) start(t *model.Task) {
	o := ts.take(t)
	ts.open[t] = o

	e := ts.events
	e.event(sliceBegin, o.track.uuid, t.Start)
	e.category(catTask)
	e.name(typeName(t))
	e.stack(t.Stack)
	e.arg(argTask, int64(t.ID))
	if t.ParentID != model.BackgroundTask {
		e.arg(argParentTask, int64(t.ParentID))
	}
	if t.Goroutine != nil {
		o.by = t.Goroutine.ID
		e.arg(argGoroutine, int64(t.Goroutine.ID))
	}
	if t.Before {
		e.argBool(argBefore)
	} else {
		o.first = ts.newFlow()
		e.numberedFlow(fEventFlow, o.first)
	}
	e.argSpan(t.Span)
	e.endEvent()
}

func (ts *tasks) end(t *model.Task) {
	o := ts.open[t]
	delete(ts.open, t)
	marked := t.Open || o.typ.isSlow(t.End-t.Start)
	flows := ts.flows // the one before the first of this end
	if marked {
		ts.mark(t, o)
	}
	if t.Open {
		return
	}
	e := ts.events
	e.event(sliceEnd, o.track.uuid, t.End)
	for flow := flows + 1; flow <= ts.flows; flow++ {
		e.numberedFlow(fEventTerminatingFlow, workFlow+flow)
	}
	if t.DatadogSpanID != 0 {
		e.argText(argDatadogSpanID, strconv.FormatUint(t.DatadogSpanID, 10))
	}
	if t.EndGoroutine != nil && t.EndGoroutine.ID != o.by {
		e.arg(argEndedBy, int64(t.EndGoroutine.ID))
	}
	e.endEvent()
	ts.giveBack(o.track)
}

// worked notes that the goroutine on a lane is at work for a task from now on.
func (ts *tasks) worked(work *model.Work, l *lane) {
	if o := ts.open[work.Task]; o != nil && len(o.marks) < maxMarks {
		o.marks = append(o.marks, workMark{l.track, work.Start})
	}
}

// mark marks on the lanes where goroutines began and resumed to work for a task. The end of
// the slice, unless it is open, has the flows that are new then.
func (ts *tasks) mark(t *model.Task, o *openTask) {
	e := ts.events
	name := "at work for " + typeName(t)
	for i, m := range o.marks {
		e.event(instant, m.track, m.time)
		e.category(catWork)
		e.name(name)
		e.arg(argTask, int64(t.ID))
		switch {
		case i == 0 && o.first != 0:
			e.numberedFlow(fEventTerminatingFlow, o.first)
		case !t.Open && m.time > t.Start:
			e.numberedFlow(fEventFlow, ts.newFlow())
		}
		e.endEvent()
	}
}

func (ts *tasks) newFlow() uint64 {
	ts.flows++
	return workFlow + ts.flows
}

// take gives a task a track. A task from before the trace gets a new track: others may
// have been on the old ones since.
func (ts *tasks) take(t *model.Task) *openTask {
	parent := &ts.root
	if p := ts.open[t.Parent]; p != nil {
		parent = p.track // else the parent ended, or is out of focus
	}
	typ := typeName(t)
	kind := ts.types[typ]
	if kind == nil {
		if len(ts.types) < maxTypes {
			kind = &taskType{}
			ts.types[typ] = kind
		} else {
			kind, typ = &ts.other, model.Other
		}
	}
	var track *taskTrack
	if free := parent.free[typ]; len(free) > 0 && !t.Before {
		track = free[len(free)-1]
		parent.free[typ] = free[:len(free)-1]
	} else {
		above := parent.uuid
		if parent == &ts.root {
			above = ts.group.id()
		}
		track = &taskTrack{typ: typ, parent: parent}
		track.uuid = ts.lanes.track(above, &perfettopb.TrackDescriptor{Name: proto.String(wire.Text(typ))})
	}
	for p := track; p != nil; p = p.parent {
		if p.users++; p.users > 1 {
			break // it was in use before
		}
	}
	return &openTask{track: track, typ: kind, by: model.NoGoroutine}
}

func (ts *tasks) giveBack(track *taskTrack) {
	for p := track; p.parent != nil; p = p.parent {
		if p.users--; p.users > 0 {
			break
		}
		if p.parent.free == nil {
			p.parent.free = make(map[string][]*taskTrack)
		}
		p.parent.free[p.typ] = append(p.parent.free[p.typ], p)
	}
}

func typeName(t *model.Task) string {
	if t.TypeUnknown {
		return model.UnknownTask
	}
	return nameOr(t.Type)
}

// nameOr returns a name that the program gave, and a placeholder if it is empty: the UI
// does not show empty names.
func nameOr(name string) string {
	if name == "" {
		return "(no name)"
	}
	return name
}

// threads writes what ran on each OS thread, on tracks of their own.
type threads struct {
	events *events
	group  *group
	tracks map[model.ThreadID]uint64
}

func (th *threads) slice(id model.ThreadID, g *model.Goroutine, name string, start, end model.Time, open bool, p model.ProcID) {
	if id == model.NoThread || start == end {
		return
	}
	track, ok := th.tracks[id]
	if !ok {
		track = th.group.track(fmt.Sprintf("Thread %d", id), "")
		th.tracks[id] = track
	}
	e := th.events
	e.event(sliceBegin, track, start)
	e.category(catThread)
	e.name(name)
	e.arg(argGoroutine, int64(g.ID))
	if p != model.NoProc {
		e.arg(argProc, int64(p))
	}
	e.endEvent()
	if !open {
		e.end(track, end)
	}
}
