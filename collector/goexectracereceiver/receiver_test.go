package goexectracereceiver

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/collector/receiver/xreceiver"
)

// traces has the test traces of the repository.
const traces = "../../testdata/traces"

func testTrace(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(traces, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// backend is the end of the pipelines. It counts each span by its ID.
type backend struct {
	mu      sync.Mutex
	spans   map[string]int
	service map[string]int // spans by service.name
	points  int
	samples int            // of profiles
	links   map[string]int // likewise, by the span that they are linked to
	calls   int
	// answer returns what a pipeline says to a call, by its number from 1; nil accepts all.
	answer func(call int) error
}

func (b *backend) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (b *backend) call() error {
	b.calls++
	if b.answer != nil {
		return b.answer(b.calls)
	}
	return nil
}

func (b *backend) ConsumeTraces(_ context.Context, data ptrace.Traces) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.call(); err != nil {
		return err
	}
	if b.spans == nil {
		b.spans, b.service = make(map[string]int), make(map[string]int)
	}
	for _, rs := range data.ResourceSpans().All() {
		name, _ := rs.Resource().Attributes().Get("service.name")
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				trace, span := s.TraceID(), s.SpanID()
				b.spans[hex.EncodeToString(trace[:])+hex.EncodeToString(span[:])]++
				b.service[name.Str()]++
			}
		}
	}
	return nil
}

func (b *backend) ConsumeMetrics(_ context.Context, data pmetric.Metrics) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.call(); err != nil {
		return err
	}
	b.points += data.DataPointCount()
	return nil
}

func (b *backend) ConsumeProfiles(_ context.Context, data pprofile.Profiles) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.call(); err != nil {
		return err
	}
	if b.links == nil {
		b.links = make(map[string]int)
	}
	links := data.Dictionary().LinkTable()
	for _, rp := range data.ResourceProfiles().All() {
		for _, sp := range rp.ScopeProfiles().All() {
			for _, p := range sp.Profiles().All() {
				for _, s := range p.Samples().All() {
					b.samples++
					if i := int(s.LinkIndex()); i > 0 {
						trace, span := links.At(i).TraceID(), links.At(i).SpanID()
						b.links[hex.EncodeToString(trace[:])+hex.EncodeToString(span[:])]++
					}
				}
			}
		}
	}
	return nil
}

// counts returns the number of different spans, of those that came more than once, and
// of points of metrics.
func (b *backend) counts() (spans, twice, points int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.spans {
		if n > 1 {
			twice++
		}
	}
	return len(b.spans), twice, b.points
}

// disk is a storage extension that survives the receiver.
type disk struct {
	component.StartFunc
	component.ShutdownFunc
	mu     sync.Mutex
	values map[string][]byte
}

func (d *disk) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return d, nil
}

func (d *disk) Get(_ context.Context, key string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.values[key], nil
}

func (d *disk) Set(_ context.Context, key string, value []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.values == nil {
		d.values = make(map[string][]byte)
	}
	d.values[key] = value
	return nil
}

func (d *disk) Delete(_ context.Context, key string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.values, key)
	return nil
}

func (d *disk) Walk(ctx context.Context, fn storage.WalkFunc) error {
	for key, value := range d.values {
		ops, err := fn(key, value)
		if err != nil {
			return err
		}
		for _, op := range ops {
			d.Delete(ctx, op.Key)
		}
	}
	return nil
}

func (d *disk) Batch(context.Context, ...*storage.Operation) error { return errors.New("not used") }
func (d *disk) Close(context.Context) error                        { return nil }

type host struct {
	extensions map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.extensions }

var diskID = component.MustNewID("disk")

