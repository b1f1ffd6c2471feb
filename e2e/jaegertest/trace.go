package jaegertest

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// A Trace is one as the query service presents it to the UI. It is not quite
// what was sent: tags and log fields are sorted by key, except that a field
// "event" comes first; of equal spans there is one; and tags of a span that are
// about its OpenTelemetry SDK are moved to its process. A trace with a NaN or an
// infinity in a tag cannot be presented at all.
type Trace struct {
	TraceID   string             `json:"traceID"` // 32 hex digits, or 16 if the first 16 are zeros
	Spans     []Span             `json:"spans"`   // in no particular order
	Processes map[string]Process `json:"processes"`
	Warnings  []string           `json:"warnings"`
}

// A Span's times are in microseconds, rounded down.
type Span struct {
	TraceID       string      `json:"traceID"`
	SpanID        string      `json:"spanID"` // 16 hex digits
	OperationName string      `json:"operationName"`
	References    []Reference `json:"references"` // to the parent and to linked spans
	Flags         uint32      `json:"flags"`
	StartTime     int64       `json:"startTime"` // since 1970
	Duration      int64       `json:"duration"`
	Tags          Tags        `json:"tags"`
	Logs          []Log       `json:"logs"`      // OTLP's events
	ProcessID     string      `json:"processID"` // key in Trace.Processes
	Warnings      []string    `json:"warnings"`
}

// A Reference leads from the span that has it to another one.
type Reference struct {
	RefType string `json:"refType"` // CHILD_OF or FOLLOWS_FROM
	TraceID string `json:"traceID"`
	SpanID  string `json:"spanID"`
}

// A Log is something that happened during a span. The name of an OTLP event is
// the field with the key "event".
type Log struct {
	Timestamp int64 `json:"timestamp"` // in microseconds since 1970, rounded down
	Fields    Tags  `json:"fields"`
}

// A Process is what a span is from: an OTLP resource.
type Process struct {
	ServiceName string `json:"serviceName"`
	Tags        Tags   `json:"tags"` // the other attributes
}

// A Tag is a key with a string, bool, int64, float64 or []byte.
type Tag struct {
	Key   string
	Value any
}

// Tags may have several with the same key.
type Tags []Tag

// Get returns the value of the first tag with the key, or nil if there is none.
func (tags Tags) Get(key string) any {
	for _, t := range tags {
		if t.Key == key {
			return t.Value
		}
	}
	return nil
}

func (t *Tag) UnmarshalJSON(text []byte) error {
	var raw struct {
		Key   string
		Type  string
		Value json.RawMessage
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	value, err := tagValue(raw.Type, raw.Value)
	if err != nil {
		return fmt.Errorf("tag %s: %w", raw.Key, err)
	}
	t.Key, t.Value = raw.Key, value
	return nil
}

// tagValue returns a value of the type that Jaeger names.
func tagValue(kind string, text []byte) (any, error) {
	switch kind {
	case "string":
		return decode[string](text)
	case "bool":
		return decode[bool](text)
	case "int64":
		// One that JavaScript could not represent is in quotes.
		if quoted, err := decode[string](text); err == nil {
			return strconv.ParseInt(quoted, 10, 64)
		}
		return decode[int64](text)
	case "float64":
		return decode[float64](text)
	case "binary":
		return decode[[]byte](text) // base64
	}
	return nil, fmt.Errorf("unknown type %q", kind)
}

func decode[T any](text []byte) (T, error) {
	var v T
	err := json.Unmarshal(text, &v)
	return v, err
}

// start returns when the first span starts.
func (t Trace) start() int64 {
	first := int64(math.MaxInt64)
	for _, s := range t.Spans {
		first = min(first, s.StartTime)
	}
	return first
}
