package perfetto

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/model"
)

// tasks writes each task on a track of its own, below that of its parent. Tasks
// overlap freely; the trace processor merges sibling tracks of one name and
// packs what is on them.
type tasks struct {
	lanes  *lanes
	events *events
	group  *group
	open   map[*model.Task]uint64 // tracks
}

func (ts *tasks) start(t *model.Task) {
	parent := ts.group.id()
	if t.Parent != nil {
		parent = ts.open[t.Parent]
	}
	name := t.Type
	if name == "" {
		name = "(task from before the trace)"
	}
	track := ts.lanes.track(parent, &perfettopb.TrackDescriptor{Name: proto.String(name)})
	ts.open[t] = track

	e := ts.events
	e.event(sliceBegin, track, t.Start)
	e.category(catTask)
	e.name(name)
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
	e.endEvent()
}

func (ts *tasks) end(t *model.Task) {
	if !t.Open {
		e := ts.events
		e.event(sliceEnd, ts.open[t], t.End)
		if t.EndGoroutine != nil {
			e.arg(argEndedBy, int64(t.EndGoroutine.ID))
		}
		e.endEvent()
	}
	delete(ts.open, t)
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