// start starts a receiver in a pipeline of each signal. The function
// returned ends it.
func start(t *testing.T, cfg *Config, b *backend, d *disk) (stop func()) {
	t.Helper()
	f := NewFactory()
	set := receivertest.NewNopSettings(Type)
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	tr, err := f.CreateTraces(t.Context(), set, cfg, b)
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.CreateMetrics(t.Context(), set, cfg, b)
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.(xreceiver.Factory).CreateProfiles(t.Context(), set, cfg, b)
	if err != nil {
		t.Fatal(err)
	}
	var h component.Host = componenttest.NewNopHost()
	if d != nil {
		h = host{map[component.ID]component.Component{diskID: d}}
	}
	for _, r := range []component.Component{tr, m, p} {
		if err := r.Start(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	stop = sync.OnceFunc(func() {
		for _, r := range []component.Component{tr, m, p} {
			if err := r.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	t.Cleanup(stop)
	return stop
}

func fileConfig(include ...string) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Files.Include = include
	cfg.Files.PollInterval, cfg.Files.Settle = 10*time.Millisecond, 0
	cfg.RetryInitial, cfg.RetryMax = time.Millisecond, 10*time.Millisecond
	cfg.Spans.CriticalPath = false
	return cfg
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestFiles: files of a folder are read once, also over a restart and when they are
// renamed; what is no trace is left alone.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	b, d := &backend{}, &disk{}
	cfg := fileConfig(dir)
	cfg.Storage = &diskID
	cfg.Resource = map[string]any{"service.name": "configured"}
	write(t, filepath.Join(dir, "chain.trace"), testTrace(t, "chain.trace"))
	write(t, filepath.Join(dir, "text.trace"), []byte("this is a text"))
	write(t, filepath.Join(dir, ".hidden.trace"), testTrace(t, "gc.trace"))
	write(t, filepath.Join(dir, "empty.trace"), nil)
	stop := start(t, cfg, b, d)
	await(t, "two checkpoints", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(d.values) == 2 })
	stop()
	first, _, points := b.counts()
	if first < 5 || points < 10 || b.samples < 3 || b.service["configured"] != first {
		t.Errorf("%d spans, %d points, %d samples, %v", first, points, b.samples, b.service)
	}

	if err := os.Rename(filepath.Join(dir, "chain.trace"), filepath.Join(dir, "renamed.trace")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "trace2x-1.json"), []byte(`{"resource":{"service.name":"told","n":[1]},"reason":"slow span"}`))
	write(t, filepath.Join(dir, "trace2x-1.trace"), testTrace(t, "states.trace"))
	stop = start(t, cfg, b, d)
	await(t, "three checkpoints", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(d.values) == 3 })
	stop()
	all, twice, _ := b.counts()
	if twice > 0 || all <= first || b.service["told"] != all-first {
		t.Errorf("%d spans, %d of them twice, %v", all, twice, b.service)
	}
}

// TestAfterSuccess: files that are done are moved or removed with their metadata, others
// stay.
func TestAfterSuccess(t *testing.T) {
	for _, after := range []string{move, remove} {
		t.Run(after, func(t *testing.T) {
			dir, done := t.TempDir(), filepath.Join(t.TempDir(), "done")
			cfg := fileConfig(filepath.Join(dir, "*.trace"))
			cfg.Files.AfterSuccess, cfg.Files.MoveTo = after, done
			write(t, filepath.Join(dir, "a.trace"), testTrace(t, "chain.trace"))
			write(t, filepath.Join(dir, "a.json"), []byte("{}"))
			write(t, filepath.Join(dir, "text.trace"), []byte("this is a text"))
			b := &backend{}
			stop := start(t, cfg, b, nil)
			await(t, "the file to go", func() bool { l, _ := os.ReadDir(dir); return len(l) == 1 })
			stop()
			if _, err := os.Stat(filepath.Join(dir, "text.trace")); err != nil {
				t.Error(err)
			}
			if l, _ := os.ReadDir(done); after == move && len(l) != 2 || after == remove && len(l) != 0 {
				t.Errorf("%v", l)
			}
			if n, twice, _ := b.counts(); n == 0 || twice > 0 {
				t.Errorf("%d spans, %d twice", n, twice)
			}
		})
	}
}

// TestIncomplete: a file that is being written is left alone until it settles.
func TestIncomplete(t *testing.T) {
	dir := t.TempDir()
	w := &watcher{cfg: &FilesConfig{Include: []string{dir}, Settle: time.Hour}}
	file := filepath.Join(dir, "a.trace")
	write(t, file, []byte("go 1.26 trace\x00\x00\x00"))
	if l, err := w.look(); len(l) != 0 || err != nil {
		t.Errorf("%v %v", l, err)
	}
	old := time.Now().Add(-2 * time.Hour)
	os.Chtimes(file, old, old)
	l, _ := w.look()
	if len(l) != 1 {
		t.Fatalf("%v", l)
	}
	l[0].key = "known"
	if l, _ := w.look(); len(l) != 1 || l[0].key != "known" {
		t.Errorf("%v", l)
	}
	write(t, file, []byte("go 1.26 trace\x00\x00\x00 and more")) // it grows on
	if l, _ := w.look(); len(l) != 0 {
		t.Errorf("%v", l)
	}
}

// TestRefused: what a pipeline refuses for now is tried again, and what it refuses for
// good is not.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "chain.trace"), testTrace(t, "chain.trace"))
	d := &disk{}
	cfg := fileConfig(dir)
	cfg.Storage = &diskID
	b := &backend{answer: func(call int) error {
		if call <= 5 {
			return errors.New("not now")
		}
		return nil
	}}
	done := func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(d.values) == 1 }
	stop := start(t, cfg, b, d)
	await(t, "it", done)
	stop()
	if n, twice, points := b.counts(); n < 5 || twice > 0 || points == 0 || b.calls != 5+4 { // spans, two messages of profiles, metrics
		t.Errorf("%d spans, %d twice, %d points, %d calls", n, twice, points, b.calls)
	}

	d.values = nil
	b = &backend{answer: func(int) error { return consumererror.NewPermanent(errors.New("never")) }}
	stop = start(t, cfg, b, d)
	await(t, "it", done)
	time.Sleep(50 * time.Millisecond)
	stop()
	if b.calls != 4 {
		t.Errorf("%d calls", b.calls)
	}

	// Nothing is done while a pipeline does not accept it: not even at the end.
	d.values = nil
	b = &backend{answer: func(int) error { return errors.New("not now") }}
	stop = start(t, cfg, b, d)
	await(t, "calls", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.calls > 3 })
	stop()
	if len(d.values) != 0 {
		t.Errorf("%v", d.values)
	}
}

