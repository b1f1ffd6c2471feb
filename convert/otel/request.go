package otel

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"

	"github.com/trace2x/trace2x/internal/wire"
)

// envelope is what all requests of an upload share, encoded.
type envelope struct {
	resource []byte // field of ResourceSpans
	scope    []byte // field of ScopeSpans
	schema   []byte // field of both, which has the same number in both
}

// newEnvelope encodes what describes the program that was traced, and this one.
func newEnvelope(resource []attribute.KeyValue, version string) (e envelope) {
	var b []byte
	for _, kv := range resource {
		b = appendKeyValue(b, fResourceAttribute, kv)
	}
	e.resource = wire.AppendBytes(nil, fResourceSpansResource, b)
	b = wire.AppendString(nil, fScopeName, scopeName)
	if version != "" {
		b = wire.AppendString(b, fScopeVersion, version)
	}
	e.scope = wire.AppendBytes(nil, fScopeSpansScope, b)
	e.schema = wire.AppendString(nil, fSchemaURL, schemaURL)
	return e
}

// appendKeyValue appends an attribute with a value of any type.
func appendKeyValue(b []byte, num wire.Number, kv attribute.KeyValue) []byte {
	b, attr, value := openAttr(b, num, wire.Text(string(kv.Key)))
	return wire.Close(wire.Close(appendValue(b, kv.Value), value), attr)
}

// appendValue appends the field of an AnyValue; none for a value that is empty.
func appendValue(b []byte, v attribute.Value) []byte {
	switch v.Type() {
	case attribute.EMPTY:
		return b
	case attribute.BOOL:
		n := uint64(0)
		if v.AsBool() {
			n = 1
		}
		return wire.AppendUint(b, fValueBool, n)
	case attribute.INT64:
		return wire.AppendUint(b, fValueInt, uint64(v.AsInt64()))
	case attribute.FLOAT64:
		return wire.AppendFixed64(b, fValueDouble, math.Float64bits(v.AsFloat64()))
	case attribute.BYTESLICE:
		return wire.AppendBytes(b, fValueBytes, v.AsByteSlice())
	case attribute.BOOLSLICE:
		return appendArray(b, v.AsBoolSlice(), attribute.BoolValue)
	case attribute.INT64SLICE:
		return appendArray(b, v.AsInt64Slice(), attribute.Int64Value)
	case attribute.FLOAT64SLICE:
		return appendArray(b, v.AsFloat64Slice(), attribute.Float64Value)
	case attribute.STRINGSLICE:
		return appendArray(b, v.AsStringSlice(), attribute.StringValue)
	case attribute.SLICE:
		return appendArray(b, v.AsSlice(), func(v attribute.Value) attribute.Value { return v })
	case attribute.MAP:
		b, list := wire.Open(b, fValueMap)
		for _, kv := range v.AsMap() {
			b = appendKeyValue(b, fMapEntry, kv)
		}
		return wire.Close(b, list)
	default:
		return wire.AppendString(b, fValueString, v.String())
	}
}

func appendArray[T any](b []byte, list []T, value func(T) attribute.Value) []byte {
	b, array := wire.Open(b, fValueArray)
	for _, x := range list {
		var mark int
		b, mark = wire.Open(b, fArrayValue)
		b = wire.Close(appendValue(b, value(x)), mark)
	}
	return wire.Close(b, array)
}

// request returns an encoded request with the spans of a batch.
func (e *envelope) request(spans []byte) []byte {
	scopeSize := len(e.scope) + len(spans) + len(e.schema)
	resourceSize := len(e.resource) + wire.SizeBytes(fResourceSpansScope, scopeSize) + len(e.schema)
	b := make([]byte, 0, wire.SizeBytes(fRequestResourceSpans, resourceSize))
	b = wire.AppendLength(b, fRequestResourceSpans, resourceSize)
	b = append(b, e.resource...)
	b = wire.AppendLength(b, fResourceSpansScope, scopeSize)
	b = append(b, e.scope...)
	b = append(b, spans...)
	b = append(b, e.schema...)
	return append(b, e.schema...)
}

// size returns an upper bound of the size of a request without its spans. Lengths that
// grow with the spans are counted at their longest.
func (e *envelope) size() int {
	const lengths = 2 * 4 // of ResourceSpans and ScopeSpans, up to 256 MiB
	return len(e.request(nil)) + lengths
}

// PutResource sets the attributes of a resource to those that spans have with
// [Options.Resource], for the other signals of the same program.
func PutResource(to pcommon.Resource, attributes []attribute.KeyValue) {
	e := newEnvelope(attributes, "")
	traces, err := new(ptrace.ProtoUnmarshaler).UnmarshalTraces(e.request(nil))
	if err != nil {
		panic(err) // the encoding is wrong
	}
	traces.ResourceSpans().At(0).Resource().MoveTo(to)
}
