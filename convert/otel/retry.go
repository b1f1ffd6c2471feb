package otel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// retryClient is a client that sends with one of the SDK, whose tries it watches
// and repeats.
type retryClient struct {
	sdk       otlptrace.Client
	json      bool          // is what the SDK's sends, not protobuf
	timeout   time.Duration // of a try; 0 is none
	retryTime time.Duration // of all tries
	firstWait time.Duration
	notify    func(error, time.Duration)
	closeIdle func() // may be nil
}

// Start implements [Client].
func (c *retryClient) Start(ctx context.Context) error { return c.sdk.Start(ctx) }

// Stop implements [Client].
func (c *retryClient) Stop(ctx context.Context) error {
	if c.closeIdle != nil {
		defer c.closeIdle()
	}
	return c.sdk.Stop(ctx)
}

// Export implements [Client].
func (c *retryClient) Export(ctx context.Context, request []byte) error {
	toMessages := encodedMessages
	if c.json {
		toMessages = decodedMessages
	}
	spans, err := toMessages(request)
	if err != nil {
		return err
	}
	end := time.Now().Add(c.retryTime)
	w := waits{ExponentialBackOff: backoff.ExponentialBackOff{
		InitialInterval:     c.firstWait,
		RandomizationFactor: backoff.DefaultRandomizationFactor,
		Multiplier:          2,
		MaxInterval:         maxWait,
	}}
	var last *sendError
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		err := c.try(ctx, time.Until(end), spans)
		e := new(sendError)
		if !errors.As(err, &e) || e.cause != passing {
			return struct{}{}, backoff.Permanent(err)
		}
		// A try that the end cut short tells less than the one before it.
		if last == nil || time.Now().Before(end) {
			last = e
		}
		w.atLeast = last.after
		return struct{}{}, last
	}, backoff.WithBackOff(&w), backoff.WithMaxElapsedTime(c.retryTime), backoff.WithNotify(c.notify))

	e := new(sendError)
	if !errors.As(err, &e) || e.cause != passing {
		return err
	}
	if e.after > max(time.Until(end), 0) {
		return e.with(fmt.Sprintf("asks to wait %s, no request may take longer than %s", e.after, c.retryTime))
	}
	return e.with(fmt.Sprintf("tried again for %s", c.retryTime))
}

// waits are those between tries: longer each time, and not shorter than the
// backend asks.
type waits struct {
	backoff.ExponentialBackOff
	atLeast time.Duration
}

func (w *waits) NextBackOff() time.Duration {
	return max(w.ExponentialBackOff.NextBackOff(), w.atLeast)
}

// with returns e with more in its text.
func (e *sendError) with(more string) *sendError {
	c := *e
	c.reason = clean(e.reason) + " (" + more + ")"
	return &c
}

// try sends spans once, for up to limit. The error is nil, a *PartialSuccess, a
// *sendError or the cause of the end of ctx.
func (c *retryClient) try(ctx context.Context, limit time.Duration, spans []*tracepb.ResourceSpans) error {
	if c.timeout > 0 {
		limit = min(limit, c.timeout)
	}
	tryCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var a answer
	start := time.Now()
	err := c.sdk.UploadTraces(context.WithValue(tryCtx, answerKey{}, &a), spans)
	switch {
	case context.Cause(ctx) != nil:
		if a.seen && a.err == nil {
			return a.partial() // it came before the end
		}
		return context.Cause(ctx)
	case a.seen && a.err == nil:
		return a.partial()
	// A gRPC server knows the deadline as well, and may be first to notice.
	case tryCtx.Err() != nil, status.Code(err) == codes.DeadlineExceeded && time.Since(start) > limit*9/10:
		return &sendError{cause: passing, reason: fmt.Sprintf("no answer within %s", limit.Round(time.Millisecond)), err: err}
	case a.seen:
		return a.err
	case err == nil: // the SDK did not send anything
		return &sendError{cause: refused, reason: "nothing was sent"}
	default:
		return &sendError{cause: refused, reason: err.Error(), err: err}
	}
}
