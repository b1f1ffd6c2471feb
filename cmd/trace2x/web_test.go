package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/trace2x/trace2x/internal/testtrace"
)

// webPage fetches a page, or posts to it as a page of the server does.
func webPage(t *testing.T, method, address string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "http://"+req.URL.Host)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", address, resp.Status, err)
	}
	return string(body)
}

// TestWeb shows traces from a file, compressed, and through a pipe. Nothing is left of
// them when the command has ended, whichever way.
func TestWeb(t *testing.T) {
	data := testtrace.Data(t, "chain")
	for _, test := range []struct {
		name, arg string
		code      int
		spooled   bool
	}{
		{"stopped on a page", trace(t, "chain"), exitOK, false},
		{"interrupted", trace(t, "chain"), exitInterrupted, false},
		{"a pipe, interrupted", "-", exitInterrupted, true},
		{"a pipe, stopped", "-", exitOK, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			link, temp := opener(t), t.TempDir()
			t.Setenv("TMPDIR", temp)
			pr, pw := io.Pipe()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			e := &env{stdin: strings.NewReader(string(data)), stdout: pw, stderr: new(safeBuffer)}
			ended := make(chan int, 1)
			go func() { ended <- e.run(ctx, []string{"web", test.arg}) }()
			printed, err := bufio.NewReader(pr).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			address := strings.TrimSpace(printed)
			if got := link(); got != address {
				t.Errorf("it opens %s, and prints %s", got, address)
			}
			if page := webPage(t, "GET", address); !strings.Contains(page, "Why units of work took so long") {
				t.Errorf("the first page is %.200s", page)
			}
			webPage(t, "GET", address+"trace.pftrace?from=1ms&to=10ms")
			webPage(t, "GET", address+"goroutines?from=1ms&to=10ms") // reads it again
			if files, err := filepath.Glob(filepath.Join(temp, "*", "trace-*")); err != nil || len(files) > 0 != test.spooled {
				t.Errorf("in the temporary folder: %v, %v", files, err)
			} else if test.spooled {
				if info, err := os.Stat(filepath.Dir(files[0])); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
					t.Errorf("the folder is %v, %v", info.Mode(), err)
				}
			}
			if test.code == exitOK {
				folder, _, _ := strings.Cut(strings.TrimSuffix(address, "/1/"), "/1/")
				webPage(t, "POST", folder+"/stop")
			} else {
				cancel()
			}
			if code := <-ended; code != test.code {
				t.Errorf("exit code %d, want %d: %s", code, test.code, e.stderr)
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

// Of several traces, those that cannot be read are reported and left out.
func TestWebLeavesOut(t *testing.T) {
	opener(t)
	t.Setenv("TMPDIR", t.TempDir())
	bad := filepath.Join(t.TempDir(), "bad.trace")
	if err := os.WriteFile(bad, []byte("this is no trace"), 0o600); err != nil {
		t.Fatal(err)
	}
	pr, pw := io.Pipe()
	e := &env{stdin: strings.NewReader(""), stdout: pw, stderr: new(safeBuffer)}
	ended := make(chan int, 1)
	go func() { ended <- e.run(t.Context(), []string{"web", trace(t, "chain"), bad, trace(t, "gc")}) }()
	printed, err := bufio.NewReader(pr).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSpace(printed)
	if page := webPage(t, "GET", address+"all/"); !strings.Contains(page, "2 traces") || !strings.Contains(page, "gc.trace") {
		t.Errorf("all together are %.300s", page)
	}
	webPage(t, "POST", address+"stop")
	if code := <-ended; code != exitFailed || !strings.Contains(e.stderr.(*safeBuffer).String(), "bad.trace") {
		t.Errorf("exit code %d: %s", code, e.stderr)
	}
	exec(t, "web", "--no-browser", bad, bad).want(t, exitFailed, "bad.trace")
}

// TestWebTimeline: several traces open in Perfetto on one timeline, as trace2x perfetto
// converts them.
func TestWebTimeline(t *testing.T) {
	programs(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	exec(t, "perfetto", "--name", "gateway=a.trace", "--slowest", "10", "--budget", "32MB", "-o", "want.pftrace", "a.trace", "b.trace").want(t, exitOK)
	pr, pw := io.Pipe()
	e := &env{stdin: strings.NewReader(""), stdout: pw, stderr: new(safeBuffer)}
	ended := make(chan int, 1)
	go func() {
		ended <- e.run(t.Context(), []string{"web", "--no-browser", "--name", "gateway=a.trace", "a.trace", "b.trace"})
	}()
	printed, err := bufio.NewReader(pr).ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %s", err, e.stderr)
	}
	address := strings.TrimSpace(printed)
	for page, link := range map[string]string{"": "all/trace.pftrace", "all/": "trace.pftrace", "all/gc": "trace.pftrace"} {
		if text := webPage(t, "GET", address+page); !strings.Contains(text, ` data-perfetto id="open-range" href="`+link+`"`) {
			t.Errorf("%q has no button for Perfetto", page)
		}
	}
	for range 2 {
		if got := webPage(t, "GET", address+"all/trace.pftrace"); got != read(t, "want.pftrace") {
			t.Errorf("%d bytes, want %d", len(got), len(read(t, "want.pftrace")))
		}
	}
	webPage(t, "POST", address+"stop")
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d: %s", code, e.stderr)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	exec(t, "web", "--no-browser", "--name", "x=c.trace", "a.trace", "b.trace").want(t, exitFailed, "c.trace is not among the traces")
	exec(t, "web", "--no-browser", "--offset", "b=1s", "a.trace").want(t, exitUsage, "--offset is for several traces")
	exec(t, "web", "--no-browser", "--offset", "b=1s", "a.trace", "http://127.0.0.1:1").want(t, exitUsage, "--offset is for several traces on one timeline")
}

// Ctrl-C in a terminal leaves nothing behind either.
func TestWebInterrupt(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("builds the command, and sends it a signal")
	}
	temp := t.TempDir()
	cmd := osexec.Command(testtrace.Command(t), "web", "--no-browser", "-")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	cmd.Stdin = strings.NewReader(string(testtrace.Data(t, "chain")))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	printed, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cmd.Process.Kill()
		t.Fatal(err)
	}
	webPage(t, "GET", strings.TrimSpace(printed))
	if left, err := os.ReadDir(temp); err != nil || len(left) != 1 {
		t.Errorf("while it runs: %v, %v", left, err)
	}
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	if !strings.HasSuffix(stderr.String(), "Ctrl-C ends it, or the button Stop on a page\n") {
		t.Errorf("the last message is not how to end it: %s", stderr.String())
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestWebUsage(t *testing.T) {
	in := trace(t, "chain")
	for _, args := range [][]string{
		{"web"},
		{"web", "--ui", "x", in},
		{"web", "--port", "70000", in},
		{"web", "--seconds", "5", in},
		{"summary", "--html", "r.html", "--json", in},
		{"summary", "--html", "r.html", "--each", in},
		{"summary", "--html", "r.html", "--task", "x", in},
		{"summary", "--html", "r.html", "--unit", "none", in},
	} {
		exec(t, args...).want(t, exitUsage)
	}
	exec(t, "web").want(t, exitUsage, "which trace? As in trace2x web trace.out")
	exec(t, "web", "--no-browser", filepath.Join(t.TempDir(), "none.trace")).want(t, exitFailed, "no such file")
	exec(t, "web", "--no-browser", "--listen", "203.0.113.7", in).want(t, exitFailed, "cannot assign")
}

// Pages for the network come with a warning.
func TestWebListen(t *testing.T) {
	pr, pw := io.Pipe()
	s := start(t, pw, "web", "--no-browser", "--listen", "0.0.0.0", trace(t, "chain"))
	printed, err := bufio.NewReader(pr).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	webPage(t, "GET", strings.TrimSpace(printed))
	s.abort()
	<-s.ended
	if text := s.stderr.(*safeBuffer).String(); !strings.Contains(text, "everybody on the network") {
		t.Errorf("stderr: %s", text)
	}
}

// Pages in a file replace only such a file, and are of the window.
func TestSummaryHTML(t *testing.T) {
	in := trace(t, "gc")
	t.Chdir(t.TempDir())
	exec(t, "summary", "--html", "r.html", in).want(t, exitOK)
	whole := read(t, "r.html")
	exec(t, "summary", "--html", "r.html", "--from", "10ms", "--to", "30ms", in).want(t, exitOK)
	if part := read(t, "r.html"); part == whole || !strings.Contains(part, "20.0ms of Go") {
		t.Errorf("it is of %.300s", part[strings.Index(part, `class="about"`):])
	}
	if r := exec(t, "summary", "--html", "-", in); r.code != exitOK || r.stdout != whole {
		t.Errorf("to standard output: exit code %d, %d bytes, not %d: %s", r.code, len(r.stdout), len(whole), r.stderr)
	}
	// Several traces, or those in a folder, are in one file.
	exec(t, "summary", "--html", "all.html", in, trace(t, "chain")).want(t, exitOK)
	if all := read(t, "all.html"); !strings.Contains(all, "gc.trace") || !strings.Contains(all, "chain.trace") || !strings.Contains(all, "what ran instead") {
		t.Errorf("it is not of both: %d bytes", len(all))
	}
	exec(t, "summary", "--html", "all.html", filepath.Dir(in)).want(t, exitFailed) // some are damaged
	if all := read(t, "all.html"); !strings.Contains(all, "pipeline.trace") {
		t.Errorf("it is not of the folder: %d bytes", len(all))
	}
	exec(t, "summary", "--html", in, in, trace(t, "chain")).want(t, exitUsage, "it would be destroyed")
	if err := os.WriteFile("notes.html", []byte("<!DOCTYPE html>\n<title>mine</title>"), 0o600); err != nil {
		t.Fatal(err)
	}
	exec(t, "summary", "--html", "notes.html", in).want(t, exitFailed, "is not an HTML page of trace2x")
}
