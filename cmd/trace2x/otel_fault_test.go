package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/trace2x/trace2x/convert/otel/otlptest"
)

// secret is sent with each request of these tests. Nothing may show it.
const secret = "s3cr3t-canary"

// spansGot says how many of the spans a backend got.
type spansGot int

const (
	none spansGot = iota
	some
	all
)

// fault is a backend that fails, and what then has to happen.
type fault struct {
	name     string
	protocol string                                         // default http/protobuf
	trace    string                                         // default states
	answer   func(call int, n int) otlptest.Answer          // nil accepts all; n spans
	serve    func(t *testing.T, b *otlptest.Backend) string // returns the endpoint; nil starts b
	env      map[string]string
	args     []string

	code  int
	got   spansGot
	calls int           // at most; 0 is any number
	least time.Duration // that it takes
	want  []string      // in stderr, once
}

// brief keeps what tries again for ever from doing so.
var brief = []string{"--wait", "300ms"}

// once answers only the first request so.
func once(a otlptest.Answer) func(int, int) otlptest.Answer {
	return func(call, _ int) otlptest.Answer {
		if call == 1 {
			return a
		}
		return otlptest.Answer{}
	}
}

func always(a otlptest.Answer) func(int, int) otlptest.Answer {
	return func(int, int) otlptest.Answer { return a }
}

func header(kv ...string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(kv); i += 2 {
		h.Set(kv[i], kv[i+1])
	}
	return h
}

