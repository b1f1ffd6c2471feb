package model

import (
	"fmt"
	"testing"

	"github.com/trace2x/trace2x/internal/decode"
)

// makeStack makes a new stack of these functions, the innermost first.
func makeStack(funcs ...string) decode.Stack {
	var frames decode.Stack
	for i, fn := range funcs {
		frames = append(frames, &decode.Frame{PC: uint64(100*len(fn) + i), Func: fn, File: "x.go", Line: uint64(i + 1)})
	}
	return frames
}

func TestInternStack(t *testing.T) {
	table := newStackTable()
	first, second := makeStack("main.inner", "main.outer"), makeStack("main.inner", "main.outer")
	s := table.intern(first)
	if s == nil || len(s.Frames) != 2 || s.ID != 1 {
		t.Fatalf("got %+v", s)
	}
	if want := (Frame{ID: 1, PC: 1000, Func: "main.inner", File: "x.go", Line: 1}); *s.Frames[0] != want {
		t.Errorf("frame %+v, want %+v", *s.Frames[0], want)
	}
	if other := table.intern(second); other != s {
		t.Errorf("equal stacks are %p and %p", s, other)
	}
	shorter := table.intern(makeStack("main.inner"))
	if shorter == s || shorter.ID != 2 || shorter.Frames[0] != s.Frames[0] {
		t.Errorf("got %+v; want a new stack with the frame of the other", shorter)
	}
	if got := table.intern(makeStack()); got != nil {
		t.Errorf("a stack without frames is %+v", got)
	}
	if got := table.intern(decode.Stack{{}}); got != nil {
		t.Errorf("a stack of a single frame of zeros is %+v", got)
	}
}

func TestStartFunc(t *testing.T) {
	deep := make([]string, maxDepth)
	for i := range deep {
		deep[i] = fmt.Sprintf("main.f%d", i)
	}
	tests := []struct {
		name  string
		funcs []string
		want  string
	}{
		{"none", nil, ""},
		{"outermost", []string{"runtime.gopark", "main.inner", "main.worker"}, "main.worker"},
		{"main goroutine", []string{"main.main", "runtime.main"}, "main.main"},
		{"cut", deep, ""},
		{"almost cut", deep[1:], deep[maxDepth-1]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := newStackTable().intern(makeStack(tt.funcs...)).startFunc(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWaitReason(t *testing.T) {
	tests := []struct {
		funcs []string
		want  string
	}{
		{nil, ""},
		{[]string{"runtime.gopark", "runtime.chanrecv", "runtime.chanrecv1", "main.f"}, "chan receive"},
		{[]string{"runtime.gopark", "runtime.chansend1", "main.f"}, "chan send"},
		{[]string{"runtime.gopark", "runtime.selectgo", "main.f"}, "select"},
		{[]string{"runtime.gopark", "runtime.block", "main.f"}, "forever"},
		{[]string{"time.Sleep", "main.f"}, "sleep"},
		{[]string{"internal/poll.runtime_pollWait", "internal/poll.(*pollDesc).wait", "net.(*conn).Read"}, "network"},
		{[]string{"sync.runtime_notifyListWait", "sync.(*Cond).Wait"}, "sync.(*Cond).Wait"},
		{[]string{"runtime.gopark", "internal/sync.runtime_SemacquireMutex", "sync.(*Mutex).Lock", "main.f"}, "sync"},
		{[]string{"runtime.coroswitch", "iter.Pull[...].func1.1", "main.f"}, "coroutine"},
		{[]string{"runtime.gopark", "runtime.somethingElse"}, ""},
		// What the program does below its own functions is not why it waits.
		{[]string{"runtime.gopark", "main.callback", "runtime.chanrecv1"}, ""},
		{[]string{"main.f", "time.Sleep"}, ""},
	}
	for _, tt := range tests {
		if got := newStackTable().intern(makeStack(tt.funcs...)).waitReason(); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.funcs, got, tt.want)
		}
	}
}

func TestNewRange(t *testing.T) {
	tests := []struct {
		name   string
		kind   RangeKind
		reason string
	}{
		{"GC concurrent mark phase", GCMark, ""},
		{"GC incremental sweep", Sweep, ""},
		{"GC mark assist", MarkAssist, ""},
		{"stop-the-world (GC mark termination)", StopTheWorld, "GC mark termination"},
		{"stop-the-world (CountPagesInUse (test))", StopTheWorld, "CountPagesInUse (test)"},
		{"stop-the-world ()", StopTheWorld, ""},
		{"stop-the-world", OtherRange, ""},
		{"something new", OtherRange, ""},
	}
	for _, tt := range tests {
		r := newRange(tt.name)
		if r.Kind != tt.kind || r.Name != tt.name || r.Reason != tt.reason || r.Proc != NoProc || r.Goroutine != nil {
			t.Errorf("%q: got %+v", tt.name, *r)
		}
	}
}

// Past a bound, of new stacks only the innermost call is kept: memory does not grow
// with the number of different ones.
func TestManyStacks(t *testing.T) {
	table := newStackTable()
	table.maxStacks, table.maxFrames = 10, 20
	var last *Stack
	for i := range 1000 {
		leaf := &decode.Frame{PC: uint64(i%3 + 1), Func: fmt.Sprint("main.leaf", i%3), Line: 1}
		last = table.intern(decode.Stack{leaf, {PC: uint64(1000 + i), Func: fmt.Sprint("main.f", i)}})
	}
	if table.n > 13 || len(table.frames) > 21 {
		t.Errorf("%d stacks and %d frames are kept", table.n, len(table.frames))
	}
	if table.shortened != 990 {
		t.Errorf("%d stacks were shortened, want 990", table.shortened)
	}
	if len(last.Frames) != 2 || last.Frames[0].Func != "main.leaf0" || last.Frames[1].Func != Other || last.startFunc() != "" {
		t.Errorf("the last stack is %v, of a goroutine that %q started", last.Frames, last.startFunc())
	}
}
