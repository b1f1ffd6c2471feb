package otel_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/otel/otlpclient"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/rusage"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// TestMillionSpans: memory does not grow with the spans, and no trace goes over
// the limit.
func TestMillionSpans(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a large trace")
	}
	cmd := exec.Command(testtrace.Command(t), "otel", "--min-span", "0", "-o", os.DevNull, testtrace.Load(t, 3_500_000))
	out, peak, err := rusage.Run(cmd)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m := regexp.MustCompile(`([0-9,]+) spans accepted, 0 rejected`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("%s", out)
	}
	if n, _ := strconv.Atoi(strings.ReplaceAll(string(m[1]), ",", "")); n < 1_000_000 {
		t.Errorf("%d spans only", n)
	}
	if peak > 300<<20 {
		t.Errorf("peak memory is %d MiB", peak>>20)
	}
}

// BenchmarkConvert measures spans per second and bytes per span: at default detail
// to a file and to a server that discards them, and with --min-task that keeps
// about one task in a hundred, without sending.
func BenchmarkConvert(b *testing.B) {
	trace := testtrace.Load(b, 3_500_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		arrived += n
	}))
	defer server.Close()
	few := otel.DefaultOptions()
	few.MinTask = percentile(b, trace, 0.99)

	for _, c := range []struct {
		name   string
		opts   otel.Options
		client func() otel.Client
	}{
		{"file", otel.DefaultOptions(), func() otel.Client { return otel.NewFileClient(writeCounter{}, otel.Traces) }},
		{"server", otel.DefaultOptions(), func() otel.Client {
			c, err := otlpclient.New(otlpclient.Options{Endpoint: server.URL})
			if err != nil {
				b.Fatal(err)
			}
			return c
		}},
		{"none", otel.DefaultOptions(), func() otel.Client { return nil }},
		{"one-task-in-100", few, func() otel.Client { return otel.NewFileClient(writeCounter{}, otel.Traces) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			spans, kept := 0, 0
			took := converttest.Benchmark(b, trace, func(r io.Reader) (int64, error) {
				arrived = 0
				rep, err := otel.Convert(b.Context(), r, c.client(), c.opts)
				if err != nil {
					return 0, err
				}
				spans, kept = rep.Total(), rep.Traces
				return rep.Trace.Events, nil
			})
			b.ReportMetric(float64(spans)/took.Seconds(), "spans/s")
			b.ReportMetric(float64(arrived)/float64(max(spans, 1)), "bytes/span")
			b.ReportMetric(float64(kept), "traces")
		})
	}
}

// arrived counts the bytes that arrived.
var arrived int64

type writeCounter struct{}

func (writeCounter) Write(p []byte) (int, error) {
	arrived += int64(len(p))
	return len(p), nil
}

// percentile returns the duration that this part of the root tasks stay below.
func percentile(b *testing.B, trace string, p float64) time.Duration {
	data, err := os.ReadFile(trace)
	if err != nil {
		b.Fatal(err)
	}
	var tasks taskDurations
	converttest.Read(b, data, &tasks)
	slices.Sort(tasks.durations)
	return tasks.durations[int(p*float64(len(tasks.durations)))]
}

type taskDurations struct {
	model.NopSink
	durations []time.Duration
}

func (d *taskDurations) TaskEnd(t *model.Task) {
	d.durations = append(d.durations, time.Duration(t.End-t.Start))
}
