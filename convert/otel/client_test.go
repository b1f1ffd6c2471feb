package otel

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// backend is an OTLP backend on loopback that does what a test wants.
type backend struct {
	received
	protocol string
	gzip     *bool // whether the last request was compressed
	headers  map[string]string
	http     *httptest.Server
	tls      *tls.Config
	maxSize  int // of a gRPC request

	calls atomic.Int64
	// answer may be nil, to accept all.
	answer func(call int, spans []*tracepb.Span) answerOf
	// refuse reports whether to close a new connection.
	refuse func(connection int) bool
}

// answerOf is what a backend answers; the zero value accepts all.
type answerOf struct {
	http     int
	header   http.Header
	body     string
	grpc     error
	partial  *coltracepb.ExportTracePartialSuccess
	hang     <-chan struct{} // wait for this, or the client to go away
	hangUp   bool            // HTTP only: close the connection
	wrongPay bool            // HTTP only: answer 200 with body as it is
}

var protocols = []string{"http/protobuf", "http/json", "grpc"}

// forProtocols runs a test for each.
func forProtocols(t *testing.T, f func(t *testing.T, b *backend)) {
	for _, p := range protocols {
		t.Run(p, func(t *testing.T) {
			clearVariables(t)
			f(t, &backend{protocol: p})
		})
	}
}

func clearVariables(t *testing.T) {
	for _, v := range os.Environ() {
		if k, _, _ := strings.Cut(v, "="); strings.HasPrefix(k, "OTEL_") {
			t.Setenv(k, "")
		}
	}
}

// start begins to answer at an address, by default any, and returns the URL.
func (b *backend) start(t *testing.T, address string) string {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var scheme = "http://"
	if b.tls != nil {
		scheme = "https://"
	}
	address = l.Addr().String()
	if b.refuse != nil {
		l = &refusingListener{Listener: l, refuse: b.refuse}
	}
	if b.protocol == "grpc" {
		var opts []grpc.ServerOption
		if b.tls != nil {
			opts = append(opts, grpc.Creds(credentials.NewTLS(b.tls)))
		}
		if b.maxSize > 0 {
			opts = append(opts, grpc.MaxRecvMsgSize(b.maxSize))
		}
		s := grpc.NewServer(opts...)
		coltracepb.RegisterTraceServiceServer(s, &grpcBackend{b: b})
		go s.Serve(l)
		t.Cleanup(s.Stop)
		return scheme + address
	}
	b.http = &httptest.Server{Listener: l, Config: &http.Server{Handler: b}}
	if b.tls != nil {
		b.http.TLS = b.tls
		b.http.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
		b.http.StartTLS()
	} else {
		b.http.Start()
	}
	t.Cleanup(b.http.Close)
	return scheme + address
}

// refusingListener closes some connections as soon as they are there.
type refusingListener struct {
	net.Listener
	refuse func(int) bool
	n      int
}

func (l *refusingListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.n++; !l.refuse(l.n) {
			return c, nil
		}
		c.Close()
	}
}

func (b *backend) judge(ctx context.Context, rs []*tracepb.ResourceSpans) (a answerOf) {
	call := int(b.calls.Add(1))
	if b.answer != nil {
		a = b.answer(call, rs[0].ScopeSpans[0].Spans)
	}
	if a.hang != nil {
		select {
		case <-a.hang:
		case <-ctx.Done():
			a.hangUp, a.grpc = true, status.FromContextError(ctx.Err()).Err()
		}
	}
	return a
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	zipped := r.Header.Get("Content-Encoding") == "gzip"
	if zipped {
		var err error
		if body, err = gzip.NewReader(body); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
	}
	data, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	b.mu.Lock()
	b.gzip = &zipped
	b.headers = map[string]string{"path": r.URL.Path}
	for k := range r.Header {
		b.headers[strings.ToLower(k)] = r.Header.Get(k)
	}
	b.mu.Unlock()

	req := ptraceotlp.NewExportRequest()
	media := r.Header.Get("Content-Type")
	if media == "application/json" {
		err = req.UnmarshalJSON(data)
		if err == nil {
			data, err = req.MarshalProto()
		}
	}
	var pb coltracepb.ExportTraceServiceRequest
	if err := errors.Join(err, proto.Unmarshal(data, &pb)); err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	a := b.judge(r.Context(), pb.ResourceSpans)
	if a.hangUp {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", media)
	maps.Copy(w.Header(), a.header)
	if a.http != 0 {
		w.WriteHeader(a.http)
		io.WriteString(w, a.body)
		return
	}
	b.add(pb.ResourceSpans)
	if a.wrongPay {
		io.WriteString(w, a.body)
		return
	}
	resp := ptraceotlp.NewExportResponse()
	if p := a.partial; p != nil {
		resp.PartialSuccess().SetRejectedSpans(p.RejectedSpans)
		resp.PartialSuccess().SetErrorMessage(p.ErrorMessage)
	}
	if media == "application/json" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		data, _ = resp.MarshalJSON()
	} else {
		data, _ = resp.MarshalProto()
	}
	w.Write(data)
}

