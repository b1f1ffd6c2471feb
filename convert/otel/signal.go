package otel

import (
	"context"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Signal is a kind of data of OTLP, for clients: what its requests are called, and how
// they are written as JSON. Packages metrics and profiles have theirs.
type Signal struct {
	// Name is the name of the signal, as in OTEL_EXPORTER_OTLP_TRACES_ENDPOINT.
	Name string
	// Items is what requests have, in the plural.
	Items string
	// Path is that of requests over HTTP, and Method that of gRPC.
	Path, Method string
	// RejectedField is the field of a JSON answer with the number of rejected items.
	RejectedField string
	// Headers are sent with each request.
	Headers map[string]string
	// Advice says what to do if a backend does not know the path or method; "" for
	// nothing.
	Advice string
	// JSON returns a request in OTLP's JSON encoding, on one line. The items are how many
	// requests it could be split into.
	JSON func(request []byte) (text []byte, items int, err error)
}

// Traces is the signal of the spans that [Convert] sends.
var Traces = &Signal{
	Name:          "traces",
	Items:         "spans",
	Path:          "/v1/traces",
	Method:        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	RejectedField: "rejectedSpans",
	JSON: func(request []byte) ([]byte, int, error) {
		// Package protojson does not fit: it writes IDs in base64, and its white space
		// varies.
		traces, err := new(ptrace.ProtoUnmarshaler).UnmarshalTraces(request)
		if err != nil {
			return nil, 0, err
		}
		text, err := new(ptrace.JSONMarshaler).MarshalTraces(traces)
		return text, traces.SpanCount(), err
	},
}

// Sender sends the requests of other signals, one after the other, and counts what
// becomes of them as [Convert] does for spans. It gives up if the client cannot be used,
// has tried a request for as long as it does, or has failed three times in a row.
type Sender struct {
	ctx    context.Context
	client Client
	tally
}

// NewSender returns a sender of a signal's requests. The end of ctx ends the sending.
func NewSender(ctx context.Context, client Client, s *Signal) *Sender {
	x := &Sender{ctx: ctx, client: client}
	x.tally.init(s.Items)
	return x
}

// Send sends a request with n items, which the client must not keep. After the sender
// gave up it only counts them as rejected.
func (s *Sender) Send(request []byte, n int) {
	if err := s.export(request, n); err != nil {
		s.fail(n, err, true)
	}
}

// export sends a request with n items, and counts them. If the client fails before ctx
// ends, export returns the client's error and counts nothing. It may be called
// concurrently.
func (s *Sender) export(request []byte, n int) error {
	if err := s.Err(); err != nil {
		s.reject(n, s.reason(err))
		return nil
	}
	answer, err := s.client.Export(s.ctx, request)
	switch ended := context.Cause(s.ctx); {
	case err == nil:
		s.accept(n, answer)
	case ended != nil:
		s.reject(n, s.reason(ended))
	default:
		return err
	}
	return nil
}

// Fail counts n items that no request can have.
func (s *Sender) Fail(n int, err error) { s.reject(n, s.reason(err)) }

// Err returns why there is no sense in going on: the context ended, or sending was given
// up. Until then it returns nil.
func (s *Sender) Err() error { return s.err(s.ctx) }

// Close closes the client, and returns what became of the requests. The error is a
// [*RejectedError] if anything was rejected. If ctx ended, errors.Is finds its cause.
func (s *Sender) Close() (Result, error) { return s.total(s.ctx, s.client.Close()) }
