package otel_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/otel/otlpclient"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

// load makes a trace of about 3 million events: a server under load, whose
// requests are tasks (testdata/gen/load).
func load(tb testing.TB) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "load.trace")
	if out, err := exec.Command("go", "run", "../../testdata/gen/load", "-events", "3500000", file).CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, out)
	}
	return file
}

// TestMillionSpans: memory does not grow with the spans, and no trace goes over
// the limit.
func TestMillionSpans(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a large trace")
	}
	bin := filepath.Join(t.TempDir(), "trace2x")
	// Without the race detector, which takes memory itself.
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/trace2x").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(bin, "otel", "--min-span", "0", "-o", os.DevNull, load(t))
	out, err := cmd.CombinedOutput()
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
	// Maxrss is in KiB on Linux.
	if peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss; peak > 300<<10 {
		t.Errorf("peak memory is %d KiB", peak)
	}
}

// BenchmarkConvert measures the ratio of a conversion to a bare read loop in the
// same run, spans per second and bytes per span: at default detail to a file and
// to a server that discards them, and with --min-task that keeps about one task
// in a hundred, without sending.
func BenchmarkConvert(b *testing.B) {
	data, err := os.ReadFile(load(b))
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		arrived += n
	}))
	defer server.Close()
	few := otel.DefaultOptions()
	few.MinTask = percentile(b, data, 0.99)

	for _, c := range []struct {
		name   string
		opts   otel.Options
		client func() otel.Client
	}{
		{"file", otel.DefaultOptions(), func() otel.Client { return otel.NewFileClient(writeCounter{}) }},
		{"server", otel.DefaultOptions(), func() otel.Client {
			c, err := otlpclient.New(otlpclient.Options{Endpoint: server.URL})
			if err != nil {
				b.Fatal(err)
			}
			return c
		}},
		{"none", otel.DefaultOptions(), func() otel.Client { return nil }},
		{"one-task-in-100", few, func() otel.Client { return otel.NewFileClient(writeCounter{}) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			var bare, convert []time.Duration
			spans, kept := 0, 0
			for b.Loop() {
				start := time.Now()
				if _, err := modeltest.ReadBare(bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
				bare = append(bare, time.Since(start))
				arrived = 0
				start = time.Now()
				rep, err := otel.Convert(context.Background(), bytes.NewReader(data), c.client(), c.opts)
				if err != nil {
					b.Fatal(err)
				}
				convert = append(convert, time.Since(start))
				spans, kept = rep.Total(), rep.Traces
			}
			slices.Sort(bare)
			slices.Sort(convert)
			took := convert[len(convert)/2]
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(took)/float64(bare[len(bare)/2]), "ratio")
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
func percentile(b *testing.B, data []byte, p float64) time.Duration {
	var tasks taskDurations
	if _, err := model.Read(b.Context(), bytes.NewReader(data), &tasks); err != nil {
		b.Fatal(err)
	}
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
