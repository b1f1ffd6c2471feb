package perfetto_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// firstShort collects the waits and system calls that have slices: of those shorter than
// 1 ms, the first ones of each start function.
type firstShort struct {
	model.NopSink
	limit, left int
	seen        map[string]int
	slices      []string
}

func (f *firstShort) GoroutineState(g *model.Goroutine, s *model.GoState) {
	if s.Kind != model.Waiting && s.Kind != model.Syscall || s.Duration() < model.Time(defaults.MinBlock) {
		return
	}
	if s.Duration() < 1_000_000 && g.Func != "" {
		if f.seen[g.Func]++; f.seen[g.Func] > f.limit {
			f.left++
			return
		}
	}
	f.slices = append(f.slices, fmt.Sprint(int64(s.Start), " ", map[model.StateKind]string{model.Waiting: s.Reason, model.Syscall: "syscall"}[s.Kind]))
}

func TestShortWaits(t *testing.T) {
	const name = "httpserver"
	opts := defaults
	opts.ShortWaits = 3
	want := &firstShort{limit: opts.ShortWaits, seen: make(map[string]int)}
	if _, err := model.Read(t.Context(), bytes.NewReader(testtrace.Data(t, name)), want); err != nil {
		t.Fatal(err)
	}
	if want.left < 100 {
		t.Fatalf("%s has only %d more short waits", name, want.left)
	}
	c := convert(t, name, opts)
	same(t, "waits and system calls", c.query(t, "select ts, name from slice where category in ('wait', 'syscall')"), want.slices)
	checkStates(t, c)
}
