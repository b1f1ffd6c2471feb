package report

import (
	"bufio"
	"io"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

// What reports call things, for those who show them in another way than [Text].

// Name returns what a kind of suspect is called, as in "slow tail".
func (k SuspectKind) Name() string { return suspectNames[k] }

// Short returns the place without paths: http.(*conn).serve server.go:2102.
func (p Place) Short() string { return p.short() }

// FileLine returns the file, without its path, and the line.
func (p Place) FileLine() string {
	if p.File == "" {
		return ""
	}
	return p.fileLine()
}

// ShortFunc returns a function without the path to its package.
func ShortFunc(fn string) string { return shortFunc(fn) }

// UnitsName returns what units of a kind are called, as in "HTTP requests".
func UnitsName(k critical.Kind) string { return unitNames[k].units }

// UnitType returns what a type of unit is called.
func UnitType(k critical.Kind, name string) string { return unitType(k, name) }

// UnitID returns how to find a unit: "task 7 at 0.012345s".
func (w *Why) UnitID(u *critical.Unit) string { return w.unitID(u) }

// SegmentName returns what a goroutine did in a segment of a critical path.
func SegmentName(state model.StateKind, reason string) string {
	if state == model.Unknown {
		return unknownText(reason)
	}
	return segmentName(state, reason)
}

// WaitText returns what a goroutine waited for, as in "waiting for sync.Mutex".
func WaitText(reason string, stack *model.Stack) string { return waitText(reason, stack) }

// RanLine returns what ran on the Ps, as in "main.worker 80%, others 20%".
func RanLine(ran []critical.Ran) string { return ranLine(ran) }

// CommonFolder returns the longest beginning of the names of files that ends in a
// separator and that all have. Moments of several traces are shown without it.
func CommonFolder(files []string) string { return commonFolder(files) }

// Ender is who ended waits, in words: as in "62% main.work main.go:12". EndedBy is nil
// for "…", which stands for all others.
type Ender struct {
	*EndedBy
	Text string
}

// Enders returns who ended most of the waits, and what comes before them, as in "ended
// by: ".
func (b *Blocking) Enders() (of string, parts []Ender) { return enders(b.EndedBy, b.Count) }

// Often returns how often something was, as in "once" and "12 times".
func Often(n int64) string { return often(n) }

// Size returns a number of bytes as people read it.
func Size(n uint64) string { return size(n) }

// SecondsSince returns a moment as people find it: seconds since the trace began.
func SecondsSince(d time.Duration) string { return moment(d) }

// AllLine has the largest parts of the critical paths of all units.
func AllLine(s *critical.PathSum) string { return (&printer{}).allLine(s, 0) }

// TailRow is a part of what the slowest units of a type spent their time on.
type TailRow struct {
	*critical.SegmentSum
	// Each is the mean of the slowest units, Others of all others.
	Each, Others time.Duration
	// StandsOut says that it is a good part of why the slowest took longer.
	StandsOut bool
	// What says what it is and where, Notes whose it is and what was awaited.
	What  string
	Notes []string
}

// Tail returns what the slowest units of a type spent their time on, the most first, and
// how long the other units took on average, 0 if there are none.
func Tail(t *critical.Type) (rows []TailRow, others time.Duration) {
	o := othersOf(t)
	for i := range t.Tail.Segments {
		s := &t.Tail.Segments[i]
		r := TailRow{SegmentSum: s, What: segmentAt(s.State, s.Reason, framePlace(s.Place), s.Func, 0), Notes: whoseNotes(s)}
		r.Each, r.Others, r.StandsOut = o.compare(t, s)
		rows = append(rows, r)
	}
	return rows, each(o.total, o.units)
}

// PathText writes the critical path of one unit, step by step, as [Text] does.
func PathText(w io.Writer, why *Why, k *critical.Kept, procs int, opts TextOptions) error {
	p := &printer{w: bufio.NewWriter(w), opts: opts, procs: procs}
	p.path(why, k, "")
	return p.w.Flush()
}
