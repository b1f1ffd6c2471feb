package otel

import (
	"context"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// For the tests in package otel_test, which use package otlpclient: that imports
// this one.

const MaxFailed = maxFailed

// Upload sends spans as a conversion does.
func Upload(ctx context.Context, c Client, spans ...*tracepb.Span) (Result, error) {
	return upload(ctx, c, spans...)
}

// SmallBatches returns a client for tests that need many batches, not many spans.
func SmallBatches(c Client) Client { return smallBatches{c} }

type smallBatches struct{ Client }

func (smallBatches) limits() limits { return testLimits }

// EmptyRequest returns a request without spans.
func EmptyRequest() []byte {
	e := testEnvelope()
	return e.request(nil)
}

var BenchmarkUpload = benchmarkUpload