func httpConfig(t *testing.T, maxBytes int64) (*Config, string) {
	t.Helper()
	cfg := fileConfig()
	cfg.Files.Include = nil
	h := cfg.HTTP.GetOrInsertDefault()
	h.NetAddr.Endpoint = freeAddress(t)
	h.MaxRequestBodySize = maxBytes
	return cfg, "http://" + h.NetAddr.Endpoint + defaultPath
}

func zipped(t *testing.T, r io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// counted counts what is read of a body, which may go on after the answer.
type counted struct {
	io.Reader
	n atomic.Int64
}

func (c *counted) Read(p []byte) (n int, err error) {
	n, err = c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// TestUploads: each upload gets the right answer, and those that are no dumps are not
// read.
func TestUploads(t *testing.T) {
	good := testTrace(t, "chain.trace")
	header := "go 1.26 trace\x00\x00\x00"
	bomb := zipped(t, io.LimitReader(zeros{}, 32<<20))
	headed := zipped(t, io.MultiReader(strings.NewReader(header), io.LimitReader(zeros{}, 32<<20)))
	tests := []struct {
		name   string
		body   io.Reader
		size   int64 // that is claimed, 0 for what there is, -1 for none
		header map[string]string
		status int
		text   string
	}{
		{name: "a trace", body: bytes.NewReader(good), status: 200, text: `"outcome":"converted"`},
		{name: "compressed", body: bytes.NewReader(zipped(t, bytes.NewReader(good))), header: map[string]string{"Content-Encoding": "gzip"}, status: 200},
		{name: "in chunks", body: io.MultiReader(bytes.NewReader(good)), size: -1, status: 200},
		{name: "damaged", body: bytes.NewReader(good[:len(good)*3/4]), status: 200, text: `"outcome":"damaged"`},
		{name: "a text", body: strings.NewReader("this is a text"), status: 415},
		{name: "empty", body: http.NoBody, status: 415},
		{name: "of a version that is not known", body: strings.NewReader(strings.Replace(header, "1.26", "1.99", 1) + string(good[16:])), status: 415, text: "1.99"},
		{name: "10 GB", body: &counted{Reader: io.LimitReader(zeros{}, 10<<30)}, size: 10 << 30, status: 413},
		{name: "10 GB in chunks", body: &counted{Reader: io.MultiReader(strings.NewReader(header), io.LimitReader(zeros{}, 10<<30))}, size: -1, status: 413},
		{name: "a bomb", body: bytes.NewReader(bomb), header: map[string]string{"Content-Encoding": "gzip"}, status: 415},
		{name: "a bomb that begins as a trace", body: bytes.NewReader(headed), header: map[string]string{"Content-Encoding": "gzip"}, status: 413},
		{name: "not compressed", body: bytes.NewReader(good), header: map[string]string{"Content-Encoding": "gzip"}, status: 400},
		{name: "other metadata", body: bytes.NewReader(good), header: map[string]string{metadataHeader: "{"}, status: 400},
	}
	b := &backend{}
	cfg, url := httpConfig(t, 1<<20)
	start(t, cfg, b, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if tt.size != 0 {
				req.ContentLength = tt.size
			}
			for k, v := range tt.header {
				req.Header.Set(k, v)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != tt.status || !strings.Contains(string(text), tt.text) {
				t.Errorf("%s: %s", resp.Status, text)
			}
			if c, ok := tt.body.(*counted); ok && c.n.Load() > 10<<20 {
				t.Errorf("%d bytes are read", c.n.Load())
			}
		})
	}
	if resp, err := http.Get(url); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v %v", resp, err)
	}
}