type grpcBackend struct {
	coltracepb.UnimplementedTraceServiceServer
	b *backend
}

func (g *grpcBackend) Export(ctx context.Context, req *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	b := g.b
	md, _ := metadata.FromIncomingContext(ctx)
	b.mu.Lock()
	b.headers = make(map[string]string)
	for k, v := range md {
		b.headers[k] = strings.Join(v, ",")
	}
	b.mu.Unlock()
	a := b.judge(ctx, req.ResourceSpans)
	if a.grpc != nil {
		return nil, a.grpc
	}
	b.add(req.ResourceSpans)
	return &coltracepb.ExportTraceServiceResponse{PartialSuccess: a.partial}, nil
}

// client returns a client for the backend with short waits between tries.
func (b *backend) client(t *testing.T, opts ClientOptions) Client {
	t.Helper()
	opts.Protocol = b.protocol
	c, _, err := NewClient(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	c.(*retryClient).firstWait = 20 * time.Millisecond
	return c
}

// smallBatches is a client for tests that need many batches, not many spans.
type smallBatches struct{ Client }

func (smallBatches) limits() limits { return testLimits }

// uploadTo sends n spans and checks what always holds: it ends, and every span
// is counted.
func uploadTo(t *testing.T, c Client, n int) (Result, error) {
	t.Helper()
	start := time.Now()
	r, err := upload(t.Context(), smallBatches{c}, testSpans(n)...)
	if d := time.Since(start); d > soon {
		t.Errorf("took %v", d)
	}
	var reasons int64
	for _, n := range r.Reasons {
		reasons += n
	}
	if r.Accepted+r.Rejected != int64(n) || reasons != r.Rejected || (err != nil) != (r.Rejected > 0) {
		t.Errorf("%d spans: %+v, %v", n, r, err)
	}
	return r, err
}

// wantAll checks that the backend has n spans, and the result says so.
func (b *backend) wantAll(t *testing.T, r Result, n int) {
	t.Helper()
	if got, _ := b.count(); got != n || r.Accepted != int64(n) {
		t.Errorf("the backend has %d spans of %d: %+v", got, n, r)
	}
}

func retryInfo(code codes.Code, d time.Duration) error {
	s, err := status.New(code, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(d)})
	if err != nil {
		return err
	}
	return s.Err()
}

func TestClient(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *backend) {
		url := b.start(t, "")
		t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc,x-scope=variable")
		// These would make the SDK's clients fail or use TLS.
		t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", writeCertificate(t, testServerTLS(t)))
		t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
		c := b.client(t, ClientOptions{Endpoint: url, Headers: map[string]string{"X-Scope": "option", "X-More": "1"}})
		r, err := uploadTo(t, c, 250)
		if err != nil {
			t.Fatal(err)
		}
		b.wantAll(t, r, 250)
		for n, times := range b.spans {
			if times != 1 {
				t.Errorf("span %d was sent %d times", n, times)
			}
		}
		for k, want := range map[string]string{"authorization": "Bearer abc", "x-scope": "option", "x-more": "1"} {
			if got := b.headers[k]; got != want {
				t.Errorf("header %s is %q, want %q", k, got, want)
			}
		}
		if b.protocol != "grpc" && (*b.gzip || b.headers["path"] != "/v1/traces") {
			t.Errorf("gzip %v on this machine, path %s", *b.gzip, b.headers["path"])
		}
	})
}

