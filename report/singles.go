package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// Single is one goroutine, of those that Options.Singles asks for.
type Single struct {
	ID   model.GoID `json:"id"`
	Func string     `json:"func"`
	// File is the trace that has it; "" for a report on one trace.
	File string `json:"file,omitempty"`
	// Start is when it was created, or the begin of the trace with Before. End is when
	// it exited, or the end of the trace with Open.
	Start  time.Duration `json:"start_ns"`
	Before bool          `json:"before"`
	End    time.Duration `json:"end_ns"`
	Open   bool          `json:"open"`
	// Times are those that count: with tasks selected, while it was at work for them.
	Times Times `json:"times"`
}

// singles has single goroutines: those with the most in a column.
type singles struct {
	by   string
	keep int // negative for all
	list []Single
}

func (s *singles) add(b *Builder, g *model.Goroutine, t *times.Times) {
	if s.keep == 0 {
		return
	}
	s.list = append(s.list, Single{g.ID, g.Func, "", b.since(g.Start), g.Before, b.since(g.End), g.Open, timesOf(t, &b.ledger.Reasons)})
	if s.keep > 0 && len(s.list) >= 2*s.keep {
		s.cut()
	}
}

// cut leaves those that are kept, sorted.
func (s *singles) cut() {
	sortSingles(s.list, s.by)
	if s.keep > 0 && len(s.list) > s.keep {
		clear(s.list[s.keep:])
		s.list = s.list[:s.keep]
	}
}

// sortSingles sorts by a column; what is the same in it by the time in the trace.
func sortSingles(list []Single, name string) {
	of := column(goroutineColumn(name))
	key := func(s *Single) time.Duration { return of(&Group{Count: 1, Sum: s.Times, Max: s.Times}) }
	slices.SortFunc(list, func(a, b Single) int {
		return cmp.Or(cmp.Compare(key(&b), key(&a)), cmp.Compare(b.Times.Total, a.Times.Total), cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID))
	})
}

// singles writes single goroutines. groups has all goroutines with these functions.
func (p *printer) singles(list []Single, groups []Group) {
	if len(list) == 0 {
		return
	}
	about := "sorted by " + goroutineColumn(p.opts.SortedBy)
	if len(groups) == 1 {
		about = shortFunc(groups[0].Func) + ", " + about
	}
	p.section("SINGLE GOROUTINES", about)
	all := int64(0)
	for i := range groups {
		all += groups[i].Count
	}
	var t table
	t.add(faint, "total", "exec", "wait", "block", "syscall", "assist", "goroutine; blocked on")
	for i := range list[:p.top(len(list))] {
		s := &list[i]
		t.add(plain, append(append([]string{dur(s.Times.Total)}, timesCells(&s.Times)...), s.label()+inFile(p.dir, s.File))...)
		note := reasonsLine(s.Times.BlockByReason, 3)
		if len(groups) > 1 {
			note = strings.TrimSuffix(fitFunc(s.Func, p.room(11))+"; "+reasonsLine(s.Times.BlockByReason, 2), "; ")
		}
		t.note(note)
	}
	t.dropEmpty()
	t.write(p, "  ")
	p.more(int(all), "goroutine")
}

// label is which goroutine it is, and when it was there.
func (s *Single) label() string {
	l := fmt.Sprintf("G%d", s.ID)
	if s.Before {
		l += " from before the trace"
	} else {
		l += " at " + moment(s.Start)
	}
	if s.Open {
		l += ", has not ended"
	}
	return l
}
