package otel

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"golang.org/x/net/http/httpguts"
	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Client sends spans, or keeps them: see [NewClient] and [NewFileClient].
type Client interface {
	// Start is called once, before Export.
	Start(ctx context.Context) error
	// Stop is called once, after the last Export returned.
	Stop(ctx context.Context) error
	// Export sends a request, an ExportTraceServiceRequest of OTLP in protobuf's
	// encoding (a TracesData has the same), and returns when the backend has the
	// spans, or will not have them: nothing is sent again after an error. It ends
	// soon after ctx. It must not change the request, nor keep it when it has
	// returned. If the backend took only a part, or has a warning, the error is a
	// [*PartialSuccess]. It may be called concurrently.
	Export(ctx context.Context, request []byte) error
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
	c.sdk = otlptracegrpc.NewClient(options...)
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
	c.json = json
	compression, encoding := otlptracehttp.NoCompression, otlptracehttp.EncodingProtobuf
	if gzip(u.Host) {
		compression = otlptracehttp.GzipCompression
	}
	if json {
		encoding = otlptracehttp.EncodingJSON
	}
	c.sdk = otlptracehttp.NewClient(
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
