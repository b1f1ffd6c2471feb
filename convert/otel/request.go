package otel

import (
	"fmt"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/internal/wire"
)

// envelope is what all requests of an upload share, encoded.
type envelope struct {
	resource []byte // field of ResourceSpans
	scope    []byte // field of ScopeSpans
	schema   []byte // field of both, which has the same number in both
}

// newEnvelope fails if a text is not UTF-8.
func newEnvelope(resource *resourcepb.Resource, scope *commonpb.InstrumentationScope, schemaURL string) (e envelope, err error) {
	for _, part := range []struct {
		field *[]byte
		in    proto.Message
	}{
		{&e.resource, &tracepb.ResourceSpans{Resource: resource}},
		{&e.scope, &tracepb.ScopeSpans{Scope: scope}},
		{&e.schema, &tracepb.ScopeSpans{SchemaUrl: schemaURL}},
	} {
		if *part.field, err = proto.Marshal(part.in); err != nil {
			return e, fmt.Errorf("the resource or the scope of the spans: %w", err)
		}
	}
	return e, nil
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

// size returns the size of a request without spans. The lengths that grow with
// the spans are counted as long as they can be.
func (e *envelope) size() int {
	const lengths = 2 * 4 // of ResourceSpans and ScopeSpans, up to 256 MiB
	return len(e.request(nil)) + lengths
}

// encodedMessages returns messages for the SDK's clients, which encode them to the
// bytes of the request: what a message holds is among its fields that the
// generated code does not know, which are copied as they are. To decode a request
// only for them to encode it would take longer than all else that becomes of it.
func encodedMessages(request []byte) (ms []*tracepb.ResourceSpans, err error) {
	for len(request) > 0 {
		num, typ, n := protowire.ConsumeField(request)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		if num != fRequestResourceSpans || typ != protowire.BytesType {
			return nil, fmt.Errorf("field %d of type %d in a request", num, typ)
		}
		_, _, tag := protowire.ConsumeTag(request)
		fields, _ := protowire.ConsumeBytes(request[tag:n])
		m := new(tracepb.ResourceSpans)
		m.ProtoReflect().SetUnknown(fields)
		ms = append(ms, m)
		request = request[n:]
	}
	return ms, nil
}

// decodedMessages is for what is not sent as protobuf.
func decodedMessages(request []byte) ([]*tracepb.ResourceSpans, error) {
	var r coltracepb.ExportTraceServiceRequest
	err := proto.Unmarshal(request, &r)
	return r.ResourceSpans, err
}
