package perfetto

import (
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
	types  map[string]bool // that have tracks
	flows  uint64          // how many there are

	workNames map[string]string // by type
}

// openTask is a task that has not ended. Flows lead from it to where goroutines begin and
// resume to work for it. The slice has the first with its beginning, when its goroutine
// begins to work for it, and the others with its end, when they are known: for the trace
// processor, a flow leads from what begins earlier to what begins later, whichever of them
// names it first.
type openTask struct {
	track *taskTrack
	first uint64   // until a goroutine has begun to work for it
	flows []uint64 // the others
}

// maxTaskFlows is the number of flows of a task.
const maxTaskFlows = 64

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
	o := &openTask{track: ts.take(t)}
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
	if t.Open {
		return
	}
	e := ts.events
	e.event(sliceEnd, o.track.uuid, t.End)
	for _, flow := range o.flows {
		e.numberedFlow(fEventTerminatingFlow, flow)
	}
	if t.DatadogSpanID != 0 {
		e.argText(argDatadogSpanID, strconv.FormatUint(t.DatadogSpanID, 10))
	}
	if t.EndGoroutine != nil {
		e.arg(argEndedBy, int64(t.EndGoroutine.ID))
	}
	e.endEvent()
	ts.giveBack(o.track)
}

// worked marks on a lane that its goroutine is at work for a task from now on.
func (ts *tasks) worked(work *model.Work, l *lane) {
	o := ts.open[work.Task]
	if o == nil {
		return
	}
	e := ts.events
	e.event(instant, l.track, work.Start)
	e.category(catWork)
	e.name(ts.workName(typeName(work.Task)))
	e.arg(argTask, int64(work.Task.ID))
	switch {
	case o.first != 0:
		e.numberedFlow(fEventTerminatingFlow, o.first)
		o.first = 0
	case work.Start > work.Task.Start && len(o.flows) < maxTaskFlows:
		flow := ts.newFlow()
		o.flows = append(o.flows, flow)
		e.numberedFlow(fEventFlow, flow)
	}
	e.endEvent()
}

func (ts *tasks) newFlow() uint64 {
	ts.flows++
	return workFlow + ts.flows
}

// workName returns the name of the marks of a type of tasks.
func (ts *tasks) workName(typ string) string {
	name, ok := ts.workNames[typ]
	if !ok {
		name = "at work for " + typ
		if len(ts.workNames) < maxTypes {
			ts.workNames[typ] = name
		}
	}
	return name
}

// take returns a track for a task. A task from before the trace gets a new track:
// others may have been on the old ones since.
func (ts *tasks) take(t *model.Task) *taskTrack {
	parent := &ts.root
	if p := ts.open[t.Parent]; p != nil {
		parent = p.track // else the parent ended, or is out of focus
	}
	typ := typeName(t)
	if !ts.types[typ] {
		if len(ts.types) < maxTypes {
			ts.types[typ] = true
		} else {
			typ = model.Other
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
	return track
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
