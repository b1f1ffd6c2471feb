package otel

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"golang.org/x/net/http/httpguts"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Client sends spans. The clients of the OpenTelemetry SDK (otlptrace.Client)
// satisfy it; those of [NewClient] are these, made to survive more.
type Client interface {
	// Start is called once, before UploadTraces.
	Start(ctx context.Context) error
	// Stop is called once, after the last UploadTraces returned.
	Stop(ctx context.Context) error
	// UploadTraces sends spans and returns when the backend has them, or will
	// not have them: nothing is sent again after an error. It ends soon after
	// ctx. It must not change spans, nor keep them when it has returned. If the
	// backend took only a part, or has a warning, the error is a
	// [*PartialSuccess]. It may be called concurrently.
	UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error
}

// PartialSuccess tells that a backend took a request, but not all of its spans.
type PartialSuccess struct {
	Rejected int64  // spans; with 0 the message is a warning
	Message  string // the backend's, as it sent it; may be empty
}

func (p *PartialSuccess) Error() string {
	return fmt.Sprintf("%d spans rejected: %s", p.Rejected, clean(p.Message))
}

// ClientOptions say where to send spans, and how. What is not given comes from
// the variables OTEL_EXPORTER_OTLP_TRACES_… and OTEL_EXPORTER_OTLP_…, the former
// first. Only from these come the timeout, the compression (gzip if they do not
// tell and the backend is on another machine) and the certificates.
type ClientOptions struct {
	// Endpoint is a URL, http:// or https://, or HOST:PORT. As with the variable
	// OTEL_EXPORTER_OTLP_ENDPOINT, its path is the base of /v1/traces, unless
	// that is how it ends. gRPC has no path, and takes unix: and dns: as well.
	Endpoint string
	// Protocol is "grpc", "http/protobuf", "http/json" or "".
	Protocol string
	// Headers are sent besides those of the variables, or in their place where
	// the names are the same.
	Headers map[string]string
	// Insecure asks for no TLS where the endpoint does not tell: HOST:PORT.
	Insecure bool
	// RetryTime is how long a request may take, with everything that is done to
	// get it through: tries, waits between them, and those that the backend asks
	// for. The default is a minute.
	RetryTime time.Duration
	// Notify, if not nil, is called when a try failed and the next one will be
	// after wait. It may be called concurrently.
	Notify func(err error, wait time.Duration)
}

const (
	defaultRetryTime = time.Minute
	defaultTimeout   = 10 * time.Second // of a try, as OpenTelemetry specifies
	firstWait        = 500 * time.Millisecond
	maxWait          = 5 * time.Second // to notice soon that a backend came up

	tracesPath = "/v1/traces"
)

// NewClient returns a client for a backend that takes OTLP, and a name of the
// backend for messages. It does not connect yet. Errors are those of options and
// variables.
//
// The client tries again, for up to RetryTime, when the backend is down, closes
// the connection, does not answer within the timeout, or says that it cannot
// take the spans now (429, 502, 503, 504; with gRPC as OTLP specifies), and waits
// as long as the backend asks. What is the same each time, like a certificate
// that is not trusted, fails at once.
func NewClient(ctx context.Context, opts ClientOptions) (client Client, target string, err error) {
	if err := context.Cause(ctx); err != nil {
		return nil, "", err
	}
	c := &retryClient{
		retryTime: cmp.Or(max(opts.RetryTime, 0), defaultRetryTime),
		firstWait: firstWait,
		notify:    opts.Notify,
	}
	if c.timeout, err = timeoutVariable(); err != nil {
		return nil, "", err
	}
	for k, v := range opts.Headers {
		if !httpguts.ValidHeaderFieldName(k) || !httpguts.ValidHeaderFieldValue(v) {
			return nil, "", fmt.Errorf("header %q: not a valid name or value", k)
		}
	}
	gzip, err := gzipVariable()
	if err != nil {
		return nil, "", err
	}
	protocol, err := opts.protocol()
	if err != nil {
		return nil, "", err
	}
	if protocol == "grpc" {
		target, err = c.useGRPC(opts, gzip)
	} else {
		target, err = c.useHTTP(opts, gzip, protocol == "http/json")
	}
	if err != nil {
		return nil, "", err
	}
	return c, target, nil
}

