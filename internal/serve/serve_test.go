package serve

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
)

// noise is a file that fills the system's buffers several times.
var noise = func() []byte {
	b := make([]byte, 32<<20)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}()

// serving is a server at work, with one file.
type serving struct {
	*Server
	*Offer
	ended chan error // gets what Serve returns
}

func serve(t *testing.T, name string, data []byte, opts Options) serving {
	t.Helper()
	s, err := Listen(opts)
	if err != nil {
		t.Fatal(err)
	}
	o := s.Add(File{Name: name, Content: bytes.NewReader(data), Size: int64(len(data))})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		s.Close()
	})
	return serving{s, o, ended}
}

// add adds another file to the server.
func (s serving) add(f File) serving { return serving{s.Server, s.Add(f), s.ended} }

// wantServing checks that the server still has the file.
func (s serving) wantServing(t *testing.T) {
	t.Helper()
	select {
	case err := <-s.ended:
		t.Fatalf("the server ended: %v", err)
	case <-s.Fetched():
		t.Fatal("the file was fetched")
	default:
	}
}

// wantFetched waits until the file was fetched, and checks that it is gone.
func (s serving) wantFetched(t *testing.T) {
	t.Helper()
	select {
	case err := <-s.ended:
		t.Fatalf("the server ended: %v", err)
	case <-s.Fetched():
	}
	h := header{"Origin": s.origin()}
	if s.page {
		h = nil
	}
	if resp, _ := request(t, "GET", s.fileURL(), h); resp.StatusCode != http.StatusNotFound {
		t.Errorf("once more: %s", resp.Status)
	}
}

func (s serving) fileURL() string { return s.url(s.file.Name) }
func (s serving) path() string    { return s.folder + s.file.Name }

