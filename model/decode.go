package model

import (
	"context"
	"fmt"
	"io"

	exptrace "golang.org/x/exp/trace"
)

// decoder yields the events of a trace in order. It is apart from what consumes
// them, and at work in a goroutine of its own, a few batches ahead: decoding is
// about half of the work. Decoding generations in parallel can be put in its
// place.
type decoder struct {
	r *exptrace.Reader
	// checked has the stacks that are known to be good, for the formats that
	// x/exp/trace does not check; nil for the others.
	checked map[exptrace.Stack]bool
}

func newDecoder(r io.Reader, v1 bool) (d *decoder, err error) {
	defer func() { recovered(&err, recover()) }()
	tr, err := exptrace.NewReader(r)
	if err != nil {
		return nil, err
	}
	d = &decoder{r: tr}
	if v1 {
		d.checked = make(map[exptrace.Stack]bool)
	}
	return d, nil
}

// event is an event of the trace with what only the decoder may ask of it.
type event struct {
	exptrace.Event
	// endedTask is the task of an EventTaskEnd. Event.Task, for such an event
	// only, reads a table to which decoding adds.
	endedTask exptrace.TaskID
}

// batch is some events, and the error that came behind them.
type batch struct {
	events []event
	err    error
}

const (
	batchSize  = 512 // events
	batchAhead = 4   // batches that may wait to be consumed
)

// each calls yield with every event up to the end of the trace, until yield
// returns an error, or until ctx ends; it returns the error. The event is only
// valid during the call.
//
// The decoder has ended when each returns, but if ctx ended: then it may be
// waiting for its reader still.
func (d *decoder) each(ctx context.Context, yield func(*event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	full, free := make(chan *batch, batchAhead), make(chan *batch, batchAhead+2)
	for range cap(free) {
		free <- &batch{events: make([]event, 0, batchSize)}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			var b *batch
			select {
			case b = <-free:
			case <-ctx.Done():
				return
			}
			d.fill(b)
			select {
			case full <- b:
			case <-ctx.Done():
				return
			}
			if b.err != nil {
				return
			}
		}
	}()
	for {
		select {
		case b := <-full:
			for i := range b.events {
				if err := yield(&b.events[i]); err != nil {
					cancel()
					<-done
					return err
				}
			}
			if b.err != nil {
				<-done
				if b.err == io.EOF {
					return nil
				}
				return b.err
			}
			free <- b
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fill decodes the next events. A panic of the decoder, which meets bytes that
// nobody has checked, is an error like another.
func (d *decoder) fill(b *batch) {
	defer func() { recovered(&b.err, recover()) }()
	b.events = b.events[:0]
	for len(b.events) < batchSize {
		n := len(b.events)
		ev := &b.events[:n+1][n] // in place: events are large
		if ev.Event, b.err = d.r.ReadEvent(); b.err != nil {
			return
		}
		kind := ev.Kind()
		switch {
		case d.checked != nil:
			d.check(&ev.Event)
		case kind == exptrace.EventStackSample:
			// Not checked by x/exp/trace, other than the stacks of other events.
			for range ev.Stack().Frames() {
			}
		}
		if kind == exptrace.EventTaskEnd {
			ev.endedTask = ev.Task().ID
		}
		b.events = b.events[:n+1]
	}
}

// check panics if an event of Go 1.21 or earlier refers to a stack or a string
// that is not in the trace: before that, only those who ask for it find out.
func (d *decoder) check(ev *exptrace.Event) {
	d.checkStack(ev.Stack())
	switch ev.Kind() {
	case exptrace.EventStateTransition:
		d.checkStack(ev.StateTransition().Stack)
	case exptrace.EventRangeBegin, exptrace.EventRangeActive, exptrace.EventRangeEnd:
		ev.Range()
	case exptrace.EventLabel:
		ev.Label()
	case exptrace.EventTaskBegin:
		ev.Task()
	case exptrace.EventRegionBegin, exptrace.EventRegionEnd:
		ev.Region()
	case exptrace.EventLog:
		ev.Log()
	}
}

func (d *decoder) checkStack(s exptrace.Stack) {
	if d.checked[s] {
		return
	}
	for range s.Frames() {
	}
	d.checked[s] = true
}

func recovered(err *error, p any) {
	if p != nil {
		*err = fmt.Errorf("the decoder panicked: %v", p)
	}
}
