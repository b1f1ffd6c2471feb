package spanlink

import (
	"context"
	"encoding/hex"
	"runtime/trace"
	"strconv"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Category is the category of the logs that link a task to a span. The message
// is the W3C traceparent of the span, a space, and the span's name: the next
// task that begins on the goroutine of the log, and has this name as its type,
// is the span. If the span has a parent in another process, "-" and the ID of that follow
// the traceparent directly; readers that do not know this skip it.
//
// The logs are of no task: they come before the one that they are about.
const Category = "opentelemetry.traceparent"

// MaxName is the number of bytes at which names are cut in the message. The
// runtime cuts messages and types of tasks at 1024 bytes, which a long name
// would reach sooner in one than in the other.
const MaxName = 512

// EndCategory is the category of the logs that link a span whose beginning the trace
// may lack: it was not recorded yet, or the flight recorder has dropped it by now. The
// message is the W3C traceparent of the span, a space, how long it took in nanoseconds,
// a space, and the name: the span has just ended on the goroutine of the log. The SDK
// ends the task before that, if there is one.
const EndCategory = "opentelemetry.traceparent.end"

// LongSpan is how long a span takes at least for a log of EndCategory: shorter ones
// rarely began before what is recorded.
const LongSpan = 20 * time.Millisecond

// NewProcessor returns a span processor that, while an execution trace is
// recorded, logs into it the context of each sampled span that starts, and of each
// that ends after [LongSpan]. While none is, that costs a few nanoseconds and no
// allocation.
//
// It never touches the spans, keeps nothing, and is safe for concurrent use.
// Spans that are recorded but not sampled are not linked: no exporter sends
// them. Register it behind processors that rename spans when they start, and before
// those that wait when spans end.
func NewProcessor() sdktrace.SpanProcessor { return processor{} }

type processor struct{}

func (processor) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	if trace.IsEnabled() {
		log(Category, s, -1)
	}
}

func (processor) OnEnd(s sdktrace.ReadOnlySpan) {
	if !trace.IsEnabled() {
		return
	}
	if took := s.EndTime().Sub(s.StartTime()); took >= LongSpan {
		log(EndCategory, s, took)
	}
}

// log logs the context of a span, and how long it took if that is not negative.
func log(category string, s sdktrace.ReadOnlySpan, took time.Duration) {
	sc := s.SpanContext()
	if !sc.IsSampled() {
		return
	}
	name := s.Name()
	name = name[:min(len(name), MaxName)]
	id, span, flags := sc.TraceID(), sc.SpanID(), byte(sc.TraceFlags())

	const digits = 20
	var buf [len("00-") + 32 + 1 + 16 + 1 + 2 + 1 + 16 + 1 + digits + MaxName]byte
	b := append(buf[:0], "00-"...)
	b = append(hex.AppendEncode(b, id[:]), '-')
	b = append(hex.AppendEncode(b, span[:]), '-')
	b = hex.AppendEncode(b, []byte{flags})
	if from := s.Parent(); from.IsRemote() {
		id := from.SpanID()
		b = hex.AppendEncode(append(b, '-'), id[:])
	}
	b = append(b, ' ')
	if took >= 0 {
		b = append(strconv.AppendInt(b, int64(took), 10), ' ')
	}
	b = append(b, name...)
	// Not in the task of the caller's context: when a span starts, that is the
	// parent's task.
	trace.Log(context.Background(), category, string(b))
}

func (processor) Shutdown(context.Context) error   { return nil }
func (processor) ForceFlush(context.Context) error { return nil }
