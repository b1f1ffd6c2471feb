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
	for {
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
		switch {
		case limit == 0:
			return otel.Answer{}, c.sendError(f)
		case f.after > max(left, 0):
			return otel.Answer{}, c.sendError(f.with("asks to wait %s, no request may take longer than %s", long(f.after), limit))
		case left < c.firstWait/4:
			return otel.Answer{}, c.sendError(f.with("tried for %s", limit))
		}
		wait := min(max(waits.NextBackOff(), f.after), left)
		if c.notify != nil {
			c.notify(c.sendError(f), wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return otel.Answer{}, context.Cause(ctx)
		}
	}
}

// limit returns how long a request may take.
func (c *Client) limit() time.Duration {
	if c.reached.Load() {
		return c.retryTime
	}
	return c.reachTime
}

// connectTimeout is for one attempt to connect.
func (c *Client) connectTimeout() time.Duration {
	return min(defaultTimeout, max(c.reachTime, time.Second))
}

// long is a duration that a backend asks for, which may be absurd.
func long(d time.Duration) string {
	if d > 100*time.Hour {
		return "for days"
	}
	return d.String()
}

// try sends a request once, for up to the timeout of a try. That may exceed RetryTime,
// so that a slow backend gets the time it needs. If there is no timeout, limit is the
// timeout. The error is a *failure or the cause of the end of ctx.
func (c *Client) try(ctx context.Context, limit time.Duration, body []byte) (otel.Answer, error) {
	switch {
	case c.timeout > 0 || c.retryTime == 0:
		limit = c.timeout
	default:
		limit = max(limit, c.firstWait)
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
		return answer, &failure{cause: otel.Passing, reason: fmt.Sprintf("no %s within %s", what, limit.Round(time.Millisecond)), err: err}
	default:
		return answer, err
	}
}
