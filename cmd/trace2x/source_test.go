package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/pprof"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// program stands for one that imports net/http/pprof: its traces are real ones
// of this test. The trace in file is at /file.trace, /page is none, and
// /recording sends part of that trace and then goes on for ever.
func program(t *testing.T, file string) (base string, part string) {
	t.Helper()
	data := read(t, file)
	part = data[:len(data)*9/10] // more than one generation of httpserver
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/file.trace", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, data) })
	mux.HandleFunc("/newer.trace", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Replace(data, data[:7], "go 1.99", 1))
	})
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<!doctype html><title>Log in</title>")
	})
	mux.HandleFunc("/recording", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, part)
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL, part
}

func hostName(base string) string {
	return strings.NewReplacer("http://", "", ":", "-").Replace(base)
}

func TestURL(t *testing.T) {
	in := trace(t, "pipeline")
	base, _ := program(t, in)
	t.Chdir(t.TempDir())
	exec(t, "perfetto", "-o", "want", in).want(t, exitOK)

	exec(t, "perfetto", base+"/file.trace").want(t, exitOK, base+"/file.trace: Go 1.", "file.pftrace: ")
	exec(t, "capture", base+"/file.trace").want(t, exitOK, "file.trace: ", " kB in ")
	wantFiles(t, "want", "file.pftrace", "file.trace")
	if read(t, "file.pftrace") != read(t, "want") || read(t, "file.trace") != read(t, in) {
		t.Error("what comes from a URL is not what comes from the file")
	}

	exec(t, "capture", "-o", "x.gz", base+"/file.trace").want(t, exitOK)
	if unzipped(t, read(t, "x.gz")) != read(t, in) {
		t.Error("the compressed capture differs")
	}
	if r := exec(t, "capture", "--output", "-", base+"/file.trace"); r.code != exitOK || r.stdout != read(t, in) {
		t.Error("the capture on stdout differs")
	}
	exec(t, "capture", "-o", "newer", base+"/newer.trace").want(t, exitOK, "newer: ") // another trace2x can read it
	if !strings.HasPrefix(read(t, "newer"), "go 1.99") || len(read(t, "newer")) != len(read(t, in)) {
		t.Error("a trace that is too new for this program is not kept as it is")
	}
	exec(t, "otel", "--dry-run", base+"/file.trace").want(t, exitOK, base+"/file.trace: Go 1.", "nothing was sent")
}

// A program is traced for the time that was asked for, and its address is
// enough.
func TestProgram(t *testing.T) {
	base, _ := program(t, trace(t, "empty"))
	t.Chdir(t.TempDir())
	url := base + "/debug/pprof/trace?seconds=0.3"
	for _, args := range [][]string{
		{"perfetto", "--seconds=0.3", base},
		{"perfetto", "-o", "given", base + "/debug/pprof/trace?seconds=0.3"},
	} {
		r := exec(t, args...)
		r.want(t, exitOK, url+": Go 1.")
		m := regexp.MustCompile(` events in (\S+),`).FindStringSubmatch(r.stderr)
		if m == nil {
			t.Fatalf("stderr %q", r.stderr)
		}
		if d, err := time.ParseDuration(m[1]); err != nil || d < 300*time.Millisecond {
			t.Errorf("traced for %s", m[1])
		}
	}
	exec(t, "capture", "--seconds", "0.1", base+"/debug/pprof/").want(t, exitOK, hostName(base)+".trace: ")
	exec(t, "perfetto", "-o", "captured", hostName(base)+".trace").want(t, exitOK)
	wantFiles(t, "given", "captured", hostName(base)+".pftrace", hostName(base)+".trace")
	wantPerfetto(t, read(t, hostName(base)+".pftrace"))
}

func TestURLFailures(t *testing.T) {
	in := trace(t, "pipeline")
	base, _ := program(t, in)
	t.Chdir(t.TempDir())
	for _, command := range []string{"perfetto", "otel --dry-run", "open --no-browser --port 0", "capture"} {
		for _, test := range []struct {
			args   string
			code   int
			stderr []string
		}{
			{base + "/nothing", exitFailed, []string{base + `/nothing: the server answers 404 Not Found: "404 page not found"`}},
			{base + "/page", exitFailed, []string{base + "/page: not a Go execution trace: it is an HTML page", `200 OK, text/html; charset=utf-8: "<!doctype html><title>Log in</title>"`}},
			{"http://127.0.0.1:1", exitFailed, []string{"http://127.0.0.1:1/debug/pprof/trace?seconds=5: ", "connection refused"}},
			{"--seconds=-1 " + base, exitUsage, []string{"--seconds must be a positive number"}},
			{"--seconds=x " + base, exitUsage, []string{"--seconds"}},
			{"http://", exitUsage, []string{"there is no host"}},
			{"--seconds=1 " + in, exitUsage, []string{" URL"}},
		} {
			r := exec(t, strings.Fields(command+" "+test.args)...)
			r.want(t, test.code, append(test.stderr, "trace2x: ")...)
			if r.stdout != "" {
				t.Errorf("%s %s: stdout %q", command, test.args, r.stdout)
			}
		}
	}
	exec(t, "capture", in).want(t, exitUsage, "not an http or https URL")
	exec(t, "perfetto", "localhost:6060").want(t, exitFailed, "localhost:6060: no such file or directory; the address of a program begins with http://")
	wantFiles(t)
}

// safeBuffer may be written to while it is read.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// started is a command line at work.
type started struct {
	*env
	abort context.CancelFunc
	ended chan int // gets the exit code
}