// faults are those of HTTP's status codes and gRPC's, and then all others.
func faults() (fs []fault) {
	for _, code := range []int{400, 401, 403, 404, 405, 408, 409, 415, 422, 500, 501, 505, 507, 511} {
		fs = append(fs, fault{
			name:   strconv.Itoa(code),
			answer: always(otlptest.Answer{Status: code, Body: "no such thing", Header: header("Content-Type", "text/plain", "Retry-After", "1")}),
			code:   exitFailed, calls: 1,
			want: []string{fmt.Sprintf("%d %s: no such thing", code, http.StatusText(code))},
		})
	}
	for _, code := range []int{429, 502, 503, 504} {
		text := fmt.Sprintf("%d %s", code, http.StatusText(code))
		fs = append(fs,
			fault{name: fmt.Sprint(code, " once"), answer: once(otlptest.Answer{Status: code}), got: all, calls: 2, want: []string{text + "; trying again"}},
			fault{name: fmt.Sprint(code, " with Retry-After"), answer: once(otlptest.Answer{Status: code, Header: header("Retry-After", "1")}), got: all, calls: 2, least: time.Second, want: []string{text}},
			fault{name: fmt.Sprint(code, " for long"), answer: always(otlptest.Answer{Status: code, Header: header("Retry-After", "7200")}), code: exitFailed, calls: 1, want: []string{text, "asks to wait 2h0m0s"}},
			fault{name: fmt.Sprint(code, " always"), answer: always(otlptest.Answer{Status: code}), args: brief, code: exitFailed, want: []string{text, "gave up", "tried for 300ms", "no span was accepted"}},
		)
	}
	for name, value := range map[string]string{"absurd": "99999999999999999999", "large": "9223372036854775807", "date": "Fri, 31 Dec 9999 23:59:59 GMT"} {
		fs = append(fs, fault{name: "Retry-After " + name, answer: always(otlptest.Answer{Status: 503, Header: header("Retry-After", value)}), code: exitFailed, calls: 1, want: []string{"503", "asks to wait for days"}})
	}
	for name, value := range map[string]string{"negative": "-5", "of words": "soon", "in the past": "Fri, 31 Dec 1999 23:59:59 GMT"} {
		fs = append(fs, fault{name: "Retry-After " + name, answer: once(otlptest.Answer{Status: 503, Header: header("Retry-After", value)}), got: all, calls: 2})
	}

	for _, c := range []codes.Code{codes.Unknown, codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.ResourceExhausted, codes.FailedPrecondition, codes.Unimplemented, codes.Internal, codes.Unauthenticated} {
		fs = append(fs, fault{name: "gRPC " + c.String(), protocol: "grpc", answer: always(otlptest.Answer{GRPC: status.Error(c, "not today")}), code: exitFailed, calls: 1, want: []string{c.String() + ": not today"}})
	}
	for _, c := range []codes.Code{codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss} {
		fs = append(fs, fault{name: "gRPC " + c.String() + " once", protocol: "grpc", answer: once(otlptest.Answer{GRPC: status.Error(c, "not now")}), got: all, calls: 2, want: []string{c.String() + ": not now; trying again"}})
	}
	return append(fs,
		fault{name: "gRPC ResourceExhausted with RetryInfo", protocol: "grpc", answer: once(otlptest.Answer{GRPC: retryInfo(codes.ResourceExhausted, time.Second)}), got: all, calls: 2, least: time.Second},
		fault{name: "gRPC RetryInfo for long", protocol: "grpc", answer: always(otlptest.Answer{GRPC: retryInfo(codes.Unavailable, 2*time.Hour)}), code: exitFailed, calls: 1, want: []string{"asks to wait 2h0m0s"}},
		fault{name: "gRPC RetryInfo absurd", protocol: "grpc", answer: always(otlptest.Answer{GRPC: retryInfo(codes.Unavailable, 1<<63-1)}), code: exitFailed, calls: 1, want: []string{"asks to wait for days"}},
		fault{name: "gRPC Unavailable always", protocol: "grpc", answer: always(otlptest.Answer{GRPC: status.Error(codes.Unavailable, "closed")}), args: brief, code: exitFailed, want: []string{"Unavailable: closed", "tried for 300ms"}},
		fault{name: "gRPC hangs", protocol: "grpc", answer: always(otlptest.Answer{Hang: t0}), env: map[string]string{"OTEL_EXPORTER_OTLP_TIMEOUT": "150"}, args: brief, code: exitFailed, want: []string{"no answer within 150ms"}},
		fault{name: "gRPC too large", protocol: "grpc", trace: "httpserver", serve: func(t *testing.T, b *otlptest.Backend) string { b.MaxSize = 100_000; return b.Start(t, "") }, got: all},

		// Redirects.
		redirects(301, "https://other.example:4318/v1/traces", "https://other.example:4318/v1/traces"),
		redirects(302, "/login", "/login"),
		redirects(303, "/v1/traces", "the backend wants http://127.0.0.1:"),
		redirects(307, "http://other.example/v1/traces?token="+secret, "http://other.example/v1/traces?token=…"),
		redirects(308, "https://user:"+secret+"@other.example/", "https://other.example/"),
		redirects(307, "", "307 Temporary Redirect"),
		redirects(300, "", "300 Multiple Choices"),
		redirects(307, "/v1/traces", "more than 4 redirects"),
		fault{name: "308 to the same origin", serve: func(t *testing.T, b *otlptest.Backend) string {
			u := b.Start(t, "")
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/moved" {
					http.Redirect(w, r, "/moved", http.StatusPermanentRedirect)
					return
				}
				b.ServeHTTP(w, r)
			}))
			t.Cleanup(s.Close)
			_ = u
			return s.URL
		}, got: all},
		fault{name: "307 to another origin that works", serve: func(t *testing.T, b *otlptest.Backend) string {
			other := b.Start(t, "")
			s := httptest.NewServer(http.RedirectHandler(other+"/v1/traces", http.StatusTemporaryRedirect))
			t.Cleanup(s.Close)
			return s.URL
		}, code: exitFailed, got: none, want: []string{"the backend wants http://127.0.0.1:"}},

		// Answers that are not OTLP's, and those that are.
		answers("text", "text/plain", "ok", false),
		answers("HTML", "text/html; charset=utf-8", "<html>Sign in</html>", false),
		answers("JSON of another kind", "application/json", `{"status":"ok"}`, false),
		answers("JSON that is an array", "application/json", `[]`, false),
		answers("JSON that is cut", "application/json", `{"partialSuccess":`, false),
		answers("no protobuf", "application/x-protobuf", "<html>", false),
		answers("protobuf of another kind", "application/x-protobuf", "\x7a\x01a", false),
		answers("a picture", "image/png", "\x89PNG", false),
		answers("empty", "", "", true),
		answers("empty text", "text/plain", "", true),
		answers("empty JSON", "application/json", "{}", true),
		answers("partial success of nothing", "application/json", `{"partialSuccess":{}}`, true),
		fault{name: "204", answer: always(otlptest.Answer{Status: 204}), got: none}, // it is not counted there
		fault{name: "200 cut short once", answer: once(otlptest.Answer{WrongBody: true, Body: "short", Header: header("Content-Length", "100")}), got: all, calls: 2},

		// Partial success.
		fault{name: "partial success", answer: partial(3, "too old"), code: exitFailed, got: all, want: []string{", 3 rejected: too old"}},
		fault{name: "partial success over gRPC", protocol: "grpc", answer: partial(3, "too old"), code: exitFailed, got: all, want: []string{", 3 rejected: too old"}},
		fault{name: "partial success as JSON", protocol: "http/json", answer: partial(3, "too old"), code: exitFailed, got: all, want: []string{", 3 rejected: too old"}},
		fault{name: "nothing accepted", answer: partial(1<<40, ""), code: exitFailed, got: all, want: []string{" 0 spans accepted, ", "the backend did not say why"}},
		fault{name: "warning", answer: partial(0, "use v2"), got: all, want: []string{"0 rejected\n", "the backend says: use v2"}},
		fault{name: "a message that tells the token", answer: always(otlptest.Answer{Status: 401, Body: "not " + secret, Header: header("Content-Type", "text/plain")}), code: exitFailed, want: []string{"401 Unauthorized: not …"}},

		// Too large.
		fault{name: "413", trace: "httpserver", answer: func(_, n int) (a otlptest.Answer) {
			if n > 500 {
				a.Status = 413
			}
			return a
		}, got: all},
		fault{name: "413 always", answer: always(otlptest.Answer{Status: 413}), code: exitFailed, want: []string{"413 Request Entity Too Large"}},
		fault{name: "400 for what is too large", trace: "httpserver", answer: func(_, n int) (a otlptest.Answer) {
			if n > 500 {
				a = otlptest.Answer{Status: 400, Body: "http: request body too large", Header: header("Content-Type", "text/plain")}
			}
			return a
		}, got: all},

		// Connections.
		fault{name: "nothing listens", serve: nobody, args: brief, code: exitFailed, want: []string{"connection refused", "gave up", "--wait 1m waits"}},
		fault{name: "nothing listens, gRPC", protocol: "grpc", serve: nobody, args: brief, code: exitFailed, want: []string{"connection refused", "gave up", "--wait 1m waits"}},
		fault{name: "nothing listens, no wait", serve: nobody, args: []string{"--wait", "0"}, code: exitFailed, want: []string{"connection refused", "gave up"}},
		fault{name: "no such host", serve: func(*testing.T, *otlptest.Backend) string { return "http://backend.invalid:4318" }, args: brief, code: exitFailed, want: []string{"gave up", "no such host"}},
		fault{name: "up after a while", serve: func(t *testing.T, b *otlptest.Backend) string {
			u := nobody(t, b)
			time.AfterFunc(700*time.Millisecond, func() { b.Start(t, strings.TrimPrefix(u, "http://")) })
			return u
		}, args: []string{"--wait", "10s"}, got: all, want: []string{"connection refused; trying again"}},
		fault{name: "hangs up once", answer: once(otlptest.Answer{HangUp: true}), got: all, calls: 2},
		fault{name: "hangs up", answer: always(otlptest.Answer{HangUp: true}), args: brief, code: exitFailed, want: []string{"EOF", "tried for 300ms"}},
		fault{name: "accepts and closes", serve: func(t *testing.T, b *otlptest.Backend) string {
			b.Refuse = func(n int) bool { return n <= 2 }
			return b.Start(t, "")
		}, got: all},
		fault{name: "hangs once", answer: once(otlptest.Answer{Hang: t0, HangUp: true}), env: map[string]string{"OTEL_EXPORTER_OTLP_TIMEOUT": "200"}, got: all, calls: 2, want: []string{"no answer within 200ms; trying again"}},
		fault{name: "hangs", answer: always(otlptest.Answer{Hang: t0, HangUp: true}), env: map[string]string{"OTEL_EXPORTER_OTLP_TIMEOUT": "150"}, args: brief, code: exitFailed, want: []string{"no answer within 150ms", "no span was accepted"}},
		fault{name: "the answer hangs", serve: handler(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}), env: map[string]string{"OTEL_EXPORTER_OTLP_TIMEOUT": "150"}, args: brief, code: exitFailed, want: []string{"no answer within 150ms"}},
		fault{name: "slow", serve: func(t *testing.T, b *otlptest.Backend) string {
			b.Start(t, "")
			return handler(func(w http.ResponseWriter, r *http.Request) { time.Sleep(300 * time.Millisecond); b.ServeHTTP(w, r) })(t, b)
		}, got: all, least: 300 * time.Millisecond},
		fault{name: "down in the middle", trace: "httpserver", args: brief, answer: func(call, _ int) (a otlptest.Answer) {
			a.HangUp = call > 3
			return a
		}, code: exitFailed, got: some, want: []string{"gave up", "spans were accepted before"}},
		fault{name: "down in the middle, gRPC", protocol: "grpc", trace: "httpserver", args: brief, answer: func(call, _ int) (a otlptest.Answer) {
			if call > 3 {
				a.GRPC = status.Error(codes.Unavailable, "going down")
			}
			return a
		}, code: exitFailed, got: some, want: []string{"gave up", "Unavailable: going down", "spans were accepted before"}},
		fault{name: "one request refused of many", trace: "httpserver", answer: func(call, _ int) (a otlptest.Answer) {
			if call == 2 {
				a.Status = 400
			}
			return a
		}, code: exitFailed, got: some, want: []string{" rejected: 400 Bad Request"}},

		// TLS and the wrong protocol.
		fault{name: "certificate of nobody", serve: withTLS("127.0.0.1", time.Hour), code: exitFailed, want: []string{"certificate signed by unknown authority", "OTEL_EXPORTER_OTLP_CERTIFICATE can name"}},
		fault{name: "certificate of nobody, gRPC", protocol: "grpc", serve: withTLS("127.0.0.1", time.Hour), code: exitFailed, want: []string{"certificate signed by unknown authority", "OTEL_EXPORTER_OTLP_CERTIFICATE can name"}},
		fault{name: "certificate of another host", serve: trusted("other.example", time.Hour), code: exitFailed, want: []string{"failed to verify certificate"}},
		fault{name: "certificate that expired", serve: trusted("127.0.0.1", -time.Hour), code: exitFailed, want: []string{"certificate has expired"}},
		fault{name: "certificate that is trusted", serve: trusted("127.0.0.1", time.Hour), got: all},
		fault{name: "certificate that is trusted, gRPC", protocol: "grpc", serve: trusted("127.0.0.1", time.Hour), got: all},
		fault{name: "client certificate missing", serve: func(t *testing.T, b *otlptest.Backend) string {
			trust(t, b, "127.0.0.1", time.Hour)
			b.TLS.ClientAuth = tls.RequireAnyClientCert
			return b.Start(t, "")
		}, code: exitFailed, want: []string{"the backend refused the TLS connection"}},
		fault{name: "TLS too old", serve: func(t *testing.T, b *otlptest.Backend) string {
			b.TLS = certificate(t, "127.0.0.1", time.Hour)
			b.TLS.MaxVersion = tls.VersionTLS10
			return b.Start(t, "")
		}, code: exitFailed, want: []string{"tls: "}},
		fault{name: "http to https", serve: other("https:", withTLS("127.0.0.1", time.Hour)), code: exitFailed, want: []string{"use an https:// URL"}},
		fault{name: "http to https, gRPC", protocol: "grpc", serve: other("https:", withTLS("127.0.0.1", time.Hour)), code: exitFailed, want: []string{"use an https:// URL"}},
		fault{name: "http to https that says nothing", serve: silentTLS, code: exitFailed, want: []string{"use an https:// URL"}},
		fault{name: "https to http", serve: other("http:", nil), code: exitFailed, want: []string{"use an http:// URL"}},
		fault{name: "https to http, gRPC", protocol: "grpc", serve: other("http:", nil), code: exitFailed, want: []string{"use an http:// URL"}},
		fault{name: "HTTP to gRPC", serve: speaks("grpc"), code: exitFailed, want: []string{"does the backend speak gRPC there?"}},
		fault{name: "gRPC to a server that answers anything with text", protocol: "grpc", serve: says("<!DOCTYPE HTML>\n<title>Bad request</title>\n"), code: exitFailed, want: []string{"does the backend speak HTTP there, not gRPC?"}},
		fault{name: "gRPC to HTTP", protocol: "grpc", serve: speaks("http/protobuf"), code: exitFailed, want: []string{"does the backend speak HTTP there, not gRPC?"}},
	)
}

