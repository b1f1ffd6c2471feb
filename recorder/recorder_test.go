package recorder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/trace"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// started returns a recorder that ends with the test, a tracer whose spans it gets, and
// its log.
func started(t *testing.T, opts Options) (*Recorder, oteltrace.Tracer, *logged) {
	t.Helper()
	log := &logged{}
	opts.Logger = slog.New(slog.NewTextHandler(log, nil))
	r, err := Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "shöp 🛒"), attribute.Int("answer", 42))))
	return r, tp.Tracer(""), log
}

// logged is a log that may be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), s)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// span ends a span that took this long.
func span(tracer oteltrace.Tracer, name string, took time.Duration) oteltrace.SpanContext {
	now := time.Now()
	_, s := tracer.Start(context.Background(), name, oteltrace.WithTimestamp(now.Add(-took)))
	s.End(oteltrace.WithTimestamp(now))
	return s.SpanContext()
}

// await waits for a condition.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func files(t *testing.T, dir, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func isTrace(t *testing.T, data []byte) {
	t.Helper()
	if !bytes.HasPrefix(data, []byte("go 1.")) || len(data) < 100 {
		t.Errorf("%d bytes that are no execution trace", len(data))
	}
}

// TestSlowSpans: many slow spans at once make one dump, which has the links of that span
// and its metadata. Fast ones make none.
func TestSlowSpans(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	r, tracer, log := started(t, Options{
		SlowSpan: 100 * time.Millisecond, Folder: dir, MinInterval: time.Hour,
		Slow: func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "wanted" },
	})
	span(tracer, "fast", 99*time.Millisecond)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { span(tracer, "slow", 100*time.Millisecond) })
	}
	wg.Wait()
	await(t, "a dump", func() bool { return r.Stats().Dumps == 1 })
	span(tracer, "wanted", 0)

	traces := files(t, dir, "trace2x-*.trace")
	if len(traces) != 1 || len(files(t, dir, "*")) != 2 || len(files(t, dir, ".*")) != 0 {
		t.Fatalf("files %q", files(t, dir, "*"))
	}
	data, err := os.ReadFile(traces[0])
	if err != nil {
		t.Fatal(err)
	}
	isTrace(t, data)
	var m Metadata
	text, err := os.ReadFile(strings.TrimSuffix(traces[0], ".trace") + ".json")
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	if m.Resource["service.name"] != "shöp 🛒" || m.Resource["answer"] != 42. || m.Reason != "slow span" || m.Span != "slow" || m.SpanDuration != 100e6 {
		t.Errorf("metadata %s", text)
	}
	if want := "00-" + m.TraceID + "-" + m.SpanID + "-01"; !bytes.Contains(data, []byte(want+" slow")) || !bytes.Contains(data, []byte(want+" 100000000 slow")) {
		t.Errorf("the dump has no links of the span %s", want)
	}
	if info, err := os.Stat(traces[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if s := r.Stats(); s.SlowSpans != 21 || s.Bytes != int64(len(data)) || s.NotRecorded+s.NotWritten+s.NotPosted != 0 {
		t.Errorf("%+v", s)
	}
	if log.count("made a dump") != 1 {
		t.Errorf("%s", log)
	}
}

// TestOutermost: the dump is made because of the outermost slow span.
func TestOutermost(t *testing.T) {
	dir := t.TempDir()
	r, tracer, _ := started(t, Options{SlowSpan: 100 * time.Millisecond, Folder: dir})
	ctx, outer := tracer.Start(t.Context(), "outer", oteltrace.WithTimestamp(time.Now().Add(-time.Second)))
	_, inner := tracer.Start(ctx, "inner", oteltrace.WithTimestamp(time.Now().Add(-time.Second/2)))
	inner.End()
	time.Sleep(settle / 4)
	outer.End()
	await(t, "a dump", func() bool { return r.Stats().Dumps == 1 })
	data, err := os.ReadFile(files(t, dir, "*.json")[0])
	if err != nil || !bytes.Contains(data, []byte(`"span":"outer"`)) {
		t.Errorf("%s %v", data, err)
	}
}

// TestMaxBytes: the oldest dumps are removed, and files that were never finished.
func TestMaxBytes(t *testing.T) {
	dir := t.TempDir()
	r, _, _ := started(t, Options{Folder: dir, MaxBytes: 1})
	write := func(name string, age time.Duration) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("something"), 0o666); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write("mine.txt", time.Hour)
	write("mine.trace", time.Hour)
	write(".trace2x-1.tmp", time.Hour)
	write(".trace2x-2.tmp", 0)
	write("trace2x-2000-other.trace", 0)
	write("trace2x-2000-other.json", 0)
	first, err := r.Snapshot(t.Context(), "first")
	if err != nil {
		t.Fatal(err)
	}
	last, err := r.Snapshot(t.Context(), "last")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(first.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the first is still there: %v", err)
	}
	data, err := os.ReadFile(last.File)
	if err != nil {
		t.Fatal(err)
	}
	isTrace(t, data)
	entries, _ := os.ReadDir(dir)
	if s := r.Stats(); len(entries) != 5 || s.Removed != 2 || s.Dumps != 2 {
		t.Errorf("%v, %+v", entries, s)
	}
}

