package perfetto

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
)

// slowest keeps the slowest units of work of each type, with their critical paths, and
// writes them when the trace has ended. It finds them in the whole trace, also if the
// file has only some goroutines. That happens on another goroutine, which all fields
// belong to until the trace has ended: see [critical.Finder.Then].
type slowest struct {
	*critical.Finder
	w     *Writer
	limit int           // units of a type
	kind  critical.Kind // the first kind that the trace has; others are not kept
	types map[string]*slowType
	size  int  // segments that are kept
	out   bool // the task that ends now is not in focus
	lanes *heldLanes

	show  func(*critical.Unit) bool // Options.Show, nil for none
	shown []slowUnit                // what it chose
	paths []Path                    // what was written
}

type slowType struct {
	name  string
	count int
	total time.Duration
	units []slowUnit // the slowest first
	extra int        // the last ones, which are not among the slowest
}

type slowUnit struct {
	critical.Unit
	path *critical.Path
	// lanes has, for each segment, the lane on which it happened, nil if the file does
	// not have it. waits has the same for each wait.
	lanes, waits []*lane
}

// Path is a unit of work whose critical path is in the file, for what leads a reader to
// it.
type Path struct {
	critical.Unit
	// Track is where the UI has the path: the names of the groups from the top, and
	// then of the track.
	Track []string
	// Lanes are the lanes that take part, the most time first.
	Lanes []LaneID
}

// LaneID has the numbers by which the UI knows a lane: it shows them behind the names of
// the process and of the lane.
type LaneID struct {
	PID, TID int32
}

const (
	// maxSlowTypes is the number of types that have a list of their own; the others
	// share one.
	maxSlowTypes = 250
	// maxSlowSegments is the number of segments that are kept. If there are more,
	// the limit of units is lowered, to 1 at least.
	maxSlowSegments = 1 << 18
	// maxShown is the number of units that Options.Show can choose.
	maxShown = 16
)

// newSlowest returns nil for no units.
func newSlowest(w *Writer, opts *Options) *slowest {
	if opts.Slowest <= 0 && opts.Show == nil {
		return nil
	}
	s := &slowest{w: w, limit: max(opts.Slowest, 0), show: opts.Show, kind: critical.GoroutineLife, types: make(map[string]*slowType), lanes: newHeldLanes()}
	s.Finder = critical.NewFinder(critical.Options{Aside: true}, s.found)
	return s
}

// found keeps a unit that may be one of the slowest of its type.
func (s *slowest) found(u *critical.Unit) {
	if u.Cut {
		return
	}
	if s.show != nil && len(s.shown) < maxShown && s.show(u) {
		s.shown = append(s.shown, s.keep(u))
	}
	if u.Kind > s.kind || s.limit == 0 {
		return
	}
	if u.Kind < s.kind {
		s.kind, s.size = u.Kind, 0
		clear(s.types)
	}
	if !s.inFocus(u) {
		return
	}
	t := s.types[u.Type]
	if t == nil {
		name := u.Type
		if len(s.types) >= maxSlowTypes {
			name = model.Other
			t = s.types[name]
		}
		if t == nil {
			t = &slowType{name: name}
			s.types[name] = t
		}
	}
	t.count++
	t.total += u.Duration()
	at, _ := slices.BinarySearchFunc(t.units, u.Duration(), func(a slowUnit, d time.Duration) int {
		return cmp.Or(cmp.Compare(d, a.Duration()), -1) // behind its equals
	})
	if at == s.limit {
		return
	}
	t.units = slices.Insert(t.units, at, s.keep(u))
	s.size += len(t.units[at].lanes)
	s.trim(t)
	for s.size > maxSlowSegments && s.limit > 1 {
		s.limit /= 2
		for _, t := range s.types {
			s.trim(t)
		}
	}
}

// tookLane notes that a goroutine is on a lane from a moment on.
func (s *slowest) tookLane(g model.GoID, l *lane, from model.Time, forWaking bool) {
	if s != nil {
		s.Then(func() { s.lanes.take(g, l, from, forWaking) })
	}
}

// leftLane notes that a goroutine leaves a lane.
func (s *slowest) leftLane(g model.GoID, l *lane, t model.Time) {
	if s != nil {
		s.Then(func() { s.lanes.leave(g, l, t) })
	}
}

// taskEnded is TaskEnd for a task that is in focus or not.
func (s *slowest) taskEnded(t *model.Task, in bool) {
	if in {
		s.TaskEnd(t)
		return
	}
	s.Then(func() { s.out = true })
	s.TaskEnd(t)
	s.Then(func() { s.out = false })
}

// keep returns a unit with its path and the lanes of that.
func (s *slowest) keep(u *critical.Unit) slowUnit {
	x := slowUnit{Unit: *u, path: u.Path(critical.MaxSegments)}
	x.lanes = make([]*lane, len(x.path.Segments))
	for i, seg := range x.path.Segments {
		x.lanes[i] = s.lanes.at(seg.Goroutine, seg.Start)
	}
	x.waits = make([]*lane, len(x.path.Waits))
	for i, wait := range x.path.Waits {
		x.waits[i] = s.lanes.at(wait.Goroutine, wait.Start)
	}
	return x
}