// t0 is never closed.
var t0 = make(chan struct{})

func redirects(code int, to, want string) fault {
	return fault{
		name:   fmt.Sprintf("%d to %q", code, to),
		answer: always(otlptest.Answer{Status: code, Header: header("Location", to)}),
		code:   exitFailed,
		want:   []string{want, "gave up", "no span was accepted"},
	}
}

func answers(name, media, body string, good bool) fault {
	f := fault{name: "200 with " + name, answer: always(otlptest.Answer{WrongBody: true, Body: body, Header: header("Content-Type", media)}), got: all}
	if !good {
		f.code, f.want = exitFailed, []string{"200 OK, but not an answer of OTLP"}
	}
	return f
}

func partial(rejected int64, message string) func(int, int) otlptest.Answer {
	return once(otlptest.Answer{Partial: &coltracepb.ExportTracePartialSuccess{RejectedSpans: rejected, ErrorMessage: message}})
}

func retryInfo(code codes.Code, d time.Duration) error {
	s, err := status.New(code, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(d)})
	if err != nil {
		panic(err)
	}
	return s.Err()
}

func nobody(t *testing.T, _ *otlptest.Backend) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func handler(f http.HandlerFunc) func(*testing.T, *otlptest.Backend) string {
	return func(t *testing.T, _ *otlptest.Backend) string {
		s := httptest.NewServer(f)
		t.Cleanup(s.Close)
		return s.URL
	}
}

