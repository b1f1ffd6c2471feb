package otel_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
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

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/otel/otlpclient"
	"github.com/trace2x/trace2x/convert/otel/otlptest"
)

var protocols = []string{"http/protobuf", "http/json", "grpc"}

// forProtocols runs a test for each.
func forProtocols(t *testing.T, f func(t *testing.T, b *otlptest.Backend)) {
	for _, p := range protocols {
		t.Run(p, func(t *testing.T) {
			clearVariables(t)
			f(t, &otlptest.Backend{Protocol: p})
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

// client returns a client for the backend. Its first waits are short.
func client(t *testing.T, b *otlptest.Backend, opts otlpclient.Options) otel.Client {
	t.Helper()
	opts.Protocol = b.Protocol
	opts.RetryTime = cmp.Or(opts.RetryTime, 4*time.Second)
	c, err := otlpclient.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// soon is generous: only that something ends matters, not when.
const soon = 20 * time.Second

func testSpans(n int) []*tracepb.Span {
	spans := make([]*tracepb.Span, n)
	for i := range spans {
		spans[i] = otlptest.Span(i)
	}
	return spans
}

// uploadTo sends n spans and checks what always holds: it ends, and every span
// is counted.
func uploadTo(t *testing.T, c otel.Client, n int) (otel.Result, error) {
	t.Helper()
	start := time.Now()
	r, err := otel.Upload(t.Context(), otel.SmallBatches(c), testSpans(n)...)
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
func wantAll(t *testing.T, b *otlptest.Backend, r otel.Result, n int) {
	t.Helper()
	if got, _ := b.Count(); got != n || r.Accepted != int64(n) {
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
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		url := b.Start(t, "")
		t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc,x-scope=variable")
		// These would make the SDK's clients fail or use TLS.
		t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", writeCertificate(t, testServerTLS(t)))
		t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
		c := client(t, b, otlpclient.Options{Endpoint: url, Headers: map[string]string{"X-Scope": "option", "X-More": "1"}})
		r, err := uploadTo(t, c, 250)
		if err != nil {
			t.Fatal(err)
		}
		wantAll(t, b, r, 250)
		for n, times := range b.Spans {
			if times != 1 {
				t.Errorf("span %d was sent %d times", n, times)
			}
		}
		for k, want := range map[string]string{"authorization": "Bearer abc", "x-scope": "option", "x-more": "1"} {
			if got := b.Headers[k]; got != want {
				t.Errorf("header %s is %q, want %q", k, got, want)
			}
		}
		if b.Protocol != "grpc" && (*b.Gzip || b.Headers["path"] != "/v1/traces") {
			t.Errorf("gzip %v on this machine, path %s", *b.Gzip, b.Headers["path"])
		}
	})
}

// The backend comes up after the first tries.
func TestClientBackendDownAtFirst(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		l.Close()
		var once sync.Once
		c := client(t, b, otlpclient.Options{Endpoint: "http://" + address, Notify: func(err error, wait time.Duration) {
			if wait <= 0 || !strings.Contains(err.Error(), "connection refused") {
				t.Errorf("notified of %v, %v", err, wait)
			}
			once.Do(func() { b.Start(t, address) })
		}})
		r, _ := uploadTo(t, c, 250)
		wantAll(t, b, r, 250)
	})
}

func TestClientBackendDown(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		c := client(t, b, otlpclient.Options{Endpoint: "http://" + l.Addr().String(), RetryTime: 300 * time.Millisecond})
		r, err := uploadTo(t, c, 2500)
		if r.Accepted != 0 || err == nil || !strings.Contains(err.Error(), "connection refused") || !strings.Contains(err.Error(), "tried for 300ms") || len(r.Reasons) != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestClientRetryAfter(t *testing.T) {
	for protocol, wait := range map[string]time.Duration{"http/protobuf": time.Second, "grpc": 300 * time.Millisecond} {
		t.Run(protocol, func(t *testing.T) {
			clearVariables(t)
			b := &otlptest.Backend{Protocol: protocol}
			b.Answer = func(call int, _ []*tracepb.Span) (a otlptest.Answer) {
				a.Header = http.Header{"Retry-After": {"1"}}
				switch call {
				case 1:
					a.Status, a.GRPC = 429, retryInfo(codes.ResourceExhausted, wait)
				case 2:
					a.Status, a.GRPC = 503, retryInfo(codes.Unavailable, wait)
				}
				return a
			}
			start := time.Now()
			r, _ := uploadTo(t, client(t, b, otlpclient.Options{Endpoint: b.Start(t, "")}), 100)
			wantAll(t, b, r, 100)
			if d := time.Since(start); d < 2*wait {
				t.Errorf("waited only %v", d)
			}
		})
	}
}

func TestClientRetryAfterTooLong(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		b.Answer = func(int, []*tracepb.Span) otlptest.Answer {
			return otlptest.Answer{Status: 503, Header: http.Header{"Retry-After": {"7200"}}, GRPC: retryInfo(codes.Unavailable, 2*time.Hour)}
		}
		r, err := uploadTo(t, client(t, b, otlpclient.Options{Endpoint: b.Start(t, "")}), 1500)
		if r.Accepted != 0 || err == nil || !strings.Contains(err.Error(), "asks to wait 2h0m0s, no request may take longer than 4s") {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestClientBusyForAll(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		b.Answer = func(int, []*tracepb.Span) otlptest.Answer {
			return otlptest.Answer{Status: 503, Body: `{"message":"queue full"}`, Header: http.Header{"Content-Type": {"application/json"}}, GRPC: status.Error(codes.Unavailable, "queue full")}
		}
		r, err := uploadTo(t, client(t, b, otlpclient.Options{Endpoint: b.Start(t, ""), RetryTime: 300 * time.Millisecond}), 1500)
		if r.Accepted != 0 || err == nil || !strings.Contains(err.Error(), ": queue full (tried for 300ms)") {
			t.Errorf("%+v, %v", r, err)
		}
		if n := b.Calls.Load(); n < 4 || n > 50 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestClientPartialSuccess(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		b.Answer = partialAnswers
		r, err := uploadTo(t, client(t, b, otlpclient.Options{Endpoint: b.Start(t, "")}), 300)
		checkPartial(t, r, err)
	})
}

func partialAnswers(_ int, spans []*tracepb.Span) (a otlptest.Answer) {
	switch otlptest.Number(spans[0]) {
	case 0:
		a.Partial = &coltracepb.ExportTracePartialSuccess{RejectedSpans: 7, ErrorMessage: "too old (by far)"}
	case 100:
		a.Partial = &coltracepb.ExportTracePartialSuccess{ErrorMessage: "deprecated"}
	}
	return a
}

func checkPartial(t *testing.T, r otel.Result, err error) {
	t.Helper()
	if err == nil || r.Accepted != 293 || !maps.Equal(r.Reasons, map[string]int64{"too old (by far)": 7}) {
		t.Errorf("%+v, %v", r, err)
	}
	if !slices.Equal(r.Warnings, []string{"deprecated"}) {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestClientHangs(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		never := make(chan struct{})
		defer close(never)
		b.Answer = func(int, []*tracepb.Span) otlptest.Answer { return otlptest.Answer{Hang: never} }
		t.Setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "150")
		t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000")
		r, err := uploadTo(t, client(t, b, otlpclient.Options{Endpoint: b.Start(t, ""), RetryTime: 600 * time.Millisecond}), 1500)
		if r.Accepted != 0 || err == nil || !strings.Contains(err.Error(), "no answer within 150ms") {
			t.Errorf("%+v, %v", r, err)
		}
		if n := b.Calls.Load(); n < 4 { // two at the same time
			t.Errorf("%d requests", n)
		}
	})
}

func TestClientHangsOnce(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		never := make(chan struct{})
		defer close(never)
		b.Answer = func(call int, _ []*tracepb.Span) (a otlptest.Answer) {
			if call == 1 {
				a = otlptest.Answer{Hang: never, HangUp: true, GRPC: status.Error(codes.Unavailable, "late")}
			}
			return a
		}
		t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "300")
		r, _ := uploadTo(t, client(t, b, otlpclient.Options{Endpoint: b.Start(t, "")}), 250)
		wantAll(t, b, r, 250)
	})
}

func TestClientConnectionsClosed(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		b.Refuse = func(n int) bool { return n <= 3 }
		b.Answer = func(call int, _ []*tracepb.Span) (a otlptest.Answer) {
			a.HangUp = call == 2
			if call == 2 {
				a.GRPC = status.Error(codes.Unavailable, "closing")
			}
			return a
		}
		r, _ := uploadTo(t, client(t, b, otlpclient.Options{Endpoint: b.Start(t, "")}), 450)
		wantAll(t, b, r, 450)
	})
}

