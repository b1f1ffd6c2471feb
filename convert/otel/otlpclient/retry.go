package otlpclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/trace2x/trace2x/convert/otel"
)

// Export implements [otel.Client].
func (c *Client) Export(ctx context.Context, request []byte) (otel.Answer, error) {
	body, err := c.transport.encode(request)
	if err != nil {
		return otel.Answer{}, err
	}
	waits := backoff.ExponentialBackOff{
		InitialInterval:     c.firstWait,
		RandomizationFactor: backoff.DefaultRandomizationFactor,
		Multiplier:          2,
		MaxInterval:         maxWait,
	}
	start := time.Now()
	var last *failure
	for tries := 1; ; tries++ {
		limit := c.limit()
		answer, err := c.try(ctx, limit-time.Since(start), body)
		f := new(failure)
		switch {
		case err == nil:
			answer.Message = c.secrets.Replace(answer.Message)
			return answer, nil
		case !errors.As(err, &f):
			return otel.Answer{}, err
		case f.cause != otel.Passing:
			return otel.Answer{}, c.sendError(f)
		}
		limit = c.limit() // longer, if this try was the first to reach the backend
		left := limit - time.Since(start)
		// A try that the end cut short tells less than the one before it.
		if last == nil || !f.cut {
			last = f
		}
		switch {
		case limit == 0:
			return otel.Answer{}, c.sendError(last)
		case last.after > max(left, 0):
			return otel.Answer{}, c.sendError(last.with("asks to wait %s, no request may take longer than %s", long(last.after), limit))
		case left < c.firstWait/4:
			return otel.Answer{}, c.sendError(last.with("tried for %s", limit))
		}
		wait := min(max(waits.NextBackOff(), last.after), left)
		if c.notify != nil {
			c.notify(c.sendError(last), wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return otel.Answer{}, context.Cause(ctx)
		}
	}
}

// limit is how long a request may take.
func (c *Client) limit() time.Duration {
	if c.reached.Load() {
		return c.retryTime
	}
	return c.reachTime
}

// long is a duration that a backend asks for, which may be absurd.
func long(d time.Duration) string {
	if d > 100*time.Hour {
		return "for days"
	}
	return d.String()
}

// try sends a request once, for up to limit, but long enough for an answer at
// once. The error is a *failure or the cause of the end of ctx.
func (c *Client) try(ctx context.Context, limit time.Duration, body []byte) (otel.Answer, error) {
	limit = max(limit, c.firstWait)
	cut := true
	if c.timeout > 0 && c.timeout <= limit || c.retryTime == 0 {
		limit, cut = c.timeout, false
	}
	tryCtx, cancel := ctx, context.CancelFunc(func() {})
	if limit > 0 {
		tryCtx, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	start := time.Now()
	answer, err := c.transport.send(tryCtx, body)
	switch {
	case err == nil: // also if ctx ended since
		return answer, nil
	case context.Cause(ctx) != nil:
		return answer, context.Cause(ctx)
	// A gRPC server knows the deadline as well, and may be first to notice.
	case tryCtx.Err() != nil, isDeadline(err) && limit > 0 && time.Since(start) > limit*9/10:
		what := "answer"
		if !c.reached.Load() {
			what = "connection"
		}
		return answer, &failure{cause: otel.Passing, reason: fmt.Sprintf("no %s within %s", what, limit.Round(time.Millisecond)), cut: cut, err: err}
	default:
		return answer, err
	}
}
