package spanlink

import (
	"context"
	"encoding/hex"
	"runtime/trace"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Category is the category of the logs that link a task to a span. The message
// is the W3C traceparent of the span, a space, and the span's name: the next
// task that begins on the goroutine of the log, and has this name as its type,
// is the span.
//
// The logs are of no task: they come before the one that they are about.
const Category = "opentelemetry.traceparent"

// MaxName is the number of bytes at which names are cut in the message. The
// runtime cuts messages and types of tasks at 1024 bytes, which a long name
// would reach sooner in one than in the other.
const MaxName = 512

// NewProcessor returns a span processor that, while an execution trace is
// recorded, logs into it the context of each sampled span that starts. While
// none is, that costs a few nanoseconds and no allocation.
//
// It never touches the spans, keeps nothing, and is safe for concurrent use.
// Spans that are recorded but not sampled are not linked: no exporter sends
// them. Register it behind processors that rename spans when they start.
func NewProcessor() sdktrace.SpanProcessor { return processor{} }

type processor struct{}

func (processor) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	if !trace.IsEnabled() {
		return
	}
	sc := s.SpanContext()
	if !sc.IsSampled() {
		return
	}
	name := s.Name()
	name = name[:min(len(name), MaxName)]
	id, parent, flags := sc.TraceID(), sc.SpanID(), byte(sc.TraceFlags())

	var buf [len("00-") + 32 + 1 + 16 + 1 + 2 + 1 + MaxName]byte
	b := append(buf[:0], "00-"...)
	b = append(hex.AppendEncode(b, id[:]), '-')
	b = append(hex.AppendEncode(b, parent[:]), '-')
	b = append(hex.AppendEncode(b, []byte{flags}), ' ')
	b = append(b, name...)
	// Not in the task of the caller's context, which is the parent's task.
	trace.Log(context.Background(), Category, string(b))
}

func (processor) OnEnd(sdktrace.ReadOnlySpan)      {}
func (processor) Shutdown(context.Context) error   { return nil }
func (processor) ForceFlush(context.Context) error { return nil }