// trim drops the units beyond the limit.
func (s *slowest) trim(t *slowType) {
	for n := len(t.units); n > s.limit; n-- {
		s.size -= len(t.units[n-1].lanes)
		t.units[n-1] = slowUnit{}
		t.units = t.units[:n-1]
	}
}

// inFocus reports whether a unit belongs to what the file is limited to.
func (s *slowest) inFocus(u *critical.Unit) bool {
	if s.w.focus == nil {
		return true
	}
	return !s.out && (s.lanes.shown(u.Goroutine, u.Start, u.End) || s.lanes.shown(u.EndGoroutine, u.Start, u.End))
}

// groupNames are the names of the group of tracks, by kind of unit.
var groupNames = map[critical.Kind]string{
	critical.Task:          "Slowest tasks",
	critical.Region:        "Slowest regions",
	critical.HTTP:          "Slowest requests",
	critical.GoroutineLife: "Slowest goroutines",
}

// write writes the tracks: a group with the types, the most time first, and below each
// type its units, the slowest first. Units that Options.Show chose come behind those, and
// have a group of their own if they are of another kind.
func (s *slowest) write() {
	p := &pathWriter{events: s.w.events}
	for _, kind := range critical.AllKinds {
		types := make(map[string]*slowType)
		if kind == s.kind {
			for name, t := range s.types {
				if kind != critical.GoroutineLife || t.count >= critical.MinLives {
					types[name] = t
				}
			}
		}
		for _, u := range s.shown {
			if u.Kind == kind {
				show(types, u)
			}
		}
		s.writeGroup(p, kind, types)
	}
}

// show adds a unit to its type, unless it is there.
func show(types map[string]*slowType, u slowUnit) {
	t := types[u.Type]
	if t == nil {
		t = &slowType{name: u.Type}
		types[u.Type] = t
	}
	for i := range t.units {
		if x := &t.units[i]; x.Task == u.Task && x.Goroutine == u.Goroutine && x.Start == u.Start && x.End == u.End {
			return
		}
	}
	t.units = append(t.units, u)
	t.extra++
}

func (s *slowest) writeGroup(p *pathWriter, kind critical.Kind, types map[string]*slowType) {
	sorted := slices.SortedFunc(maps.Values(types), func(a, b *slowType) int {
		return cmp.Or(cmp.Compare(b.total, a.total), strings.Compare(a.name, b.name))
	})
	g := &group{lanes: s.w.lanes, name: groupNames[kind]}
	for _, t := range sorted {
		about := fmt.Sprintf("The slowest %d of %d, with their critical paths: what each waited for, and what whoever ended that did meanwhile", len(t.units)-t.extra, t.count)
		if t.extra == len(t.units) {
			about = "With the critical path: what the unit waited for, and what whoever ended that did meanwhile"
		}
		typ := g.add(&perfettopb.TrackDescriptor{
			Name:          proto.String(wire.Text(nameOr(t.name))),
			Description:   proto.String(about),
			ChildOrdering: perfettopb.TrackDescriptor_EXPLICIT.Enum(),
		})
		for i := range t.units {
			u := &t.units[i]
			// The UI shows sibling tracks with the same name as one.
			name := fmt.Sprintf("%d: %s", i+1, u.Duration())
			if i >= len(t.units)-t.extra {
				name = fmt.Sprintf("%s at %s", u.Duration(), time.Duration(u.Start-s.w.trace.Origin))
			}
			p.track = s.w.lanes.track(typ, &perfettopb.TrackDescriptor{
				Name:             proto.String(name),
				SiblingOrderRank: proto.Int32(int32(i + 1)),
			})
			p.unit(u)
			s.paths = append(s.paths, Path{Unit: u.Unit, Track: []string{g.name, nameOr(t.name), name}, Lanes: u.takePart(s.w.lanes)})
		}
	}
}

// takePart returns the lanes that take part in the path, the most time first.
func (u *slowUnit) takePart(lanes *lanes) []LaneID {
	times := make(map[*lane]model.Time)
	for i, l := range u.lanes {
		if l != nil {
			times[l] += u.path.Segments[i].End - u.path.Segments[i].Start
		}
	}
	for _, l := range u.waits {
		if l != nil {
			times[l] += 0 // what it did is in the segments
		}
	}
	byTime := slices.SortedFunc(maps.Keys(times), func(a, b *lane) int {
		return cmp.Or(cmp.Compare(times[b], times[a]), cmp.Compare(a.tid, b.tid))
	})
	list := make([]LaneID, 0, len(byTime))
	for _, l := range byTime {
		if l.function != nil {
			list = append(list, LaneID{PID: lanes.pid(l), TID: l.tid})
		}
	}
	return list
}

