package decode

import (
	"math"
	"time"
)

// ticking is what a generation tells about its clock, which counts ticks
// (internal/trace/generation.go, setSyncBatch).
type ticking struct {
	frequency              uint64 // ticks for each second
	ticks, mono, sec, nsec uint64 // a snapshot
	snapshots              int
	at                     uint64 // ticks at which the runtime wrote this

	nsPerTick float64
}

// parse reads the batch about the clock; ok is false if there is anything else
// in it, or a frequency that is none or not the first.
func (c *ticking) parse(b *batch) (ok bool) {
	left := bytesLeft{b: b.data}
	c.at = b.ticks
	if b.begins(evSync) {
		left.byte()
	}
	for len(left.b) > 0 {
		switch left.byte() {
		case evFrequency:
			if c.frequency != 0 {
				return false
			}
			if c.frequency = left.uvarint(); c.frequency == 0 {
				return false
			}
			c.nsPerTick = 1 / (float64(c.frequency) / 1e9)
		case evClockSnapshot:
			c.snapshots++
			c.ticks, c.mono, c.sec, c.nsec = b.ticks+left.uvarint(), left.uvarint(), left.uvarint(), left.uvarint()
		default:
			return false
		}
	}
	return !left.bad
}

// time is that many ticks in ns.
func (c *ticking) time(ticks uint64) int64 { return int64(float64(ticks) * c.nsPerTick) }

// near reports whether a moment of the generation can be that many ticks.
func (c *ticking) near(ticks uint64) bool {
	return math.Abs(float64(int64(ticks-c.at)))*c.nsPerTick <= float64(leap)
}

func (c *ticking) snapshot() *Clock {
	if c.snapshots == 0 {
		return nil
	}
	return &Clock{Trace: c.time(c.ticks), Mono: c.mono, Wall: time.Unix(int64(c.sec), int64(c.nsec))}
}
