package collectortest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/otel/otlptest"
)

// record returns dumps of a flight recorder, each of its own.
func record(t *testing.T, n int) [][]byte {
	t.Helper()
	fr := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: time.Millisecond})
	if err := fr.Start(); err != nil {
		t.Fatal(err)
	}
	defer fr.Stop()
	var dumps [][]byte
	for range n {
		for range 5 {
			ctx, task := trace.NewTask(context.Background(), "request")
			trace.WithRegion(ctx, "wait", func() { time.Sleep(time.Millisecond) })
			task.End()
		}
		var b bytes.Buffer
		if _, err := fr.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		dumps = append(dumps, b.Bytes())
	}
	return dumps
}

// idClient collects the IDs of spans.
type idClient struct {
	mu  sync.Mutex
	ids map[int]bool // as otlptest.Number has them
}

func (c *idClient) Export(_ context.Context, request []byte) (otel.Answer, error) {
	data, err := new(ptrace.ProtoUnmarshaler).UnmarshalTraces(request)
	if err != nil {
		return otel.Answer{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range data.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				id := s.SpanID()
				c.ids[otlptest.Number(&tracepb.Span{SpanId: id[:]})] = true
			}
		}
	}
	return otel.Answer{}, nil
}

func (c *idClient) Close() error { return nil }

const killConfig = `
receivers:
  go_execution_trace:
    files:
      include: [%[1]s]
      poll_interval: 100ms
      settle: 100ms
    http:
      endpoint: %[2]s
    storage: file_storage
    retry_initial: 100ms
    retry_max: 500ms
exporters:
  otlp_http:
    endpoint: %[3]s
    sending_queue: {enabled: false}
    retry_on_failure: {initial_interval: 100ms, max_interval: 500ms, max_elapsed_time: 0s}
extensions:
  file_storage:
    directory: %[4]s
service:
  extensions: [file_storage]
  pipelines:
    traces: {receivers: [go_execution_trace], exporters: [otlp_http]}
  telemetry:
    metrics: {level: none}
`

// TestKilled: a hundred dumps come while the Collector is killed five times and the
// backend is away for ten seconds. In the end the backend has each span, by its ID. Half
// of the dumps come into a folder. The others are posted until they are answered with
// success.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Collector")
	}
	const dumps, kills = 100, 5
	dir, storage := t.TempDir(), t.TempDir()
	var away atomic.Bool
	backend := &otlptest.Backend{Answer: func(int, []*tracepb.Span) otlptest.Answer {
		time.Sleep(20 * time.Millisecond) // so that it is killed in the midst
		return otlptest.Answer{HangUp: away.Load()}
	}}
	address := Address(t)
	config := fmt.Sprintf(killConfig, dir, address, backend.Start(t, ""), storage)

	want := &idClient{ids: make(map[int]bool)}
	all := record(t, dumps)
	for _, data := range all {
		if _, err := otel.Convert(t.Context(), bytes.NewReader(data), want, otel.DefaultOptions()); err != nil {
			t.Fatal(err)
		}
	}

	c := Start(t, config)
	var writers sync.WaitGroup
	writers.Go(func() {
		for i, data := range all[:dumps/2] {
			name := filepath.Join(dir, fmt.Sprintf("%d.trace", i))
			if err := os.WriteFile(name+".tmp", data, 0o666); err != nil {
				t.Error(err)
			}
			if err := os.Rename(name+".tmp", name); err != nil {
				t.Error(err)
			}
			time.Sleep(200 * time.Millisecond)
		}
	})
	writers.Go(func() {
		for _, data := range all[dumps/2:] {
			for !posted(t.Context(), "http://"+address+"/v1/trace", data) {
				time.Sleep(50 * time.Millisecond)
			}
		}
	})
	for range kills {
		time.Sleep(2 * time.Second)
		c.Kill()
		c = Start(t, config)
	}
	away.Store(true)
	time.Sleep(10 * time.Second)
	away.Store(false)
	writers.Wait()

	missing := func() (n int) {
		backend.Received.Lock()
		defer backend.Received.Unlock()
		for id := range want.ids {
			if backend.Spans[id] == 0 {
				n++
			}
		}
		return n
	}
	for deadline := time.Now().Add(2 * time.Minute); missing() > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d spans are missing", missing(), len(want.ids))
		}
	}
	time.Sleep(time.Second) // nothing else comes
	backend.Received.Lock()
	defer backend.Received.Unlock()
	again := 0
	for id, times := range backend.Spans {
		if !want.ids[id] {
			t.Errorf("a span %x that is in no dump", uint64(id))
		}
		if times > 1 {
			again++
		}
	}
	t.Logf("%d spans of %d dumps; %d came again with the same ID, because the Collector was killed before it had a checkpoint", len(want.ids), dumps, again)
	if again == len(want.ids) {
		t.Error("all dumps were read again")
	}
}

// posted posts a dump and reports whether it is answered with success.
func posted(ctx context.Context, url string, data []byte) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
