package series

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

// ID tells a unit of work from the others of its type.
type ID struct {
	Task      model.TaskID
	Goroutine model.GoID
	// Start is when it began, on the clock of the trace; after [Units.Merge], from the
	// origin of that.
	Start model.Time
	// File is the trace that has it, after [Units.Merge]; else "".
	File string
}

// Units has all units of work by type and latency, and some of them one by one.
type Units struct {
	types map[unitType]*unitRows
	// examples is how many units are kept, limit how many of each row.
	examples, limit int
}

type unitType struct {
	kind critical.Kind
	name string
}

type unitRows [rowCount]*unitRow

type unitRow struct {
	count    int64
	examples []Example // the slowest first
}

// Example is a unit of work.
type Example struct {
	ID
	Latency time.Duration
}

const (
	// maxExamples is how many units are kept in all, of 40 bytes, and firstLimit how many
	// of one row at first.
	maxExamples = 1 << 16
	firstLimit  = 100
)

// rowSteps are where rows begin, in each power of 10.
var rowSteps = [...]time.Duration{10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82}

// rowCount is enough for all durations: one row below 10 ns, then 18 powers of 10.
const rowCount = 1 + 18*len(rowSteps)

// NewUnits returns an empty Units.
func NewUnits() *Units {
	return &Units{types: make(map[unitType]*unitRows), limit: firstLimit}
}

// rowOf returns the row of a latency.
func rowOf(d time.Duration) int {
	if d < 10 {
		return 0
	}
	row := 1
	for ; d >= 100; d /= 10 {
		row += len(rowSteps)
	}
	for i := len(rowSteps) - 1; i > 0; i-- {
		if d >= rowSteps[i] {
			return row + i
		}
	}
	return row
}

// rowFrom returns the shortest latency of a row.
func rowFrom(row int) time.Duration {
	switch {
	case row <= 0:
		return 0
	case row >= rowCount:
		return math.MaxInt64
	}
	d := rowSteps[(row-1)%len(rowSteps)]
	for range (row - 1) / len(rowSteps) {
		d *= 10
	}
	return d
}

// Add adds a unit of work that has just ended, if it is whole.
func (us *Units) Add(u *critical.Unit) {
	if u.Cut {
		return
	}
	rows := us.of(unitType{u.Kind, u.Type})
	if rows == nil {
		return
	}
	at := &rows[rowOf(u.Duration())]
	if *at == nil {
		*at = &unitRow{}
	}
	row := *at
	row.count++
	if n := len(row.examples); n >= us.limit && u.Duration() <= row.examples[n-1].Latency {
		return
	}
	e := Example{ID{Task: u.Task, Goroutine: u.Goroutine, Start: u.Start}, u.Duration()}
	i, _ := slices.BinarySearchFunc(row.examples, e, func(a, b Example) int {
		return cmp.Or(cmp.Compare(b.Latency, a.Latency), -1) // behind its equals
	})
	row.examples = slices.Insert(row.examples, i, e)
	us.examples++
	us.cut(row)
	us.shrink()
}

// of returns the rows of a type, nil if there are too many types: each needs 2 kB.
func (us *Units) of(key unitType) *unitRows {
	rows := us.types[key]
	if rows == nil && len(us.types) < critical.MaxTypes {
		rows = new(unitRows)
		us.types[key] = rows
	}
	return rows
}

// Merge adds the units of another trace, whose name is file. Times count from origin, which
// is a moment of that trace.
func (us *Units) Merge(o *Units, file string, origin model.Time) {
	for _, key := range slices.SortedFunc(maps.Keys(o.types), func(a, b unitType) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.name, b.name))
	}) {
		rows := us.of(key)
		if rows == nil {
			continue
		}
		for i, from := range o.types[key] {
			if from == nil {
				continue
			}
			if rows[i] == nil {
				rows[i] = &unitRow{}
			}
			row := rows[i]
			row.count += from.count
			for _, e := range from.examples {
				e.Start -= origin
				e.File = file
				row.examples = append(row.examples, e)
			}
			us.examples += len(from.examples)
			slices.SortStableFunc(row.examples, func(a, b Example) int { return cmp.Compare(b.Latency, a.Latency) })
			us.cut(row)
		}
	}
	us.shrink()
}

// shrink keeps fewer units of each row, if there are too many.
func (us *Units) shrink() {
	for us.examples > maxExamples && us.limit > 1 {
		us.limit /= 2
		for _, rows := range us.types {
			for _, row := range rows {
				if row != nil {
					us.cut(row)
				}
			}
		}
	}
}

// cut drops the fastest of too many examples.
func (us *Units) cut(row *unitRow) {
	if extra := len(row.examples) - us.limit; extra > 0 {
		row.examples = row.examples[:us.limit]
		us.examples -= extra
	}
}

// Row is the units of one type whose latency is From or more, and less than To.
type Row struct {
	From, To time.Duration
	Count    int64
	// Examples are some of them, the slowest first.
	Examples []Example
}

// Rows returns the units of a type by latency, the shortest first, also the rows between
// others that have no units. There are none of a type that came behind 10,000 others.
func (us *Units) Rows(kind critical.Kind, name string) []Row {
	rows := us.types[unitType{kind, name}]
	if rows == nil {
		return nil
	}
	var out []Row
	for i, r := range rows {
		switch {
		case r != nil:
			out = append(out, Row{rowFrom(i), rowFrom(i + 1), r.count, r.examples})
		case len(out) > 0:
			out = append(out, Row{From: rowFrom(i), To: rowFrom(i + 1)})
		}
	}
	for len(out) > 0 && out[len(out)-1].Count == 0 {
		out = out[:len(out)-1]
	}
	return out
}

// Types returns the names of the types of a kind.
func (us *Units) Types(kind critical.Kind) []string {
	var out []string
	for key := range us.types {
		if key.kind == kind {
			out = append(out, key.name)
		}
	}
	slices.SortFunc(out, strings.Compare)
	return out
}
