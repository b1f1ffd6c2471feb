package web

import (
	"context"
	"io"
)

// Write writes the sections of a trace as one HTML file that needs nothing else. command is
// how the user makes pages of a part of the trace, without --from and --to.
func Write(ctx context.Context, w io.Writer, t *Trace, command string) error {
	v := t.whole
	p := page{Name: t.Name, Title: "summary", About: about(v.rep), File: true, Policy: policy + filePolicy, Command: command}
	if v.damage != nil {
		p.Warnings = append(p.Warnings, v.damage.Error())
	}
	// The pages of flame graphs are served.
	if err := p.addSections(ctx, t.ran, v, links{file: true}, withoutFlames()); err != nil {
		return err
	}
	return p.write(w)
}

// addSections adds these pages of a view as sections of one.
func (p *page) addSections(ctx context.Context, ran ranFunc, v *view, l links, of []pageName) error {
	for _, x := range of {
		data, err := content(ctx, ran, v, l, x.name, nil)
		if err != nil {
			return err
		}
		made, err := newSection(x.name, x.title, data)
		if err != nil {
			return err
		}
		p.Sections = append(p.Sections, made)
		p.Nav = append(p.Nav, navigation{Name: x.title, Href: l.page(x.name)})
	}
	return nil
}