// says returns the address of a server that answers anything with a text.
func says(text string) func(*testing.T, *otlptest.Backend) string {
	return func(t *testing.T, _ *otlptest.Backend) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Read(make([]byte, 1))
				io.WriteString(c, text)
				c.Close()
			}
		}()
		return "http://" + l.Addr().String()
	}
}

func speaks(protocol string) func(*testing.T, *otlptest.Backend) string {
	return func(t *testing.T, b *otlptest.Backend) string {
		b.Protocol = protocol
		return b.Start(t, "")
	}
}

// other returns the address of a backend with the other scheme.
func other(scheme string, serve func(*testing.T, *otlptest.Backend) string) func(*testing.T, *otlptest.Backend) string {
	return func(t *testing.T, b *otlptest.Backend) string {
		if serve == nil {
			serve = func(t *testing.T, b *otlptest.Backend) string { return b.Start(t, "") }
		}
		u := serve(t, b)
		return map[string]string{"https:": "http:", "http:": "https:"}[scheme] + strings.TrimPrefix(u, scheme)
	}
}

func withTLS(host string, valid time.Duration) func(*testing.T, *otlptest.Backend) string {
	return func(t *testing.T, b *otlptest.Backend) string {
		b.TLS = certificate(t, host, valid)
		return b.Start(t, "")
	}
}

