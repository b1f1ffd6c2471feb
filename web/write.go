package web

import (
	"context"
	"io"
)

// Write writes the sections of a trace as one HTML file that needs nothing else. command is
// how the user makes pages of a part of the trace, without --from and --to.
func Write(ctx context.Context, w io.Writer, t *Trace, command string) error {
	v := t.whole
	l := links{file: true}
	ran, err := t.ran(ctx, worstIntervals(v.rep))
	if err != nil {
		return err
	}
	p := page{Name: t.Name, Title: "summary", About: about(v.rep), File: true, Policy: policy + filePolicy, Command: command}
	if v.damage != nil {
		p.Warnings = append(p.Warnings, v.damage.Error())
	}
	for _, s := range []struct {
		id, title string
		data      any
	}{
		{"overview", "Overview", newOverview(v, l)},
		{"goroutines", "Goroutines", newGoroutines(v, l)},
		{"units", "Units of work", newUnits(v, l, filter{})},
		{"blocking", "Blocking", newBlocking(v, l)},
		{"scheduling", "Scheduling", newScheduling(v, l, ran)},
		{"gc", "GC", newGC(v, l)},
	} {
		made, err := newSection(s.id, s.title, s.data)
		if err != nil {
			return err
		}
		p.Sections = append(p.Sections, made)
		p.Nav = append(p.Nav, navigation{Name: s.title, Href: "#" + s.id})
	}
	return p.write(w)
}