// TestPost: a dump is posted again if the address does not take it for now.
func TestPost(t *testing.T) {
	pauses = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
	type request struct {
		body []byte
		m    Metadata
	}
	var mu sync.Mutex
	var got []request
	status := []int{503, 200, 400, 429, 500, 502, 503}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var m Metadata
		err = errors.Join(err, json.Unmarshal([]byte(req.Header.Get(MetadataHeader)), &m))
		if err != nil || req.Header.Get("Authorization") != "secret" {
			t.Errorf("%v, %v", err, req.Header)
		}
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(status[len(got)])
		got = append(got, request{body, m})
	}))
	defer server.Close()
	r, tracer, log := started(t, Options{URL: server.URL, Header: http.Header{"authorization": {"secret"}}, SlowSpan: time.Second, MinInterval: time.Millisecond})
	sc := span(tracer, "slow", time.Second)
	await(t, "a dump", func() bool { return r.Stats().Dumps == 1 })
	if len(got) != 2 || !bytes.Equal(got[0].body, got[1].body) || got[1].m.TraceID != sc.TraceID().String() || got[1].m.Resource["service.name"] != "shöp 🛒" {
		t.Fatalf("%d requests", len(got))
	}
	isTrace(t, got[0].body)

	if _, err := r.Snapshot(t.Context(), "refused"); err == nil || !strings.Contains(err.Error(), "400 Bad Request") {
		t.Errorf("error %v", err)
	}
	if _, err := r.Snapshot(t.Context(), "refused for now"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("error %v", err)
	}
	if len(got) != 7 || r.Stats().NotPosted != 2 || log.count("cannot post") != 1 {
		t.Errorf("%d requests, %+v\n%s", len(got), r.Stats(), log)
	}
}

// TestFailures: what goes wrong is logged once until it works again, and counted.
func TestFailures(t *testing.T) {
	pauses = nil
	dir := filepath.Join(t.TempDir(), "folder")
	if err := os.WriteFile(dir, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	r, _, log := started(t, Options{Folder: dir})
	fail := func(times int64) {
		t.Helper()
		for range 2 {
			if _, err := r.Snapshot(t.Context(), "fails"); err == nil {
				t.Error("no error")
			}
		}
		if n := log.count("cannot write"); int64(n) != times || r.Stats().NotWritten != 2*times {
			t.Errorf("logged %d times, %+v", n, r.Stats())
		}
	}
	fail(1)
	os.Remove(dir)
	if _, err := r.Snapshot(t.Context(), "works"); err != nil {
		t.Fatal(err)
	}
	os.RemoveAll(dir)
	os.WriteFile(dir, nil, 0o666)
	fail(2)

	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	other, err := Start(Options{URL: strings.Replace(server.URL, "://", "://user:password@", 1), Logger: r.opts.Logger})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Shutdown(context.Background())
	// Only one can record.
	for range 2 {
		if _, err := other.Snapshot(t.Context(), ""); !errors.Is(err, ErrNotRecorded) {
			t.Errorf("error %v", err)
		}
	}
	if n := log.count("cannot record"); n != 1 || other.Stats().NotRecorded != 3 {
		t.Errorf("logged %d times, %+v", n, other.Stats())
	}
	if err := r.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Snapshot(t.Context(), ""); !errors.Is(err, ErrStopped) {
		t.Errorf("error %v", err)
	}
	if _, err := other.Snapshot(t.Context(), ""); !errors.Is(err, ErrNotRecorded) {
		t.Errorf("error %v", err)
	}
	for range 2 { // it records now
		if _, err := other.Snapshot(t.Context(), ""); err == nil || errors.Is(err, ErrNotRecorded) || strings.Contains(err.Error(), "password") {
			t.Errorf("error %v", err)
		}
	}
	if n := log.count("cannot post"); n != 1 || other.Stats().NotPosted != 2 {
		t.Errorf("logged %d times, %+v", n, other.Stats())
	}
	if log.count("password") > 0 {
		t.Errorf("%s", log)
	}
}

type full struct{}

func (full) WriteTo(w io.Writer) (int64, error) {
	n, _ := w.Write(make([]byte, 100))
	return int64(n), errors.New("no space left")
}

// TestFullDisk: nothing is left of a dump that cannot be written.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	r, _, _ := started(t, Options{Folder: dir})
	if _, _, err := r.write(full{}, r.metadata("", time.Now())); err == nil {
		t.Error("no error")
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("left: %v", entries)
	}
}

