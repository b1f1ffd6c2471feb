package main

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/trace2x/trace2x/convert/otel/otlptest"
)

const allOfThem = "traces,metrics,profiles"

// numbers returns the numbers of spans, data points and profiles that a dry run tells.
func numbers(t *testing.T, stderr string) (spans, points, profiles int) {
	t.Helper()
	for pattern, to := range map[string]*int{`with ([0-9,]+) spans`: &spans, `with ([0-9,]+) data points`: &points, `([0-9,]+) profiles with`: &profiles} {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(stderr); m != nil {
			*to, _ = strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
		}
	}
	return spans, points, profiles
}

// TestOtelSignals: one reading sends all signals, each to its own path or service, and a dry
// run tells how many there are.
func TestOtelSignals(t *testing.T) {
	clearOTEL(t)
	for _, protocol := range []string{"http/protobuf", "http/json", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			dry := exec(t, "otel", "--dry-run", "--signal", allOfThem, trace(t, "spanlink"))
			dry.want(t, exitOK, "nothing was sent")
			spans, points, profiles := numbers(t, dry.stderr)
			if spans == 0 || points == 0 || profiles == 0 {
				t.Fatal(dry.stderr)
			}
			b := &otlptest.Backend{Protocol: protocol}
			r := exec(t, "otel", "--signal", allOfThem, "--protocol", protocol, "--endpoint", b.Start(t, ""), trace(t, "spanlink"))
			r.want(t, exitOK, strconv.Itoa(spans)+" spans accepted, 0 rejected", strconv.Itoa(points)+" data points accepted, 0 rejected", strconv.Itoa(profiles)+" profiles accepted, 0 rejected")
			if n, _ := b.Count(); n != spans {
				t.Errorf("the backend has %d of %d spans", n, spans)
			}
			if _, n := b.Other(otlptest.MetricsPath); n != points {
				t.Errorf("the backend has %d of %d data points", n, points)
			}
			if _, n := b.Other(otlptest.ProfilesPath); n != profiles {
				t.Errorf("the backend has %d of %d profiles", n, profiles)
			}
		})
	}
	// By default only spans.
	b := &otlptest.Backend{}
	exec(t, "otel", "--endpoint", b.Start(t, ""), trace(t, "spanlink")).want(t, exitOK)
	metrics, _ := b.Other(otlptest.MetricsPath)
	profiles, _ := b.Other(otlptest.ProfilesPath)
	if metrics+profiles > 0 {
		t.Errorf("%d requests with metrics, %d with profiles", metrics, profiles)
	}
}

// TestSignalVariables: each signal has its own endpoint in the environment.
func TestSignalVariables(t *testing.T) {
	clearOTEL(t)
	spans, others := new(otlptest.Backend), new(otlptest.Backend)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", others.Start(t, ""))
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", spans.Start(t, "")+"/v1/traces")
	exec(t, "otel", "--signal", allOfThem, trace(t, "states")).want(t, exitOK)
	if n, _ := spans.Count(); n == 0 {
		t.Error("no spans")
	}
	if n, _ := others.Count(); n != 0 {
		t.Errorf("%d spans where they do not belong", n)
	}
	_, points := others.Other(otlptest.MetricsPath)
	_, profiles := others.Other(otlptest.ProfilesPath)
	if points == 0 || profiles == 0 {
		t.Errorf("%d data points, %d profiles", points, profiles)
	}
}

