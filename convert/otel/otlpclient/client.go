// Package otlpclient sends spans, metrics and profiles to a backend that takes OTLP, over
// HTTP or gRPC. It decides where to send, what an answer means, and when to
// try again. Package otel decides what a failed request means for the others. It has no
// network code, for the sake of programs that only write files.
package otlpclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/trace2x/trace2x/convert/otel"
)

// Options say what to send, where and how. What is not given comes from the variables
// OTEL_EXPORTER_OTLP_TRACES_… (or _METRICS_…) or else OTEL_EXPORTER_OTLP_…. The timeout, the
// compression and the certificates come only from the variables. The default
// compression is gzip, except for a backend on this machine.
type Options struct {
	// Signal is what to send; nil is otel.Traces.
	Signal *otel.Signal
	// Endpoint is a URL, http:// or https://, or HOST:PORT. As with the variable
	// OTEL_EXPORTER_OTLP_ENDPOINT, its path is the base of /v1/traces (or of the
	// signal's own path), unless that is how it ends. gRPC has no path, and takes unix: and dns: as well.
	Endpoint string
	// Protocol is "grpc", "http/protobuf", "http/json" or "".
	Protocol string
	// Headers are sent with each request. They override headers of the variables
	// that have the same names. They are sent only to the endpoint, and no error
	// shows them.
	Headers map[string]string
	// Insecure means no TLS for an endpoint without a scheme, HOST:PORT.
	Insecure bool
	// RetryTime limits how long a request is tried again, including all waits. The
	// default is a minute, or 5 seconds as long as nothing has listened there. The
	// last try may still take the timeout of a try. A negative time means one try.
	RetryTime time.Duration
	// Notify, if not nil, is called when a try has failed and the next one follows
	// after wait. It may be called concurrently.
	Notify func(err error, wait time.Duration)
}

const (
	defaultRetryTime = time.Minute
	defaultReachTime = 5 * time.Second
	defaultTimeout   = 10 * time.Second // of a try, as OpenTelemetry specifies
	firstWait        = 500 * time.Millisecond
	maxWait          = 5 * time.Second // to notice soon that a backend came up

	userAgent = "trace2x"
)

// ErrUnreachable is in the error of a request if no connection to the backend was
// ever made.
var ErrUnreachable = errors.New("the backend was never reached")

// signal returns what to send.
func (o *Options) signal() *otel.Signal { return cmp.Or(o.Signal, otel.Traces) }

// Client sends to a backend. It implements [otel.Client].
type Client struct {
	signal    *otel.Signal
	target    string
	transport transport
	secrets   *strings.Replacer
	timeout   time.Duration // of a try; 0 is none
	retryTime time.Duration // of all tries of a request
	reachTime time.Duration // the same, while the backend was never reached
	firstWait time.Duration
	notify    func(error, time.Duration)
	reached   atomic.Bool // a connection was made
}

// transport is how requests get to the backend.
type transport interface {
	// encode returns what is sent of a request, in each try.
	encode(request []byte) ([]byte, error)
	// send sends what encode returned, once. An error is a *failure, unless ctx
	// ended.
	send(ctx context.Context, body []byte) (otel.Answer, error)
	close() error
}

// New returns a client. It does not connect yet. It returns an error if an option or a
// variable is wrong. The error names the option, header or variable, and never a value
// that may be secret.
//
// The client tries again, for up to RetryTime, when the backend is down, closes
// the connection, does not answer within the timeout, or says that it cannot
// take the spans now (429, 502, 503, 504; with gRPC as OTLP specifies), and waits
// as long as the backend asks. What would fail each time, such as a certificate that is
// not trusted, fails at once. The client follows redirects only with 307 or 308, and
// only to the same scheme, host and port; any other fails at once.
func New(opts Options) (*Client, error) {
	c := &Client{
		signal:    opts.signal(),
		retryTime: cmp.Or(max(opts.RetryTime, 0), defaultRetryTime),
		reachTime: cmp.Or(max(opts.RetryTime, 0), defaultReachTime),
		firstWait: firstWait,
		notify:    opts.Notify,
	}
	if opts.RetryTime < 0 {
		c.retryTime, c.reachTime = 0, 0
	}
	if opts.RetryTime > 0 {
		c.firstWait = min(firstWait, opts.RetryTime/8) // for some tries
	}
	var err error
	if c.timeout, err = opts.timeoutVariable(); err != nil {
		return nil, err
	}
	headers, err := opts.headers()
	if err != nil {
		return nil, err
	}
	c.secrets = secretsOf(headers)
	gzip, err := opts.gzipVariable()
	if err != nil {
		return nil, err
	}
	protocol, err := opts.protocol()
	if err != nil {
		return nil, err
	}
	if protocol == "grpc" {
		err = c.useGRPC(&opts, headers, gzip)
	} else {
		err = c.useHTTP(&opts, headers, gzip, protocol == "http/json")
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Target returns the name of the backend for messages.
func (c *Client) Target() string { return c.target }

// Close implements [otel.Client]. It may be called again.
func (c *Client) Close() error { return c.transport.close() }

// failure is why a try failed.
type failure struct {
	cause  otel.Cause
	reason string        // the same for the same reason
	after  time.Duration // how long the backend asks to wait; 0 if it does not
	err    error         // may be nil
}

func (f *failure) Error() string { return f.reason }
func (f *failure) Unwrap() error { return f.err }

// with returns f with more in its text.
func (f *failure) with(format string, args ...any) *failure {
	g := *f
	g.reason += " (" + fmt.Sprintf(format, args...) + ")"
	return &g
}

// sendError returns f for users of the client.
func (c *Client) sendError(f *failure) *otel.SendError {
	err := f.err
	if f.cause == otel.Passing && !c.reached.Load() {
		err = errors.Join(err, ErrUnreachable)
	}
	return &otel.SendError{Cause: f.cause, Reason: c.secrets.Replace(f.reason), Err: err}
}