func TestHandler(t *testing.T) {
	dir := t.TempDir()
	r, tracer, _ := started(t, Options{Folder: dir})
	span(tracer, "known", time.Second)
	do := func(method, query string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, httptest.NewRequest(method, "/"+query, nil))
		return w
	}
	get := do("GET", "")
	isTrace(t, get.Body.Bytes())
	if m := get.Header().Get(MetadataHeader); get.Code != 200 || !strings.Contains(m, `"reason":"on demand"`) || !strings.Contains(m, `"service.name":"sh\u00f6p \ud83d\uded2"`) {
		t.Errorf("%d %s", get.Code, m)
	}
	if len(files(t, dir, "*")) > 0 {
		t.Error("GET writes a file")
	}
	post := do("POST", "?reason=because")
	var answer struct {
		Reason, File string
		Bytes        int64
	}
	if err := json.Unmarshal(post.Body.Bytes(), &answer); err != nil || answer.Reason != "because" || answer.Bytes < 100 {
		t.Errorf("%v: %s", err, post.Body)
	}
	if data, err := os.ReadFile(answer.File); err != nil || int64(len(data)) != answer.Bytes {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if w := do("PUT", ""); w.Code != http.StatusMethodNotAllowed {
		t.Error(w.Code)
	}
	r.Shutdown(t.Context())
	if w := do("GET", ""); w.Code != http.StatusServiceUnavailable {
		t.Error(w.Code)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{SlowSpan: time.Second},
		{Slow: func(sdktrace.ReadOnlySpan) bool { return true }},
		{SlowSpan: -1, Folder: "x"},
		{URL: "localhost:4319"},
		{URL: "ftp://user:password@localhost"},
		{Folder: "x", FileMode: os.ModeDir},
	} {
		if _, err := Start(o); err == nil || strings.Contains(err.Error(), "password") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestShutdown: a dump that is being posted is given up when the context ends.
func TestShutdown(t *testing.T) {
	posted, hang := make(chan bool), make(chan bool)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { posted <- true; <-hang }))
	defer server.Close()
	defer close(hang)
	r, tracer, _ := started(t, Options{URL: server.URL, SlowSpan: time.Second})
	span(tracer, "slow", time.Second)
	<-posted
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := r.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	await(t, "the post to end", func() bool { return r.Stats().NotPosted == 1 })
	if !trace.IsEnabled() {
		t.Error("stopped in the midst")
	}
}

// BenchmarkSpan measures a span without a processor, with the links alone, and with a
// recorder.
func BenchmarkSpan(b *testing.B) {
	run := func(b *testing.B, opts ...sdktrace.TracerProviderOption) {
		tracer := sdktrace.NewTracerProvider(opts...).Tracer("")
		b.ReportAllocs()
		for b.Loop() {
			_, s := tracer.Start(context.Background(), "GET /cart/{id}")
			s.End()
		}
	}
	b.Run("none", func(b *testing.B) { run(b, sdktrace.WithSpanProcessor(nothing{})) })
	b.Run("recorder", func(b *testing.B) {
		r, err := Start(Options{SlowSpan: time.Second, Folder: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		defer r.Shutdown(context.Background())
		run(b, sdktrace.WithSpanProcessor(r))
	})
}

type nothing struct{ sdktrace.SpanProcessor }

func (nothing) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (nothing) OnEnd(sdktrace.ReadOnlySpan)                     {}
