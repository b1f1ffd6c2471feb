package model

import (
	"testing"
	"time"

	"github.com/trace2x/trace2x/internal/decode"
)

// TestClocks: snapshots that cannot be are left out, and a time of day that is set
// does not change what the ones behind it say.
func TestClocks(t *testing.T) {
	wall := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(trace int64, mono uint64, wall time.Time) *decode.Clock {
		return &decode.Clock{Trace: trace, Mono: mono, Wall: wall}
	}
	const second = int64(time.Second)
	var k clocks
	for i, tt := range []struct {
		clock   *decode.Clock
		begins  Time
		want    time.Time // zero for no snapshot
		stepped bool
	}{
		{nil, 0, time.Time{}, false},
		{at(0, 0, time.Unix(12, 0)), 0, time.Time{}, false},                            // nobody told the machine the time
		{at(0, 0, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)), 0, time.Time{}, false}, // damaged
		{at(0, 0, wall), Time(2 * time.Hour), time.Time{}, false},                      // of another moment
		{at(1*second, 50, wall), Time(second), wall, false},                            // the first
		{at(2*second, 50+1e9, wall.Add(time.Second)), Time(2 * second), wall.Add(time.Second), false},
		{at(3*second, 50+2e9, wall.Add(time.Hour)), Time(3 * second), wall.Add(2 * time.Second), true}, // set
		{at(4*second, 50+3e9, wall.Add(time.Hour+time.Second)), Time(4 * second), wall.Add(3 * time.Second), false},
		{at(5*second, 1, wall.Add(time.Hour)), Time(5 * second), time.Time{}, false}, // the monotonic clock goes back
	} {
		s, stepped := k.snapshot(tt.clock, tt.begins)
		if (s == nil) != tt.want.IsZero() || s != nil && !s.Wall.Equal(tt.want) || stepped != tt.stepped {
			t.Errorf("snapshot %d: %+v, stepped %v; want %v, %v", i, s, stepped, tt.want, tt.stepped)
		}
	}
}
