package otel

import (
	"bytes"
	"strings"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// decodeSpan decodes with the generated code, and checks that it would have
// encoded the span to the same bytes: no field is another's, of another type,
// empty or out of order.
func decodeSpan(t *testing.T, encoded []byte) *tracepb.Span {
	t.Helper()
	s := new(tracepb.Span)
	if err := proto.Unmarshal(encoded, s); err != nil {
		t.Fatalf("%v: %x", err, encoded)
	}
	if !bytes.Equal(encode(s), encoded) {
		t.Errorf("not what the generated code makes of it: %v", s)
	}
	return s
}

var testStack = &model.Stack{Frames: []*model.Frame{
	{Func: "sync.(*Mutex).Lock", File: "/go/src/sync/mutex.go", Line: 46},
	{Func: "main.work", File: "/home/a/main.go", Line: 300},
}}

func intTag(k string, v int64) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: k, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: v}}}
}

func trueTag(k string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: k, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}}
}

func reasons(names ...string) *times.Reasons {
	var r times.Reasons
	for _, name := range names {
		r.Index(name)
	}
	return &r
}

func testMapping(wallStart time.Time, start model.Time, r *times.Reasons) *mapping {
	m := newMapping()
	m.clock, m.reasons = NewWallClock(wallStart, start), r
	return m
}

// TestSpan has every field and attribute that there is.
func TestSpan(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	m := testMapping(start, 1000, reasons("sync", "\xff", "chan receive"))
	trace, id, parent := traceID{1, 2}, spanID{3, 4}, spanID{5, 6}
	place := []*commonpb.KeyValue{
		stringTag("code.function.name", "main.work"),
		stringTag("code.file.path", "/home/a/main.go"),
		intTag("code.line.number", 300),
		stringTag("code.stacktrace", "sync.(*Mutex).Lock\n\t/go/src/sync/mutex.go:46\nmain.work\n\t/home/a/main.go:300\n"),
	}
	for _, c := range []struct {
		name string
		in   span
		want *tracepb.Span
	}{
		{"task", span{
			kind: kindTask, id: id, name: "handle", start: 1000, end: 5000, before: true, open: true, stack: testStack,
			times: &times.Times{Execution: 1, SchedWait: 0, Syscall: 3, SyscallBlock: 4, GCAssist: 5, Block: []model.Time{6, 0, 1 << 40}},
			task:  7, parentTask: 8, datadogSpan: 1 << 63, goroutine: 9, startFunc: "main.main", thread: model.NoThread, leftOut: 10,
			events:     []event{{2000, "", "no category"}, {3000, "category", ""}},
			eventsLeft: 11,
		}, &tracepb.Span{
			TraceId: trace[:], SpanId: id[:], Name: "handle",
			StartTimeUnixNano: uint64(start.UnixNano()), EndTimeUnixNano: uint64(start.UnixNano()) + 4000,
			Attributes: append(append([]*commonpb.KeyValue{
				stringTag("go.span.kind", "task"), intTag("go.task.id", 7), intTag("go.task.parent_id", 8),
				stringTag("dd.span_id", "9223372036854775808"), intTag("go.goroutine.id", 9), stringTag("go.goroutine.function", "main.main"),
				trueTag("go.began_before_trace"), trueTag("go.open_at_end"),
			}, place...),
				intTag("go.execution_time_ns", 1), intTag("go.sched_wait_time_ns", 0), intTag("go.syscall_time_ns", 3),
				intTag("go.syscall_block_time_ns", 4), intTag("go.block_time_ns.sync", 6), intTag("go.block_time_ns.chan receive", 1<<40),
				intTag("go.gc_assist_time_ns", 5), intTag("go.spans.left_out", 10)),
			Events: []*tracepb.Span_Event{
				{TimeUnixNano: uint64(start.UnixNano()) + 1000, Name: "log", Attributes: []*commonpb.KeyValue{stringTag("message", "no category")}},
				{TimeUnixNano: uint64(start.UnixNano()) + 2000, Name: "category", Attributes: []*commonpb.KeyValue{stringTag("message", "")}},
			},
			DroppedEventsCount: 11,
		}},
		{"state", span{
			kind: kindState, id: id, parent: parent, name: "sync", start: 1000, end: 1000, stack: testStack,
			goroutine: model.NoGoroutine, thread: 12, state: model.Waiting, reason: "sync", waker: &waker{goroutine: 13, stack: testStack},
		}, &tracepb.Span{
			TraceId: trace[:], SpanId: id[:], ParentSpanId: parent[:], Name: "sync",
			StartTimeUnixNano: uint64(start.UnixNano()), EndTimeUnixNano: uint64(start.UnixNano()),
			Attributes: append([]*commonpb.KeyValue{
				stringTag("go.span.kind", "state"), intTag("thread.id", 12), stringTag("go.state", "waiting"), stringTag("go.reason", "sync"),
				intTag("go.waker.goroutine.id", 13), stringTag("go.waker.goroutine.function", ""),
				stringTag("go.waker.code.function.name", "main.work"), stringTag("go.waker.code.file.path", "/home/a/main.go"),
				intTag("go.waker.code.line.number", 300),
			}, place...),
		}},
		{"woken by the scheduler", span{
			kind: kindState, id: id, name: "sleep", start: 1000, end: 2000,
			goroutine: model.NoGoroutine, thread: model.NoThread, waker: &waker{goroutine: model.NoGoroutine},
		}, &tracepb.Span{
			TraceId: trace[:], SpanId: id[:], Name: "sleep",
			StartTimeUnixNano: uint64(start.UnixNano()), EndTimeUnixNano: uint64(start.UnixNano()) + 1000,
			Attributes: []*commonpb.KeyValue{stringTag("go.span.kind", "state"), stringTag("go.waker", "scheduler")},
		}},
		// A backend refuses a request in which a text is not UTF-8.
		{"not UTF-8", span{
			kind: kindRegion, id: id, name: "a\xffb", start: 1000, end: 2000, startFunc: "\xc3", reason: "\xff",
			times: &times.Times{Block: []model.Time{0, 1}}, events: []event{{1000, "\xfe", "\xfd"}},
			goroutine: model.NoGoroutine, thread: model.NoThread,
		}, &tracepb.Span{
			TraceId: trace[:], SpanId: id[:], Name: "a\uFFFDb",
			StartTimeUnixNano: uint64(start.UnixNano()), EndTimeUnixNano: uint64(start.UnixNano()) + 1000,
			Attributes: []*commonpb.KeyValue{
				stringTag("go.span.kind", "region"), stringTag("go.goroutine.function", "\uFFFD"), stringTag("go.reason", "\uFFFD"),
				intTag("go.execution_time_ns", 0), intTag("go.sched_wait_time_ns", 0), intTag("go.block_time_ns.\uFFFD", 1),
			},
			Events: []*tracepb.Span_Event{{TimeUnixNano: uint64(start.UnixNano()), Name: "\uFFFD", Attributes: []*commonpb.KeyValue{stringTag("message", "\uFFFD")}}},
		}},
	} {
		c.want.Kind = tracepb.Span_SPAN_KIND_INTERNAL
		encoded := m.span(trace, &c.in)
		if got := decodeSpan(t, encoded); !proto.Equal(got, c.want) {
			t.Errorf("%s: got %v\nwant %v", c.name, got, c.want)
		}
		sizes := sizes{m.reasons, make(map[*model.Stack]int)}
		if size := sizes.size(&c.in); size < len(encoded) || size > 2*len(encoded)+400 {
			t.Errorf("%s: %d bytes, taken for %d", c.name, len(encoded), size)
		}
	}
}

