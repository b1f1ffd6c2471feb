package otel

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"runtime/trace"
	"sync"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/trace2x/trace2x/model"
)

// oldSpan is a span of a program, as package spanlink logs it.
type oldSpan struct {
	id    byte
	name  string
	start time.Time
	task  *trace.Task
}

func (s *oldSpan) traceID() (id [16]byte) { id[0], id[15] = 7, s.id%10; return id }

func (s *oldSpan) parent() string {
	id := s.traceID()
	return fmt.Sprintf("00-%s-%s-01", hex.EncodeToString(id[:]), hex.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(s.id))))
}

func beginSpan(ctx context.Context, id byte, name string, withTask bool) (context.Context, *oldSpan) {
	s := &oldSpan{id: id, name: name, start: time.Now()}
	if withTask {
		trace.Log(context.Background(), "opentelemetry.traceparent", s.parent()+" "+name)
		ctx, s.task = trace.NewTask(ctx, name)
	}
	return ctx, s
}

func (s *oldSpan) end() {
	if s.task != nil {
		s.task.End()
	}
	trace.Log(context.Background(), "opentelemetry.traceparent.end", fmt.Sprintf("%s %d %s", s.parent(), time.Since(s.start), s.name))
}

// recordOld returns the window of a flight recorder in which these spans end, which
// began before it:
//
//   - 1, on a goroutine that waits for 20 ms
//   - 2, on a goroutine that waits for 10 ms, begins and ends a part, 12, of 10 ms,
//     and waits for 10 ms again
//   - 3, which began before the recording, and so has no task
func recordOld(t *testing.T) []byte {
	t.Helper()
	_, before := beginSpan(context.Background(), 3, "before the recording", false)
	fr := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: time.Millisecond})
	if err := fr.Start(); err != nil {
		t.Fatal(err)
	}
	defer fr.Stop()
	var begun, ended sync.WaitGroup
	window := make(chan bool)
	run := func(f func()) {
		begun.Add(1)
		ended.Go(f)
	}
	run(func() {
		_, s := beginSpan(context.Background(), 1, "alone", true)
		begun.Done()
		<-window
		time.Sleep(20 * time.Millisecond)
		s.end()
	})
	run(func() {
		ctx, s := beginSpan(context.Background(), 2, "with a part", true)
		begun.Done()
		<-window
		time.Sleep(10 * time.Millisecond)
		_, part := beginSpan(ctx, 12, "part", true)
		time.Sleep(10 * time.Millisecond)
		part.end()
		time.Sleep(10 * time.Millisecond)
		s.end()
	})
	run(func() {
		begun.Done()
		<-window
		time.Sleep(20 * time.Millisecond)
		before.end()
	})
	begun.Wait()
	for range 3 { // a generation each, so that the first is forgotten
		time.Sleep(20 * time.Millisecond)
		if _, err := fr.WriteTo(io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	close(window)
	ended.Wait()
	var b bytes.Buffer
	if _, err := fr.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// below returns the sum of the times of the spans of this name and trace in the lanes
// below a span, and the number of these lanes.
func below(spans []*tracepb.Span, s oldSpan, name string) (sum time.Duration, lanes int) {
	id := s.traceID()
	parent := string(binary.BigEndian.AppendUint64(nil, uint64(s.id)))
	for _, lane := range spans {
		if string(lane.TraceId) != string(id[:]) || string(lane.ParentSpanId) != parent {
			continue
		}
		lanes++
		for _, x := range spans {
			if string(x.TraceId) == string(id[:]) && string(x.ParentSpanId) == string(lane.SpanId) && x.Name == name {
				sum += time.Duration(x.EndTimeUnixNano - x.StartTimeUnixNano)
			}
		}
	}
	return sum, lanes
}

// TestOldSpans: spans that began before the window, or before the recording, have the
// lane of the goroutine that ends them.
func TestOldSpans(t *testing.T) {
	data := recordOld(t)
	if bytes.Contains(data, []byte("-01 alone")) {
		t.Fatal("the window has the beginnings of the spans")
	}
	all := DefaultOptions()
	all.MinSpan = 5 * time.Millisecond
	one := all
	one.TraceID = (&oldSpan{id: 1}).traceID()
	long := all
	long.MinTask = 10 * time.Millisecond
	tooLong := all
	tooLong.MinTask = time.Hour
	tests := []struct {
		name   string
		opts   Options
		sleeps map[byte]time.Duration
		lanes  map[byte]int
	}{
		{"all", all, map[byte]time.Duration{1: 20e6, 2: 20e6, 3: 20e6, 12: 10e6}, map[byte]int{1: 1, 2: 2, 3: 1, 12: 1}},
		{"one trace", one, map[byte]time.Duration{1: 20e6}, map[byte]int{1: 1}},
		{"long ones", long, map[byte]time.Duration{1: 20e6, 2: 20e6, 3: 20e6, 12: 10e6}, map[byte]int{1: 1, 2: 2, 3: 1, 12: 1}},
		{"longer than any", tooLong, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spans, stats := spansOf(t, data, tt.opts)
			var linked int
			for _, id := range []byte{1, 2, 3, 12} {
				sum, lanes := below(spans, oldSpan{id: id}, "sleep")
				if want := tt.sleeps[id]; sum < want || sum > 2*want {
					t.Errorf("span %d sleeps for %v, want %v", id, sum, want)
				}
				if lanes != tt.lanes[id] {
					t.Errorf("span %d has %d lanes, want %d", id, lanes, tt.lanes[id])
				}
				if lanes > 0 {
					linked++
				}
			}
			if stats.Linked != linked {
				t.Errorf("%d linked, want %d", stats.Linked, linked)
			}
			for _, s := range spans {
				if s.Name == model.UnknownTask {
					t.Errorf("a trace of its own of a span that is known")
				}
			}
		})
	}
}
