package input

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/pprof"
	"strings"
	"testing"
	"time"
)

func TestEndpoint(t *testing.T) {
	for _, test := range []struct {
		url     string
		seconds float64
		want    string
	}{
		{"http://localhost:6060", 0, "http://localhost:6060/debug/pprof/trace?seconds=5"},
		{"http://localhost:6060/", 2, "http://localhost:6060/debug/pprof/trace?seconds=2"},
		{"HTTPS://user:pass@h/debug/pprof", 0.25, "https://user:pass@h/debug/pprof/trace?seconds=0.25"},
		{"http://h/admin/debug/pprof/", 0, "http://h/admin/debug/pprof/trace?seconds=5"},
		{"http://h/admin/debug/pprof/trace", 0, "http://h/admin/debug/pprof/trace?seconds=5"},
		{"http://h/debug/pprof/trace?seconds=3", 0, "http://h/debug/pprof/trace?seconds=3"},
		{"http://h/debug/pprof/trace?seconds=3&x=y", 4, "http://h/debug/pprof/trace?seconds=4&x=y"},
		{"http://h/?x=y", 0, "http://h/debug/pprof/trace?seconds=5&x=y"},
		{"https://ci/build/7/a.trace?sig=b;c&a=d", 0, "https://ci/build/7/a.trace?sig=b;c&a=d"},
		{"https://ci/flight", 1, "https://ci/flight?seconds=1"},
		{"http://[::1]:6060#x", 0, "http://[::1]:6060/debug/pprof/trace?seconds=5"},
	} {
		if !IsURL(test.url) {
			t.Errorf("%s is no URL", test.url)
		}
		if got, err := Endpoint(test.url, test.seconds); err != nil || got != test.want {
			t.Errorf("%s, %v: %s, %v; want %s", test.url, test.seconds, got, err, test.want)
		}
	}
	for _, bad := range []string{"http://", "http:///x", "http://a b/", "http://:6060"} {
		if got, err := Endpoint(bad, 0); err == nil {
			t.Errorf("%q is %s", bad, got)
		}
	}
	for _, name := range []string{"-", "trace.out", "http:", "localhost:6060", "a/http://b", "ftp://h"} {
		if IsURL(name) {
			t.Errorf("%s is a URL", name)
		}
	}
}

func TestBaseName(t *testing.T) {
	for name, want := range map[string]string{
		"a/b.trace":  "b.trace",
		"a:b.trace":  "a:b.trace",
		"http://h":   "h",
		"http://h/x": "x",
		"http://user:pass@h:80/debug/pprof/trace?seconds=5": "h-80",
		"http://[::1]:6060/debug/pprof/trace":               "--1-6060",
		"https://ci/build/7/a.trace.gz?sig=/b":              "a.trace.gz",
		"https://ci/a%2F..%2fb%00%1b":                       "b--",
	} {
		if got := BaseName(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func server(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestURLContents(t *testing.T) {
	big := noise(1<<20 + 12345)
	for _, test := range []struct {
		name      string
		raw, want []byte
		size      bool // the server tells it
	}{
		{"plain", big, big, true},
		{"chunked", big, big, false},
		{"gzip", zipped(t, big), big, true},
		{"empty", nil, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := server(t, func(w http.ResponseWriter, r *http.Request) {
				if e := r.Header.Get("Accept-Encoding"); e != "" {
					t.Errorf("Accept-Encoding %q", e)
				}
				if user, pass, _ := r.BasicAuth(); user != "user" || pass != "secret" {
					t.Errorf("user %q, password %q", user, pass)
				}
				size := int64(-1)
				if test.size {
					size = int64(len(test.raw))
					w.Header().Set("Content-Length", fmt.Sprint(size))
				}
				w.Write(test.raw)
			})
			url := strings.Replace(s.URL, "http://", "http://user:secret@", 1)
			in, err := Open(t.Context(), url, Options{})
			if err != nil {
				t.Fatal(err)
			}
			wantSize := int64(-1)
			if test.size {
				wantSize = int64(len(test.raw))
			}
			if strings.Contains(in.Name, "secret") || in.Size != wantSize || in.Recording() == test.size {
				t.Errorf("name %q, size %d, a recording: %v", in.Name, in.Size, in.Recording())
			}
			got, err := io.ReadAll(in)
			if err != nil || !bytes.Equal(got, test.want) || in.BytesRead() != int64(len(test.raw)) {
				t.Errorf("read %d bytes, %d raw, error %v", len(got), in.BytesRead(), err)
			}
			if in.Stop() {
				t.Error("it could be stopped after its end")
			}
			if err := in.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestURLErrors(t *testing.T) {
	const long = "<html>\n\n<b>no\x1b[31m</b>"
	answers := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/404":
			http.NotFound(w, r)
		case "/500":
			w.WriteHeader(500)
			fmt.Fprint(w, "  Could not\n\tenable tracing: ", strings.Repeat("ä", 1000))
		case "/control":
			w.WriteHeader(400)
			fmt.Fprint(w, long)
		case "/204":
			w.WriteHeader(204)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		}
	})
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = nil
	defer secure.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	for _, test := range []struct{ url, want string }{
		{answers.URL + "/404", `/404: the server answers 404 Not Found: "404 page not found"`},
		{answers.URL + "/500", `the server answers 500 Internal Server Error: "Could not enable tracing: ` + strings.Repeat("ä", 174) + `…"`},
		{answers.URL + "/control", "the server answers 400 Bad Request"},
		{answers.URL + "/204", "the server answers 204 No Content"},
		{answers.URL + "/loop", "stopped after 10 redirects"},
		{closed.URL + "/x", closed.URL + "/x: dial tcp " + closed.Listener.Addr().String() + ": connect: connection refused"},
		{secure.URL, "certificate"},
		{strings.Replace(secure.URL, "https", "http", 1), "the server speaks https, not http: use " + secure.URL},
		{strings.Replace(answers.URL, "http", "https", 1), "the server speaks http, not https: use " + answers.URL},
		{"http://user:secret@" + closed.Listener.Addr().String(), "http://" + closed.Listener.Addr().String() + ": dial"},
	} {
		_, err := Open(t.Context(), test.url, Options{})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %v; want %s", test.url, err, test.want)
		}
	}
}

func TestAnswer(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/binary" {
			w.Header().Set("Content-Type", "application/x")
			w.Write(noise(1000))
			return
		}
		fmt.Fprint(w, "<title>Log\n in</title>", strings.Repeat("x", 1000))
	})
	for path, want := range map[string]string{
		"/":       `200 OK, text/html: "<title>Log in</title>` + strings.Repeat("x", 179) + `…"`,
		"/binary": "200 OK, application/x",
	} {
		in, err := Open(t.Context(), s.URL+path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if in.Answer() != want {
			t.Errorf("%s: %s, want %s", path, in.Answer(), want)
		}
	}
}

// A connection that breaks is not the end of the contents.
func TestURLBreaks(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sized" {
			w.Header().Set("Content-Length", "100000")
		}
		w.Write(noise(10_000))
		http.NewResponseController(w).Flush()
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			c.Close()
		}
	})
	for _, path := range []string{"/sized", "/chunked"} {
		in, err := Open(t.Context(), s.URL+path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if got, err := io.ReadAll(in); !errors.Is(err, io.ErrUnexpectedEOF) || len(got) != 10_000 {
			t.Errorf("%s: read %d bytes, error %v", path, len(got), err)
		}
	}
}