// trusted is a backend whose certificate the variable names.
func trusted(host string, valid time.Duration) func(*testing.T, *otlptest.Backend) string {
	return func(t *testing.T, b *otlptest.Backend) string {
		trust(t, b, host, valid)
		return b.Start(t, "")
	}
}

func trust(t *testing.T, b *otlptest.Backend, host string, valid time.Duration) {
	b.TLS = certificate(t, host, valid)
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: b.TLS.Certificates[0].Certificate[0]}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", file)
}

// silentTLS is a server that closes what does not begin as TLS, without a word.
func silentTLS(t *testing.T, _ *otlptest.Backend) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	config := certificate(t, "127.0.0.1", time.Hour)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				first := make([]byte, 1)
				if _, err := io.ReadFull(conn, first); err == nil && first[0] == 0x16 {
					tls.Server(&began{conn, first}, config).Handshake()
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// began is a connection from which first has been read already.
type began struct {
	net.Conn
	first []byte
}

func (c *began) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

func certificate(t *testing.T, host string, valid time.Duration) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(valid), IsCA: true, BasicConstraintsValid: true}
	if ip := net.ParseIP(host); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// clearOTEL unsets the variables of OpenTelemetry, and those of proxies.
func clearOTEL(t *testing.T) {
	for _, v := range os.Environ() {
		if k, _, _ := strings.Cut(v, "="); strings.HasPrefix(k, "OTEL_") {
			t.Setenv(k, "")
		}
	}
}

