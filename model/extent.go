package model

import (
	"context"
	"errors"
	"io"
)

// Extent returns when the trace in r begins and ends, and whether it tells the
// time of day: then it stops reading there, and end is not known. A damaged
// trace ends at the damage. Errors are those of [Read].
func Extent(ctx context.Context, r io.Reader) (start, end Time, told bool, err error) {
	var x extent
	sum, err := Read(ctx, r, &x)
	if x.told {
		return x.start, 0, true, nil
	}
	if damage := (*Damage)(nil); errors.As(err, &damage) {
		err = nil
	}
	if err != nil {
		return 0, 0, false, err
	}
	return sum.Start, sum.End, false, nil
}

type extent struct {
	NopSink
	start Time
	told  bool
}

func (x *extent) Begin(t *Trace) { x.start = t.Start }

func (x *extent) Sync(s *Sync) { x.told = x.told || s.Clock != nil }

var errTold = errors.New("the trace tells the time of day")

func (x *extent) Err() error {
	if x.told {
		return errTold
	}
	return nil
}
