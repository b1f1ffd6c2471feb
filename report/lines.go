package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
)

// Line is what matters most of a trace among many.
type Line struct {
	File       string
	Duration   time.Duration
	Events     int64
	Goroutines int
	// GC is its share of the time of all Ps, as in the overview.
	GC float64
	// Kind and Type are the units of work with the most time, Count how many there are,
	// P99 their 99th percentile. Count is 0 if there are none.
	Kind  critical.Kind
	Type  string
	Count int64
	P99   time.Duration
	// What made the slowest hundredth of them slow.
	state      model.StateKind
	reason, fn string // the function is that of the place
	// Damage says how much of the trace could not be read; "" for all could.
	Damage string
}

// NewLine returns the line of a trace.
func NewLine(file string, r *Report) Line {
	o := &r.Overview
	l := Line{File: file, Duration: o.Duration, Events: o.Events, Goroutines: o.Goroutines, GC: ratio(o.Procs.GC, o.Procs.Total)}
	if w := r.Why; w != nil {
		for _, t := range w.Types {
			if t.Count == 0 {
				continue
			}
			l.Kind, l.Type, l.Count, l.P99 = t.Kind, t.Name, t.Count, t.P99
			x := mostSlower(t)
			l.state, l.reason, l.fn = x.State, x.Reason, cmp.Or(framePlace(x.Place).Func, x.Func)
			break
		}
	}
	if len(o.Lost) > 0 {
		bytes, lost, end := int64(0), time.Duration(0), false
		for _, x := range o.Lost {
			bytes += x.Bytes
			lost += x.Duration
			end = end || x.Open
		}
		l.Damage = "DAMAGED: " + size(uint64(max(bytes, 0))) + " lost"
		switch {
		case lost > 0:
			l.Damage += ", " + Duration(lost)
		case end:
			l.Damage += " at the end"
		}
	}
	return l
}

// About returns what made the slowest hundredth of the units of work slow, as in "request:
// sleep  main.store", after how much of the trace is lost.
func (l *Line) About() string { return l.about(0) }

// about returns About in room columns, 0 for any number.
func (l *Line) about(room int) string {
	about := "no unit of work has ended"
	if l.Count > 0 {
		about = unitType(l.Kind, l.Type) + ": "
	}
	if l.Damage != "" {
		about = l.Damage + "; " + about
	}
	if l.Count > 0 {
		about += segmentName(l.state, l.reason)
		if fn := l.fn; fn != "" {
			about += "  " + fitFunc(fn, left(room, 2+width(about)))
		}
	}
	return about
}

// TextLines writes a line for each of many traces.
func TextLines(w io.Writer, lines []Line, opts TextOptions) error {
	p := &printer{w: bufio.NewWriter(w), opts: opts}
	files, longest := make([]string, len(lines)), 0
	for i := range lines {
		files[i] = lines[i].File
	}
	dir := commonFolder(files)
	for i, f := range files {
		files[i] = address.Name(strings.TrimPrefix(f, dir))
		longest = max(longest, width(files[i]))
	}
	var t table
	t.add(faint, "length", "events", "gor.", "GC", "p99", "")
	for i := range lines {
		l := &lines[i]
		p99 := "-"
		if l.Count > 0 {
			p99 = Duration(l.P99)
		}
		t.add(plain, Duration(l.Duration), compact(l.Events), compact(int64(l.Goroutines)), fmt.Sprintf("%.0f%%", 100*l.GC), p99, "")
	}
	room := t.room(p)
	name := longest
	if room > 0 {
		name = min(longest, max(room/3, 12))
	}
	words := func(file, about string) string {
		return file + strings.Repeat(" ", max(name-width(file), 0)) + "  " + about
	}
	t.rows[0].cells[5] = words("file", "unit: what made its p99 slow")
	for i := range lines {
		l := &lines[i]
		t.rows[i+1].cells[5] = words(shortenLeft(files[i], name), l.about(left(room, name+2)))
	}
	t.write(p, "")
	return p.w.Flush()
}

// compact is a number in at most five characters.
func compact(n int64) string {
	switch x := float64(n); {
	case n < 10_000:
		return fmt.Sprint(n)
	case x < 999.5e3:
		return digits(x/1e3) + "k"
	case x < 999.5e6:
		return digits(x/1e6) + "M"
	default:
		return digits(x/1e9) + "G"
	}
}
