package otlpclient

import (
	"context"
	"errors"
	"fmt"
	"strings"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/internal/address"
)

type grpcTransport struct {
	conn     *grpc.ClientConn
	address  string
	tls      bool
	metadata metadata.MD
	options  []grpc.CallOption
	signal   *otel.Signal
}

// useGRPC makes the client one for gRPC.
func (c *Client) useGRPC(opts *Options, headers map[string]string, compress func(address string) bool) error {
	e, err := opts.grpcEndpoint()
	if err != nil {
		return err
	}
	t := &grpcTransport{address: e.address, tls: e.tls, signal: c.signal, options: []grpc.CallOption{grpc.ForceCodec(rawCodec{})}}
	creds := insecure.NewCredentials()
	c.target = address.Printable(e.address) + " (gRPC)"
	if e.tls {
		config, err := opts.tlsVariables()
		if err != nil {
			return err
		}
		creds = credentials.NewTLS(config)
		c.target = address.Printable(e.address) + " (gRPC, TLS)"
	}
	if compress(e.address) {
		t.options = append(t.options, grpc.UseCompressor(gzip.Name))
	}
	if t.metadata, err = metadataOf(headers); err != nil {
		return err
	}
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithUserAgent(userAgent),
		grpc.WithStatsHandler(connectionWatcher{c}),
		// By default the connection waits up to two minutes to try again, during
		// which all requests fail.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstWait / 5, Multiplier: 1.6, Jitter: 0.2, MaxDelay: maxWait},
			MinConnectTimeout: c.connectTimeout(),
		}),
	}
	for k, v := range headers {
		if strings.EqualFold(k, "host") {
			dial = append(dial, grpc.WithAuthority(v))
		}
	}
	t.conn, err = grpc.NewClient(e.address, dial...)
	if err != nil { // its text has the address
		return errors.New("endpoint: not an address that gRPC takes, such as http://localhost:4317")
	}
	c.transport = t
	return nil
}

// metadataOf returns headers as gRPC's metadata.
func metadataOf(headers map[string]string) (metadata.MD, error) {
	md := make(metadata.MD)
	for k, v := range headers {
		key := strings.ToLower(k)
		if strings.HasPrefix(key, "grpc-") || strings.HasPrefix(key, ":") {
			return nil, fmt.Errorf("header %q: gRPC has this name for itself", k)
		}
		if !strings.HasSuffix(key, "-bin") && strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, fmt.Errorf("header %q: gRPC takes only printable ASCII as its value", k)
		}
		if key != "host" { // HTTP/2 has it in :authority
			md.Set(key, v)
		}
	}
	return md, nil
}

// connectionWatcher notes that a connection was made.
type connectionWatcher struct{ c *Client }

func (connectionWatcher) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }
func (connectionWatcher) HandleRPC(context.Context, stats.RPCStats)                       {}
func (connectionWatcher) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return ctx
}
func (w connectionWatcher) HandleConn(_ context.Context, s stats.ConnStats) {
	if _, ok := s.(*stats.ConnBegin); ok {
		w.c.reached.Store(true)
	}
}

// rawCodec is a codec for requests that are encoded already. It decodes answers.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("%T is not encoded", v)
	}
	return b, nil
}

func (rawCodec) Unmarshal(data []byte, v any) error { return proto.Unmarshal(data, v.(proto.Message)) }

func (*grpcTransport) encode(request []byte) ([]byte, error) { return request, nil }

func (t *grpcTransport) send(ctx context.Context, body []byte) (otel.Answer, error) {
	var response coltracepb.ExportTraceServiceResponse // all signals have the same on the wire
	ctx = metadata.NewOutgoingContext(ctx, t.metadata)
	err := t.conn.Invoke(ctx, t.signal.Method, body, &response, t.options...)
	if err == nil {
		return answerOf(&response), nil
	}
	f := grpcFailure(err)
	if status.Code(err) == codes.Unimplemented {
		f.advise(t.signal)
	}
	if f.cause == otel.Passing && status.Code(err) == codes.Unavailable && !t.tls && closedEarly(err) {
		switch {
		case speaksTLS(ctx, t.address):
			f = &failure{cause: otel.Unusable, reason: answersTLS, err: err}
		case strings.Contains(f.reason, "server preface: http2: frame too large"): // it is text
			f = &failure{cause: otel.Unusable, reason: f.reason + ": " + notGRPC, err: err}
		}
	}
	return otel.Answer{}, f
}

func (t *grpcTransport) close() error {
	if err := t.conn.Close(); err != nil && status.Code(err) != codes.Canceled { // which it is if it was closed
		return err
	}
	return nil
}

func isDeadline(err error) bool { return status.Code(err) == codes.DeadlineExceeded }
