package collectortest

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/internal/testtrace"
)

const commandConfig = `
receivers:
  otlp: {protocols: {http: {endpoint: %s}, grpc: {endpoint: %s}}}
exporters:
  otlp_http: {endpoint: %s, sending_queue: {enabled: false}}
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [otlp_http]}
    metrics: {receivers: [otlp], exporters: [otlp_http]}%s
  telemetry:
    metrics: {level: none}
`

const profilesPipeline = `
    profiles: {receivers: [otlp], exporters: [otlp_http]}`

// send runs trace2x otel with all signals. It waits until something listens there.
func send(t *testing.T, program string, args ...string) (stderr string, ok bool) {
	t.Helper()
	args = append([]string{"otel", "--signal", "traces,metrics,profiles", "--wait", "30s"}, args...)
	cmd := exec.Command(program, append(args, testtrace.Path("httpserver"))...)
	cmd.Env = []string{"HOME=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// TestCommand: trace2x otel sends all three signals to a real Collector, over each
// protocol. What comes out of it is what the packages make.
func TestCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Collector")
	}
	want := signalsOf(t, testtrace.Data(t, "httpserver"))

	backend := newSignals()
	server := httptest.NewServer(backend)
	defer server.Close()
	overHTTP, overGRPC, program := Address(t), Address(t), testtrace.Command(t)
	Start(t, fmt.Sprintf(commandConfig, overHTTP, overGRPC, server.URL, profilesPipeline), "--feature-gates=+service.profilesSupport")
	for _, protocol := range []string{"http/protobuf", "http/json", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			backend.mu.Lock()
			backend.spans, backend.sums, backend.metrics = make(map[string]bool), make(map[string]map[string]int64), nil
			backend.mu.Unlock()
			address := overHTTP
			if protocol == "grpc" {
				address = overGRPC
			}
			said, ok := send(t, program, "--protocol", protocol, "--endpoint", "http://"+address)
			if !ok || strings.Count(said, " accepted, 0 rejected") != 3 {
				t.Fatal(said)
			}
			backend.mu.Lock()
			defer backend.mu.Unlock()
			if len(backend.metrics) != 1 || backend.metrics[0] != want.metrics[0] {
				t.Errorf("metrics differ: %d messages", len(backend.metrics))
			}
			if !maps.EqualFunc(backend.sums, want.sums, maps.Equal) {
				t.Error("profiles differ")
			}
			linked := 0
			for span := range backend.sums["off_cpu"] {
				if backend.spans[span] {
					linked++
				}
			}
			if len(backend.spans) < 5000 || linked < 100 {
				t.Errorf("%d spans, %d of them with off-CPU time", len(backend.spans), linked)
			}
		})
	}
}

// TestCommandWithoutProfiles: a Collector that does not take profiles gets the other
// signals, and the message says what it needs.
func TestCommandWithoutProfiles(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Collector")
	}
	backend := newSignals()
	server := httptest.NewServer(backend)
	defer server.Close()
	overHTTP, overGRPC, program := Address(t), Address(t), testtrace.Command(t)
	Start(t, fmt.Sprintf(commandConfig, overHTTP, overGRPC, server.URL, ""))
	for address, protocol := range map[string]string{overHTTP: "http/protobuf", overGRPC: "grpc"} {
		start := time.Now()
		said, ok := send(t, program, "--protocol", protocol, "--endpoint", "http://"+address)
		if ok || strings.Count(said, " accepted, 0 rejected") != 2 || strings.Count(said, "+service.profilesSupport") != 1 {
			t.Errorf("%s: %s", protocol, said)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%s: %s", protocol, took)
		}
	}
}