// The connection breaks while an answer is on its way: the request is sent again.
func TestClientAnswerCutShort(t *testing.T) {
	clearVariables(t)
	b := &otlptest.Backend{Protocol: "http/protobuf"}
	b.Answer = func(call int, _ []*tracepb.Span) (a otlptest.Answer) {
		if call == 1 {
			a = otlptest.Answer{WrongBody: true, Body: "short", Header: http.Header{"Content-Length": {"100"}}}
		}
		return a
	}
	r, _ := uploadTo(t, client(t, b, otlpclient.Options{Endpoint: b.Start(t, "")}), 100)
	wantAll(t, b, r, 100)
	if _, n := b.Count(); n != 2 {
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
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		b.TLS = testServerTLS(t)
		url := b.Start(t, "")
		var tries atomic.Int64
		opts := otlpclient.Options{Endpoint: url, Notify: func(error, time.Duration) { tries.Add(1) }}
		r, err := uploadTo(t, client(t, b, opts), 1500)
		if r.Accepted != 0 || err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_CERTIFICATE can name") {
			t.Errorf("%+v, %v", r, err)
		}
		if n := tries.Load(); n != 0 {
			t.Errorf("tried again %d times", n)
		}

		t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", writeCertificate(t, b.TLS))
		r, _ = uploadTo(t, client(t, b, otlpclient.Options{Endpoint: url}), 250)
		wantAll(t, b, r, 250)
	})
}