// The backend comes up after the first tries.
func TestClientBackendDownAtFirst(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *backend) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		l.Close()
		var once sync.Once
		c := b.client(t, ClientOptions{Endpoint: "http://" + address, Notify: func(err error, wait time.Duration) {
			if wait <= 0 || !strings.Contains(err.Error(), "connection refused") {
				t.Errorf("notified of %v, %v", err, wait)
			}
			once.Do(func() { b.start(t, address) })
		}})
		r, _ := uploadTo(t, c, 250)
		b.wantAll(t, r, 250)
	})
}

func TestClientBackendDown(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *backend) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		c := b.client(t, ClientOptions{Endpoint: "http://" + l.Addr().String(), RetryTime: 300 * time.Millisecond})
		r, err := uploadTo(t, c, 2500)
		if r.Accepted != 0 || err == nil || !strings.Contains(err.Error(), "connection refused") || !strings.Contains(err.Error(), "tried again for 300ms") || len(r.Reasons) != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestClientRetryAfter(t *testing.T) {
	for protocol, wait := range map[string]time.Duration{"http/protobuf": time.Second, "grpc": 300 * time.Millisecond} {
		t.Run(protocol, func(t *testing.T) {
			clearVariables(t)
			b := &backend{protocol: protocol}
			b.answer = func(call int, _ []*tracepb.Span) (a answerOf) {
				a.header = http.Header{"Retry-After": {"1"}}
				switch call {
				case 1:
					a.http, a.grpc = 429, retryInfo(codes.ResourceExhausted, wait)
				case 2:
					a.http, a.grpc = 503, retryInfo(codes.Unavailable, wait)
				}
				return a
			}
			start := time.Now()
			r, _ := uploadTo(t, b.client(t, ClientOptions{Endpoint: b.start(t, "")}), 100)
			b.wantAll(t, r, 100)
			if d := time.Since(start); d < 2*wait {
				t.Errorf("waited only %v", d)
			}
		})
	}
}

func TestClientRetryAfterTooLong(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *backend) {
		b.answer = func(int, []*tracepb.Span) answerOf {
			return answerOf{http: 503, header: http.Header{"Retry-After": {"7200"}}, grpc: retryInfo(codes.Unavailable, 2*time.Hour)}
		}
		r, err := uploadTo(t, b.client(t, ClientOptions{Endpoint: b.start(t, "")}), 1500)
		if r.Accepted != 0 || err == nil || !strings.Contains(err.Error(), "asks to wait 2h0m0s, no request may take longer than 1m0s") {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestClientBusyForAll(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *backend) {
		b.answer = func(int, []*tracepb.Span) answerOf {
			return answerOf{http: 503, body: `{"message":"queue full"}`, header: http.Header{"Content-Type": {"application/json"}}, grpc: status.Error(codes.Unavailable, "queue full")}
		}
		r, err := uploadTo(t, b.client(t, ClientOptions{Endpoint: b.start(t, ""), RetryTime: 300 * time.Millisecond}), 1500)
		if r.Accepted != 0 || err == nil || !strings.Contains(err.Error(), ": queue full (tried again for 300ms)") {
			t.Errorf("%+v, %v", r, err)
		}
		if n := b.calls.Load(); n < 4 || n > 50 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestClientPartialSuccess(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *backend) {
		b.answer = partialAnswers
		r, err := uploadTo(t, b.client(t, ClientOptions{Endpoint: b.start(t, "")}), 300)
		checkPartial(t, r, err)
	})
}

func partialAnswers(_ int, spans []*tracepb.Span) (a answerOf) {
	switch spanNumber(spans[0]) {
	case 0:
		a.partial = &coltracepb.ExportTracePartialSuccess{RejectedSpans: 7, ErrorMessage: "too old (by far)"}
	case 100:
		a.partial = &coltracepb.ExportTracePartialSuccess{ErrorMessage: "deprecated"}
	}
	return a
}

func checkPartial(t *testing.T, r Result, err error) {
	t.Helper()
	if err == nil || r.Accepted != 293 || !maps.Equal(r.Reasons, map[string]int64{"too old (by far)": 7}) {
		t.Errorf("%+v, %v", r, err)
	}
	if !slices.Equal(r.Warnings, []string{"deprecated"}) {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestClientHangs(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *backend) {
		never := make(chan struct{})
		defer close(never)
		b.answer = func(int, []*tracepb.Span) answerOf { return answerOf{hang: never} }
		t.Setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "150")
		t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000")
		r, err := uploadTo(t, b.client(t, ClientOptions{Endpoint: b.start(t, ""), RetryTime: 600 * time.Millisecond}), 1500)
		if r.Accepted != 0 || err == nil || !strings.Contains(err.Error(), "no answer within 150ms") {
			t.Errorf("%+v, %v", r, err)
		}
		if n := b.calls.Load(); n < 4 { // two at the same time
			t.Errorf("%d requests", n)
		}
	})
}

