package critical_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// found collects the units of a trace and their paths.
type found struct {
	*critical.Finder
	start, end model.Time
	states     int
	units      []critical.Kept
}

func newFound(opts critical.Options) *found {
	f := &found{}
	f.Finder = critical.NewFinder(opts, func(u *critical.Unit) {
		f.units = append(f.units, critical.Kept{Unit: *u, Path: u.Path(0)})
	})
	return f
}

func (f *found) Begin(t *model.Trace) {
	f.start = t.Start
	f.Finder.Begin(t)
}

func (f *found) GoroutineState(g *model.Goroutine, s *model.GoState) {
	f.states++
	f.Finder.GoroutineState(g, s)
}

func (f *found) End(s *model.Summary) {
	f.end = s.End
	f.Finder.End(s)
}

// read reads a trace, also a damaged one.
func read(data []byte, sink model.Sink) error {
	_, err := model.Read(context.Background(), bytes.NewReader(data), sink)
	if damage := (*model.Damage)(nil); errors.As(err, &damage) {
		return nil
	}
	return err
}

var all = critical.KindsOf(critical.AllKinds[:]...)

// key identifies a unit, with times since the trace began.
type key struct {
	kind       critical.Kind
	typ        string
	task       uint64
	g, endG    int64
	start, end int64
}

func (k key) String() string {
	return fmt.Sprintf("%v %q task %d G%d-G%d [%d, %d]", k.kind, k.typ, k.task, k.g, k.endG, k.start, k.end)
}

// TestBruteForce compares all units of all traces, and their paths, with what a
// computation finds that has everything in memory.
func TestBruteForce(t *testing.T) {
	total := make(map[critical.Kind]int)
	for _, name := range testtrace.Readable(t) {
		t.Run(name, func(t *testing.T) {
			data := testtrace.Data(t, name)
			f := newFound(critical.Options{Kinds: all})
			if err := read(data, f); err != nil {
				t.Fatal(err)
			}
			b, err := readBrute(bytes.NewReader(data))
			if b == nil {
				t.Fatal(err)
			}
			end := int64(b.now - b.start)
			want := make(map[key]*bruteUnit)
			for _, u := range b.units {
				k := key{u.kind, u.typ, uint64(u.task), int64(u.began), -1, int64(u.start - b.start), int64(u.end - b.start)}
				if u.g != nil {
					k.endG = int64(u.g.id)
				}
				if want[k] != nil {
					t.Errorf("twice: %v", k)
				}
				want[k] = u
			}
			for i := range f.units {
				u := &f.units[i]
				if u.Cut {
					if u.Path != nil {
						t.Errorf("%v: a path of what is cut", u.Unit)
					}
					continue
				}
				k := key{u.Kind, u.Type, uint64(u.Task), int64(u.Goroutine), int64(u.EndGoroutine), int64(u.Start - f.start), int64(u.End - f.start)}
				checkPath(t, u)
				if k.end > end {
					continue // behind damage, where the brute force stops
				}
				w := want[k]
				if w == nil {
					t.Errorf("not there: %v", k)
					continue
				}
				delete(want, k)
				total[u.Kind]++
				comparePaths(t, k, u, b, w)
			}
			for k := range want {
				t.Errorf("not found: %v", k)
			}
		})
	}
	for _, k := range critical.AllKinds {
		if total[k] < 100 {
			t.Errorf("only %d units of kind %v", total[k], k)
		}
	}
	t.Log(total)
}

// checkPath checks what holds of every path.
func checkPath(tb testing.TB, u *critical.Kept) {
	tb.Helper()
	at := u.Start
	for i, s := range u.Path.Segments {
		if s.Start != at || s.End <= s.Start {
			tb.Errorf("segment %d of %v is [%d, %d], after %d", i, u.Unit, s.Start, s.End, at)
		}
		at = s.End
		depth := 0
		if s.Wait >= 0 {
			w := u.Path.Waits[s.Wait]
			if s.Start < w.Start || s.End > w.End {
				tb.Errorf("segment [%d, %d] in the wait [%d, %d]", s.Start, s.End, w.Start, w.End)
			}
			depth = w.Depth + 1
		}
		if s.Depth != depth {
			tb.Errorf("segment at depth %d, want %d", s.Depth, depth)
		}
	}
	if at != u.End {
		tb.Errorf("%v: path ends at %d", u.Unit, at)
	}
	covered := make([]model.Time, len(u.Path.Waits))
	for _, s := range u.Path.Segments {
		for w := s.Wait; w >= 0; w = u.Path.Waits[w].Wait {
			covered[w] += s.End - s.Start
		}
	}
	for i, w := range u.Path.Waits {
		if covered[i] != w.End-w.Start {
			tb.Errorf("wait [%d, %d] has segments of %d", w.Start, w.End, covered[i])
		}
		if i > 0 && w.Start < u.Path.Waits[i-1].Start {
			tb.Errorf("wait %d begins before the one in front of it", i)
		}
		if w.Wait >= i {
			tb.Errorf("wait %d is within %d", i, w.Wait)
		}
	}
}

