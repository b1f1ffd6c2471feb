package perfetto

import "github.com/trace2x/trace2x/model"

// heldLanes remembers which lanes goroutines were on: all that are alive, and the last
// ones that are not.
type heldLanes struct {
	of map[model.GoID][]held // the newest last
	// left is a ring of the goroutines that left a lane, in that order.
	left []model.GoID
	next int
}

// held is the time in which a goroutine was on a lane.
type held struct {
	lane        *lane
	from, until model.Time // until is -1 while it is there
	// forWaking says that the goroutine is there only to wake up others.
	forWaking bool
}

// maxLeft is the number of past stays on lanes that are remembered.
const maxLeft = 1 << 14

func newHeldLanes() *heldLanes { return &heldLanes{of: make(map[model.GoID][]held)} }

func (h *heldLanes) take(g model.GoID, l *lane, from model.Time, forWaking bool) {
	h.of[g] = append(h.of[g], held{lane: l, from: from, until: -1, forWaking: forWaking})
}

func (h *heldLanes) leave(g model.GoID, l *lane, t model.Time) {
	for i := range h.of[g] {
		if x := &h.of[g][i]; x.lane == l && x.until < 0 {
			x.until = t
		}
	}
	if len(h.left) < maxLeft {
		h.left = append(h.left, g)
		return
	}
	old := h.left[h.next]
	h.left[h.next] = g
	h.next = (h.next + 1) % maxLeft
	if rest := h.of[old][1:]; len(rest) > 0 {
		h.of[old] = rest
	} else {
		delete(h.of, old)
	}
}

// at returns the lane that a goroutine was on at a moment, nil if it was on none.
func (h *heldLanes) at(g model.GoID, t model.Time) *lane {
	for _, x := range h.of[g] {
		if x.from <= t && (x.until < 0 || t < x.until) {
			return x.lane
		}
	}
	return nil
}

// shown reports whether a goroutine was on a lane at some moment of an interval, not
// counting lanes that are only for waking others.
func (h *heldLanes) shown(g model.GoID, start, end model.Time) bool {
	for _, x := range h.of[g] {
		if !x.forWaking && x.from <= end && (x.until < 0 || x.until >= start) {
			return true
		}
	}
	return false
}

// Lane returns the lane that a goroutine was on at a moment, after End. It reports false if
// the goroutine was on none, and if Options ask for no critical paths: lanes are remembered
// only with these.
func (w *Writer) Lane(g model.GoID, t model.Time) (LaneID, bool) {
	if w.slowest == nil {
		return LaneID{}, false
	}
	ln := w.slowest.lanes.at(g, t)
	if ln == nil || ln.function == nil {
		return LaneID{}, false
	}
	return LaneID{PID: w.lanes.pid(ln), TID: ln.tid}, true
}
