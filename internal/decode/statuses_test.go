package decode

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/trace2x/trace2x/internal/testtrace"
)

// linesUntil returns all that a generation has if it is wanted up to a time.
func linesUntil(t *testing.T, header []byte, v version, batches []batch, until int64) []line {
	t.Helper()
	var d decoded
	g := newGeneration(header, v, batches, false, until)
	for c := NewChunk(); d.err == nil; {
		g.fill(c)
		d.add(c)
	}
	if d.err != io.EOF {
		t.Fatal(d.err)
	}
	return d.lines
}

// statusesOf returns the statuses among events, sorted by their texts: what each tells of a
// goroutine or P. Any P may tell the status of a goroutine that does not run.
func statusesOf(lines []line) (statuses []string) {
	for _, l := range lines {
		if l.From != Undetermined || l.Kind != GoTransition && l.Kind != ProcTransition {
			continue
		}
		status := fmt.Sprintf("%v %d is %v on thread %d, at %q", l.Kind, l.ID, l.To, l.Thread, l.own)
		if l.To == Running || l.To == Syscall {
			status += fmt.Sprintf(", told from P%d, by a goroutine: %v", l.Proc, l.G != none)
		}
		statuses = append(statuses, status)
	}
	slices.Sort(statuses)
	return statuses
}

// TestStatuses: a generation that is wanted up to a time has what it has as a whole up to
// there, and behind it each status, and nothing else.
func TestStatuses(t *testing.T) {
	found := 0
	for _, name := range testtrace.All(t) {
		data := testtrace.Data(t, name)
		if bytes.Compare(data[:7], []byte("go 1.22")) < 0 {
			continue
		}
		header, gens := cutAll(t, data)
		for i, gen := range gens {
			v, batches, ok := cut(header, gen)
			if _, alone := byOurselves(header, gen); !ok || !alone {
				continue
			}
			all := linesUntil(t, header, v, batches, math.MaxInt64)
			for part := range 10 {
				until := all[len(all)*part/10].Time
				n := slices.IndexFunc(all, func(l line) bool { return l.Time > until })
				if n < 0 {
					n = len(all)
				}
				got := linesUntil(t, header, v, batches, until)
				if len(got) < n || !slices.Equal(got[:n], all[:n]) {
					t.Fatalf("%s, generation %d until %d: up to there it has not the %d events that it has as a whole", name, i, until, n)
				}
				late := got[n : len(got)-1] // without the Sync at the end; a GoSwitch may be at the beginning
				statuses, want := statusesOf(late), statusesOf(all[n:])
				if !slices.Equal(statuses, want) || len(late)-len(statuses) >= mostOfOne {
					t.Fatalf("%s, generation %d until %d: %d events behind that with the statuses\n%q\nas a whole it has\n%q", name, i, until, len(late), statuses, want)
				}
				for k := max(n, 1); k < len(got)-1; k++ {
					if got[k].Time <= got[k-1].Time {
						t.Fatalf("%s, generation %d until %d: event %d is not later than the one before it", name, i, until, k)
					}
				}
				found += len(statuses)
			}
		}
	}
	if found < 100 {
		t.Errorf("%d statuses were told late", found)
	}
}
