package perfetto

import (
	"encoding/hex"
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
	open   map[*model.Task]*taskTrack
	types  map[string]bool // that have tracks
}

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
	track := ts.take(t)
	ts.open[t] = track

	e := ts.events
	e.event(sliceBegin, track.uuid, t.Start)
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
	}
	if t.Span != nil {
		e.argText(argTraceID, hex.EncodeToString(t.Span.TraceID[:]))
		e.argText(argSpanID, hex.EncodeToString(t.Span.SpanID[:]))
	}
	e.endEvent()
}

func (ts *tasks) end(t *model.Task) {
	track := ts.open[t]
	delete(ts.open, t)
	if t.Open {
		return
	}
	e := ts.events
	e.event(sliceEnd, track.uuid, t.End)
	if t.DatadogSpanID != 0 {
		e.argText(argDatadogSpanID, strconv.FormatUint(t.DatadogSpanID, 10))
	}
	if t.EndGoroutine != nil {
		e.arg(argEndedBy, int64(t.EndGoroutine.ID))
	}
	e.endEvent()
	ts.giveBack(track)
}

// take returns a track for a task. A task from before the trace gets a new track:
// others may have been on the old ones since.
func (ts *tasks) take(t *model.Task) *taskTrack {
	parent := &ts.root
	if p := ts.open[t.Parent]; p != nil {
		parent = p // else the parent ended, or is out of focus
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
