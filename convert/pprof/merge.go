package pprof

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/critical"
)

// Merged is the profile of several traces: the sums of theirs, to the last nanosecond.
// The zero value has none.
//
// For the type Critical, it has the units of the first kind of [critical.AllKinds] that a
// trace has. Options.Slowest is the share of each trace.
type Merged struct {
	parts map[critical.Kinds]*ofKind
}

// ofKind is the profiles with units of one kind. Other types have one of them.
type ofKind struct {
	profiles []*profile.Profile // few: many are merged to one
	stats    Stats
}

// mostProfiles is how many profiles wait to be merged: merging costs as much as the
// profile that is there already.
const mostProfiles = 16

// Add adds the profile of a trace that has ended. The errors are those of
// [profile.Merge], which are for profiles of other options.
func (m *Merged) Add(p Profiler) error {
	s := p.Stats()
	if m.parts == nil {
		m.parts = make(map[critical.Kinds]*ofKind)
	}
	x := m.parts[s.Unit]
	if x == nil {
		x = &ofKind{}
		m.parts[s.Unit] = x
	}
	x.stats.add(&s)
	x.profiles = append(x.profiles, p.Profile())
	if len(x.profiles) < mostProfiles {
		return nil
	}
	return x.merge()
}

func (x *ofKind) merge() error {
	one, err := profile.Merge(x.profiles)
	if err != nil {
		return fmt.Errorf("merging profiles: %w", err)
	}
	x.profiles = append(x.profiles[:0:0], one)
	return nil
}

func (s *Stats) add(o *Stats) {
	s.Count += o.Count
	s.Time += o.Time
	s.Goroutines += o.Goroutines
	s.Tasks += o.Tasks
	s.Spans += o.Spans
	s.SpansBefore += o.SpansBefore
	s.Regions += o.Regions
	s.Unit = o.Unit
	s.Units += o.Units
	s.Missing += o.Missing
}

// Profile returns the profile and what it has. There must be at least one trace.
func (m *Merged) Profile() (*profile.Profile, Stats, error) {
	kinds := slices.Sorted(maps.Keys(m.parts)) // KindsOf the first kind is the least
	if kinds[0] == 0 && len(kinds) > 1 {
		kinds = kinds[1:] // a trace without units
	}
	x := m.parts[kinds[0]]
	if err := x.merge(); err != nil {
		return nil, Stats{}, err
	}
	x.stats.Stacks = stacks(x.profiles[0])
	return x.profiles[0], x.stats, nil
}

// stacks returns how many different stacks a profile has.
func stacks(p *profile.Profile) int {
	seen := make(map[string]bool)
	var key strings.Builder
	for _, s := range p.Sample {
		key.Reset()
		for _, l := range s.Location {
			fmt.Fprintf(&key, "%d ", l.ID)
		}
		seen[key.String()] = true
	}
	return len(seen)
}
