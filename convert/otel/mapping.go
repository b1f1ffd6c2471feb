package otel

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/trace2x/trace2x/model"
)

// mapping makes OTLP spans of spans. It has no effect but its result.
type mapping struct {
	offset int64 // wall clock less trace clock, ns
	clock  bool  // the trace has told it
	stacks map[*model.Stack][]*commonpb.KeyValue
}

func newMapping(wallStart time.Time, start model.Time) *mapping {
	m := &mapping{stacks: make(map[*model.Stack][]*commonpb.KeyValue), offset: -int64(start)}
	if !wallStart.IsZero() {
		m.offset = wallStart.UnixNano() - int64(start)
	}
	return m
}

// setClock relates the trace's clock to wall-clock time, with the first of the
// snapshots: one relation for all, so that durations stay what they are.
func (m *mapping) setClock(c *model.ClockSnapshot) {
	if !m.clock {
		m.clock, m.offset = true, c.Wall.UnixNano()-int64(c.Trace)
	}
}

func (m *mapping) wall(t model.Time) uint64 { return uint64(int64(t) + m.offset) }

// span encodes a span of a trace.
func (m *mapping) span(trace traceID, s *span) *tracepb.Span {
	out := &tracepb.Span{
		TraceId:            trace[:],
		SpanId:             s.id[:],
		Name:               s.name,
		Kind:               tracepb.Span_SPAN_KIND_INTERNAL,
		StartTimeUnixNano:  m.wall(s.start),
		EndTimeUnixNano:    m.wall(s.end),
		DroppedEventsCount: uint32(s.eventsLeft),
		Attributes:         m.attributes(s),
	}
	if s.parent != (spanID{}) {
		out.ParentSpanId = s.parent[:]
	}
	for _, e := range s.events {
		out.Events = append(out.Events, m.event(e))
	}
	return out
}

func (m *mapping) event(e event) *tracepb.Span_Event {
	name := e.category
	if name == "" {
		name = "log"
	}
	return &tracepb.Span_Event{
		TimeUnixNano: m.wall(e.time),
		Name:         name,
		Attributes:   []*commonpb.KeyValue{stringAttr("message", e.message)},
	}
}

// attributes are named after the semantic conventions where there is one, else
// they begin with "go.". Times are in nanoseconds.
func (m *mapping) attributes(s *span) (as []*commonpb.KeyValue) {
	as = append(as, stringAttr("go.span.kind", s.kind.String()))
	if s.task != model.BackgroundTask {
		as = append(as, intAttr("go.task.id", int64(s.task)))
	}
	if s.parentTask != model.BackgroundTask {
		as = append(as, intAttr("go.task.parent_id", int64(s.parentTask)))
	}
	if s.datadogSpan != 0 {
		as = append(as, stringAttr("dd.span_id", strconv.FormatUint(s.datadogSpan, 10)))
	}
	if s.goroutine != model.NoGoroutine {
		as = append(as, intAttr("go.goroutine.id", int64(s.goroutine)))
	}
	if s.startFunc != "" {
		as = append(as, stringAttr("go.goroutine.function", s.startFunc))
	}
	if s.thread != model.NoThread {
		as = append(as, intAttr("thread.id", int64(s.thread)))
	}
	if s.before {
		as = append(as, boolAttr("go.began_before_trace", true))
	}
	if s.open {
		as = append(as, boolAttr("go.open_at_end", true))
	}
	if s.state != model.NotExist {
		as = append(as, stringAttr("go.state", s.state.String()))
	}
	if s.reason != "" {
		as = append(as, stringAttr("go.reason", s.reason))
	}
	if w := s.waker; w != nil {
		if w.goroutine != model.NoGoroutine {
			as = append(as, intAttr("go.waker.goroutine.id", int64(w.goroutine)), stringAttr("go.waker.goroutine.function", w.startFunc))
		} else {
			as = append(as, stringAttr("go.waker", "scheduler"))
		}
		if f := codeFrame(w.stack); f != nil {
			as = append(as,
				stringAttr("go.waker.code.function.name", f.Func),
				stringAttr("go.waker.code.file.path", f.File),
				intAttr("go.waker.code.line.number", int64(f.Line)))
		}
	}
	if s.stack != nil {
		as = append(as, m.stack(s.stack)...)
	}
	if s.sums != nil {
		as = s.sums.attributes(as)
	}
	if s.leftOut > 0 {
		as = append(as, intAttr("go.spans.left_out", int64(s.leftOut)))
	}
	return as
}

// attributes of sums name the times as go tool trace does.
func (s *sums) attributes(as []*commonpb.KeyValue) []*commonpb.KeyValue {
	as = append(as,
		intAttr("go.execution_time_ns", int64(s.execution)),
		intAttr("go.sched_wait_time_ns", int64(s.schedWait)))
	if s.syscall > 0 {
		as = append(as, intAttr("go.syscall_time_ns", int64(s.syscall)))
	}
	if s.syscallBlock > 0 {
		as = append(as, intAttr("go.syscall_block_time_ns", int64(s.syscallBlock)))
	}
	for _, b := range s.block {
		as = append(as, intAttr("go.block_time_ns."+b.reason, int64(b.time)))
	}
	if s.gcAssist > 0 {
		as = append(as, intAttr("go.gc_assist_time_ns", int64(s.gcAssist)))
	}
	return as
}

// stack gives the place in the program, and the whole stack as the runtime
// prints it. The result is shared.
func (m *mapping) stack(s *model.Stack) []*commonpb.KeyValue {
	as, ok := m.stacks[s]
	if !ok {
		f := codeFrame(s)
		var text strings.Builder
		for _, f := range s.Frames {
			fmt.Fprintf(&text, "%s\n\t%s:%d\n", f.Func, f.File, f.Line)
		}
		as = []*commonpb.KeyValue{
			stringAttr("code.function.name", f.Func),
			stringAttr("code.file.path", f.File),
			intAttr("code.line.number", int64(f.Line)),
			stringAttr("code.stacktrace", text.String()),
		}
		m.stacks[s] = as
	}
	return as
}

// codeFrame is the place in a stack that says most about what the program does:
// the innermost call that is not of the runtime or of the packages that wrap
// it; nil for no stack.
func codeFrame(s *model.Stack) *model.Frame {
	if s == nil {
		return nil
	}
	for _, f := range s.Frames {
		switch pkg := packageOf(f.Func); {
		case pkg == "runtime", pkg == "sync", pkg == "syscall", pkg == "time", pkg == "os", pkg == "net",
			strings.HasPrefix(pkg, "runtime/"), strings.HasPrefix(pkg, "internal/"), strings.HasPrefix(pkg, "sync/"):
		default:
			return f
		}
	}
	return s.Frames[0]
}

// packageOf is the import path in the name of a function.
func packageOf(fn string) string {
	if i := strings.IndexByte(fn, '['); i >= 0 {
		fn = fn[:i]
	}
	slash := strings.LastIndexByte(fn, '/') + 1
	if dot := strings.IndexByte(fn[slash:], '.'); dot >= 0 {
		return fn[:slash+dot]
	}
	return fn
}

func stringAttr(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: strings.ToValidUTF8(value, "\uFFFD")}}}
}

func intAttr(key string, value int64) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: value}}}
}

func boolAttr(key string, value bool) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: value}}}
}
