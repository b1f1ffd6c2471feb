package model_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

// history is a sink that keeps what happens between two moments, each as a line:
// what goes beyond them as if it began and ended there.
type history struct {
	model.NopSink
	from, to model.Time
	lines    map[string]int
	trace    model.Trace
	clock    *model.ClockSnapshot
	waits    int // from before the window
}

func (h *history) add(start, end model.Time, format string, args ...any) {
	if end = min(end, h.to); end < h.from || start > h.to {
		return
	}
	start = max(start, h.from)
	h.lines[fmt.Sprintf("%d-%d ", start, end)+fmt.Sprintf(format, args...)]++
}

func (h *history) Begin(t *model.Trace) { h.trace = *t }
func (h *history) Sync(s *model.Sync) {
	if h.clock == nil {
		h.clock = s.Clock
	}
}

func (h *history) GoroutineState(g *model.Goroutine, s *model.GoState) {
	what := s.Reason
	if s.Stack != nil {
		what += " at " + s.Stack.Frames[0].Func
	}
	if s.Start <= h.from { // how it began may not be known
		if s.Kind == model.Waiting {
			h.waits++
		}
		what = ""
	}
	if s.Kind == model.Unknown {
		return // of goroutines that are not there behind the gap, a window does not know
	}
	h.add(s.Start, s.End, "G%d %v %s", g.ID, s.Kind, what)
}
func (h *history) Run(r *model.Run) { h.add(r.Start, r.End, "P%d runs G%d", r.Proc, r.Goroutine.ID) }
func (h *history) RegionEnd(r *model.Region) {
	if r.Start > h.from { // others may not be known, or told when they end
		h.add(r.Start, r.End, "G%d region %s", r.Goroutine.ID, r.Type)
	}
}
func (h *history) Range(r *model.Range) { h.add(r.Start, r.End, "%s", r.Name) }
func (h *history) Log(l *model.Log)     { h.add(l.Time, l.Time, "log %s", l.Message) }

// TestWindow: what happens in a window is what the whole trace has there.
func TestWindow(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		if name == "empty" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := testtrace.Data(t, name)
			whole := func(from, to model.Time) (*history, *model.Summary) {
				h := &history{from: from, to: to, lines: make(map[string]int)}
				sum, err := model.Read(t.Context(), bytes.NewReader(data), h)
				var damage *model.Damage
				if err != nil && !errors.As(err, &damage) {
					t.Fatal(err)
				}
				return h, sum
			}
			_, sum := whole(0, 0)
			length := time.Duration(sum.End - sum.Start)
			for _, part := range [][2]float64{{0.1, 0.2}, {0.45, 0.55}, {0.8, 0.81}, {0, 0.5}, {0.7, 1.1}, {0.999, 1.1}} {
				w := model.Window{
					From: model.Moment{Since: time.Duration(float64(length) * part[0])},
					To:   model.Moment{Since: time.Duration(float64(length) * part[1])},
				}
				from, to := sum.Start+model.Time(w.From.Since), sum.Start+model.Time(w.To.Since)
				want, _ := whole(from, min(to, sum.End))
				got := &history{from: from, to: to, lines: make(map[string]int)}
				validator := modeltest.NewValidator(got)
				inWindow, err := model.ReadWindow(t.Context(), bytes.NewReader(data), validator, w)
				var damage *model.Damage
				if window := (*model.WindowError)(nil); name == "damaged" && errors.As(err, &window) {
					if gap := sum.Gaps[0]; from < gap.Start || to > gap.End || !strings.Contains(err.Error(), "cannot be read: damaged at") {
						t.Errorf("%v: %v", w, err)
					}
					continue
				}
				if err != nil && !errors.As(err, &damage) {
					t.Fatalf("%v: %v", w, err)
				}
				for _, err := range validator.Errors {
					t.Errorf("%v: %v", w, err)
				}
				if inWindow.Start != from || inWindow.End > to {
					t.Errorf("%v: from %d to %d, want %d to %d", w, inWindow.Start, inWindow.End, from, to)
				}
				if inWindow.GoesOn != (to < sum.End) || inWindow.IsPart() != (from > sum.Start || to < sum.End) || sum.IsPart() {
					t.Errorf("%v: the trace goes on: %v, and is a part of it: %v", w, inWindow.GoesOn, inWindow.IsPart())
				}
				if damage != nil {
					continue // what had not been named before the damage is not known
				}
				compare(t, fmt.Sprintf("%v", w), got.lines, want.lines)
			}
		})
	}
}