var spansPattern = regexp.MustCompile(`with ([0-9,]+) spans`)

// spansOf is how many spans a trace has.
func spansOf(t *testing.T, name string) int {
	t.Helper()
	r := exec(t, "otel", "--dry-run", trace(t, name))
	m := spansPattern.FindStringSubmatch(r.stderr)
	if m == nil {
		t.Fatal(r.stderr)
	}
	n, _ := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
	return n
}

// TestBackendFaults: whatever a backend does, the command ends soon, tells the
// reason once and the numbers that the backend got, and shows no secret.
func TestBackendFaults(t *testing.T) {
	clearOTEL(t)
	log.SetOutput(io.Discard) // of servers whose handshakes fail
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	spans := map[string]int{"states": spansOf(t, "states"), "httpserver": spansOf(t, "httpserver")}
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			for k, v := range f.env {
				t.Setenv(k, v)
			}
			name := f.trace
			if name == "" {
				name = "states"
			}
			b := &otlptest.Backend{Protocol: f.protocol}
			if f.answer != nil {
				b.Answer = func(call int, spans []*tracepb.Span) otlptest.Answer { return f.answer(call, len(spans)) }
			}
			serve := f.serve
			if serve == nil {
				serve = func(t *testing.T, b *otlptest.Backend) string { return b.Start(t, "") }
			}
			endpoint := serve(t, b)
			t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key="+secret)
			args := append([]string{"otel", "--endpoint", endpoint, "--header", "Authorization=Bearer " + secret}, f.args...)
			if f.protocol != "" {
				args = append(args, "--protocol", f.protocol)
			}
			start := time.Now()
			r := exec(t, append(args, trace(t, name))...)
			took := time.Since(start)

			r.want(t, f.code)
			for _, want := range f.want {
				if n := strings.Count(r.stderr, want); n != 1 {
					t.Errorf("stderr has %q %d times:\n%s", want, n, r.stderr)
				}
			}
			if strings.Contains(r.stderr, secret) {
				t.Errorf("stderr has the secret:\n%s", r.stderr)
			}
			if took < f.least || took > 45*time.Second { // less than a minute of tries, on a machine that is busy
				t.Errorf("took %v", took)
			}
			got, _ := b.Count()
			total := spans[name]
			if f.got == none && got != 0 || f.got == all && got != total || f.got == some && (got == 0 || got >= total) {
				t.Errorf("the backend has %d spans of %d", got, total)
			}
			if n := int(b.Calls.Load()); f.calls > 0 && n > f.calls {
				t.Errorf("%d requests", n)
			}
			if f.code == exitOK {
				r.want(t, exitOK, "spans accepted, 0 rejected")
			}
		})
	}
}

// Nothing ever listened: it gives up after some seconds, without being told.
func TestBackendNeverThere(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 5 s")
	}
	clearOTEL(t)
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		start := time.Now()
		exec(t, "otel", "--protocol", protocol, "--endpoint", nobody(t, nil), trace(t, "states")).want(t, exitFailed, "connection refused", "tried for 5s")
		if took := time.Since(start); took < 4*time.Second || took > 9*time.Second {
			t.Errorf("%s: took %v", protocol, took)
		}
	}
}

