package otel

import (
	"encoding/hex"
	"maps"
	"slices"
	"strconv"

	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// mapping encodes spans as OTLP's protobuf messages, with the bytes that the generated
// code would make. It has no effect except its result.
type mapping struct {
	clock      WallClock
	reasons    *times.Reasons // that the spans refer to
	stacks     map[*model.Stack][]byte
	stackBytes int // bytes in stacks
	buffer     []byte
}

// maxStackBytes limits the memory for encoded stacks, which are kept because most
// come again.
const maxStackBytes = 64 << 20

// newMapping returns a mapping without a clock and without reasons.
func newMapping() *mapping { return &mapping{stacks: make(map[*model.Stack][]byte)} }

// span returns an encoded span. It is valid until the next call.
func (m *mapping) span(trace traceID, s *span) []byte {
	b := m.buffer[:0]
	b = wire.AppendBytes(b, fSpanTraceID, trace[:])
	b = wire.AppendBytes(b, fSpanID, s.id[:])
	if s.parent != (spanID{}) {
		b = wire.AppendBytes(b, fSpanParentID, s.parent[:])
	}
	if s.name != "" {
		b = wire.AppendString(b, fSpanName, s.name)
	}
	b = wire.AppendUint(b, fSpanKind, spanKindInternal)
	b = m.time(b, fSpanStart, s.start)
	b = m.time(b, fSpanEnd, s.end)
	b = m.attributes(b, s)
	for _, e := range s.events {
		b = m.event(b, e)
	}
	if s.eventsLeft > 0 {
		b = wire.AppendUint(b, fSpanDroppedEvents, uint64(s.eventsLeft))
	}
	if s.link != nil {
		b = s.link.append(b)
	}
	m.buffer = b
	return b
}

// time appends a time as Unix time in nanoseconds. It leaves 0 out.
func (m *mapping) time(b []byte, num wire.Number, t model.Time) []byte {
	if wall := m.clock.UnixNano(t); wall != 0 {
		b = wire.AppendFixed64(b, num, uint64(wall))
	}
	return b
}

func (m *mapping) event(b []byte, e event) []byte {
	name := e.category
	if name == "" {
		name = "log"
	}
	b, mark := wire.Open(b, fSpanEvent)
	b = m.time(b, fEventTime, e.time)
	b = wire.AppendString(b, fEventName, name)
	b = appendStringAttr(b, fEventAttribute, "message", e.message)
	return wire.Close(b, mark)
}

// attributes appends the attributes of a span. They have the names of the semantic
// conventions where there is one; other names begin with "go.". Times are in
// nanoseconds.
func (m *mapping) attributes(b []byte, s *span) []byte {
	b = appendStringAttr(b, fSpanAttribute, "go.span.kind", s.kind.String())
	if s.task != model.BackgroundTask {
		b = appendIntAttr(b, fSpanAttribute, "go.task.id", int64(s.task))
	}
	if s.parentTask != model.BackgroundTask {
		b = appendIntAttr(b, fSpanAttribute, "go.task.parent_id", int64(s.parentTask))
	}
	if s.datadogSpan != 0 {
		b = appendStringAttr(b, fSpanAttribute, "dd.span_id", strconv.FormatUint(s.datadogSpan, 10))
	}
	if s.goroutine != model.NoGoroutine {
		b = appendIntAttr(b, fSpanAttribute, "go.goroutine.id", int64(s.goroutine))
	}
	if s.startFunc != "" {
		b = appendStringAttr(b, fSpanAttribute, "go.goroutine.function", s.startFunc)
	}
	if s.thread != model.NoThread {
		b = appendIntAttr(b, fSpanAttribute, "thread.id", int64(s.thread))
	}
	if s.before {
		b = appendTrueAttr(b, fSpanAttribute, "go.began_before_trace")
	}
	if s.open {
		b = appendTrueAttr(b, fSpanAttribute, "go.open_at_end")
	}
	if s.lost > 0 {
		b = appendIntAttr(b, fSpanAttribute, "go.lost_ns", int64(s.lost))
	}
	if s.state != model.NotExist {
		b = appendStringAttr(b, fSpanAttribute, "go.state", s.state.String())
	}
	if s.reason != "" {
		b = appendStringAttr(b, fSpanAttribute, "go.reason", s.reason)
	}
	if s.waker != nil {
		b = s.waker.attributes(b)
	}
	if s.stack != nil {
		b = append(b, m.stack(s.stack)...)
	}
	if s.times != nil {
		b = m.times(b, s.times)
	}
	if s.path != nil {
		b = s.path.attributes(b)
	}
	if s.profile != (spanID{}) {
		b = appendStringAttr(b, fSpanAttribute, "pyroscope.profile.id", hex.EncodeToString(s.profile[:]))
	}
	if s.leftOut > 0 {
		b = appendIntAttr(b, fSpanAttribute, "go.spans.left_out", int64(s.leftOut))
	}
	for _, what := range slices.Sorted(maps.Keys(s.misuse)) {
		b = appendIntAttr(b, fSpanAttribute, "go.misuse."+what, int64(s.misuse[what]))
	}
	return b
}

func (w *waker) attributes(b []byte) []byte {
	if w.goroutine != model.NoGoroutine {
		b = appendIntAttr(b, fSpanAttribute, "go.waker.goroutine.id", int64(w.goroutine))
		b = appendStringAttr(b, fSpanAttribute, "go.waker.goroutine.function", w.startFunc)
	} else {
		b = appendStringAttr(b, fSpanAttribute, "go.waker", "scheduler")
	}
	if f := w.stack.Place(); f != nil {
		b = appendStringAttr(b, fSpanAttribute, "go.waker.code.function.name", f.Func)
		b = appendStringAttr(b, fSpanAttribute, "go.waker.code.file.path", f.File)
		b = appendIntAttr(b, fSpanAttribute, "go.waker.code.line.number", int64(f.Line))
	}
	return b
}

// times appends attributes that name the times as go tool trace does.
func (m *mapping) times(b []byte, t *times.Times) []byte {
	b = appendIntAttr(b, fSpanAttribute, "go.execution_time_ns", int64(t.Execution))
	b = appendIntAttr(b, fSpanAttribute, "go.sched_wait_time_ns", int64(t.SchedWait))
	if t.Syscall > 0 {
		b = appendIntAttr(b, fSpanAttribute, "go.syscall_time_ns", int64(t.Syscall))
	}
	if t.SyscallBlock > 0 {
		b = appendIntAttr(b, fSpanAttribute, "go.syscall_block_time_ns", int64(t.SyscallBlock))
	}
	for reason, d := range t.Block {
		if d > 0 {
			b = appendIntAttr(b, fSpanAttribute, "go.block_time_ns."+wire.Text(m.reasons.Name(reason)), int64(d))
		}
	}
	if t.GCAssist > 0 {
		b = appendIntAttr(b, fSpanAttribute, "go.gc_assist_time_ns", int64(t.GCAssist))
	}
	return b
}

// maxStacks is the number of stacks that are kept encoded, of 2 kB each.
const maxStacks = 10_000

// stack returns the attributes for the place in the program and for the whole stack,
// as the runtime prints it. The caller must not change the result.
func (m *mapping) stack(s *model.Stack) []byte {
	b, ok := m.stacks[s]
	if !ok {
		if len(m.stacks) >= maxStacks {
			clear(m.stacks)
		}
		b = appendStack(nil, s)
		if m.stackBytes += len(b); m.stackBytes > maxStackBytes {
			clear(m.stacks)
			m.stackBytes = len(b)
		}
		m.stacks[s] = b
	}
	return b
}

func appendStack(b []byte, s *model.Stack) []byte {
	f := s.Place()
	b = appendStringAttr(b, fSpanAttribute, "code.function.name", f.Func)
	b = appendStringAttr(b, fSpanAttribute, "code.file.path", f.File)
	b = appendIntAttr(b, fSpanAttribute, "code.line.number", int64(f.Line))
	return appendStringAttr(b, fSpanAttribute, "code.stacktrace", stackText(s))
}