func compare(t *testing.T, what string, got, want map[string]int) {
	t.Helper()
	shown := 0
	for _, line := range slices.Sorted(maps.Keys(want)) {
		if got[line] != want[line] && shown < 5 {
			shown++
			t.Errorf("%s: %d times, in the whole trace %d: %s", what, got[line], want[line], line)
		}
	}
	for _, line := range slices.Sorted(maps.Keys(got)) {
		if want[line] == 0 && shown < 10 {
			shown++
			t.Errorf("%s: only in the window: %s", what, line)
		}
	}
}

// TestWindowBeforeBorder: the runtime begins a generation long before the last events of
// the one before, if the machine is busy. A window between has these.
func TestWindowBeforeBorder(t *testing.T) {
	s := testtrace.Split(traceData(t, "flightrecorder.trace"))
	first := &s.Batches[0]
	next := &s.Batches[slices.IndexFunc(s.Batches, func(b testtrace.Batch) bool { return b.Head[1] > first.Head[1] })]
	next.Head[3] -= (next.Head[3] - first.Head[3]) / 20 // 50 ms
	data := s.Join()
	sum, err := model.Read(t.Context(), bytes.NewReader(data), model.NopSink{})
	if err != nil {
		t.Fatal(err)
	}
	w := model.Window{From: model.Moment{Since: 970 * time.Millisecond}, To: model.Moment{Since: 990 * time.Millisecond}}
	from, to := sum.Start+model.Time(w.From.Since), sum.Start+model.Time(w.To.Since)
	got, want := &history{from: from, to: to, lines: make(map[string]int)}, &history{from: from, to: to, lines: make(map[string]int)}
	if _, err := model.ReadWindow(t.Context(), bytes.NewReader(data), got, w); err != nil {
		t.Fatal(err)
	}
	if _, err := model.Read(t.Context(), bytes.NewReader(data), want); err != nil {
		t.Fatal(err)
	}
	if len(want.lines) < 50 {
		t.Errorf("%d lines", len(want.lines))
	}
	compare(t, "window", got.lines, want.lines)
}

// TestWindowOfDay: a window can be given by the time of day.
func TestWindowOfDay(t *testing.T) {
	read := func(name string, w model.Window) (*model.Summary, error) {
		return model.ReadWindow(context.Background(), bytes.NewReader(traceData(t, name)), model.NopSink{}, w)
	}
	h := history{lines: make(map[string]int)}
	sum, err := model.Read(t.Context(), bytes.NewReader(traceData(t, "flightrecorder.trace")), &h)
	if err != nil {
		t.Fatal(err)
	}
	from := h.clock.Wall.Add(500 * time.Millisecond)
	part, err := read("flightrecorder.trace", model.Window{From: model.Moment{Wall: from}, To: model.Moment{Wall: from.Add(200 * time.Millisecond)}})
	if err != nil {
		t.Fatal(err)
	}
	if want := h.clock.Trace + 500e6; part.Start != want || part.End > want+200e6 || part.Events == 0 || part.Events >= sum.Events {
		t.Errorf("from %d, want %d; %d of %d events", part.Start, want, part.Events, sum.Events)
	}

	for _, tt := range []struct {
		name string
		w    model.Window
		want string
	}{
		{"httpserver-go1.22.trace", model.Window{From: model.Moment{Wall: from}}, "does not tell the time of day"},
		{"httpserver-go1.21.trace", model.Window{From: model.Moment{Wall: from}}, "does not tell the time of day"},
		{"flightrecorder.trace", model.Window{From: model.Moment{Since: time.Hour}}, "the trace ends"},
		{"flightrecorder.trace", model.Window{From: model.Moment{Since: time.Second}, To: model.Moment{Since: time.Millisecond}}, "before it begins"},
	} {
		var window *model.WindowError
		if _, err := read(tt.name, tt.w); !errors.As(err, &window) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %v: %v", tt.name, tt.w, err)
		}
	}
}