func comparePaths(t *testing.T, k key, u *critical.Kept, b *brute, w *bruteUnit) {
	t.Helper()
	want := b.path(w)
	// Parts of one state that differ only in the task, or in the stack of a sample,
	// are one.
	var got []critical.Segment
	for _, s := range u.Path.Segments {
		if n := len(got); n > 0 && got[n-1].State == model.Running && s.State == model.Running && got[n-1].Goroutine == s.Goroutine && got[n-1].Wait == s.Wait && got[n-1].Reason == s.Reason {
			got[n-1].End, got[n-1].Stack = s.End, s.Stack
			continue
		}
		got = append(got, s)
	}
	show := func() {
		for _, s := range u.Path.Segments {
			t.Logf("got  [%d, %d] G%d %v %q depth %d %s", s.Start-u.Start, s.End-u.Start, s.Goroutine, s.State, s.Reason, s.Depth, modelTop(s.Stack))
		}
		for i := len(want) - 1; i >= 0; i-- {
			s := want[i]
			id := int64(-1)
			if s.g != nil {
				id = int64(s.g.id)
			}
			t.Logf("want [%d, %d] G%d %v %q depth %d %v", s.start-w.start, s.end-w.start, id, s.kind, s.reason, s.depth, top(s))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%v: %d segments, want %d", k, len(got), len(want))
		show()
		return
	}
	for i, s := range got {
		x := want[len(want)-1-i]
		id := int64(-1)
		if x.g != nil {
			id = int64(x.g.id)
		}
		reason := x.reason == s.Reason || x.before || id < 0 || x.reason == "" && (s.Reason == "unspecified" || s.Reason == "coroutine")
		if int64(s.Start-u.Start) != int64(x.start-w.start) || int64(s.End-u.Start) != int64(x.end-w.start) || int64(s.Goroutine) != id ||
			s.State != modelKinds[x.kind] || s.Depth != x.depth || !reason || modelTop(s.Stack) != top(x) && len(b.samplesIn(x)) == 0 {
			t.Errorf("%v: segment %d differs", k, i)
			show()
			return
		}
		for _, sample := range b.samplesIn(x) {
			checkSample(t, u, model.Time(sample.at-w.start)+u.Start, fmt.Sprintf("%s:%d/%d", sample.stack[0].Func, sample.stack[0].Line, len(sample.stack)))
		}
		if x.g != nil && !x.g.before && s.Func != x.g.fn {
			t.Errorf("%v: segment of %q, want %q", k, s.Func, x.g.fn)
		}
	}
}

// checkSample checks that a segment with a sample in it is where the sample is.
func checkSample(t *testing.T, u *critical.Kept, at model.Time, want string) {
	t.Helper()
	for _, s := range u.Path.Segments {
		if s.Start <= at && at < s.End && s.State == model.Running && s.Reason == "" && modelTop(s.Stack) != want {
			t.Errorf("%v: at %d it is in %s, a sample in %s", u.Unit, at-u.Start, modelTop(s.Stack), want)
		}
	}
}

func top(s bruteSegment) string {
	if len(s.stack) == 0 {
		return "-"
	}
	f := s.stack[0]
	return fmt.Sprintf("%s:%d/%d", f.Func, f.Line, len(s.stack))
}

func modelTop(s *model.Stack) string {
	if s == nil {
		return "-"
	}
	f := s.Frames[0]
	return fmt.Sprintf("%s:%d/%d", f.Func, f.Line, len(s.Frames))
}