// useGRPC sets the client to one for gRPC. The SDK's own retries are off: they
// would have to fit in the timeout of one try.
func (c *retryClient) useGRPC(opts ClientOptions, gzip func(address string) bool) (target string, err error) {
	e, err := opts.grpcEndpoint()
	if err != nil {
		return "", err
	}
	creds := insecure.NewCredentials()
	target = e.address + " (gRPC)"
	if e.tls {
		config, err := tlsVariables()
		if err != nil {
			return "", err
		}
		creds = credentials.NewTLS(config)
		target = e.address + " (gRPC, TLS)"
	}
	watcher := &grpcWatcher{headers: opts.Headers}
	options := []otlptracegrpc.Option{
		otlptracegrpc.WithEndpoint(e.address),
		// Also to ask for no TLS: variables with certificates would turn it on.
		otlptracegrpc.WithTLSCredentials(creds),
		otlptracegrpc.WithTimeout(0),
		otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: false}),
		otlptracegrpc.WithDialOption(
			grpc.WithUnaryInterceptor(watcher.intercept),
			// By default the connection waits up to two minutes to try again,
			// during which all requests fail.
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff: grpcbackoff.Config{
					BaseDelay: firstWait / 5, Multiplier: 1.6, Jitter: 0.2, MaxDelay: maxWait,
				},
				MinConnectTimeout: defaultTimeout,
			}),
		),
	}
	if gzip(e.address) {
		options = append(options, otlptracegrpc.WithCompressor("gzip"))
	}
	c.Client = otlptracegrpc.NewClient(options...)
	return target, nil
}

// useHTTP sets the client to one for HTTP. It brings an HTTP client of its own,
// to see the answers, with which the SDK reads no variables for TLS and timeout.
func (c *retryClient) useHTTP(opts ClientOptions, gzip func(address string) bool, json bool) (target string, err error) {
	u, err := opts.httpEndpoint()
	if err != nil {
		return "", err
	}
	transport := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		DialContext:       (&net.Dialer{Timeout: defaultTimeout}).DialContext,
		ForceAttemptHTTP2: true,
		IdleConnTimeout:   90 * time.Second,
	}
	if u.Scheme == "https" {
		if transport.TLSClientConfig, err = tlsVariables(); err != nil {
			return "", err
		}
	}
	compression, encoding := otlptracehttp.NoCompression, otlptracehttp.EncodingProtobuf
	if gzip(u.Host) {
		compression = otlptracehttp.GzipCompression
	}
	if json {
		encoding = otlptracehttp.EncodingJSON
	}
	c.Client = otlptracehttp.NewClient(
		otlptracehttp.WithEndpointURL(u.String()),
		otlptracehttp.WithCompression(compression),
		otlptracehttp.WithEncoding(encoding),
		otlptracehttp.WithHTTPClient(&http.Client{Transport: &httpWatcher{transport, opts.Headers}}),
		// Start fails if the variables have certificates, but the URL is http://.
		otlptracehttp.WithTLSClientConfig(nil),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}),
	)
	c.closeIdle = transport.CloseIdleConnections
	return u.String(), nil
}

// retryClient is a client of the SDK whose tries it watches and repeats.
type retryClient struct {
	Client
	timeout   time.Duration // of a try; 0 is none
	retryTime time.Duration // of all tries
	firstWait time.Duration
	notify    func(error, time.Duration)
	closeIdle func() // may be nil
}

// Stop implements [Client].
func (c *retryClient) Stop(ctx context.Context) error {
	if c.closeIdle != nil {
		defer c.closeIdle()
	}
	return c.Client.Stop(ctx)
}

// UploadTraces implements [Client].
func (c *retryClient) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	end := time.Now().Add(c.retryTime)
	w := waits{ExponentialBackOff: backoff.ExponentialBackOff{
		InitialInterval:     c.firstWait,
		RandomizationFactor: backoff.DefaultRandomizationFactor,
		Multiplier:          2,
		MaxInterval:         maxWait,
	}}
	var last *sendError
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
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
	err := c.Client.UploadTraces(context.WithValue(tryCtx, answerKey{}, &a), spans)
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
	case errors.Is(err, proto.Error):
		return encodeError(err)
	case err == nil: // the SDK did not send anything
		return &sendError{cause: refused, reason: "nothing was sent"}
	default:
		return &sendError{cause: refused, reason: err.Error(), err: err}
	}
}

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
	case codes.Internal:
		if strings.Contains(s.Message(), "error while marshaling") {
			e.cause = notEncodable
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

// variable returns what the environment has for traces, or else for all signals,
// under a name such as ENDPOINT. An empty variable is none.
func variable(name string) (key, value string) {
	for _, prefix := range []string{"OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"} {
		if v := strings.TrimSpace(os.Getenv(prefix + name)); v != "" {
			return prefix + name, v
		}
	}
	return "", ""
}

func timeoutVariable() (time.Duration, error) {
	key, value := variable("TIMEOUT")
	if value == "" {
		return defaultTimeout, nil
	}
	ms, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not a number of milliseconds", key, value)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// gzipVariable tells for which addresses of backends requests are compressed. If
// the variable does not, they are not for this machine: that would take a third
// of the time.
func gzipVariable() (wanted func(address string) bool, err error) {
	switch key, value := variable("COMPRESSION"); value {
	case "":
		return func(address string) bool { return !onLoopback(address) }, nil
	case "gzip":
		return func(string) bool { return true }, nil
	case "none":
		return func(string) bool { return false }, nil
	default:
		return nil, fmt.Errorf("%s: %q is neither gzip nor none", key, value)
	}
}

// onLoopback reports whether an address, HOST or HOST:PORT, is on this machine.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback() || strings.HasPrefix(address, "unix:")
}

// tlsVariables reads the files with certificates that the environment names.
func tlsVariables() (*tls.Config, error) {
	config := new(tls.Config)
	if key, name := variable("CERTIFICATE"); name != "" {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in %s", key, name)
		}
	}
	certKey, cert := variable("CLIENT_CERTIFICATE")
	keyKey, key := variable("CLIENT_KEY")
	if cert != "" && key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", certKey, keyKey, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (o *ClientOptions) protocol() (string, error) {
	key, value := "protocol", o.Protocol
	if value == "" {
		key, value = variable("PROTOCOL")
	}
	switch value {
	case "":
		return "http/protobuf", nil
	case "grpc", "http/protobuf", "http/json":
		return value, nil
	default:
		return "", fmt.Errorf("%s: %q is neither grpc, http/protobuf nor http/json", key, value)
	}
}