// secret is an authentication extension.
type secret struct {
	component.StartFunc
	component.ShutdownFunc
}

func (secret) Authenticate(ctx context.Context, sources map[string][]string) (context.Context, error) {
	if v := sources["Authorization"]; len(v) != 1 || v[0] != "secret" {
		return ctx, errors.New("who are you?")
	}
	return ctx, nil
}

// TestAuthentication: an extension of the Collector decides who may upload.
func TestAuthentication(t *testing.T) {
	cfg, url := httpConfig(t, 1<<20)
	id := component.MustNewID("secret")
	cfg.HTTP.Get().Auth = configoptional.Some(confighttp.AuthConfig{Config: configauth.Config{AuthenticatorID: id}})
	b := &backend{}
	tr, err := NewFactory().CreateTraces(t.Context(), receivertest.NewNopSettings(Type), cfg, b)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Start(t.Context(), host{map[component.ID]component.Component{id: secret{}}}); err != nil {
		t.Fatal(err)
	}
	defer tr.Shutdown(context.Background())
	for key, want := range map[string]int{"": 401, "wrong": 401, "secret": 200} {
		req, _ := http.NewRequest(http.MethodPost, url, bytes.NewReader(testTrace(t, "chain.trace")))
		req.Header.Set("Authorization", key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%q: %s", key, resp.Status)
		}
	}
}

// TestUploadRefused: the answer says whether to send a dump again.
func TestUploadRefused(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
	}{{errors.New("not now"), 503}, {consumererror.NewPermanent(errors.New("never")), 422}} {
		b := &backend{answer: func(int) error { return tt.err }}
		cfg, url := httpConfig(t, 1<<20)
		stop := start(t, cfg, b, nil)
		resp, err := http.Post(url, "", bytes.NewReader(testTrace(t, "chain.trace")))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != tt.status || tt.status == 503 && resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %s", resp.Status, text)
		}
		resp.Body.Close()
		stop()
	}
}

