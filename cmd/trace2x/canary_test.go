package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// canary stands wherever a secret can stand, and must not come out anywhere.
const canary = "cAnArY7"

// requests are what a server got, in full.
type requests struct {
	mu  sync.Mutex
	all []string
}

func (r *requests) add(req *http.Request) {
	var b strings.Builder
	req.Write(&b)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, b.String())
}

// birdcage is the world in which the commands of TestCanary run.
type birdcage struct {
	program   *httptest.Server // serves traces to those who know the secrets
	backend   *httptest.Server // takes spans
	stranger  *httptest.Server // another origin
	strangers requests
}

func newBirdcage(t *testing.T, traceData string) *birdcage {
	c := new(birdcage)
	c.stranger = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.strangers.add(r)
		io.WriteString(w, traceData)
	}))
	t.Cleanup(c.stranger.Close)

	mux := http.NewServeMux()
	mux.HandleFunc("/file.trace", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, traceData) })
	mux.HandleFunc("/hook/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, traceData) })
	mux.HandleFunc("/debug/pprof/trace", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, traceData)
		http.NewResponseController(w).Flush() // a recording: it has no size
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { r.Write(w) })
	mux.HandleFunc("/denied", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		r.Write(w)
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(c.stranger.URL, "://", "://u:other"+canary[:3]+"@", 1)+"/file.trace", http.StatusFound)
	})
	mux.HandleFunc("/nowhere", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://u:"+canary+"/x@h?"+canary)
		w.WriteHeader(http.StatusFound)
	})
	c.program = httptest.NewServer(mux)
	t.Cleanup(c.program.Close)

	back := http.NewServeMux()
	back.HandleFunc("/v1/traces", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-protobuf")
	})
	back.HandleFunc("/denied/v1/traces", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	})
	back.HandleFunc("/redirect/v1/traces", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, c.stranger.URL+"/v1/traces", http.StatusTemporaryRedirect)
	})
	c.backend = httptest.NewServer(back)
	t.Cleanup(c.backend.Close)
	return c
}

// secretly puts the canary into a URL, as user, password and value.
func secretly(url string) string {
	return strings.Replace(url, "://", "://user"+canary+":"+canary+"@", 1) + "?token=" + canary + "&sig=" + canary
}

// pathToken is a part of a path that is a secret.
const pathToken = "q8" + canary + "Z3kf0" + canary

// leaks are the forms of the canary that would be found.
var leaks = []string{canary, base64.StdEncoding.EncodeToString([]byte("user" + canary + ":" + canary))}

func wantNoCanary(t *testing.T, where, text string) {
	t.Helper()
	for _, leak := range leaks {
		if i := strings.Index(text, leak); i >= 0 {
			t.Errorf("%s has the canary: %q", where, text[max(0, i-200):min(len(text), i+100)])
		}
	}
}