// endpoint returns the option or the variable, and where it comes from; or
// whole, if the option is not given and the environment has an endpoint for
// traces alone, whose path nothing is added to.
func (o *ClientOptions) endpoint() (key, value string, whole bool) {
	if o.Endpoint != "" {
		return "endpoint", o.Endpoint, false
	}
	key, value = variable("ENDPOINT")
	return key, value, key == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
}

// insecure tells whether an endpoint that does not tell has no TLS.
func (o *ClientOptions) insecure() bool {
	_, value := variable("INSECURE")
	return o.Insecure || strings.EqualFold(value, "true")
}

// httpEndpoint returns the URL to send requests to.
func (o *ClientOptions) httpEndpoint() (*url.URL, error) {
	key, value, whole := o.endpoint()
	if value == "" {
		return &url.URL{Scheme: "http", Host: "localhost:4318", Path: tracesPath}, nil
	}
	u, err := o.parseURL(key, value, "4318")
	if err != nil {
		return nil, err
	}
	switch {
	case whole:
		u.Path = cmp.Or(u.Path, "/")
	case o.Endpoint == "" || !strings.HasSuffix(u.Path, tracesPath):
		u.Path = path.Join("/", u.Path, tracesPath)
	}
	return u, nil
}

type grpcEndpoint struct {
	address string // a target of gRPC
	tls     bool
}

func (o *ClientOptions) grpcEndpoint() (grpcEndpoint, error) {
	key, value, _ := o.endpoint()
	if value == "" {
		return grpcEndpoint{address: "localhost:4317"}, nil
	}
	switch scheme, _, _ := strings.Cut(value, ":"); scheme {
	case "unix", "unix-abstract":
		return grpcEndpoint{address: value}, nil
	case "dns", "passthrough", "ipv4", "ipv6":
		return grpcEndpoint{address: value, tls: !o.insecure()}, nil
	}
	u, err := o.parseURL(key, value, "4317")
	if err != nil {
		return grpcEndpoint{}, err
	}
	e := grpcEndpoint{address: u.Host, tls: u.Scheme == "https"}
	if u.Port() == "" { // gRPC's own default is 443 for both
		e.address += map[bool]string{false: ":4317", true: ":443"}[e.tls]
	}
	return e, nil
}

// parseURL reads a URL or HOST:PORT, which gets a scheme, and a port if it has
// none. Parts that would not be sent are errors.
func (o *ClientOptions) parseURL(key, value, port string) (*url.URL, error) {
	full := value
	if !strings.Contains(value, "://") {
		full = "//" + value
	}
	u, err := url.Parse(full)
	if err != nil {
		// Its own text has the whole URL, which may have a password.
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, fmt.Errorf("%s: not a URL: %w", key, err)
	}
	switch {
	case u.Scheme == "":
		u.Scheme = "https"
		if o.insecure() {
			u.Scheme = "http"
		}
		if u.Hostname() != "" && u.Port() == "" {
			u.Host = net.JoinHostPort(u.Hostname(), port)
		}
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%s: %q is neither http nor https", key, u.Scheme)
	case u.Scheme == "https" && o.Insecure:
		return nil, fmt.Errorf("%s: an https:// URL asks for TLS, insecure for none", key)
	}
	switch {
	case u.Hostname() == "":
		return nil, fmt.Errorf("%s: no host in %q", key, value)
	case u.User != nil:
		return nil, fmt.Errorf("%s: a user and password are not sent: use a header", key)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%s: what follows the path of a URL is not sent", key)
	}
	return u, nil
}
