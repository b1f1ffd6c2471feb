package otel

import (
	"time"

	"github.com/trace2x/trace2x/model"
)

// WallClock relates the clock of a trace to the time of day. All signals of a trace have
// their times from it.
type WallClock struct {
	offset int64 // wall clock less trace clock, ns
	known  bool  // by a snapshot
}

// NewWallClock returns the clock of a trace that begins at start. Until the trace tells
// the time of day, that is wallStart, or Unix time 0 if wallStart is zero.
func NewWallClock(wallStart time.Time, start model.Time) WallClock {
	if wallStart.IsZero() {
		return WallClock{offset: -int64(start)}
	}
	return WallClock{offset: wallStart.UnixNano() - int64(start)}
}

// Sync takes the time of day from the first border that has it. It ignores later ones,
// so that durations do not change.
func (c *WallClock) Sync(s *model.Sync) {
	if s.Clock != nil && !c.known {
		c.known, c.offset = true, s.Clock.Wall.UnixNano()-int64(s.Clock.Trace)
	}
}

// Known reports whether the trace has told the time of day.
func (c *WallClock) Known() bool { return c.known }

// UnixNano returns a moment in nanoseconds since 1970 in UTC.
func (c *WallClock) UnixNano(t model.Time) int64 { return int64(t) + c.offset }
