package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/otel/otlpclient"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
)

// toOtelMany sends the signals of several traces, one trace after the other, or writes
// them to one file. It goes on behind a trace that cannot be read, but not if the backend
// does not take what is sent.
func toOtelMany(ctx context.Context, e *env, args []string, fl *otelFlags, sel *selection, opts otel.Options, backends map[*otel.Signal]*otlpclient.Client, notes *sendNotes) error {
	in, err := e.expand(args)
	if err != nil {
		return err
	}
	if fl.out != "" {
		if fl.shared, err = fl.create(e, in, output.Spans); err != nil {
			return err
		}
		defer fl.shared.Discard()
	}
	failed, missed := false, 0
	for _, name := range in.files {
		err := toOtel(ctx, e, location{name: name}, fl, sel, opts, backends, notes)
		var nothing *missedError
		switch {
		case err == nil:
		case ctx.Err() != nil, notes.gaveUp:
			return err
		case errors.As(err, &nothing):
			missed++
			if model.IsDamage(err) {
				failed = true
			}
		case errors.Is(err, errTold):
			failed = true
		case model.IsDamage(err):
			failed = true
			fmt.Fprintf(e.stderr, "trace2x: %s\n", oneLine(err))
		default:
			failed = true
			e.skipped(name, err)
		}
	}
	if missed == len(in.files) {
		return &missedError{in.name() + ": nothing matches the flags"}
	}
	if fl.shared != nil {
		if err := e.commit(fl.shared); err != nil {
			return err
		}
	}
	if missed > 0 {
		fmt.Fprintf(e.stderr, "%s with nothing that matches the flags\n", plural(missed, "trace"))
	}
	if failed {
		return errTold
	}
	return nil
}
