package otel

import "github.com/trace2x/trace2x/internal/wire"

// The numbers of the fields that are appended by hand. They are in OTLP's
// collector/trace/v1, trace/v1 and common/v1. The tests decode the output with the
// generated code, so the numbers cannot differ from OTLP's.
const (
	fRequestResourceSpans  wire.Number = 1 // of ExportTraceServiceRequest and TracesData
	fResourceSpansResource wire.Number = 1 // ResourceSpans.resource
	fResourceSpansScope    wire.Number = 2 // ResourceSpans.scope_spans
	fResourceAttribute     wire.Number = 1 // Resource.attributes
	fScopeSpansScope       wire.Number = 1 // ScopeSpans.scope
	fScopeSpansSpan        wire.Number = 2 // ScopeSpans.spans
	fScopeName             wire.Number = 1 // InstrumentationScope.name
	fScopeVersion          wire.Number = 2 // InstrumentationScope.version
	fSchemaURL             wire.Number = 3 // of ResourceSpans and ScopeSpans
)

// Span
const (
	fSpanTraceID       wire.Number = 1
	fSpanID            wire.Number = 2
	fSpanParentID      wire.Number = 4 // parent_span_id
	fSpanName          wire.Number = 5
	fSpanKind          wire.Number = 6
	fSpanStart         wire.Number = 7 // start_time_unix_nano
	fSpanEnd           wire.Number = 8 // end_time_unix_nano
	fSpanAttribute     wire.Number = 9
	fSpanEvent         wire.Number = 11
	fSpanDroppedEvents wire.Number = 12 // dropped_events_count
)

// spanKindInternal is SPAN_KIND_INTERNAL.
const spanKindInternal = 1

// Span.Event
const (
	fEventTime      wire.Number = 1 // time_unix_nano
	fEventName      wire.Number = 2
	fEventAttribute wire.Number = 3
)

// KeyValue and AnyValue
const (
	fAttributeKey   wire.Number = 1
	fAttributeValue wire.Number = 2
	fValueString    wire.Number = 1
	fValueBool      wire.Number = 2
	fValueInt       wire.Number = 3
	fValueDouble    wire.Number = 4
	fValueArray     wire.Number = 5
	fValueMap       wire.Number = 6 // kvlist_value
	fValueBytes     wire.Number = 7
	fArrayValue     wire.Number = 1 // ArrayValue.values
	fMapEntry       wire.Number = 1 // KeyValueList.values
)