// recording opens an answer that sends some bytes and then goes on forever.
func recording(t *testing.T, ctx context.Context) (in *Input, gone <-chan struct{}) {
	t.Helper()
	left := make(chan struct{})
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write(noise(1000))
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(left)
	})
	in, err := Open(ctx, s.URL, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return in, left
}

func TestStop(t *testing.T) {
	in, gone := recording(t, t.Context())
	if !in.Recording() || !in.Stop() {
		t.Fatal("it could not be stopped")
	}
	got, err := io.ReadAll(in)
	if err != ErrStopped || !bytes.Equal(got, noise(1000)) {
		t.Errorf("read %d bytes, error %v; want 1000, %v", len(got), err, ErrStopped)
	}
	<-gone // the program is not traced any longer
	if in.Stop() {
		t.Error("it could be stopped twice")
	}

	in, err = Open(t.Context(), write(t, "file", noise(10)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if in.Recording() || in.Stop() {
		t.Error("a file is a recording")
	}
}

func TestCancelURL(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, gone := recording(t, ctx)
	cancel()
	if _, err := io.ReadAll(in); err != context.Canceled {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	<-gone

	// While it waits for the answer to begin.
	ctx, cancel = context.WithCancel(t.Context())
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := Open(ctx, s.URL, Options{}); err != context.Canceled {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}

	// While it connects, here to a server that accepts nobody.
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, "https://"+ln.Addr().String(), Options{}); err != context.DeadlineExceeded {
		t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
	}
}

// What has arrived can be read, also while the rest of its chunk has not.
func TestChunks(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	const part = 4 << 10
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		// An answer before there is a question would be an error.
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s", 2*part, noise(part))
		io.Copy(io.Discard, c) // until the other side ends
		c.Close()
	}()
	in, err := Open(t.Context(), "http://"+ln.Addr().String(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	// If it waits for more, this test does not end.
	got := make([]byte, part)
	if _, err := io.ReadFull(in, got); err != nil || !bytes.Equal(got, noise(part)) {
		t.Errorf("it has other bytes, or %v", err)
	}
	if !in.Stop() {
		t.Error("it could not be stopped")
	}
}

// A real program, for which the path of its traces is enough, and which is
// traced for as long as was said.
func TestProgram(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	s := server(t, mux.ServeHTTP)
	name, err := Endpoint(s.URL, 0.2)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	in, err := Open(t.Context(), name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if !in.Recording() || !strings.HasPrefix(in.Answer(), "200 OK, application/octet-stream") {
		t.Errorf("a recording: %v; %s", in.Recording(), in.Answer())
	}
	data, err := io.ReadAll(in)
	if err != nil || !bytes.HasPrefix(data, []byte("go 1.")) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if d := time.Since(start); d < 200*time.Millisecond {
		t.Errorf("recorded for %v", d)
	}
}