func start(t *testing.T, stdout io.Writer, args ...string) started {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	s := started{&env{stdin: strings.NewReader(""), stdout: stdout, stderr: new(safeBuffer)}, cancel, make(chan int, 1)}
	go func() { s.ended <- s.run(ctx, args) }()
	return s
}

// wait returns the result, without what is on stdout.
func (s started) wait() result {
	return result{code: <-s.ended, stderr: s.stderr.(*safeBuffer).String()}
}

// arrived waits until n bytes have been recorded.
func (s started) arrived(t *testing.T, n int) {
	t.Helper()
	for {
		if r := s.recording.Load(); r != nil && r.in.BytesRead() >= int64(n) {
			return
		}
		select {
		case code := <-s.ended:
			t.Fatalf("exit code %d before %d bytes had arrived: %s", code, n, s.stderr)
		case <-time.After(time.Millisecond):
		}
	}
}

func TestInterrupted(t *testing.T) {
	base, part := program(t, trace(t, "httpserver"))
	t.Chdir(t.TempDir())
	url := base + "/recording"
	write(t, "part", part)
	cut := exec(t, "perfetto", "-o", "want", "part")
	cut.want(t, exitFailed, "part: truncated at byte")
	events := regexp.MustCompile(` \d\d[\d,]* events in .*`)

	s := start(t, io.Discard, "perfetto", "-o", "got", url)
	s.arrived(t, len(part))
	s.interrupt(s.abort)
	stopped := s.wait()
	stopped.want(t, exitFailed, "stopped recording", url+": truncated at byte ", ": the recording was stopped", "got: ")
	if got, want := events.FindString(stopped.stderr), events.FindString(cut.stderr); got == "" || got != want {
		t.Errorf("of what has arrived, converted%s, want%s", got, want)
	}
	wantPerfetto(t, read(t, "got"))

	s = start(t, io.Discard, "capture", "-o", "captured", url)
	s.arrived(t, len(part))
	s.interrupt(s.abort)
	s.wait().want(t, exitFailed, "captured: truncated to what arrived: the recording was stopped")
	if read(t, "captured") != part {
		t.Error("not what has arrived was kept")
	}

	s = start(t, io.Discard, "otel", "-o", "spans", url)
	s.arrived(t, len(part))
	s.interrupt(s.abort)
	s.wait().want(t, exitFailed, "the recording was stopped", "spans: ")
	wantFiles(t, "part", "want", "got", "captured", "spans")
}

// The second interrupt gives up, as does the first one when nothing is recorded.
func TestInterruptedTwice(t *testing.T) {
	base, part := program(t, trace(t, "httpserver"))
	t.Chdir(t.TempDir())
	pr, pw := io.Pipe() // it waits for us to read
	s := start(t, pw, "capture", "-o", "-", base+"/recording")
	s.arrived(t, len(part))
	s.interrupt(s.abort)
	select {
	case <-s.ended:
		t.Fatal("it did not wait for stdout")
	default:
	}
	s.interrupt(s.abort)
	go io.Copy(io.Discard, pr)
	s.wait().want(t, exitFailed, "stopped recording", "trace2x: interrupted")

	stdin, w := io.Pipe()
	defer w.Close()
	e := &env{stdin: stdin, stdout: io.Discard, stderr: new(safeBuffer)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- e.run(ctx, []string{"perfetto", "-"}) }()
	e.interrupt(cancel)
	result{code: <-ended, stderr: e.stderr.(*safeBuffer).String()}.want(t, exitFailed, "trace2x: interrupted")
	wantFiles(t)
}

// The program does with signals what interrupt does.
func TestSignals(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals to send")
	}
	base, part := program(t, trace(t, "httpserver"))
	bin := filepath.Join(t.TempDir(), "trace2x")
	if out, err := osexec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Chdir(t.TempDir())
	for _, test := range []struct {
		args  []string
		input string // for stdin, which stays open
		ready func() bool
		want  string
		files []string
	}{
		{[]string{"capture", "-o", "got", base + "/recording"}, "", func() bool {
			// All is in the temporary file, but for what a buffer holds back.
			temp, _ := filepath.Glob("got.*.tmp")
			if len(temp) != 1 {
				return false
			}
			info, err := os.Stat(temp[0])
			return err == nil && info.Size() > int64(len(part))/2
		}, "got: truncated to what arrived", []string{"got"}},
		{[]string{"perfetto", "-o", "none", "-"}, part, func() bool {
			temp, _ := filepath.Glob("none.*.tmp")
			return len(temp) == 1
		}, "trace2x: interrupted; nothing was written", []string{"got"}},
	} {
		cmd := osexec.Command(bin, test.args...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go io.WriteString(stdin, test.input)
		for !test.ready() {
			time.Sleep(time.Millisecond)
		}
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(stderr.String(), test.want) {
			t.Errorf("%q: %v: %s", test.args, cmd.ProcessState, &stderr)
		}
		wantFiles(t, test.files...)
	}
	if got := read(t, "got"); got == "" || !strings.HasPrefix(part, got) {
		t.Errorf("%d bytes, not of what was sent", len(got))
	}
}

func TestLabel(t *testing.T) {
	for name, want := range map[string]string{
		"-":                        "standard input",
		"a/long/path/x.trace":      "x.trace",
		"https://u:p@h:1/x?a=b":    "reading h:1",
		"http://h/trace?seconds=5": "tracing h for 5 s",
	} {
		if got := label(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
