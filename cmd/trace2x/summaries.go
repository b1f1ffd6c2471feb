package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// mergeTraces reports on several traces together, and calls each with every trace before
// it is merged. Traces that cannot be read are reported and left out; then the error is
// errTold, beside the report, which is nil if there is nothing to report on.
func (e *env) mergeTraces(ctx context.Context, in inputs, opts report.Options, part model.Window, each func(readTrace[*report.Builder])) (*report.Builder, error) {
	opts.Goroutine = 0 // its life is in one program
	all, n := report.New(opts), 0
	err := readMany(ctx, e, in, part, func() *report.Builder { return report.New(opts) }, func(t readTrace[*report.Builder]) error {
		each(t)
		all.Merge(t.sink, t.file)
		n++
		return nil
	})
	if n == 0 || err != nil && err != errTold {
		return nil, nothingRead(n, err)
	}
	return all, err
}

// summarizeMany sums up several traces.
func summarizeMany(ctx context.Context, e *env, args []string, fl *summaryFlags, opts report.Options, part model.Window) error {
	in, err := e.expand(args)
	if err != nil {
		return err
	}
	if fl.each {
		return summarizeEach(ctx, e, in, fl, opts, part)
	}
	b, failed := e.mergeTraces(ctx, in, opts, part, func(readTrace[*report.Builder]) {})
	if b == nil {
		return failed
	}
	rep, named := b.Report(), &input.Input{Name: in.name()}
	if missed := cmp.Or(fl.missed(named.Name, b.Found()), fl.missedUnit(named, rep)); missed != nil {
		return missed
	}
	if err := cmp.Or(rep.CheckReason(fl.sort), rep.Sort(fl.sort)); err != nil {
		return fmt.Errorf("--sort: %w", err)
	}
	return cmp.Or(e.writeSummary(rep, fl, b.Found()), failed)
}

// summarizeEach writes a line for each trace.
func summarizeEach(ctx context.Context, e *env, in inputs, fl *summaryFlags, opts report.Options, part model.Window) error {
	opts.Goroutine = 0
	var lines []report.Line
	enc := json.NewEncoder(e.stdout)
	enc.SetEscapeHTML(false)
	failed := readMany(ctx, e, in, part, func() *report.Builder { return report.New(opts) }, func(t readTrace[*report.Builder]) error {
		rep := t.sink.Report()
		if !fl.json {
			lines = append(lines, report.NewLine(t.file, rep))
			return nil
		}
		if err := rep.Sort(fl.sort); err != nil {
			return err
		}
		if fl.topSet && fl.top > 0 {
			rep.Limit(fl.top)
		}
		return enc.Encode(struct {
			File string `json:"file"`
			*report.Report
		}{t.file, rep})
	})
	if len(lines) > 0 {
		width, color := terminal(e.stdout)
		if err := report.TextLines(e.stdout, lines, report.TextOptions{Width: width, Color: color}); err != nil {
			return fmt.Errorf("writing standard output: %w", err)
		}
	}
	return failed
}