// TestWindowOfDamagedBeginning: a window of a trace whose first generation is damaged lies
// where the whole trace has it.
func TestWindowOfDamagedBeginning(t *testing.T) {
	data := slices.Clone(traceData(t, "flightrecorder-go1.25.trace"))
	for i := range 54 {
		data[22_650+i] = 0xff
	}
	h := history{lines: make(map[string]int)}
	sum, err := model.Read(t.Context(), bytes.NewReader(data), &h)
	if len(sum.Gaps) != 1 || h.clock == nil {
		t.Fatalf("gaps %v, %v", sum.Gaps, err)
	}
	const after = 500 * time.Millisecond
	for _, from := range []model.Moment{{Since: after}, {Wall: h.clock.Wall.Add(time.Duration(sum.Origin-h.clock.Trace) + after)}} {
		part, err := model.ReadWindow(t.Context(), bytes.NewReader(data), model.NopSink{}, model.Window{From: from})
		if part == nil {
			t.Fatalf("from %v: %v", from, err)
		}
		if want := sum.Origin + model.Time(after); part.Start != want || part.Origin != sum.Origin {
			t.Errorf("from %v: from %d of a trace that begins at %d, want %d", from, part.Start, part.Origin, want)
		}
	}
}

// TestSplit: windows that follow each other have what single ones have.
func TestSplit(t *testing.T) {
	for _, name := range []string{"flightrecorder.trace", "gc.trace", "manytasks.trace", "httpserver.trace", "truncated.trace", "damaged.trace", "httpserver-go1.21.trace"} {
		data := traceData(t, name)
		sum, err := model.Read(t.Context(), bytes.NewReader(data), model.NopSink{})
		var damage *model.Damage
		if err != nil && !errors.As(err, &damage) {
			t.Fatal(err)
		}
		every := time.Duration(sum.End-sum.Start)/4 + 1
		var parts []*history
		var validators []*modeltest.Validator
		last, err := model.ReadSplit(t.Context(), bytes.NewReader(data), model.Window{}, every, func(last *model.Summary) (model.Sink, error) {
			if (last == nil) != (len(parts) == 0) {
				t.Errorf("%s: summary %v before window %d", name, last, len(parts))
			}
			from := sum.Start + model.Time(len(parts))*model.Time(every)
			parts = append(parts, &history{from: from, to: min(from+model.Time(every), sum.End), lines: make(map[string]int)})
			validators = append(validators, modeltest.NewValidator(parts[len(parts)-1]))
			return validators[len(validators)-1], nil
		})
		var splitDamage *model.Damage
		if (damage != nil) != errors.As(err, &splitDamage) || last == nil || damage != nil && splitDamage.Error() != damage.Error() {
			t.Fatalf("%s: %v, whole %v", name, err, damage)
		}
		if len(parts) != 4 {
			t.Fatalf("%s: %d windows", name, len(parts))
		}
		for i, got := range parts {
			for _, err := range validators[i].Errors {
				t.Errorf("%s, window %d: %v", name, i, err)
			}
			want := &history{from: got.from, to: got.to, lines: make(map[string]int)}
			if _, err := model.Read(t.Context(), bytes.NewReader(data), want); err != nil && !errors.As(err, &damage) {
				t.Fatal(err)
			}
			// Goroutines that do nothing may be reported later.
			for line := range want.lines {
				if got.lines[line] == 0 && strings.HasPrefix(line, fmt.Sprintf("%d-%d G", got.from, got.to)) {
					delete(want.lines, line)
				}
			}
			compare(t, fmt.Sprintf("%s, window %d", name, i), got.lines, want.lines)
		}
	}
}
