package model

import (
	"fmt"
	"slices"
	"testing"

	exptrace "golang.org/x/exp/trace"
)

// TestCompactor: stacks and reasons get numbers, each once in a generation.
func TestCompactor(t *testing.T) {
	x, c := newCompactor(false), newChunk()
	add := func(kind exptrace.EventKind, details any, stack exptrace.Stack) event {
		t.Helper()
		var ev exptrace.Event
		var err error
		switch d := details.(type) {
		case exptrace.Sync:
			ev, err = exptrace.MakeEvent(exptrace.EventConfig[exptrace.Sync]{Time: 1, Kind: kind, Details: d})
		case exptrace.StateTransition:
			ev, err = exptrace.MakeEvent(exptrace.EventConfig[exptrace.StateTransition]{Time: 1, Kind: kind, Goroutine: 1, Details: d, Stack: stack})
		}
		if err != nil {
			t.Fatal(err)
		}
		x.add(c, &ev)
		return c.events[len(c.events)-1]
	}
	block := func(reason string) event {
		st := exptrace.MakeGoStateTransition(1, exptrace.GoRunning, exptrace.GoWaiting)
		st.Reason, st.Stack = reason, makeStack("main.f")
		return add(exptrace.EventStateTransition, st, exptrace.NoStack)
	}
	add(exptrace.EventSync, exptrace.Sync{N: 1}, exptrace.NoStack)
	if !c.first {
		t.Error("the chunk does not begin a generation")
	}
	var got []uint16
	for i := range 100 {
		got = append(got, block(fmt.Sprintf("reason %d", i%50)).reason)
	}
	if len(c.reasons) != 50 || !slices.Equal(got[:50], got[50:]) || got[0] != 1 || got[49] != 50 {
		t.Errorf("%d reasons, numbers %v", len(c.reasons), got)
	}
	if n := block("").reason; n != 0 {
		t.Errorf("no reason has number %d", n)
	}

	s := makeStack("main.f")
	if a, b := x.stack(c, s), x.stack(c, s); a != b || a == 0 {
		t.Errorf("one stack has numbers %d and %d", a, b)
	}
	n := len(c.stacks)
	x.forget()
	if x.stack(c, s) != 1 || len(c.stacks) != n+1 {
		t.Error("the numbers of the last generation are kept")
	}
}
