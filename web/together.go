package web

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
	"github.com/trace2x/trace2x/report/series"
)

// Together is several traces as one: sums, percentiles, and why units of work were slow.
// It has nothing over time, as the traces are of different times.
type Together struct {
	query
	builder *report.Builder
	units   *series.Units
	waits   series.Waits
	parts   []partOf // in the order in which they were added
	folder  string   // of all parts, after view
	damages []string
}

// partOf is one of the traces.
type partOf struct {
	file   string
	line   report.Line
	origin model.Time
	procs  int // at most
	number int // of its own pages, 0 for none
}

// Part is a sink that reads one of several traces.
type Part struct {
	model.Sink
	builder *report.Builder
	units   *series.Units
	waits   series.Waits
}

// NewPart returns a sink for one of several traces. Units are the kinds of units of work
// that are explained; none means the first that the trace has.
func NewPart(kinds critical.Kinds) *Part { return newPart(query{}, kinds) }

func newPart(q query, kinds critical.Kinds) *Part {
	p := &Part{units: series.NewUnits()}
	opts := q.options(kinds)
	if q.fn == "" {
		opts.Units.Each = p.units.Add
	}
	p.builder = report.New(opts)
	p.Sink = model.Tee(p.builder, &p.waits)
	return p
}

// NewTogether returns a Together without traces, of the same kinds of units as its parts.
func NewTogether(kinds critical.Kinds) *Together { return newTogether(query{}, kinds) }

func newTogether(q query, kinds critical.Kinds) *Together {
	return &Together{query: q, builder: report.New(q.options(kinds)), units: series.NewUnits()}
}

// Add adds a trace that has been read, by the name of its file. p cannot be used any more.
// damage is the error if only a part of the trace could be read.
func (t *Together) Add(file string, p *Part, damage error) { t.add(file, p, damage, 0) }

func (t *Together) add(file string, p *Part, damage error, number int) {
	rep := p.builder.Report()
	origin := rep.Trace.Origin
	t.parts = append(t.parts, partOf{file, report.NewLine(file, rep), origin, rep.Overview.MaxGOMAXPROCS, number})
	if damage != nil {
		t.damages = append(t.damages, damage.Error())
	}
	t.units.Merge(p.units, file, origin)
	t.waits.Merge(&p.waits)
	t.builder.Merge(p.builder, file)
}

// view is what the traces add up to, when all have been added.
func (t *Together) view() *view {
	files := make([]string, len(t.parts))
	for i, p := range t.parts {
		files[i] = p.file
	}
	t.folder = report.CommonFolder(files)
	return &view{query: t.query, rep: t.builder.Report(), units: t.units, waits: &t.waits}
}

// shortName is the name of a trace without the folder of all of them.
func (t *Together) shortName(file string) string { return strings.TrimPrefix(file, t.folder) }

// find returns one of the traces.
func (t *Together) find(file string) *partOf {
	if i := slices.IndexFunc(t.parts, func(p partOf) bool { return p.file == file }); i >= 0 {
		return &t.parts[i]
	}
	return nil
}

// tracesTable has a line for each trace. folder leads to the pages of all of them, "" for
// nowhere.
func tracesTable(parts []partOf, folder, commonFolder string) *table {
	out := &table{ID: "traces-table", Caption: "The traces", Filter: "a trace", Columns: []column{
		{Title: "trace", Wide: true}, num("length", "of time"), num("events", ""), num("goroutines", ""), num("GC", "its share of the time of the Ps"),
		num("p99", "of the units of work with the most time"), {Title: "what made the slowest 1% slow", Wide: true},
	}}
	for i := range parts {
		p := &parts[i]
		name := text(strings.TrimPrefix(p.file, commonFolder)).titled(p.file)
		if folder != "" && p.number > 0 {
			name = name.link(fmt.Sprintf("%s%d/", folder, p.number))
		}
		out.Rows = append(out.Rows, row{Cells: []cell{
			name, dur(p.line.Duration), number(p.line.Events), number(p.line.Goroutines), percent(p.line.GC), dur(p.line.P99), text(p.line.About()),
		}})
	}
	return out
}

// WriteTogether writes the pages of several traces as one HTML file that needs nothing
// else. It calls again for what ran in the longest waits for a P. If that is nil, the pages
// do not say what ran.
func WriteTogether(ctx context.Context, w io.Writer, t *Together, name string, again ReadAgain) error {
	v := t.view()
	p := page{Name: name, Title: "summary", About: about(v.rep), File: true, Policy: policy + filePolicy, Warnings: t.damages}
	if err := p.addSections(ctx, t.ran(again), v, links{file: true, together: t}, withoutFlames()); err != nil {
		return err
	}
	return p.write(w)
}
