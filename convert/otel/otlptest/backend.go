// Package otlptest has an OTLP backend for tests, which fails in the ways that
// backends fail.
package otlptest

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Span returns the span number n, which has n+1 as its ID: 0 is none.
func Span(n int) *tracepb.Span {
	id := binary.BigEndian.AppendUint64(nil, uint64(n+1))
	return &tracepb.Span{
		TraceId:           append(make([]byte, 8), id...),
		SpanId:            id,
		Name:              fmt.Sprint("span ", n),
		Kind:              tracepb.Span_SPAN_KIND_INTERNAL,
		StartTimeUnixNano: 1_700_000_000_000_000_000 + uint64(n),
		EndTimeUnixNano:   1_700_000_000_000_001_000 + uint64(n),
		Attributes: []*commonpb.KeyValue{
			stringTag("code.function.name", "net/http.(*conn).serve"),
			{Key: "go.execution.ns", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(n)}}},
		},
		Events: []*tracepb.Span_Event{{TimeUnixNano: uint64(n), Name: "log", Attributes: []*commonpb.KeyValue{stringTag("message", "a <message> & \"quotes\"")}}},
		Links:  []*tracepb.Span_Link{{TraceId: append(id, id...), SpanId: id}},
	}
}

// Number returns the number of a span.
func Number(s *tracepb.Span) int { return int(binary.BigEndian.Uint64(s.SpanId)) - 1 }

func stringTag(k, v string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: k, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v}}}
}

// Received is what a backend or a client got.
type Received struct {
	mu       sync.Mutex
	Spans    map[int]int // how often, by number
	requests int
}

// Add counts spans of a request.
func (r *Received) Add(resources []*tracepb.ResourceSpans) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Spans == nil {
		r.Spans = make(map[int]int)
	}
	r.requests++
	for _, rs := range resources {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				r.Spans[Number(s)]++
			}
		}
	}
}

// Lock keeps Spans as it is, for a look at it, until Unlock.
func (r *Received) Lock() { r.mu.Lock() }

// Unlock ends what Lock began.
func (r *Received) Unlock() { r.mu.Unlock() }

// Count returns the number of different spans, and of requests.
func (r *Received) Count() (spans, requests int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.Spans), r.requests
}

// Backend is an OTLP backend on loopback that does what a test wants.
type Backend struct {
	Received
	Protocol string            // "grpc", else HTTP
	Gzip     *bool             // whether the last request was compressed
	Headers  map[string]string // of the last request, and its path
	TLS      *tls.Config
	MaxSize  int // of a gRPC request

	http  *httptest.Server
	Calls atomic.Int64
	// Answer may be nil, to accept all.
	Answer func(call int, spans []*tracepb.Span) Answer
	// AnswerOther is the same for metrics and profiles, by the path of their requests
	// over HTTP. The calls of each path are counted by themselves.
	AnswerOther func(path string, call int) Answer
	others      others
	// Refuse reports whether to close a new connection.
	Refuse func(connection int) bool
}

// Answer is what a backend answers; the zero value accepts all.
type Answer struct {
	Status    int
	Header    http.Header
	Body      string
	GRPC      error
	Partial   *coltracepb.ExportTracePartialSuccess
	Hang      <-chan struct{} // wait for this, or the client to go away
	HangUp    bool            // HTTP only: close the connection
	WrongBody bool            // HTTP only: answer 200 with Body as it is
}

// Start begins to answer at an address, by default any, and returns the URL.
func (b *Backend) Start(t testing.TB, address string) string {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var scheme = "http://"
	if b.TLS != nil {
		scheme = "https://"
	}
	address = l.Addr().String()
	if b.Refuse != nil {
		l = &refusingListener{Listener: l, refuse: b.Refuse}
	}
	if b.Protocol == "grpc" {
		var opts []grpc.ServerOption
		if b.TLS != nil {
			opts = append(opts, grpc.Creds(credentials.NewTLS(b.TLS)))
		}
		if b.MaxSize > 0 {
			opts = append(opts, grpc.MaxRecvMsgSize(b.MaxSize))
		}
		s := grpc.NewServer(opts...)
		coltracepb.RegisterTraceServiceServer(s, &grpcBackend{b: b})
		b.registerOthers(s)
		go s.Serve(l)
		t.Cleanup(s.Stop)
		return scheme + address
	}
	b.http = &httptest.Server{Listener: l, Config: &http.Server{Handler: b}}
	if b.TLS != nil {
		b.http.TLS = b.TLS
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

func (b *Backend) judge(ctx context.Context, rs []*tracepb.ResourceSpans) (a Answer) {
	call := int(b.Calls.Add(1))
	if b.Answer != nil {
		a = b.Answer(call, rs[0].ScopeSpans[0].Spans)
	}
	if a.Hang != nil {
		select {
		case <-a.Hang:
		case <-ctx.Done():
			a.HangUp, a.GRPC = true, status.FromContextError(ctx.Err()).Err()
		}
	}
	return a
}

func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	b.Gzip = &zipped
	b.Headers = map[string]string{"path": r.URL.Path}
	for k := range r.Header {
		b.Headers[strings.ToLower(k)] = r.Header.Get(k)
	}
	b.mu.Unlock()

	media := r.Header.Get("Content-Type")
	if o := otherSignals[r.URL.Path]; o != nil {
		b.serveOther(w, r, media, data, o)
		return
	}
	req := ptraceotlp.NewExportRequest()
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
	if a.refused(w, media) {
		return
	}
	b.Add(pb.ResourceSpans)
	if a.WrongBody {
		io.WriteString(w, a.Body)
		return
	}
	resp := ptraceotlp.NewExportResponse()
	if p := a.Partial; p != nil {
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

// refused begins the answer to a request over HTTP, and reports whether it is whole: the
// request is not accepted.
func (a *Answer) refused(w http.ResponseWriter, media string) bool {
	if a.HangUp {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", media)
	maps.Copy(w.Header(), a.Header)
	if a.Status == 0 {
		return false
	}
	w.WriteHeader(a.Status)
	io.WriteString(w, a.Body)
	return true
}

type grpcBackend struct {
	coltracepb.UnimplementedTraceServiceServer
	b *Backend
}

func (g *grpcBackend) Export(ctx context.Context, req *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	b := g.b
	md, _ := metadata.FromIncomingContext(ctx)
	b.mu.Lock()
	b.Headers = make(map[string]string)
	for k, v := range md {
		b.Headers[k] = strings.Join(v, ",")
	}
	b.mu.Unlock()
	a := b.judge(ctx, req.ResourceSpans)
	if a.GRPC != nil {
		return nil, a.GRPC
	}
	b.Add(req.ResourceSpans)
	return &coltracepb.ExportTraceServiceResponse{PartialSuccess: a.Partial}, nil
}
