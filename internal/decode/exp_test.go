package decode

import (
	"fmt"
	"slices"
	"testing"

	exptrace "golang.org/x/exp/trace"
)

// TestCompactor: stacks and reasons get numbers, each once in a generation.
func TestCompactor(t *testing.T) {
	x, c := NewCompactor(), NewChunk()
	add := func(kind exptrace.EventKind, details any, stack exptrace.Stack) Event {
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
		x.Add(c, &ev)
		return c.Events[len(c.Events)-1]
	}
	block := func(reason string) Event {
		st := exptrace.MakeGoStateTransition(1, exptrace.GoRunning, exptrace.GoWaiting)
		st.Reason, st.Stack = reason, exptrace.MakeStack([]exptrace.StackFrame{{PC: 1, Func: "main.f", File: "x.go", Line: 1}})
		return add(exptrace.EventStateTransition, st, exptrace.NoStack)
	}
	add(exptrace.EventSync, exptrace.Sync{N: 1}, exptrace.NoStack)
	if !c.First {
		t.Error("the chunk does not begin a generation")
	}
	var got []uint16
	for i := range 100 {
		got = append(got, block(fmt.Sprintf("reason %d", i%50)).Reason)
	}
	if len(c.Reasons) != 50 || !slices.Equal(got[:50], got[50:]) || got[0] != 1 || got[49] != 50 {
		t.Errorf("%d reasons, numbers %v", len(c.Reasons), got)
	}
	if n := block("").Reason; n != 0 {
		t.Errorf("no reason has number %d", n)
	}

	s := exptrace.MakeStack([]exptrace.StackFrame{{PC: 1, Func: "main.f", File: "x.go", Line: 1}})
	if a, b := x.stack(c, s), x.stack(c, s); a != b || a == 0 {
		t.Errorf("one stack has numbers %d and %d", a, b)
	}
	n := len(c.Stacks)
	x.forget()
	if x.stack(c, s) != 1 || len(c.Stacks) != n+1 {
		t.Error("the numbers of the last generation are kept")
	}
}