// Every command, when it succeeds and when it fails, with the canary in every place
// where a secret can stand.
func TestCanary(t *testing.T) {
	in := trace(t, "states")
	data := read(t, in)
	c := newBirdcage(t, data)
	secrets := filepath.Join(t.TempDir(), "headers")
	write(t, secrets, "Authorization: Bearer "+canary+"\nX-Api-Key="+canary+"\n")
	malformed := filepath.Join(t.TempDir(), "malformed")
	write(t, malformed, canary)
	closed := httptest.NewServer(nil)
	closed.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	t.Chdir(t.TempDir())

	urls := map[string]bool{ // whether a command succeeds with it
		secretly(c.program.URL + "/file.trace"):                      true,
		secretly(c.program.URL):                                      true,
		secretly(c.program.URL + "/redirect"):                        true,
		secretly(c.program.URL+"/file.trace") + "#" + canary:         true,
		c.program.URL + "/hook/" + pathToken + "/file.trace":         true,
		c.program.URL + "/hook/" + pathToken:                         true,
		c.program.URL + "/missing/" + pathToken + "/x":               false,
		secretly(c.program.URL + "/echo"):                            false,
		secretly(c.program.URL + "/denied"):                          false,
		secretly(c.program.URL + "/missing"):                         false,
		secretly(c.program.URL + "/nowhere"):                         false,
		secretly(closed.URL):                                         false,
		secretly(secure.URL):                                         false,
		secretly(strings.Replace(secure.URL, "https", "http", 1)):    false,
		secretly(strings.Replace(c.program.URL, "http", "https", 1)): false,
		"http://user:" + canary + "/1@127.0.0.1/file.trace":          false, // what does not parse, or otherwise
		"http://user:" + canary + "?1@127.0.0.1/x":                   false,
		"http://user:" + canary + "#1@127.0.0.1/x":                   false,
		"http://user:%zz" + canary + "@127.0.0.1/x":                  false,
		"http://user:" + canary + "@127.0.0.1:port/x":                false,
		"http://user:" + canary + "@":                                false,
		"http:/user:" + canary + "@127.0.0.1/x":                      false,
		"htp://user:" + canary + "@127.0.0.1/x":                      false,
		"user:" + canary + "@127.0.0.1:6060":                         false,
	}
	commands := []string{
		"summary", "summary --json", "summary --goroutine 1", "summary --goroutine 999999",
		"perfetto", "perfetto --split 1s", "perfetto -o -", "perfetto --goroutine 999999",
		"pprof --type wall", "pprof --type wall --func nothing",
		"otel --dry-run", "otel -o spans.jsonl", "otel --endpoint " + c.backend.URL, "otel --endpoint " + c.backend.URL + "/denied",
		"capture", "capture -o captured.gz", "open --no-browser --port 0 --task nothing",
	}
	runs := 0
	check := func(wantOK bool, args ...string) {
		t.Helper()
		runs++
		checkCanary(t, wantOK, args...)
	}
	for _, command := range commands {
		args := strings.Fields(command)
		header := "--header"
		if args[0] == "otel" {
			header = "--trace-header"
			args = append(args, "--header", "X-Otlp-Key="+canary)
		}
		fails := strings.Contains(command, "999999") || strings.Contains(command, "nothing") || strings.Contains(command, "/denied")
		for url, ok := range urls {
			check(ok && !fails, append(args, header, "Authorization=Bearer "+canary, header, "X-Api-Key: "+canary, url)...)
		}
		url := secretly(c.program.URL + "/file.trace")
		check(!fails, append(args, header, "@"+secrets, url)...)
		for _, bad := range []string{canary, "@" + malformed, "=" + canary, "X Y=" + canary, "X=" + canary + "\nY"} {
			check(false, append(args, header, bad, url)...)
		}
		check(false, append(args, header, "X="+canary, in)...) // not a URL
		for _, bad := range []string{"--seconds=" + url, "--from=" + url, "--goroutine=" + url, "-H" + canary, "--no-such-flag=" + canary} {
			check(false, append(args, bad, url)...)
		}
		check(false, append(args, url, url)...)

		t.Setenv(headerVariable, "Authorization: Bearer "+canary)
		check(!fails, append(args, url)...)
		t.Setenv(headerVariable, canary)
		check(false, append(args, url)...)
		t.Setenv(headerVariable, "")

		t.Setenv("HTTP_PROXY", "http://user:"+canary+"/x@proxy") // not used for 127.0.0.1
		check(!fails, append(args, url)...)
		t.Setenv("HTTP_PROXY", "")
	}
	check(false, secretly(c.program.URL))
	check(false, "sumary", secretly(c.program.URL))
	check(false, "open", "--ui", secretly(c.stranger.URL), in)
	check(false, "open", "--ui", "http://user:"+canary+"/1@h", in)

	c.check(t, len(commands)/2)
	if runs < 500 {
		t.Errorf("only %d command lines", runs)
	}
}

// checkCanary runs a command line and searches everything that comes out. It removes
// the files in the working directory.
func checkCanary(t *testing.T, wantOK bool, args ...string) {
	t.Helper()
	r := exec(t, args...)
	what := strings.ReplaceAll(strings.Join(args, " "), canary, "CANARY")
	if wantOK != (r.code == exitOK) {
		t.Errorf("%s: exit code %d: %s", what, r.code, r.stderr)
	}
	wantNoCanary(t, what+": stdout", r.stdout)
	wantNoCanary(t, what+": stderr", r.stderr)
	filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		wantNoCanary(t, what+": the name of a file", path)
		if !d.IsDir() {
			text := read(t, path)
			if zr, err := gzip.NewReader(strings.NewReader(text)); err == nil {
				all, _ := io.ReadAll(zr)
				text = string(all)
			}
			wantNoCanary(t, what+": file "+path, text)
			os.Remove(path)
		}
		return nil
	})
}