func ui(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := ParseUI(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

type header map[string]string

func request(t *testing.T, method, address string, h header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range h {
		req.Header.Set(k, v)
	}
	if host := h["Host"]; host != "" {
		req.Host = host
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestLink(t *testing.T) {
	for _, test := range []struct {
		ui, link, origin string
	}{
		{PerfettoUI, "https://ui.perfetto.dev/#!/?url=", "https://ui.perfetto.dev"},
		{"https://ui.perfetto.dev/", "https://ui.perfetto.dev/#!/?url=", "https://ui.perfetto.dev"},
		{"http://localhost:10000", "http://localhost:10000/#!/?url=", "http://localhost:10000"},
		{"HTTPS://Tools.Example:443/perfetto/", "https://Tools.Example:443/perfetto/#!/?url=", "https://tools.example"},
	} {
		s := serve(t, "böse/../ä b.pftrace", nil, Options{UI: ui(t, test.ui)})
		u, err := url.Parse(s.Link())
		if err != nil {
			t.Fatal(err)
		}
		before, file, _ := strings.Cut(s.Link(), "?url=")
		if before+"?url=" != test.link || u.Fragment == "" {
			t.Errorf("%s: link %s", test.ui, s.Link())
		}
		if file, err = url.QueryUnescape(file); err != nil || file != s.fileURL() || !strings.HasSuffix(file, "/b_se_..___b.pftrace") {
			t.Errorf("%s: file %s, %v; want %s", test.ui, file, err, s.fileURL())
		}
		if got := s.origin(); got != test.origin {
			t.Errorf("%s: origin %s, want %s", test.ui, got, test.origin)
		}
	}
	for _, bad := range []string{"", "ui.perfetto.dev", "file:///x", "https://", "https://a/?x", "https://a/#x", "https://user@a/", "https://a b/"} {
		if u, err := ParseUI(bad); err == nil {
			t.Errorf("ParseUI(%q) is %s", bad, u)
		}
	}
}

func TestRequests(t *testing.T) {
	const origin = "https://ui.perfetto.dev"
	direct := serve(t, "x.pftrace", noise, Options{UI: ui(t, origin)})
	page := serve(t, "x.pftrace", noise, Options{UI: ui(t, origin), Page: true})
	host, port, _ := net.SplitHostPort(direct.hosts[0])
	if host != "127.0.0.1" {
		t.Errorf("it listens on %s", host)
	}
	for _, test := range []struct {
		name    string
		s       serving
		method  string
		path    string
		headers header
		status  int
	}{
		{"no origin", direct, "GET", direct.path(), header{}, 403},
		{"other origin", direct, "GET", direct.path(), header{"Origin": "https://evil.example"}, 403},
		{"origin that begins the same", direct, "GET", direct.path(), header{"Origin": origin + ".evil.example"}, 403},
		{"origin of a sandboxed frame", direct, "GET", direct.path(), header{"Origin": "null"}, 403},
		{"other host", direct, "GET", direct.path(), header{"Origin": origin, "Host": "evil.example:" + port}, 421},
		{"other port", direct, "GET", direct.path(), header{"Origin": origin, "Host": "127.0.0.1:1"}, 421},
		{"root", direct, "GET", "/", header{"Origin": origin}, 404},
		{"folder", direct, "GET", direct.folder, header{"Origin": origin}, 404},
		{"name alone", direct, "GET", "/x.pftrace", header{"Origin": origin}, 404},
		{"below the file", direct, "GET", direct.path() + "/..", header{"Origin": origin}, 404},
		{"status, as of a trace processor", direct, "POST", "/status", header{"Origin": origin}, 404},
		{"HEAD", direct, "HEAD", direct.path(), header{"Origin": origin}, 405},
		{"POST", direct, "POST", direct.path(), header{"Origin": origin}, 405},
		{"preflight", direct, "OPTIONS", direct.path(), header{"Origin": origin, "Access-Control-Request-Private-Network": "true"}, 204},
		{"preflight of another origin", direct, "OPTIONS", direct.path(), header{"Origin": "https://evil.example", "Access-Control-Request-Private-Network": "true"}, 403},
		{"preflight of another path", direct, "OPTIONS", "/", header{"Origin": origin}, 404},
		{"page", page, "GET", page.folder, header{}, 200},
		{"page by name", page, "GET", page.folder, header{"Host": page.hosts[1]}, 200},
		{"page for another origin", page, "GET", page.folder, header{"Origin": "https://evil.example"}, 403},
		{"page under another name", page, "GET", page.folder, header{"Host": "evil.example:" + port}, 421},
		{"file for the UI, of the page", page, "GET", page.path(), header{"Origin": origin}, 403},
		{"preflight, of the page", page, "OPTIONS", page.path(), header{}, 405},
		{"root, of the page", page, "GET", "/", header{}, 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp, body := request(t, test.method, "http://"+test.s.hosts[0]+test.path, test.headers)
			if resp.StatusCode != test.status {
				t.Errorf("status %s, want %d", resp.Status, test.status)
			}
			if len(body) > 10_000 {
				t.Errorf("an answer of %d bytes", len(body))
			}
			h := resp.Header
			allowed := test.headers["Origin"] == origin && test.status != 403 && test.status != 421
			if got := h.Get("Access-Control-Allow-Origin"); allowed != (got == origin) || !allowed && got != "" {
				t.Errorf("Access-Control-Allow-Origin %q", got)
			}
			if got := h.Get("Access-Control-Allow-Private-Network"); (test.name == "preflight") != (got == "true") {
				t.Errorf("Access-Control-Allow-Private-Network %q", got)
			}
			if csp := h.Get("Content-Security-Policy"); test.status == 200 && !strings.Contains(csp, "frame-ancestors 'none'") {
				t.Errorf("Content-Security-Policy %q", csp)
			}
			if h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", h)
			}
		})
	}
	direct.wantServing(t)
	page.wantServing(t)

	for _, get := range []struct {
		s serving
		h header
	}{
		{direct, header{"Origin": origin, "Range": "bytes=0-9"}}, // a part would not be the file
		{page, header{}},
	} {
		if resp, body := request(t, "GET", get.s.fileURL(), get.h); resp.StatusCode != 200 || body != string(noise) || resp.Header.Get("Accept-Ranges") != "none" {
			t.Errorf("%s, %d bytes", resp.Status, len(body))
		}
		get.s.wantFetched(t)
	}
}

// A browser that gives up half way may try again.
func TestCut(t *testing.T) {
	s := serve(t, "x", noise, Options{UI: ui(t, PerfettoUI)})
	h := header{"Origin": PerfettoUI}
	for range 3 {
		req, err := http.NewRequest("GET", s.fileURL(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", PerfettoUI)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		io.CopyN(io.Discard, resp.Body, 100_000)
		resp.Body.Close()
		s.wantServing(t)
	}
	if _, body := request(t, "GET", s.fileURL(), h); body != string(noise) {
		t.Errorf("%d bytes", len(body))
	}
	s.wantFetched(t)
}

type readerAt struct{ io.Reader }

func (r readerAt) ReadAt(p []byte, _ int64) (int, error) { return r.Read(p) }

// What could not be read is not taken for fetched.
func TestFileFails(t *testing.T) {
	s, err := Listen(Options{UI: ui(t, PerfettoUI)})
	if err != nil {
		t.Fatal(err)
	}
	o := s.Add(File{Name: "x", Content: readerAt{iotest.ErrReader(errors.New("broken"))}, Size: 1000})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	req, _ := http.NewRequest("GET", o.url("x"), nil)
	req.Header.Set("Origin", PerfettoUI)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		if _, err = io.ReadAll(resp.Body); err == nil {
			t.Error("the client saw no error")
		}
		resp.Body.Close()
	}
	select {
	case <-o.Fetched():
		t.Error("it was fetched")
	default:
	}
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Errorf("Serve: %v, want %v", err, context.Canceled)
	}
}

func TestPortTaken(t *testing.T) {
	s := serve(t, "x", nil, Options{UI: ui(t, PerfettoUI)})
	port := s.ln.Addr().(*net.TCPAddr).Port
	if _, err := Listen(Options{UI: ui(t, PerfettoUI), Port: port}); err == nil {
		t.Error("two servers on one port")
	}
}

// Several files at once: each has its own path and arguments, and is gone when it was
// fetched or withdrawn.
func TestFiles(t *testing.T) {
	a := serve(t, "a", []byte("A"), Options{UI: ui(t, PerfettoUI)})
	b := a.add(File{
		Name: "b c", Content: strings.NewReader("B"), Size: 1,
		Args: url.Values{"visStart": {"12"}, "query": {"select '+ &'"}},
	})
	c := a.add(File{Name: "a", Content: strings.NewReader("C"), Size: 1})
	if want := "&query=select+%27%2B+%26%27&visStart=12"; !strings.HasSuffix(b.Link(), "%2Fb_c"+want) {
		t.Errorf("link %s", b.Link())
	}
	h := header{"Origin": PerfettoUI}
	if _, body := request(t, "GET", b.fileURL(), h); body != "B" {
		t.Errorf("the second file is %q", body)
	}
	b.wantFetched(t)
	a.wantServing(t)
	c.Withdraw()
	if resp, _ := request(t, "GET", c.fileURL(), h); resp.StatusCode != http.StatusNotFound {
		t.Errorf("after Withdraw: %s", resp.Status)
	}
	if resp, _ := request(t, "GET", a.url("b_c"), h); resp.StatusCode != http.StatusNotFound {
		t.Errorf("under the name of another file: %s", resp.Status)
	}
	if _, body := request(t, "GET", a.fileURL(), h); body != "A" {
		t.Errorf("the first file is %q", body)
	}
	a.wantFetched(t)
}