func TestClientHangsOnce(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *backend) {
		never := make(chan struct{})
		defer close(never)
		b.answer = func(call int, _ []*tracepb.Span) (a answerOf) {
			if call == 1 {
				a = answerOf{hang: never, hangUp: true, grpc: status.Error(codes.Unavailable, "late")}
			}
			return a
		}
		t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "300")
		r, _ := uploadTo(t, b.client(t, ClientOptions{Endpoint: b.start(t, "")}), 250)
		b.wantAll(t, r, 250)
	})
}

func TestClientConnectionsClosed(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *backend) {
		b.refuse = func(n int) bool { return n <= 3 }
		b.answer = func(call int, _ []*tracepb.Span) (a answerOf) {
			a.hangUp = call == 2
			if call == 2 {
				a.grpc = status.Error(codes.Unavailable, "closing")
			}
			return a
		}
		r, _ := uploadTo(t, b.client(t, ClientOptions{Endpoint: b.start(t, "")}), 450)
		b.wantAll(t, r, 450)
	})
}

// The connection breaks while an answer is on its way: the request is sent again.
func TestClientAnswerCutShort(t *testing.T) {
	clearVariables(t)
	b := &backend{protocol: "http/protobuf"}
	b.answer = func(call int, _ []*tracepb.Span) (a answerOf) {
		if call == 1 {
			a = answerOf{wrongPay: true, body: "short", header: http.Header{"Content-Length": {"100"}}}
		}
		return a
	}
	r, _ := uploadTo(t, b.client(t, ClientOptions{Endpoint: b.start(t, "")}), 100)
	b.wantAll(t, r, 100)
	if _, n := b.count(); n != 2 {
		t.Errorf("%d requests", n)
	}
}

// testServerTLS returns a certificate for 127.0.0.1 that nobody trusts.
func testServerTLS(t *testing.T) *tls.Config {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates}
}

func writeCertificate(t *testing.T, c *tls.Config) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: c.Certificates[0].Certificate[0]}
	if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestClientUnknownCertificate(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *backend) {
		b.tls = testServerTLS(t)
		url := b.start(t, "")
		var tries atomic.Int64
		opts := ClientOptions{Endpoint: url, Notify: func(error, time.Duration) { tries.Add(1) }}
		r, err := uploadTo(t, b.client(t, opts), 1500)
		if r.Accepted != 0 || err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_CERTIFICATE can name") {
			t.Errorf("%+v, %v", r, err)
		}
		if n := tries.Load(); n != 0 {
			t.Errorf("tried again %d times", n)
		}

		t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", writeCertificate(t, b.tls))
		r, _ = uploadTo(t, b.client(t, ClientOptions{Endpoint: url}), 250)
		b.wantAll(t, r, 250)
	})
}

// Mistakes of the endpoint are told at once.
func TestClientWrongProtocol(t *testing.T) {
	clearVariables(t)
	h, g := &backend{protocol: "http/protobuf"}, &backend{protocol: "grpc"}
	hURL, gURL := h.start(t, ""), g.start(t, "")
	for _, test := range []struct{ protocol, url, want string }{
		{"http/protobuf", gURL, "does the backend speak gRPC there?"},
		{"grpc", hURL, "does the backend speak HTTP there, not gRPC?"},
		{"http/protobuf", strings.Replace(hURL, "http:", "https:", 1), "use an http:// URL"},
		{"grpc", strings.Replace(hURL, "http:", "https:", 1), "use an http:// URL"},
	} {
		b := &backend{protocol: test.protocol}
		r, err := uploadTo(t, b.client(t, ClientOptions{Endpoint: test.url, RetryTime: 2 * time.Second}), 250)
		if err == nil || r.Accepted != 0 || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s to %s: %+v, %v", test.protocol, test.url, r, err)
		}
	}
}

