package collectortest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trace2x/trace2x/internal/testtrace"
)

const millionConfig = `
receivers:
  go_execution_trace:
    http: {endpoint: %s}
exporters:
  otlp_http: {endpoint: %s, sending_queue: {enabled: false}}
service:
  pipelines:
    traces: {receivers: [go_execution_trace], exporters: [otlp_http]}
  telemetry:
    metrics: {level: none}
`

// TestMillion: a million spans go through the Collector, and its memory does not grow
// with their number.
func TestMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Collector")
	}
	var sent atomic.Int64 // bytes, as the exporter compresses them
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		sent.Add(n)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer backend.Close()
	dump, err := os.ReadFile(testtrace.Load(t, 1_000_000))
	if err != nil {
		t.Fatal(err)
	}
	address := Address(t)
	c := Start(t, fmt.Sprintf(millionConfig, address, backend.URL))
	Await(t, "http://"+address)

	start := time.Now()
	var spans, dumps int
	for ; spans < 1_000_000; dumps++ {
		resp, err := http.Post("http://"+address+"/v1/trace", "application/octet-stream", bytes.NewReader(dump))
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Outcome string
			Spans   int
		}
		err = json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || answer.Outcome != "converted" || answer.Spans < 10_000 {
			t.Fatalf("%s, %+v, %v", resp.Status, answer, err)
		}
		spans += answer.Spans
	}
	took := time.Since(start)
	memory, cpu := c.Cost(t)
	t.Logf("%d spans of %d dumps of %d bytes in %v: CPU time %v for each dump, %d bytes sent for each, at most %d MB of memory",
		spans, dumps, len(dump), took.Round(time.Millisecond), (cpu / time.Duration(dumps)).Round(time.Millisecond), sent.Load()/int64(dumps), memory>>20)
	// One dump at a time: the dump, 40 MB for critical paths, requests, and the Collector.
	if memory > 400<<20 {
		t.Errorf("%d MB of memory", memory>>20)
	}
}
