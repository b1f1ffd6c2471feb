package otlpclient

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/otel"
)

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

func answerOf(r *coltracepb.ExportTraceServiceResponse) otel.Answer {
	p := r.GetPartialSuccess()
	return otel.Answer{Rejected: p.GetRejectedSpans(), Message: p.GetErrorMessage()}
}

// httpAnswer judges an answer as OTLP specifies. It believes in a success only if the
// body is OTLP's, or empty: login pages and proxies say 200 too.
func httpAnswer(signal *otel.Signal, resp *http.Response, body []byte) (otel.Answer, error) {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode/100 == 2 {
		var r coltracepb.ExportTraceServiceResponse
		if err := parseSuccess(signal, media, body, &r); err != nil {
			reason := resp.Status + ", but not an answer of OTLP"
			if media != "" {
				reason += " (" + media + ")"
			}
			if text := plainText(media, body); text != "" {
				reason += ": " + text
			}
			return otel.Answer{}, &failure{cause: otel.Refused, reason: reason, err: err}
		}
		return answerOf(&r), nil
	}
	f := &failure{cause: otel.Refused, reason: resp.Status}
	if text := errorText(media, body); text != "" {
		f.reason += ": " + text
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		f.cause = otel.Passing
		f.after = retryAfter(resp.Header.Get("Retry-After"))
	case http.StatusRequestEntityTooLarge:
		f.cause = otel.TooLarge
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		f.advise(signal)
	case http.StatusBadRequest: // Jaeger's and the Collector's answer
		if saysTooLarge(f.reason) {
			f.cause = otel.TooLarge
		}
		f.setUnusable()
	}
	return otel.Answer{}, f
}

var errNotOTLP = errors.New("not an answer of OTLP")

// parseSuccess reads the body of a success. Fields that OTLP does not have are an
// error: protobuf and JSON of something else would be an empty answer without it.
func parseSuccess(signal *otel.Signal, media string, body []byte, r *coltracepb.ExportTraceServiceResponse) error {
	switch {
	case len(body) == 0:
		return nil
	case media == jsonType:
		// The answers of all signals differ only in the name of one field.
		body = bytes.ReplaceAll(body, []byte(strconv.Quote(signal.RejectedField)), []byte(strconv.Quote(otel.Traces.RejectedField)))
		return protojson.Unmarshal(body, r)
	case media == protobufType, media == "application/octet-stream", media == "":
		if err := proto.Unmarshal(body, r); err != nil {
			return err
		}
		if len(r.ProtoReflect().GetUnknown()) > 0 {
			return errNotOTLP
		}
		return nil
	}
	return errNotOTLP
}

// errorText returns the message in the body of an error: a google.rpc.Status, as
// OTLP specifies, else any text.
func errorText(media string, body []byte) string {
	var s statuspb.Status
	switch media {
	case protobufType:
		if proto.Unmarshal(body, &s) == nil {
			return s.GetMessage()
		}
	case jsonType:
		if (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, &s) == nil && s.GetMessage() != "" {
			return s.GetMessage()
		}
	}
	return plainText(media, body)
}

// plainText returns the beginning of a body that people can read.
func plainText(media string, body []byte) string {
	if media != "" && media != jsonType && !strings.HasPrefix(media, "text/") {
		return ""
	}
	return string(body[:min(len(body), 4<<10)])
}

// retryAfter returns what the header Retry-After asks for, in seconds or as a date. A
// number that is too large becomes the longest duration.
func retryAfter(s string) time.Duration {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	switch {
	case err == nil && n > math.MaxInt64/int64(time.Second), errors.Is(err, strconv.ErrRange) && n > 0:
		return math.MaxInt64
	case err == nil:
		return max(time.Duration(n)*time.Second, 0)
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(time.Until(t).Round(time.Second), 0)
	}
	return 0
}

// grpcFailure judges the error of a call as OTLP specifies.
func grpcFailure(err error) *failure {
	s := status.Convert(err)
	f := &failure{cause: otel.Refused, reason: s.Code().String() + ": " + s.Message(), err: err}
	var asked bool
	for _, d := range s.Details() {
		if d, ok := d.(*errdetails.RetryInfo); ok {
			asked = true
			f.after = max(d.GetRetryDelay().AsDuration(), 0)
		}
	}
	switch s.Code() {
	case codes.Unavailable:
		f.cause = otel.Passing
		f.setUnusable()
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.DataLoss:
		f.cause = otel.Passing
	case codes.ResourceExhausted:
		if asked {
			f.cause = otel.Passing
		} else if saysTooLarge(s.Message()) {
			f.cause = otel.TooLarge
		}
	}
	return f
}

// advise makes a refusal one of all requests of a signal that the backend does not know.
func (f *failure) advise(signal *otel.Signal) {
	if signal.Advice != "" {
		f.cause = otel.Unusable
		f.reason += ": " + signal.Advice
	}
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

// networkFailure returns the failure for a connection that could not be made, or broke.
func networkFailure(err error) *failure {
	f := &failure{cause: otel.Passing, reason: err.Error(), err: err}
	if errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, new(tls.RecordHeaderError)) {
		f.cause, f.reason = otel.Unusable, answersPlain
		return f
	}
	f.setUnusable()
	return f
}

const (
	answersTLS   = "the backend speaks TLS there: use an https:// URL"
	answersPlain = "the backend does not speak TLS there: use an http:// URL"
	notGRPC      = "does the backend speak HTTP there, not gRPC?"
)

// unusableSigns are texts of errors that come back with every try, each with what to do
// about it. They are texts because gRPC has nothing else. The first that fits counts.
var unusableSigns = []struct {
	sign, advice string
	instead      bool // the advice says all
}{
	{"certificate signed by unknown authority", "OTEL_EXPORTER_OTLP_CERTIFICATE can name a file with the certificate to trust", false},
	{"tls: failed to verify certificate", "", false},
	{"first record does not look like a TLS handshake", answersPlain, true},
	{"tls: unsupported SSLv2", answersPlain, true},
	{"remote error: tls: ", "the backend refused the TLS connection", false},
	{`malformed HTTP response "\x15\x03`, answersTLS, true}, // an alert
	{"to an HTTPS server", answersTLS, true},                // Go
	{"sent to HTTPS port", answersTLS, true},                // nginx
	{"SSL-enabled server port", answersTLS, true},           // Apache
	{"malformed HTTP response", "does the backend speak gRPC there?", false},
	{"looked like an HTTP/1.1 header", notGRPC, false},
}

func (f *failure) setUnusable() {
	for _, s := range unusableSigns {
		if !strings.Contains(f.reason, s.sign) {
			continue
		}
		f.cause = otel.Unusable
		switch {
		case s.instead:
			f.reason = s.advice
		case s.advice != "":
			f.reason += ": " + s.advice
		}
		return
	}
}

// closedEarly reports whether a connection ended before there was an answer, as
// a server does that gets something else than it expects.
func closedEarly(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return true
	}
	text := fmt.Sprint(err) // of gRPC
	for _, sign := range []string{"EOF", "connection reset", "broken pipe", "server preface", "http2: frame too large", "transport is closing", "connection closed"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
