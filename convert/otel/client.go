package otel

import (
	"context"
	"errors"
	"fmt"
)

// Client sends the requests of a [Signal], or keeps them: package otlpclient has one for
// backends, [NewFileClient] returns one for files.
type Client interface {
	// Export sends a request: of spans, an ExportTraceServiceRequest of OTLP in
	// protobuf's encoding, which is also the encoding of a TracesData. It returns when
	// the backend has taken the spans, or will not take them: nothing is sent again
	// after an error. It returns soon after ctx ends. It must not change the
	// request, and must not keep it after it has returned. It may be called
	// concurrently.
	//
	// A [*SendError] says what to do with later requests. Any other error counts as
	// [Refused].
	Export(ctx context.Context, request []byte) (Answer, error)
	// Close is called once, after the last Export returned.
	Close() error
}

// Answer is what a backend says of a request that it took. The zero value means
// that it took all spans and has nothing to add.
type Answer struct {
	Rejected int64  // spans, or other items, of the request that it did not take
	Message  string // as the backend sent it: why, or a warning; may be empty
}

// Cause says what to do about a request that failed.
type Cause int

const (
	Refused  Cause = iota // by the backend, which would refuse it again
	Passing               // trying again later could succeed
	TooLarge              // smaller requests could succeed
	Unusable              // no request can succeed
)

// SendError is why a request failed.
type SendError struct {
	Cause Cause
	// Reason is for people. The same reason has the same text, so that it can be
	// counted. It has no secrets, but may have control characters: a backend may
	// have written it.
	Reason string
	Err    error // may be nil
}

// Error returns the reason, on one line.
func (e *SendError) Error() string { return clean(e.Reason) }

func (e *SendError) Unwrap() error { return e.Err }

// RejectedError reports spans, or items of another signal, that did not get to the
// backend, and why.
type RejectedError struct {
	Result Result
	// GaveUp is set if sending ended before everything was made. If it was of spans, the
	// reading of the trace ended as well.
	GaveUp bool
	Err    error // may be nil
}

func (e *RejectedError) Error() string {
	most := e.Result.mostFrequent()
	text := fmt.Sprintf("%d of %d %s were not accepted: %s", e.Result.Rejected, e.Result.Accepted+e.Result.Rejected, e.Result.Items, most)
	if more := len(e.Result.Reasons) - 1; more > 0 {
		text += fmt.Sprintf(" (and for %d other reasons)", more)
	}
	return text
}

// Reason returns why sending was given up, else why most spans were rejected.
func (e *RejectedError) Reason() string {
	if g := new(gaveUpError); errors.As(e.Err, &g) {
		return clean(g.err.Error())
	}
	return e.Result.mostFrequent()
}

func (e *RejectedError) Unwrap() error { return e.Err }
