package collectortest

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/trace2x/trace2x/convert/otel/metrics"
	"github.com/trace2x/trace2x/convert/otel/profiles"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

const signalsConfig = `
receivers:
  go_execution_trace:
    http: {endpoint: %s}
exporters:
  otlp_http: {endpoint: "http://%s", sending_queue: {enabled: false}}
service:
  pipelines:
    traces: {receivers: [go_execution_trace], exporters: [otlp_http]}
    metrics: {receivers: [go_execution_trace], exporters: [otlp_http]}
    profiles: {receivers: [go_execution_trace], exporters: [otlp_http]}
  telemetry:
    metrics: {level: none}
`

const secondConfig = `
receivers:
  otlp: {protocols: {http: {endpoint: %s}}}
exporters:
  otlp_http: {endpoint: %s, sending_queue: {enabled: false}}
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [otlp_http]}
    metrics: {receivers: [otlp], exporters: [otlp_http]}
    profiles: {receivers: [otlp], exporters: [otlp_http]}
  telemetry:
    metrics: {level: none}
`

// signals is what a backend has of all three.
type signals struct {
	mu      sync.Mutex
	spans   map[string]bool             // by trace ID and span ID
	sums    map[string]map[string]int64 // of profiles: by type, by linked span or ""
	metrics []string                    // in JSON
}

func newSignals() *signals {
	return &signals{spans: make(map[string]bool), sums: make(map[string]map[string]int64)}
}

func (s *signals) addTraces(data ptrace.Traces) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range data.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				trace, id := span.TraceID(), span.SpanID()
				s.spans[hex.EncodeToString(trace[:])+hex.EncodeToString(id[:])] = true
			}
		}
	}
}

func (s *signals) addMetrics(data pmetric.Metrics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rm := range data.ResourceMetrics().All() {
		rm.Resource().Attributes().Clear()
		for _, sm := range rm.ScopeMetrics().All() {
			sm.Scope().SetVersion("")
		}
	}
	text, err := new(pmetric.JSONMarshaler).MarshalMetrics(data)
	if err != nil {
		text = []byte(err.Error())
	}
	s.metrics = append(s.metrics, string(text))
}

func (s *signals) addProfiles(data pprofile.Profiles) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := data.Dictionary()
	for _, rp := range data.ResourceProfiles().All() {
		for _, sp := range rp.ScopeProfiles().All() {
			for _, p := range sp.Profiles().All() {
				name := d.StringTable().At(int(p.SampleType().TypeStrindex()))
				if s.sums[name] == nil {
					s.sums[name] = make(map[string]int64)
				}
				for _, sample := range p.Samples().All() {
					key := ""
					if i := int(sample.LinkIndex()); i > 0 {
						trace, id := d.LinkTable().At(i).TraceID(), d.LinkTable().At(i).SpanID()
						key = hex.EncodeToString(trace[:]) + hex.EncodeToString(id[:])
					}
					for _, v := range sample.Values().All() {
						s.sums[name][key] += v
					}
				}
			}
		}
	}
}

// ServeHTTP takes OTLP over HTTP.
func (s *signals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	data, err := io.ReadAll(body)
	if err == nil {
		switch r.URL.Path {
		case "/v1/traces":
			req := ptraceotlp.NewExportRequest()
			if err = req.UnmarshalProto(data); err == nil {
				s.addTraces(req.Traces())
			}
		case "/v1/metrics":
			req := pmetricotlp.NewExportRequest()
			if err = req.UnmarshalProto(data); err == nil {
				s.addMetrics(req.Metrics())
			}
		case "/v1development/profiles":
			req := pprofileotlp.NewExportRequest()
			if err = req.UnmarshalProto(data); err == nil {
				s.addProfiles(req.Profiles())
			}
		default:
			http.NotFound(w, r)
			return
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// signalsOf returns the metrics and the sums of the profiles that the packages make.
func signalsOf(t *testing.T, dump []byte) *signals {
	t.Helper()
	s := newSignals()
	sums := metrics.New(metrics.Options{})
	made := profiles.New(profiles.Options{OwnSpans: true}, func(p pprofile.Profiles) error { s.addProfiles(p); return nil })
	if _, err := model.Read(t.Context(), bytes.NewReader(dump), model.Tee(sums, made)); err != nil {
		t.Fatal(err)
	}
	s.addMetrics(sums.Metrics())
	return s
}

// TestSignals: a dump goes through two Collectors as traces, metrics and profiles. The
// metrics and the sums of the profiles, by type and linked span, are those that the
// packages make. Samples are linked to spans that were sent.
func TestSignals(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Collector")
	}
	dump := testtrace.Data(t, "httpserver")
	want := signalsOf(t, dump)

	got := newSignals()
	backend := httptest.NewServer(got)
	defer backend.Close()
	first, second := Address(t), Address(t)
	const gate = "--feature-gates=+service.profilesSupport"
	Start(t, fmt.Sprintf(secondConfig, second, backend.URL), gate)
	Start(t, fmt.Sprintf(signalsConfig, first, second), gate)
	Await(t, "http://"+first)
	Await(t, "http://"+second)
	// A Collector that listens may start other parts still.
	for deadline := time.Now().Add(time.Minute); !posted(t.Context(), "http://"+first+"/v1/trace", dump); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the dump is not accepted")
		}
	}

	got.mu.Lock()
	defer got.mu.Unlock()
	if len(got.metrics) != 1 || got.metrics[0] != want.metrics[0] {
		t.Errorf("metrics differ: %d messages", len(got.metrics))
	}
	if len(got.sums) != len(want.sums) || len(want.sums) < 3 {
		t.Errorf("profiles of %d types, want %d", len(got.sums), len(want.sums))
	}
	linked := 0
	for name, sums := range want.sums {
		if !maps.Equal(got.sums[name], sums) {
			t.Errorf("profile %s differs", name)
		}
		for span := range got.sums[name] {
			if got.spans[span] {
				linked++
			}
		}
	}
	if len(got.spans) < 5000 || linked < 100 {
		t.Errorf("%d spans, %d sums of samples that are linked to one of them", len(got.spans), linked)
	}
}