// TestPull: programs are recorded, this one too, and their resources are as configured
// or told.
func TestPull(t *testing.T) {
	data := testTrace(t, "chain.trace")
	address := freeAddress(t)
	server := &http.Server{Addr: address, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/debug/pprof/trace":
			if r.URL.Query().Get("seconds") != "1" {
				t.Errorf("asked for %v", r.URL)
			}
			pprof.Trace(w, r)
		case "/dump":
			w.Header().Set(metadataHeader, `{"resource":{"service.name":"told"}}`)
			w.Write(data[:len(data)*3/4])
		default:
			http.NotFound(w, r)
		}
	})}
	go server.ListenAndServe()
	defer server.Close()
	cfg := fileConfig()
	cfg.Files.Include = nil
	p := cfg.Pull.GetOrInsertDefault()
	p.Interval, p.Seconds = time.Second, 1
	p.Targets = []TargetConfig{
		{URL: "http://" + address, Resource: map[string]any{"service.name": "configured"}},
		{URL: "http://" + address + "/dump", Resource: map[string]any{"service.name": "configured"}},
		{URL: "http://user:password@" + address + "/none"},
	}
	b := &backend{}
	start(t, cfg, b, nil)
	await(t, "spans of both", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.service["configured"] > 5 && b.service["told"] > 5
	})
}

// TestSlowTraceOnly: of a dump that a slow span made, only its distributed trace is
// wanted.
func TestSlowTraceOnly(t *testing.T) {
	const idLength = 32
	dir := t.TempDir()
	cfg := fileConfig(dir)
	cfg.Spans.SlowTraceOnly = true
	data := testTrace(t, "spanlink.trace")
	at := bytes.Index(data, []byte("-01 slow"))
	if at < 0 {
		t.Fatal("the trace has no slow span")
	}
	trace := string(data[at-len("0123456789abcdef")-1-idLength:][:idLength])
	write(t, filepath.Join(dir, "trace2x-1.json"), []byte(`{"trace_id":"`+trace+`"}`))
	write(t, filepath.Join(dir, "trace2x-1.trace"), data)
	b := &backend{}
	start(t, cfg, b, nil)
	await(t, "metrics", func() bool { _, _, points := b.counts(); return points > 0 })
	spans, _, _ := b.counts()
	if spans == 0 {
		t.Error("no spans")
	}
	for s := range b.spans {
		if !strings.HasPrefix(s, trace) {
			t.Errorf("a span of trace %s", s[:32])
		}
	}
	linked := 0
	for s, n := range b.links {
		if strings.HasPrefix(s, trace) {
			linked += n
		}
	}
	if linked == 0 {
		t.Errorf("no sample is linked to the trace: %v", b.links)
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Files.Include = nil }, "no source"},
		{func(c *Config) { c.Files.Include = []string{"["} }, "files"},
		{func(c *Config) { c.Files.AfterSuccess = "burn" }, "burn"},
		{func(c *Config) { c.Files.AfterSuccess = move }, "move_to"},
		{func(c *Config) { c.MaxConcurrent = 0 }, "max_concurrent"},
		{func(c *Config) { c.HTTP.GetOrInsertDefault().Path = "v1" }, "path"},
		{func(c *Config) { c.Pull.GetOrInsertDefault() }, "no targets"},
		{func(c *Config) { c.Pull.GetOrInsertDefault().Targets = []TargetConfig{{URL: "localhost:6060"}} }, "target 1"},
		{func(c *Config) { c.Spans.Detail = "all" }, "detail"},
		{func(c *Config) { c.Spans.MinSpan = -1 }, "negative"},
		{func(*Config) {}, ""},
	} {
		cfg := fileConfig("x")
		tt.change(cfg)
		err := cfg.Validate()
		if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v", tt.want, err)
		}
	}
}

// TestForget: the checkpoints of files that are gone for long are forgotten.
func TestForget(t *testing.T) {
	old := []byte(time.Now().Add(-2 * forgetAfter).UTC().Format(time.RFC3339))
	d := &disk{values: map[string][]byte{keyPrefix + "there": old, keyPrefix + "gone": old, "other": old}}
	c := &checkpoints{client: d, done: map[string]bool{"gone": true}}
	c.add(t.Context(), "new")
	if err := c.keep(t.Context(), map[string]bool{"there": true}); err != nil {
		t.Fatal(err)
	}
	if len(d.values) != 3 || d.values[keyPrefix+"gone"] != nil || c.done["gone"] {
		t.Errorf("%v %v", d.values, c.done)
	}
}

// freeAddress is an address that nobody listens on, as far as one can know.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