// A wrong endpoint is an error at once.
func TestClientWrongProtocol(t *testing.T) {
	clearVariables(t)
	h, g := &otlptest.Backend{Protocol: "http/protobuf"}, &otlptest.Backend{Protocol: "grpc"}
	hURL, gURL := h.Start(t, ""), g.Start(t, "")
	for _, test := range []struct{ protocol, url, want string }{
		{"http/protobuf", gURL, "does the backend speak gRPC there?"},
		{"grpc", hURL, "does the backend speak HTTP there, not gRPC?"},
		{"http/protobuf", strings.Replace(hURL, "http:", "https:", 1), "use an http:// URL"},
		{"grpc", strings.Replace(hURL, "http:", "https:", 1), "use an http:// URL"},
	} {
		b := &otlptest.Backend{Protocol: test.protocol}
		r, err := uploadTo(t, client(t, b, otlpclient.Options{Endpoint: test.url, RetryTime: 2 * time.Second}), 250)
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
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		b.Answer = func(_ int, spans []*tracepb.Span) (a otlptest.Answer) {
			if otlptest.Number(spans[0]) == 100 {
				a = otlptest.Answer{Status: 400, Body: string(body), GRPC: status.Error(codes.InvalidArgument, "bad span"), Header: http.Header{"Content-Type": {"application/x-protobuf"}}}
			}
			return a
		}
		r, err := uploadTo(t, client(t, b, otlpclient.Options{Endpoint: b.Start(t, "")}), 1000)
		want := "400 Bad Request: bad span"
		if b.Protocol == "grpc" {
			want = "InvalidArgument: bad span"
		}
		if err == nil || r.Accepted != 900 || !maps.Equal(r.Reasons, map[string]int64{want: 100}) {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestClientUnauthorized(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		b.Answer = func(int, []*tracepb.Span) otlptest.Answer {
			return otlptest.Answer{Status: 401, Body: "no token", Header: http.Header{"Content-Type": {"text/plain"}}, GRPC: status.Error(codes.Unauthenticated, "no token")}
		}
		r, err := uploadTo(t, client(t, b, otlpclient.Options{Endpoint: b.Start(t, "")}), 5000)
		if err == nil || r.Accepted != 0 || len(r.Reasons) != 1 || !strings.Contains(err.Error(), "no token") {
			t.Errorf("%+v, %v", r, err)
		}
		if n := b.Calls.Load(); n > otel.MaxFailed+1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestClientTooLarge(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		b.MaxSize = 60_000
		b.Answer = func(call int, spans []*tracepb.Span) (a otlptest.Answer) {
			if b.Protocol == "grpc" || len(spans) <= 300 {
				return a
			}
			if call%2 == 0 {
				return otlptest.Answer{Status: 413}
			}
			return otlptest.Answer{Status: 400, Body: "Status: request body too large", Header: http.Header{"Content-Type": {"text/plain"}}}
		}
		r, _ := otel.Upload(t.Context(), client(t, b, otlpclient.Options{Endpoint: b.Start(t, "")}), testSpans(5000)...)
		wantAll(t, b, r, 5000)
	})
}

// A request that is none is an error, not a request of nothing.
func TestClientInvalidRequest(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		c := client(t, b, otlpclient.Options{Endpoint: b.Start(t, "")})
		defer c.Close()
		whole := otel.EmptyRequest()
		for _, request := range [][]byte{whole[:len(whole)-1], whole[:1], []byte("\xff"), []byte("{}")} {
			if _, err := c.Export(t.Context(), request); err == nil {
				t.Errorf("%q was sent", request)
			}
		}
		// Two in one are as good as two.
		if _, err := c.Export(t.Context(), append(whole, whole...)); err != nil {
			t.Error(err)
		}
		if n := b.Calls.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// A web server that is no backend says 200 to anything.
func TestClientWebPage(t *testing.T) {
	clearVariables(t)
	for _, media := range []string{"text/html; charset=utf-8", "application/x-protobuf", "application/json"} {
		b := &otlptest.Backend{Protocol: "http/protobuf"}
		b.Answer = func(int, []*tracepb.Span) otlptest.Answer {
			return otlptest.Answer{WrongBody: true, Body: "<html>", Header: http.Header{"Content-Type": {media}}}
		}
		r, err := uploadTo(t, client(t, b, otlpclient.Options{Endpoint: b.Start(t, "")}), 500)
		if err == nil || r.Accepted != 0 || !strings.Contains(err.Error(), "not an answer of OTLP") {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

func TestClientCanceled(t *testing.T) {
	forProtocols(t, func(t *testing.T, b *otlptest.Backend) {
		never, arrived := make(chan struct{}), make(chan struct{}, 100)
		defer close(never)
		b.Answer = func(int, []*tracepb.Span) otlptest.Answer {
			arrived <- struct{}{}
			return otlptest.Answer{Hang: never}
		}
		ctx, cancel := context.WithCancel(t.Context())
		c := client(t, b, otlpclient.Options{Endpoint: b.Start(t, "")})
		go func() {
			<-arrived
			cancel()
		}()
		start := time.Now()
		r, err := otel.Upload(ctx, otel.SmallBatches(c), testSpans(5000)...)
		if !errors.Is(err, context.Canceled) || r.Rejected != 5000 || r.Reasons["context canceled"] != 5000 {
			t.Errorf("%+v, %v", r, err)
		}
		if d := time.Since(start); d > 8*time.Second { // the timeout of a try is 10 s
			t.Errorf("took %v", d)
		}
	})
}

func BenchmarkClient(b *testing.B) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer h.Close()
	for _, compression := range []string{"gzip", "none"} {
		b.Run(compression, func(b *testing.B) {
			b.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
			otel.BenchmarkUpload(b, func() otel.Client {
				c, err := otlpclient.New(otlpclient.Options{Endpoint: h.URL})
				if err != nil {
					b.Fatal(err)
				}
				return c
			})
		})
	}
}

func TestClientCompression(t *testing.T) {
	for value, want := range map[string]bool{"": false, "none": false, "gzip": true} {
		clearVariables(t)
		t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", value)
		b := &otlptest.Backend{Protocol: "http/protobuf"}
		r, _ := uploadTo(t, client(t, b, otlpclient.Options{Endpoint: b.Start(t, "")}), 10)
		wantAll(t, b, r, 10)
		if *b.Gzip != want {
			t.Errorf("%q: compressed %t", value, *b.Gzip)
		}
	}
}
