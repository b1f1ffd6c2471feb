package perfetto

import (
	"slices"

	"github.com/trace2x/trace2x/model"
)

// slice is an interval on a lane that is written when its end is known.
type slice struct {
	start, end model.Time
	open       bool // has no end: the trace ended before it did
	name       string
	category   category
	stack      *model.Stack
	args       [2]arg
}

// arg is a number that a slice shows; 0 is left out.
type arg struct {
	name  argName
	value int64
}

// slice writes a slice, whose end is now.
func (e *events) slice(track uint64, s *slice) {
	e.event(sliceBegin, track, s.start)
	e.category(s.category)
	e.name(s.name)
	e.stack(s.stack)
	for _, a := range s.args {
		if a.value != 0 {
			e.arg(a.name, a.value)
		}
	}
	e.endEvent()
	if !s.open {
		e.end(track, s.end)
	}
}

// edges holds the slices of one goroutine that began before the trace. All have the
// same timestamp, so their order in the file decides how they nest. They are written
// when the goroutine ends and all are known.
type edges []slice

func (es edges) write(e *events, track uint64) {
	// Among those with the same end, the one that was reported last, when it
	// ended, is the outer one.
	slices.Reverse(es)
	slices.SortStableFunc(es, func(a, b slice) int {
		switch {
		case a.end > b.end:
			return -1
		case a.end < b.end:
			return 1
		}
		return 0
	})
	for i := range es {
		e.slice(track, &es[i])
	}
}
