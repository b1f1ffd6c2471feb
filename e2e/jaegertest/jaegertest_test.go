package jaegertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func needsJaeger(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Jaeger")
	}
}

// post sends spans, in OTLP/JSON, of a resource with the attributes.
func post(t testing.TB, j *Jaeger, attributes, spans string) {
	t.Helper()
	body := fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[%s]},"scopeSpans":[{"scope":{"name":"scope","version":"v1"},"spans":[%s]}]}]}`,
		attributes, spans)
	response, err := http.Post(j.OTLPHTTP+"/v1/traces", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s %v", response.Status, answer, err)
	}
}

// postSpan sends a span that starts at the time, in nanoseconds since 1970.
func postSpan(t testing.TB, j *Jaeger, service, traceID, spanID string, start int64) {
	t.Helper()
	post(t, j, attribute("service.name", "stringValue", `"`+service+`"`),
		fmt.Sprintf(`{"traceId":"%s","spanId":"%s","name":"work","startTimeUnixNano":"%d","endTimeUnixNano":"%d"}`,
			traceID, spanID, start, start+1000))
}

func attribute(key, kind, value string) string {
	return fmt.Sprintf(`{"key":"%s","value":{"%s":%s}}`, key, kind, value)
}

func TestTwoAtOnce(t *testing.T) {
	one, two := StartTest(t), StartTest(t)
	postSpan(t, one, "one", traceID, spanID, 1e18)
	postSpan(t, two, "two", traceID, spanID, 1e18)
	for name, j := range map[string]*Jaeger{"one": one, "two": two} {
		services, err := j.Services(t.Context())
		if want := []string{name}; err != nil || !reflect.DeepEqual(services, want) {
			t.Errorf("services %q, %v; want %q", services, err, want)
		}
	}
}

// refused fails the test unless nothing listens any more where Jaeger did.
func refused(t testing.TB, j *Jaeger) {
	t.Helper()
	for _, url := range []string{j.OTLPHTTP, "http://" + j.OTLPGRPC, j.Query} {
		address := strings.TrimPrefix(url, "http://")
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			t.Errorf("something still listens on %s", address)
		}
	}
}

func TestClose(t *testing.T) {
	j := StartTest(t)
	for range 2 {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
	if j.cmd.ProcessState == nil {
		t.Error("the process has not been waited for")
	}
	refused(t, j)
	if _, err := j.Services(t.Context()); err == nil {
		t.Error("no error after Close")
	}
}

func TestContextEnds(t *testing.T) {
	needsJaeger(t)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	j, err := Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel(cause)
	<-j.exited
	refused(t, j)
	if _, err := j.Services(t.Context()); !errors.Is(err, cause) {
		t.Errorf("services: %v, want %v", err, cause)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Start(ctx); !errors.Is(err, cause) {
		t.Errorf("another start: %v, want %v", err, cause)
	}
}

func TestProcessDies(t *testing.T) {
	needsJaeger(t)
	j, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := j.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// In the first error the connection may just have broken.
	_, first := j.Services(t.Context())
	_, second := j.Services(t.Context())
	for _, err := range []error{first, second, j.Close()} {
		if err == nil || !strings.Contains(err.Error(), "signal: killed") || !strings.Contains(err.Error(), "Query server started") {
			t.Errorf("error does not tell of the signal or lacks the log: %v", err)
		}
	}
}

func TestStartFails(t *testing.T) {
	needsJaeger(t)
	defer func(c string) { config = c }(config)
	config = strings.ReplaceAll(config, "127.0.0.1:0", "teapot")
	j, err := Start(t.Context())
	if err == nil {
		j.Close()
		t.Fatal("no error")
	}
	if !strings.Contains(err.Error(), "missing port in address") || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("error does not tell why: %v", err)
	}
}

func BenchmarkStart(b *testing.B) {
	needsJaeger(b)
	for b.Loop() {
		j, err := Start(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