func TestClientRefused(t *testing.T) {
	body, err := proto.Marshal(status.New(codes.InvalidArgument, "bad span").Proto())
	if err != nil {
		t.Fatal(err)
	}
	forProtocols(t, func(t *testing.T, b *backend) {
		b.answer = func(_ int, spans []*tracepb.Span) (a answerOf) {
			if spanNumber(spans[0]) == 100 {
				a = answerOf{http: 400, body: string(body), grpc: status.Error(codes.InvalidArgument, "bad span"), header: http.Header{"Content-Type": {"application/x-protobuf"}}}
			}
			return a
		}
		r, err := uploadTo(t, b.client(t, ClientOptions{Endpoint: b.start(t, "")}), 1000)
		want := "400 Bad Request: bad span"
		if b.protocol == "grpc" {
			want = "InvalidArgument: bad span"
		}
		if err == nil || r.Accepted != 900 || !maps.Equal(r.Reasons, map[string]int64{want: 100}) {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestClientUnauthorized(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *backend) {
		b.answer = func(int, []*tracepb.Span) answerOf {
			return answerOf{http: 401, body: "no token", header: http.Header{"Content-Type": {"text/plain"}}, grpc: status.Error(codes.Unauthenticated, "no token")}
		}
		r, err := uploadTo(t, b.client(t, ClientOptions{Endpoint: b.start(t, "")}), 5000)
		if err == nil || r.Accepted != 0 || len(r.Reasons) != 1 || !strings.Contains(err.Error(), "no token") {
			t.Errorf("%+v, %v", r, err)
		}
		if n := b.calls.Load(); n > maxFailed+1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestClientTooLarge(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *backend) {
		b.maxSize = 60_000
		b.answer = func(call int, spans []*tracepb.Span) (a answerOf) {
			if b.protocol == "grpc" || len(spans) <= 300 {
				return a
			}
			if call%2 == 0 {
				return answerOf{http: 413}
			}
			return answerOf{http: 400, body: "http: request body too large", header: http.Header{"Content-Type": {"text/plain"}}}
		}
		r, _ := upload(t.Context(), b.client(t, ClientOptions{Endpoint: b.start(t, "")}), testSpans(5000)...)
		b.wantAll(t, r, 5000)
	})
}

// A request that is none is an error, not a request of nothing.
func TestClientInvalidRequest(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *backend) {
		c := b.client(t, ClientOptions{Endpoint: b.start(t, "")})
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer c.Stop(t.Context())
		e := testEnvelope()
		whole := e.request(nil)
		for _, request := range [][]byte{whole[:len(whole)-1], whole[:1], []byte("\xff"), []byte("{}")} {
			if err := c.Export(t.Context(), request); err == nil {
				t.Errorf("%q was sent", request)
			}
		}
		// Two in one are as good as two.
		if err := c.Export(t.Context(), append(whole, whole...)); err != nil {
			t.Error(err)
		}
		if n := b.calls.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// A web server that is no backend says 200 to anything.
func TestClientWebPage(t *testing.T) {
	clearVariables(t)
	for _, media := range []string{"text/html; charset=utf-8", "application/x-protobuf", "application/json"} {
		b := &backend{protocol: "http/protobuf"}
		b.answer = func(int, []*tracepb.Span) answerOf {
			return answerOf{wrongPay: true, body: "<html>", header: http.Header{"Content-Type": {media}}}
		}
		r, err := uploadTo(t, b.client(t, ClientOptions{Endpoint: b.start(t, "")}), 500)
		if err == nil || r.Accepted != 0 || !strings.Contains(err.Error(), "not an answer of OTLP") {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

func TestClientCanceled(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *backend) {
		never, arrived := make(chan struct{}), make(chan struct{}, 100)
		defer close(never)
		b.answer = func(int, []*tracepb.Span) answerOf {
			arrived <- struct{}{}
			return answerOf{hang: never}
		}
		ctx, cancel := context.WithCancel(t.Context())
		c := b.client(t, ClientOptions{Endpoint: b.start(t, "")})
		go func() {
			<-arrived
			cancel()
		}()
		start := time.Now()
		r, err := upload(ctx, smallBatches{c}, testSpans(5000)...)
		if !errors.Is(err, context.Canceled) || r.Rejected != 5000 || r.Reasons["context canceled"] != 5000 {
			t.Errorf("%+v, %v", r, err)
		}
		if d := time.Since(start); d > 8*time.Second { // the timeout of a try is 10 s
			t.Errorf("took %v", d)
		}
	})
}

func TestRetryAfterHeader(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"": 0, "x": 0, "-1": 0, "0": 0, "12": 12 * time.Second, "999999999999": 0,
		time.Now().Add(time.Hour).UTC().Format(http.TimeFormat):  time.Hour,
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(in); got < want-2*time.Second || got > want+2*time.Second {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

func TestClientTarget(t *testing.T) {
	type vars map[string]string
	for _, test := range []struct {
		opts ClientOptions
		vars vars
		want string // an error if it begins with !
	}{
		{want: "http://localhost:4318/v1/traces"},
		{opts: ClientOptions{Protocol: "http/json"}, want: "http://localhost:4318/v1/traces"},
		{opts: ClientOptions{Protocol: "grpc"}, want: "localhost:4317 (gRPC)"},
		{opts: ClientOptions{Protocol: "thrift"}, want: "!protocol: "},
		{vars: vars{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, want: "localhost:4317 (gRPC)"},
		{vars: vars{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, want: "http://localhost:4318/v1/traces"},
		{vars: vars{"OTEL_EXPORTER_OTLP_PROTOCOL": "tcp"}, want: "!OTEL_EXPORTER_OTLP_PROTOCOL: "},
		{opts: ClientOptions{Protocol: "http/protobuf"}, vars: vars{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, want: "http://localhost:4318/v1/traces"},

		{opts: ClientOptions{Endpoint: "http://tempo:4318"}, want: "http://tempo:4318/v1/traces"},
		{opts: ClientOptions{Endpoint: "http://tempo:4318/"}, want: "http://tempo:4318/v1/traces"},
		{opts: ClientOptions{Endpoint: "https://grafana.net/otlp"}, want: "https://grafana.net/otlp/v1/traces"},
		{opts: ClientOptions{Endpoint: "https://grafana.net/otlp/v1/traces"}, want: "https://grafana.net/otlp/v1/traces"},
		{opts: ClientOptions{Endpoint: "tempo:4318"}, want: "https://tempo:4318/v1/traces"},
		{opts: ClientOptions{Endpoint: "tempo:4318", Insecure: true}, want: "http://tempo:4318/v1/traces"},
		{opts: ClientOptions{Endpoint: "tempo", Insecure: true}, want: "http://tempo:4318/v1/traces"},
		{opts: ClientOptions{Endpoint: "[::1]:4318", Insecure: true}, want: "http://[::1]:4318/v1/traces"},
		{opts: ClientOptions{Endpoint: "[::1]", Insecure: true}, want: "http://[::1]:4318/v1/traces"},
		{opts: ClientOptions{Endpoint: "https://tempo:4318", Insecure: true}, want: "!endpoint: "},
		{opts: ClientOptions{Endpoint: "ftp://tempo"}, want: "!endpoint: "},
		{opts: ClientOptions{Endpoint: "http://"}, want: "!endpoint: "},
		{opts: ClientOptions{Endpoint: "http://a:secret@tempo:4318"}, want: "!endpoint: "},
		{opts: ClientOptions{Endpoint: "http://a:secret@tempo:x"}, want: "!endpoint: "},
		{opts: ClientOptions{Endpoint: "http://tempo:4318/?key=secret"}, want: "!endpoint: "},
		{opts: ClientOptions{Headers: map[string]string{"a b": "c"}}, want: "!header "},
		{opts: ClientOptions{Headers: map[string]string{"a": "secret\n"}}, want: "!header "},

		{vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1/base"}, want: "http://c:1/base/v1/traces"},
		{vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1/v1/traces"}, want: "http://c:1/v1/traces/v1/traces"},
		{vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://d:2/x"}, want: "http://d:2/x"},
		{vars: vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://d:2"}, want: "https://d:2/"},
		{vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "OTEL_EXPORTER_OTLP_INSECURE": "false"}, want: "http://c:1/v1/traces"},
		{vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "c:1", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, want: "http://c:1/v1/traces"},
		{opts: ClientOptions{Endpoint: "http://tempo:4318"}, vars: vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://d:2/x"}, want: "http://tempo:4318/v1/traces"},
		{vars: vars{"OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}, want: "!OTEL_EXPORTER_OTLP_TIMEOUT: "},
		{vars: vars{"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, want: "!OTEL_EXPORTER_OTLP_COMPRESSION: "},
		{vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/does/not/exist"}, want: "!OTEL_EXPORTER_OTLP_CERTIFICATE: "},
		{vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/dev/null"}, want: "!OTEL_EXPORTER_OTLP_CERTIFICATE: "},

		{opts: ClientOptions{Protocol: "grpc", Endpoint: "http://tempo"}, want: "tempo:4317 (gRPC)"},
		{opts: ClientOptions{Protocol: "grpc", Endpoint: "https://tempo/path"}, want: "tempo:443 (gRPC, TLS)"},
		{opts: ClientOptions{Protocol: "grpc", Endpoint: "tempo"}, want: "tempo:4317 (gRPC, TLS)"},
		{opts: ClientOptions{Protocol: "grpc", Endpoint: "tempo:1", Insecure: true}, want: "tempo:1 (gRPC)"},
		{opts: ClientOptions{Protocol: "grpc", Endpoint: "unix:///run/otel.sock"}, want: "unix:///run/otel.sock (gRPC)"},
		{opts: ClientOptions{Protocol: "grpc", Endpoint: "dns:///tempo:1"}, want: "dns:///tempo:1 (gRPC, TLS)"},
	} {
		t.Run(fmt.Sprint(test.opts, test.vars), func(t *testing.T) {
			clearVariables(t)
			for k, v := range test.vars {
				t.Setenv(k, v)
			}
			c, target, err := NewClient(t.Context(), test.opts)
			if want, ok := strings.CutPrefix(test.want, "!"); ok {
				if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "secret") {
					t.Errorf("error %v, want %s…", err, want)
				}
				return
			}
			if err != nil || target != test.want {
				t.Fatalf("%s, %v, want %s", target, err, test.want)
			}
			if err := errors.Join(c.Start(t.Context()), c.Stop(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestClientCompression(t *testing.T) {
	for value, want := range map[string]bool{"": false, "none": false, "gzip": true} {
		clearVariables(t)
		t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", value)
		b := &backend{protocol: "http/protobuf"}
		r, _ := uploadTo(t, b.client(t, ClientOptions{Endpoint: b.start(t, "")}), 10)
		b.wantAll(t, r, 10)
		if *b.gzip != want {
			t.Errorf("%q: compressed %t", value, *b.gzip)
		}
	}
	clearVariables(t)
	gzip, err := gzipVariable()
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"localhost": false, "localhost:4318": false, "127.0.0.1:4318": false, "127.1.2.3": false, "[::1]:4318": false, "[::1]": false, "unix:///run/otlp": false,
		"tempo": true, "tempo:4318": true, "10.0.0.1:4318": true, "[fe80::1]:4318": true, "localhost.example.com:80": true,
	} {
		if got := gzip(address); got != want {
			t.Errorf("%s: compressed %t", address, got)
		}
	}
}

func BenchmarkClient(b *testing.B) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer h.Close()
	for _, compression := range []string{"gzip", "none"} {
		b.Run(compression, func(b *testing.B) {
			b.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
			benchmarkUpload(b, func() Client {
				c, _, err := NewClient(b.Context(), ClientOptions{Endpoint: h.URL})
				if err != nil {
					b.Fatal(err)
				}
				return c
			})
		})
	}
}
