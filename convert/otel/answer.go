package otel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// answer is what a watcher saw of the backend's answer to a try. The SDK's
// errors do not have that: their types are internal, their texts incomplete, and
// a partial success goes through a variable that is set in the evaluation of the
// expression that reads it.
type answer struct {
	seen     bool
	err      error // a *sendError, or nil if the request was accepted
	response *coltracepb.ExportTraceServiceResponse
}

// answerKey is the key of the *answer in the context of a try.
type answerKey struct{}

func answerTo(ctx context.Context) *answer {
	if a, ok := ctx.Value(answerKey{}).(*answer); ok {
		return a
	}
	return new(answer)
}

// partial returns nil if the backend took all and has nothing to say.
func (a *answer) partial() error {
	p := a.response.GetPartialSuccess()
	if p.GetRejectedSpans() == 0 && p.GetErrorMessage() == "" {
		return nil
	}
	return &PartialSuccess{Rejected: p.GetRejectedSpans(), Message: p.GetErrorMessage()}
}

// httpWatcher notes the answers to requests of retryClient.
type httpWatcher struct {
	next    http.RoundTripper
	headers map[string]string // to set
}

// RoundTrip implements [http.RoundTripper].
func (w *httpWatcher) RoundTrip(req *http.Request) (*http.Response, error) {
	a := answerTo(req.Context())
	if len(w.headers) > 0 {
		req = req.Clone(req.Context())
		for k, v := range w.headers {
			req.Header.Set(k, v)
		}
	}
	resp, err := w.next.RoundTrip(req)
	if err != nil {
		*a = answer{seen: true, err: networkError(err)}
		return nil, err
	}
	const maxBody = 4 << 20 // as the SDK does
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	resp.Body.Close()
	if err != nil {
		*a = answer{seen: true, err: networkError(err)}
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	*a = httpAnswer(resp, body)
	return resp, nil
}

// httpAnswer judges an answer as OTLP specifies.
func httpAnswer(resp *http.Response, body []byte) answer {
	a := answer{seen: true, response: new(coltracepb.ExportTraceServiceResponse)}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode/100 == 2 {
		var err error
		switch {
		case len(body) == 0:
		case media == "application/x-protobuf":
			err = proto.Unmarshal(body, a.response)
		case media == "application/json":
			err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(body, a.response)
		case media == "text/html":
			err = errors.New("a web page") // any web server could answer that
		}
		if err != nil {
			a.err = &sendError{cause: refused, reason: resp.Status + ", but not an answer of OTLP: " + err.Error(), err: err}
		}
		return a
	}
	e := &sendError{cause: refused, reason: resp.Status}
	if text := errorText(media, body); text != "" {
		e.reason += ": " + text
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.cause = passing
		e.after = retryAfter(resp.Header.Get("Retry-After"))
	case http.StatusRequestEntityTooLarge:
		e.cause = tooLarge
	case http.StatusBadRequest: // Jaeger's and the Collector's answer
		if saysTooLarge(e.reason) {
			e.cause = tooLarge
		}
	}
	a.err = e
	return a
}

// errorText returns the message in the body of an error: a google.rpc.Status, as
// OTLP specifies, else any text.
func errorText(media string, body []byte) string {
	var s statuspb.Status
	switch media {
	case "application/x-protobuf":
		if proto.Unmarshal(body, &s) == nil {
			return s.GetMessage()
		}
	case "application/json":
		if (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, &s) == nil && s.GetMessage() != "" {
			return s.GetMessage()
		}
	}
	return clean(string(body))
}

// retryAfter reads the header of that name: seconds or a date.
func retryAfter(s string) time.Duration {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return max(time.Duration(n)*time.Second, 0)
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(time.Until(t).Round(time.Second), 0)
	}
	return 0
}

// grpcWatcher notes the answers to calls of retryClient.
type grpcWatcher struct {
	headers map[string]string // to set
}

func (w *grpcWatcher) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if len(w.headers) > 0 {
		md, _ := metadata.FromOutgoingContext(ctx) // a copy
		if md == nil {
			md = make(metadata.MD, len(w.headers))
		}
		for k, v := range w.headers {
			md.Set(k, v)
		}
		ctx = metadata.NewOutgoingContext(ctx, md)
	}
	err := invoke(ctx, method, req, reply, cc, opts...)
	response, _ := reply.(*coltracepb.ExportTraceServiceResponse)
	*answerTo(ctx) = answer{seen: true, err: grpcError(err), response: response}
	return err
}

// grpcError judges the error of a call as OTLP specifies; nil stays nil.
func grpcError(err error) error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	e := &sendError{cause: refused, reason: s.Code().String() + ": " + s.Message(), err: err}
	var asked bool
	for _, d := range s.Details() {
		if d, ok := d.(*errdetails.RetryInfo); ok {
			asked = true
			e.after = max(d.GetRetryDelay().AsDuration(), 0)
		}
	}
	switch s.Code() {
	case codes.Unavailable:
		e.cause = passing
		e.setUnusable()
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.DataLoss:
		e.cause = passing
	case codes.ResourceExhausted:
		if asked {
			e.cause = passing
		} else if saysTooLarge(s.Message()) {
			e.cause = tooLarge
		}
	}
	return e
}

// saysTooLarge knows the words of Go, Java, C++ and Rust servers: neither gRPC
// nor HTTP has a code that means only this.
func saysTooLarge(text string) bool {
	text = strings.ToLower(text)
	for _, words := range []string{"larger than max", "exceeds maximum", "too large"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// networkError is for connections that could not be made or broke.
func networkError(err error) error {
	e := &sendError{cause: passing, reason: err.Error(), err: err}
	e.setUnusable()
	return e
}

// unusableSigns are in errors that come back with every try, with what to do.
// They are texts because gRPC has nothing else.
var unusableSigns = []struct{ sign, advice string }{
	{"tls: failed to verify certificate", "OTEL_EXPORTER_OTLP_CERTIFICATE can name a file with the certificate to trust"},
	{"first record does not look like a TLS handshake", "the backend does not speak TLS there: use an http:// URL or ask for an insecure connection"},
	{"remote error: tls: ", "the backend refused the TLS connection"},
	{"malformed HTTP response", "does the backend speak gRPC there?"},
	{"looked like an HTTP/1.1 header", "does the backend speak HTTP there, not gRPC?"},
}

func (e *sendError) setUnusable() {
	for _, s := range unusableSigns {
		if strings.Contains(e.reason, s.sign) {
			e.cause = unusable
			e.reason += ": " + s.advice
			return
		}
	}
}