// After an interrupt, a message tells what was sent before.
func TestInterruptedSending(t *testing.T) {
	clearOTEL(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := new(otlptest.Backend)
	var accepted atomic.Int64
	b.Answer = func(call int, spans []*tracepb.Span) otlptest.Answer {
		if call <= 2 {
			accepted.Add(int64(len(spans)))
			return otlptest.Answer{}
		}
		time.AfterFunc(100*time.Millisecond, cancel)
		return otlptest.Answer{Hang: t0, HangUp: true}
	}
	r := execWith(ctx, strings.NewReader(""), "otel", "--endpoint", b.Start(t, ""), trace(t, "httpserver"))
	if r.code == exitOK || !strings.Contains(r.stderr, "interrupted while sending") || strings.Contains(r.stderr, "nothing was written") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	if want := english.Sprintf("%d spans were accepted before", accepted.Load()); !strings.Contains(r.stderr, want) && !strings.Contains(r.stderr, english.Sprintf("%d of ", accepted.Load())) {
		t.Errorf("%s; want %q", r.stderr, want)
	}
}

// A header that cannot be read is an error that does not show it.
func TestBackendHeaders(t *testing.T) {
	clearOTEL(t)
	b := new(otlptest.Backend)
	endpoint := b.Start(t, "")
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, test := range []struct {
		name, variable string
		args           []string
		want           string // of the usage error; "" if the header arrives
	}{
		{"variable", "authorization=" + secret, nil, ""},
		{"variable, escaped", "x=1,Authorization=" + strings.Replace(secret, "-", "%2D", 1), nil, ""},
		{"flag", "", []string{"--header", "Authorization=" + secret}, ""},
		{"flag as in HTTP", "", []string{"--header", "Authorization: " + secret}, ""},
		{"file", "", []string{"--header", "@" + file("good", "# for tests\n\nAuthorization: "+secret+"\n")}, ""},
		{"variable without =", secret, nil, "OTEL_EXPORTER_OTLP_HEADERS: entry 1 has no ="},
		{"variable as in HTTP", "a=b,Authorization: " + secret, nil, `OTEL_EXPORTER_OTLP_HEADERS: "Authorization" has no =`},
		{"variable with a bad name", "Bearer " + secret + "=", nil, "OTEL_EXPORTER_OTLP_HEADERS: entry 1 is not the name of a header"},
		{"variable with a bad escape", "authorization=" + secret + "%zz", nil, `OTEL_EXPORTER_OTLP_HEADERS: "authorization" has a value with a % that encodes nothing`},
		{"variable with a line break", "authorization=" + secret + "%0A", nil, `OTEL_EXPORTER_OTLP_HEADERS: "authorization" has a value with a control character`},
		{"flag without =", "", []string{"--header", "a=b", "--header", secret}, "--header, the second one: it is KEY=VALUE"},
		{"flag with a line break", "", []string{"--header", "authorization=" + secret + "\n!"}, `header "Authorization": not a valid value`},
		{"file with a bad line", "", []string{"--header", "@" + file("bad", "a: b\n"+secret+"\n")}, "bad, line 2: it is KEY=VALUE"},
		{"no such file", "", []string{"--header", "@" + filepath.Join(dir, "missing")}, "--header @FILE: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", test.variable)
			b.Headers = nil
			r := exec(t, append(append([]string{"otel", "--endpoint", endpoint}, test.args...), trace(t, "states"))...)
			if strings.Contains(r.stderr, secret) {
				t.Errorf("stderr has the secret:\n%s", r.stderr)
			}
			if test.want == "" {
				r.want(t, exitOK)
				if b.Headers["authorization"] != secret {
					t.Errorf("headers %v", b.Headers)
				}
				return
			}
			r.want(t, exitUsage, test.want)
			if b.Headers != nil {
				t.Error("it was sent all the same")
			}
		})
	}
	for _, endpoint := range []string{"http://user:" + secret + "@h:1", "http://user:" + secret, "http://h:1/?token=" + secret, "http:///" + "?token=" + secret, "http://u:" + secret + "@", "dns://u:" + secret + "@h"} {
		for _, protocol := range []string{"http/protobuf", "grpc"} {
			r := exec(t, "otel", "--protocol", protocol, "--endpoint", endpoint, trace(t, "states"))
			if r.code == exitOK || strings.Contains(r.stderr, secret) {
				t.Errorf("%s: exit code %d: %s", endpoint, r.code, r.stderr)
			}
		}
	}
}
