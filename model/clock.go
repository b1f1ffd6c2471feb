package model

import (
	"time"

	"github.com/trace2x/trace2x/internal/decode"
)

// clocks checks the clock snapshots of a trace, so that all that are reported
// agree about one relation between the clocks.
type clocks struct {
	first *ClockSnapshot // nil if there has been none
	offby time.Duration  // how far the time of day has been set since then
}

// The time of day of a machine that has not been told it begins in 1970.
var (
	earliest = time.Date(2009, time.November, 10, 0, 0, 0, 0, time.UTC) // of Go
	latest   = time.Date(2200, time.January, 1, 0, 0, 0, 0, time.UTC)
)

// slewed is how much a clock can be off another one after d: NTP slews by at most
// 0.05 %, and reading takes time.
func slewed(d time.Duration) time.Duration { return d/1000 + 20*time.Millisecond }

// snapshot returns the snapshot of a generation that begins at t, nil for none or
// one that cannot be. stepped says that the time of day was set before it.
func (k *clocks) snapshot(c *decode.Clock, t Time) (s *ClockSnapshot, stepped bool) {
	if c == nil || c.Wall.Before(earliest) || c.Wall.After(latest) || !near(time.Duration(Time(c.Trace)-t), 0, time.Minute) {
		return nil, false
	}
	s = &ClockSnapshot{Trace: Time(c.Trace), Mono: c.Mono, Wall: c.Wall}
	if k.first == nil {
		k.first = s
		return s, false
	}
	passed := time.Duration(s.Trace - k.first.Trace)
	if !near(time.Duration(s.Mono-k.first.Mono), passed, slewed(passed)) {
		return nil, false
	}
	wall := k.first.Wall.Add(passed)
	if off := s.Wall.Sub(wall); !near(off, k.offby, slewed(passed)) {
		stepped, k.offby = true, off
	}
	if k.offby != 0 {
		s.Wall = wall
	}
	return s, stepped
}

// near reports whether a and b differ by at most d.
func near(a, b, d time.Duration) bool { return a-b <= d && b-a <= d }