// pathWriter writes units of work as slices on tracks of their own, the path of each
// within it.
type pathWriter struct {
	events *events
	track  uint64
	flows  uint64
}

func (p *pathWriter) unit(u *slowUnit) {
	e := p.events
	e.event(sliceBegin, p.track, u.Start)
	e.category(catSlowest)
	e.name(unitName(&u.Unit))
	e.stack(u.Stack)
	if u.Task != model.BackgroundTask {
		e.arg(argTask, int64(u.Task))
	}
	e.argSpan(u.Span)
	e.arg(argGoroutine, int64(u.Goroutine))
	if u.EndGoroutine != u.Goroutine {
		e.arg(argEndedBy, int64(u.EndGoroutine))
	}
	e.endEvent()

	var open []int // the waits around the segment at hand, the outermost first
	for i := range u.path.Segments {
		seg := &u.path.Segments[i]
		around := waitsAround(u.path, seg)
		same := 0
		for same < min(len(open), len(around)) && open[same] == around[same] {
			same++
		}
		for n := len(open); n > same; n-- {
			e.end(p.track, u.path.Waits[open[n-1]].End)
		}
		for _, n := range around[same:] {
			p.wait(&u.path.Waits[n])
		}
		open = around
		p.segment(u, i)
	}
	for range open {
		e.end(p.track, u.End)
	}
	e.end(p.track, u.End)
}

// waitsAround returns the waits around a segment, the outermost first.
func waitsAround(path *critical.Path, seg *critical.Segment) (waits []int) {
	for n := seg.Wait; n >= 0; n = path.Waits[n].Wait {
		waits = append(waits, n)
	}
	slices.Reverse(waits)
	return waits
}

// wait begins the slice of a wait.
func (p *pathWriter) wait(w *critical.Wait) {
	e := p.events
	e.event(sliceBegin, p.track, w.Start)
	e.category(catSlowest)
	reason := "waiting for " + w.Reason
	if w.Reason == "preempted" { // to scan its stack
		reason = "waiting (preempted)"
	}
	e.name(stepName(w.Own, w.Func, reason, w.Stack))
	e.stack(w.Stack)
	e.arg(argGoroutine, int64(w.Goroutine))
	e.endEvent()
}

// segment writes a segment. Where the path goes to another goroutine, a flow leads to
// the lane of that one.
func (p *pathWriter) segment(u *slowUnit, i int) {
	e := p.events
	seg, lane := &u.path.Segments[i], u.lanes[i]
	comes := lane != nil && (i == 0 || u.lanes[i-1] != lane || u.path.Segments[i-1].Goroutine != seg.Goroutine)
	e.event(sliceBegin, p.track, seg.Start)
	e.category(catSlowest)
	e.name(stepName(seg.Own, seg.Func, what(seg), seg.Stack))
	e.stack(seg.Stack)
	if seg.Goroutine != model.NoGoroutine {
		e.arg(argGoroutine, int64(seg.Goroutine))
	}
	if seg.Task != model.BackgroundTask && seg.Task != u.Task {
		e.arg(argTask, int64(seg.Task))
	}
	if seg.Stalled > 0 {
		e.arg(argStalled, int64(seg.Stalled))
	}
	if comes {
		p.flows++
		e.numberedFlow(fEventFlow, pathFlow+p.flows)
	}
	e.endEvent()
	if comes {
		e.event(instant, lane.track, seg.Start)
		e.category(catSlowest)
		e.name("on the path of " + unitName(&u.Unit))
		e.numberedFlow(fEventTerminatingFlow, pathFlow+p.flows)
		e.endEvent()
	}
	e.end(p.track, seg.End)
}

// unitName returns the name of a unit's slice.
func unitName(u *critical.Unit) string {
	name := nameOr(u.Type)
	switch u.Kind {
	case critical.Task:
		return fmt.Sprintf("%s (task %d)", name, u.Task)
	case critical.HTTP, critical.GoroutineLife:
		name = model.ShortFunc(name)
	}
	return fmt.Sprintf("%s (G%d)", name, u.Goroutine)
}

// what returns what a goroutine did in a segment, in words.
func what(seg *critical.Segment) string {
	switch seg.State {
	case model.Running:
		return cmp.Or(seg.Reason, "running")
	case model.Runnable:
		if seg.Reason != "" {
			return "runnable (" + seg.Reason + ")"
		}
		return "runnable"
	case model.Syscall:
		return "system call"
	case model.Waiting:
		return seg.Reason
	}
	return "unknown: " + seg.Reason
}

// stepName returns whose step it is, unless it is the unit's own, what it is, and where.
func stepName(own bool, fn, what string, stack *model.Stack) string {
	name := what
	if !own && fn != "" {
		name = model.ShortFunc(fn) + ": " + what
	}
	at := stack.Place()
	if at == nil {
		return name
	}
	if own || at.Func != fn {
		name += " " + model.ShortFunc(at.Func)
	}
	return fmt.Sprintf("%s %s:%d", name, path.Base(at.File), at.Line)
}