// check searches what other origins got. They must have got at least least requests.
func (c *birdcage) check(t *testing.T, least int) {
	t.Helper()
	c.strangers.mu.Lock()
	defer c.strangers.mu.Unlock()
	if len(c.strangers.all) < least {
		t.Errorf("only %d requests were redirected", len(c.strangers.all))
	}
	for _, r := range c.strangers.all {
		wantNoCanary(t, "a request to another origin", r)
		if strings.Contains(r, "Referer") {
			t.Errorf("a request to another origin has a Referer: %.300q", r)
		}
	}
}

// The secrets for a backend, from flags and from the environment.
func TestCanaryBackend(t *testing.T) {
	in := trace(t, "states")
	c := newBirdcage(t, read(t, in))
	t.Chdir(t.TempDir())
	endpoints := map[string]bool{
		c.backend.URL:                            true,
		c.backend.URL + "/denied":                false,
		c.backend.URL + "/redirect":              false,
		c.backend.URL + "/missing/" + pathToken:  false,
		secretly(c.backend.URL):                  false, // user and query are not sent
		"http://user:" + canary + "/1@127.0.0.1": false,
		"http://user:" + canary + "?1@127.0.0.1": false,
		"user:" + canary + "@127.0.0.1:4317":     false,
		"ftp://user:" + canary + "@127.0.0.1":    false,
		"http://user:" + canary + "@":            false,
	}
	headers := map[string]bool{"X-Api-Key=" + canary: true, "Authorization=Bearer%20" + canary + ",X=y": true, canary: false, "X=" + canary + ",%zz" + canary: false, "=" + canary: false, "X=%zz" + canary: false}
	for endpoint, ok := range endpoints {
		checkCanary(t, ok, "otel", "--endpoint", endpoint, "--header", "Authorization=Bearer "+canary, in)
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
		for header, headerOK := range headers {
			for _, variable := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
				t.Setenv(variable, header)
				checkCanary(t, ok && headerOK, "otel", in)
				t.Setenv(variable, "")
			}
		}
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	}
	for _, bad := range []string{canary, "=" + canary, "X Y=" + canary, "X=" + canary + "\nY"} {
		checkCanary(t, false, "otel", "--endpoint", c.backend.URL, "--header", bad, in)
	}
	c.check(t, 0)
}

// The link of trace2x open, and what a browser gets from it.
func TestCanaryOpen(t *testing.T) {
	in := trace(t, "states")
	c := newBirdcage(t, read(t, in))
	t.Chdir(t.TempDir())
	stdout := new(safeBuffer)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := started{&env{stdin: strings.NewReader(""), stdout: stdout, stderr: new(safeBuffer)}, cancel, make(chan int, 1)}
	go func() {
		s.ended <- s.run(ctx, []string{"open", "--no-browser", "--port", "0", "--header", "X-Api-Key=" + canary, secretly(c.program.URL + "/file.trace")})
	}()
	for !strings.Contains(stdout.String(), "\n") {
		select {
		case code := <-s.ended:
			t.Fatalf("exit code %d: %s", code, s.stderr)
		case <-time.After(time.Millisecond):
		}
	}
	link := strings.TrimSpace(stdout.String())
	for _, path := range []string{"", "file.pftrace"} {
		resp, err := http.Get(link + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || len(body) < 100 {
			t.Errorf("%q: %s, %d bytes, %v", path, resp.Status, len(body), err)
		}
		var headers bytes.Buffer
		resp.Header.Write(&headers)
		wantNoCanary(t, "the answer to "+path, headers.String()+string(body))
	}
	s.wait().want(t, exitOK)
	wantNoCanary(t, "stdout", stdout.String())
	wantNoCanary(t, "stderr", s.stderr.(*safeBuffer).String())
}
