package model

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
)

// SpanContext identifies a span of a distributed trace, as OpenTelemetry does.
type SpanContext struct {
	TraceID [16]byte
	SpanID  [8]byte
	// Parent is the span in another process that caused this one, such as the client's
	// span of a request. It is zero if there is none, or if the trace does not tell.
	Parent [8]byte
}

// Categories of the logs in which a program says that a task is a span. They
// are not reported as logs.
const (
	// otelSpan is of package spanlink, whose documentation has the format. The
	// OpenTelemetry SDK begins the task right after it, on the same goroutine.
	otelSpan = "opentelemetry.traceparent"
	// otelSpanEnd is likewise of a span that ends. The SDK ends the task right before
	// it, on the same goroutine; there is none if the span began before the recording.
	otelSpanEnd = "opentelemetry.traceparent.end"
	// datadogSpan is of dd-trace-go (ddtrace/tracer, startExecutionTracerTask):
	// the ID of the span as 8 bytes, little-endian, in the task that it began
	// just before. There is no ID of the trace.
	datadogSpan = "datadog.uint64_span_id"
)

// longestSpanName is the length at which package spanlink cuts the names of
// spans.
const longestSpanName = 512

// startedSpan is a span whose task is about to begin.
type startedSpan struct {
	SpanContext
	name string
}

// is reports whether a task of this type may be the span.
func (s *startedSpan) is(typ string) bool {
	if len(s.name) == longestSpanName {
		return strings.HasPrefix(typ, s.name)
	}
	return typ == s.name
}

// parseStartedSpan reads "TRACEPARENT NAME" or "TRACEPARENT-PARENT NAME". Of later
// versions of traceparent than 00, the beginning is the same (W3C Trace Context,
// "Versioning of traceparent").
func parseStartedSpan(message string) (s startedSpan, ok bool) {
	const length = len("00-") + 2*len(s.TraceID) + len("-") + 2*len(s.SpanID) + len("-00")
	parent, name, ok := strings.Cut(message, " ")
	if !ok || len(parent) < length || parent[2] != '-' || parent[35] != '-' || parent[52] != '-' {
		return s, false
	}
	_, err1 := hex.Decode(s.TraceID[:], []byte(parent[3:35]))
	_, err2 := hex.Decode(s.SpanID[:], []byte(parent[36:52]))
	if err1 != nil || err2 != nil || s.TraceID == [16]byte{} || s.SpanID == [8]byte{} {
		return s, false
	}
	if rest := parent[length:]; len(rest) == len("-")+2*len(s.Parent) && rest[0] == '-' {
		if _, err := hex.Decode(s.Parent[:], []byte(rest[1:])); err != nil {
			s.Parent = [8]byte{}
		}
	}
	s.name = strings.Clone(name)
	return s, true
}

// OldSpan is a span of OpenTelemetry that began before the trace, or where nothing of
// the trace is known, and ended in it. Nothing in the trace told of it before it
// ended. Which goroutines were at work for it is not known, except for the one that
// ended it.
type OldSpan struct {
	SpanContext
	Name string
	// Start is when it began: before the trace began, mostly. End is when it ended.
	Start, End Time
	// Goroutine ended it.
	Goroutine *Goroutine
	// TaskID is the task that it is, which ended just before: one with Before and
	// TypeUnknown. It is BackgroundTask if the span began before the recording of
	// the trace did, and so has no task.
	TaskID TaskID
}

// endedTask is a task that a goroutine ended.
type endedTask struct {
	id     TaskID // BackgroundTask for none
	before bool
	span   *SpanContext
}

// forgetEnded forgets the last task that the goroutine ended.
func (g *Goroutine) forgetEnded() {
	if g.owns() {
		g.ended = endedTask{}
	}
}

// parseEndedSpan reads "TRACEPARENT DURATION NAME", with a duration in ns.
func parseEndedSpan(message string) (s startedSpan, took Time, ok bool) {
	s, ok = parseStartedSpan(message)
	if !ok {
		return s, 0, false
	}
	duration, name, ok := strings.Cut(s.name, " ")
	ns, err := strconv.ParseInt(duration, 10, 64)
	s.name = name
	return s, Time(ns), ok && err == nil && ns >= 0
}

// spanEnded takes the end of a span. It matters if the trace does not have its
// beginning.
func (b *builder) spanEnded(g *Goroutine, s startedSpan, took, now Time) {
	ended := g.ended
	g.forgetEnded()
	if ended.span != nil && *ended.span == s.SpanContext {
		return
	}
	old := &OldSpan{SpanContext: s.SpanContext, Name: s.name, Start: now - took, End: now, Goroutine: g}
	if ended.before && ended.span == nil {
		old.TaskID = ended.id
	}
	b.summary.OldSpans++
	b.sink.OldSpan(old)
}

// link takes a log that says which span a task is. It is false for other logs.
func (b *builder) link(g *Goroutine, id TaskID, category, message string, now Time) bool {
	switch category {
	case otelSpan:
		s, ok := parseStartedSpan(message)
		if !ok || g == nil {
			return false
		}
		if g.span != nil {
			b.misuse(spanWithoutTask)
		}
		g.own().span = &s
		return true
	case otelSpanEnd:
		s, took, ok := parseEndedSpan(message)
		if !ok || g == nil {
			return false
		}
		b.spanEnded(g, s, took, now)
		return true
	case datadogSpan:
		t := b.task(id)
		if len(message) != 8 || t == nil {
			return false
		}
		// Later ones in the same task are of spans below it without a task.
		if t.DatadogSpanID == 0 {
			t.DatadogSpanID = binary.LittleEndian.Uint64([]byte(message))
		}
		return true
	}
	return false
}

const spanWithoutTask = "span linked without its task"

// spanOf returns the span that a task is that g begins, nil if it is none.
func (b *builder) spanOf(g *Goroutine, typ string) *SpanContext {
	if g == nil || g.span == nil {
		return nil
	}
	s := g.span
	g.span = nil
	if !s.is(typ) {
		b.misuse(spanWithoutTask)
		return nil
	}
	b.summary.LinkedSpans++
	return &s.SpanContext
}