// TestSignalFaults: a backend fails for one signal. The message tells what the backend
// did and shows no secret. The other signals arrive.
func TestSignalFaults(t *testing.T) {
	clearOTEL(t)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key="+secret)
	only := func(path string, a otlptest.Answer) func(string, int) otlptest.Answer {
		return func(p string, call int) otlptest.Answer {
			if p == path && (a.Partial == nil || call == 1) {
				return a
			}
			return otlptest.Answer{}
		}
	}
	first := func(a otlptest.Answer) func(string, int) otlptest.Answer {
		return func(_ string, call int) otlptest.Answer {
			if call == 1 {
				return a
			}
			return otlptest.Answer{}
		}
	}
	text := header("Content-Type", "text/plain")
	some := &coltracepb.ExportTracePartialSuccess{RejectedSpans: 2, ErrorMessage: "too old"}
	for _, f := range []struct {
		name, protocol string
		answer         func(string, int) otlptest.Answer
		code           int
		want           []string
	}{
		{"profiles are not known", "", only(otlptest.ProfilesPath, otlptest.Answer{Status: 404, Body: "404 page not found", Header: text}), exitFailed, []string{"+service.profilesSupport", "data points accepted, 0 rejected"}},
		{"profiles are not known, gRPC", "grpc", only(otlptest.ProfilesPath, otlptest.Answer{GRPC: status.Error(codes.Unimplemented, "unknown service")}), exitFailed, []string{"+service.profilesSupport", "data points accepted, 0 rejected"}},
		{"metrics are not known", "", only(otlptest.MetricsPath, otlptest.Answer{Status: 404}), exitFailed, []string{"Jaeger and Tempo take only traces", "profiles accepted, 0 rejected"}},
		{"busy once", "", first(otlptest.Answer{Status: 503}), exitOK, []string{"503 Service Unavailable; trying again", "data points accepted, 0 rejected", "profiles accepted, 0 rejected"}},
		{"busy always", "", only(otlptest.MetricsPath, otlptest.Answer{Status: 503}), exitFailed, []string{"gave up", "tried for 300ms", "no data point was accepted", "profiles accepted, 0 rejected"}},
		{"hangs up once", "", first(otlptest.Answer{HangUp: true}), exitOK, []string{"data points accepted, 0 rejected"}},
		{"partial success", "", only(otlptest.MetricsPath, otlptest.Answer{Partial: some}), exitFailed, []string{"data points accepted, 2 rejected: too old"}},
		{"partial success as JSON", "http/json", only(otlptest.MetricsPath, otlptest.Answer{Partial: some}), exitFailed, []string{"data points accepted, 2 rejected: too old"}},
		{"partial success of profiles as JSON", "http/json", only(otlptest.ProfilesPath, otlptest.Answer{Partial: some}), exitFailed, []string{"profiles accepted, 2 rejected: too old"}},
		{"partial success over gRPC", "grpc", only(otlptest.ProfilesPath, otlptest.Answer{Partial: some}), exitFailed, []string{"profiles accepted, 2 rejected: too old"}},
		{"redirect to elsewhere", "", only(otlptest.ProfilesPath, otlptest.Answer{Status: 307, Header: header("Location", "http://other.example/v1development/profiles?token="+secret)}), exitFailed, []string{"the backend wants http://other.example/", "data points accepted, 0 rejected"}},
		{"a message that tells the token", "", only(otlptest.MetricsPath, otlptest.Answer{Status: 401, Body: "not " + secret, Header: text}), exitFailed, []string{"401 Unauthorized: not …"}},
	} {
		t.Run(f.name, func(t *testing.T) {
			b := &otlptest.Backend{Protocol: f.protocol, AnswerOther: f.answer}
			args := []string{"otel", "--signal", allOfThem, "--endpoint", b.Start(t, ""), "--header", "Authorization=Bearer " + secret, "--wait", "300ms"}
			if f.protocol != "" {
				args = append(args, "--protocol", f.protocol)
			}
			r := exec(t, append(args, trace(t, "states"))...)
			r.want(t, f.code, append(f.want, "spans accepted, 0 rejected")...)
			if strings.Contains(r.stderr, secret) {
				t.Errorf("stderr has the secret:\n%s", r.stderr)
			}
		})
	}
	nowhere := nobody(t, nil)
	r := exec(t, "otel", "--signal", allOfThem, "--endpoint", nowhere, "--wait", "300ms", trace(t, "states"))
	r.want(t, exitFailed, "no span was accepted", "no data point was accepted", "no profile was accepted")
	if strings.Contains(r.stderr, "goroutines") {
		t.Errorf("a report although nothing was sent:\n%s", r.stderr)
	}
}

// TestSignalFile: a file has a line for each request. Each line has one signal and at
// most a megabyte. The same trace gives the same lines.
func TestSignalFile(t *testing.T) {
	name := trace(t, "httpserver")
	dir := t.TempDir()
	read := func(file string, signals string) []byte {
		r := exec(t, "otel", "--signal", signals, "-o", dir+"/"+file, name)
		r.want(t, exitOK)
		data, err := os.ReadFile(dir + "/" + file)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	lines := func(data []byte) map[string]int {
		out := make(map[string]int)
		for line := range bytes.Lines(data) {
			if len(line) > 1<<20 {
				t.Errorf("a line of %d bytes", len(line))
			}
			var m map[string]json.RawMessage
			if err := json.Unmarshal(line, &m); err != nil {
				t.Fatal(err)
			}
			for key := range m {
				if key != "dictionary" {
					out[key]++
				}
			}
		}
		return out
	}
	all := read("all.jsonl", allOfThem)
	if again := read("again.jsonl", allOfThem); !bytes.Equal(all, again) {
		t.Error("not the same bytes")
	}
	got := lines(all)
	if got["resourceSpans"] < 5 || got["resourceMetrics"] != 1 || got["resourceProfiles"] < 5 || len(got) != 3 {
		t.Errorf("%v", got)
	}
	for range 2 { // the second time, the file is replaced
		if got := lines(read("metrics.jsonl", "metrics")); got["resourceMetrics"] != 1 || len(got) != 1 {
			t.Errorf("%v", got)
		}
		if got := lines(read("profiles.jsonl", "profiles")); got["resourceProfiles"] < 2 || len(got) != 1 {
			t.Errorf("%v", got)
		}
	}
}

// TestSignalFlag: what --signal takes.
func TestSignalFlag(t *testing.T) {
	name := trace(t, "states")
	exec(t, "otel", "--dry-run", "--signal", "metrics", "--signal", "traces", name).want(t, exitOK, "spans", "data points")
	exec(t, "otel", "--dry-run", "--signal", "logs", name).want(t, exitUsage, "--signal logs: it must be traces, metrics, profiles")
	exec(t, "otel", "--dry-run", "--signal", "", name).want(t, exitUsage, "--signal")
	exec(t, "otel", "--dry-run", "--signal", "metrics", "--func", "main", name).want(t, exitUsage, "metrics are of the whole program")
	exec(t, "otel", "--dry-run", "--signal", "profiles", "--task", "no such task", name).want(t, exitFailed, "no task matches")
	exec(t, "otel", "--signal", "traces,metrics", "--endpoint", "http://localhost:1/v1/traces", name).want(t, exitUsage, "/v1/traces is where traces go")
}