// FuzzSpan: texts and numbers of any kind and length make a span that the
// generated code decodes.
func FuzzSpan(f *testing.F) {
	f.Add("name", "message", int64(1), uint8(3), true)
	f.Add("", "\xff", int64(-1), uint8(0), false)
	f.Add(strings.Repeat("a", 130), strings.Repeat("b", 1<<14), int64(1<<62), uint8(2), true)
	f.Fuzz(func(t *testing.T, name, text string, n int64, many uint8, flag bool) {
		s := span{
			kind: kind(many) % numKinds, id: spanID{1}, name: name, start: model.Time(n), end: model.Time(n) + 1, before: flag, open: flag,
			times: &times.Times{Execution: model.Time(n), Syscall: model.Time(n), Block: []model.Time{model.Time(n)}},
			task:  model.TaskID(n), goroutine: model.GoID(n), startFunc: text, thread: model.ThreadID(n), reason: name,
			eventsLeft: int(many), leftOut: int(many), waker: &waker{goroutine: model.GoID(n), startFunc: name},
			stack: &model.Stack{Frames: []*model.Frame{{Func: name, File: text, Line: int(n)}}},
		}
		for range many {
			s.events = append(s.events, event{model.Time(n), name, text})
		}
		m := testMapping(time.Time{}, 0, reasons(text))
		got := decodeSpan(t, m.span(traceID{1}, &s))
		if got.Name != wire.Text(name) || len(got.Events) != int(many) || got.StartTimeUnixNano != uint64(n) || got.EndTimeUnixNano != uint64(n+1) {
			t.Errorf("%v", got)
		}
	})
}
