package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/pprof"
	"os"
	osexec "os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
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
	url := base + "/debug/pprof/trace?seconds=…"
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
	for range 3 { // in one second, maybe
		exec(t, "capture", "--seconds", "0.1", base+"/debug/pprof/").want(t, exitOK, hostName(base)+"-2", ".trace: ")
	}
	names, err := filepath.Glob(hostName(base) + "-2*.trace")
	if err != nil || len(names) != 3 || !regexp.MustCompile(`-20\d{6}-\d{6}(-\d)?\.trace$`).MatchString(names[0]) {
		t.Fatalf("recordings %q, %v", names, err)
	}
	exec(t, "perfetto", "-o", "captured", names[0]).want(t, exitOK)
	converted, err := filepath.Glob(hostName(base) + "-2*.pftrace")
	if err != nil || len(converted) != 1 {
		t.Fatalf("%q, %v", converted, err)
	}
	wantPerfetto(t, read(t, converted[0]))
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
			{"http://127.0.0.1:1", exitFailed, []string{"http://127.0.0.1:1/debug/pprof/trace?seconds=…: ", "connection refused"}},
			{"--seconds=-1 " + base, exitUsage, []string{"--seconds -1: it must be a positive number, as in --seconds 10"}},
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

func (r *recording) arrived() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.in == nil {
		return -1
	}
	return r.in.BytesRead()
}

// arrived waits until n bytes have been recorded.
func (s started) arrived(t *testing.T, n int) {
	t.Helper()
	for {
		if r := s.recording.Load(); r != nil && r.arrived() >= int64(n) {
			return
		}
		select {
		case code := <-s.ended:
			t.Fatalf("exit code %d before %d bytes had arrived: %s", code, n, s.stderr)
		case <-time.After(time.Millisecond):
		}
	}
}

// Ctrl-C ends a recording when its generation is complete: there is all of it.
func TestInterrupted(t *testing.T) {
	in := trace(t, "httpserver")
	data := read(t, in)
	t.Chdir(t.TempDir())
	more, part := make(chan struct{}), len(data)/4
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, data[:part])
		http.NewResponseController(w).Flush()
		<-more
		for i := part; i < len(data) && r.Context().Err() == nil; i += 1000 {
			io.WriteString(w, data[i:min(i+1000, len(data))])
			http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}))
	defer s.Close()
	url := s.URL + "/recording"

	c := start(t, io.Discard, "capture", "-o", "captured", url)
	c.arrived(t, part)
	c.interrupt(os.Interrupt, c.abort)
	close(more)
	c.wait().want(t, exitInterrupted, "stopping: ", "captured: ")
	got := read(t, "captured")
	if len(got) <= part || len(got) == len(data) || !strings.HasPrefix(data, got) {
		t.Fatalf("%d of %d bytes, %d before the interrupt", len(got), len(data), part)
	}
	whole := exec(t, "perfetto", "-o", "want", "captured")
	whole.want(t, exitOK) // not truncated

	for _, args := range [][]string{{"perfetto", "-o", "got", url}, {"otel", "-o", "spans", url}, {"pprof", "--type", "wall", "-o", "profile", url}, {"summary", url}} {
		more = make(chan struct{})
		c := start(t, io.Discard, args...)
		c.arrived(t, part)
		c.interrupt(os.Interrupt, c.abort)
		close(more)
		r := c.wait()
		r.want(t, exitInterrupted, "stopping: ")
		if strings.Contains(r.stderr, "truncated") {
			t.Errorf("%s: %s", args, r.stderr)
		}
	}
	wantFiles(t, "captured", "want", "got", "spans", "profile")
	if read(t, "got") != read(t, "want") {
		t.Error("what was recorded is not what the file has")
	}
}

// The second interrupt waits for nothing, and keeps what has arrived.
func TestInterruptedTwice(t *testing.T) {
	base, part := program(t, trace(t, "httpserver"))
	t.Chdir(t.TempDir())
	url := base + "/recording"
	write(t, "part", part)
	cut := exec(t, "perfetto", "-o", "want", "part")
	cut.want(t, exitFailed, "part: truncated at byte")
	events := regexp.MustCompile(` \d\d[\d,]* events in .*`)
	interrupted := func(signals []os.Signal, args ...string) result {
		s := start(t, io.Discard, args...)
		s.arrived(t, len(part))
		for _, signal := range signals {
			s.interrupt(signal, s.abort)
		}
		return s.wait()
	}
	twice := []os.Signal{os.Interrupt, os.Interrupt}

	stopped := interrupted(twice, "perfetto", "-o", "got", url)
	stopped.want(t, exitInterrupted, "stopped recording", url+": truncated at byte ", ": the recording was stopped", "got: ")
	if got, want := events.FindString(stopped.stderr), events.FindString(cut.stderr); got == "" || got != want {
		t.Errorf("of what has arrived, converted%s, want%s", got, want)
	}
	wantPerfetto(t, read(t, "got"))

	interrupted(twice, "capture", "-o", "captured", url).want(t, exitInterrupted, "captured: truncated to what arrived: the recording was stopped")
	if read(t, "captured") != part {
		t.Error("not what has arrived was kept")
	}
	interrupted(twice, "otel", "-o", "spans", url).want(t, exitInterrupted, "the recording was stopped", "spans: ")

	// Other signals do not wait either.
	interrupted([]os.Signal{syscall.SIGTERM}, "capture", "-o", "terminated", url).want(t, exitTerminated, "terminated: truncated to what arrived")
	interrupted([]os.Signal{syscall.SIGHUP}, "capture", "-o", "hung-up", url).want(t, exitHangup, "hung-up: truncated to what arrived")
	wantFiles(t, "part", "want", "got", "captured", "spans", "terminated", "hung-up")
}

// The third interrupt gives up, as does the first one when nothing is recorded.
func TestInterruptedAgain(t *testing.T) {
	base, part := program(t, trace(t, "httpserver"))
	t.Chdir(t.TempDir())
	pr, pw := io.Pipe() // it waits for us to read
	s := start(t, pw, "capture", "-o", "-", base+"/recording")
	s.arrived(t, len(part))
	s.interrupt(os.Interrupt, s.abort)
	s.interrupt(os.Interrupt, s.abort)
	select {
	case <-s.ended:
		t.Fatal("it did not wait for stdout")
	default:
	}
	s.interrupt(os.Interrupt, s.abort)
	go io.Copy(io.Discard, pr)
	s.wait().want(t, exitInterrupted, "stopped recording", "trace2x: interrupted")

	stdin, w := io.Pipe()
	defer w.Close()
	e := &env{stdin: stdin, stdout: io.Discard, stderr: new(safeBuffer)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- e.run(ctx, []string{"perfetto", "-"}) }()
	e.interrupt(syscall.SIGTERM, cancel)
	result{code: <-ended, stderr: e.stderr.(*safeBuffer).String()}.want(t, exitTerminated, "trace2x: interrupted")
	wantFiles(t)
}

// The program does with signals what interrupt does; what it cannot clean up when it
// is killed, the next run does.
func TestSignals(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals to send")
	}
	// Below nohup, SIGHUP is ignored, also by what the test starts, unless it is taken here.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	in := trace(t, "httpserver")
	base, part := program(t, in)
	bin := filepath.Join(t.TempDir(), "trace2x")
	if out, err := osexec.Command("go", "build", "-pgo=off", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Chdir(t.TempDir())
	begun := func(name string, size int) func() bool {
		return func() bool {
			temp, _ := filepath.Glob(name + ".*.tmp")
			if len(temp) == 0 {
				return false
			}
			info, err := os.Stat(temp[0])
			return err == nil && info.Mode().Perm() == 0o600 && info.Size() > int64(size)
		}
	}
	for _, test := range []struct {
		args   []string
		input  string // for stdin, which stays open
		ready  func() bool
		signal os.Signal
		code   int // -1 for one that the system makes
		want   string
		files  []string
	}{
		// All is in the temporary file, except what a buffer holds back. The recording
		// is whole if the signal comes before the end of the generation has arrived.
		{[]string{"capture", "-o", "got", base + "/recording"}, "", begun("got", len(part)/2), os.Interrupt, exitInterrupted, "got: ", []string{"got"}},
		{[]string{"perfetto", "-o", "none", "-"}, part, begun("none", -1), os.Interrupt, exitInterrupted, "trace2x: interrupted; nothing was written", []string{"got"}},
		{[]string{"perfetto", "-o", "none", "-"}, part, begun("none", -1), syscall.SIGTERM, exitTerminated, "trace2x: interrupted; nothing was written", []string{"got"}},
		{[]string{"otel", "-o", "none", "-"}, part, begun("none", -1), syscall.SIGHUP, exitHangup, "trace2x: interrupted; nothing was written", []string{"got"}},
		{[]string{"perfetto", "--split", "1ms", "-o", "x.pftrace", in}, "", func() bool {
			_, err := os.Stat("x-0010.pftrace")
			return err == nil
		}, syscall.SIGTERM, exitTerminated, " files, x-0001.pftrace to x-", nil},
		{[]string{"perfetto", "-o", "killed", "-"}, part, begun("killed", -1), os.Kill, -1, "", nil},
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
		for deadline := time.Now().Add(30 * time.Second); !test.ready(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				cmd.Process.Kill()
				t.Fatalf("%q does not begin: %s", test.args, &stderr)
			}
		}
		cmd.Process.Signal(test.signal)
		cmd.Wait()
		if cmd.ProcessState.ExitCode() != test.code || !strings.Contains(stderr.String(), test.want) {
			t.Errorf("%q: %v: %s", test.args, cmd.ProcessState, &stderr)
		}
		if test.files != nil {
			wantFiles(t, test.files...)
		}
		if m := regexp.MustCompile(`kept: ([\d,]+) files, .* to (x-(\d+)\.pftrace)`).FindStringSubmatch(stderr.String()); m != nil {
			split, _ := filepath.Glob("x-*")
			n := strings.ReplaceAll(m[1], ",", "")
			if strings.TrimLeft(m[3], "0") != n || fmt.Sprint(len(split)) != n || slices.Max(split) != m[2] {
				t.Errorf("%s, but there are %d files", m[0], len(split))
			}
		}
	}
	if got := read(t, "got"); got == "" || !strings.HasPrefix(part, got) {
		t.Errorf("%d bytes, not of what was sent", len(got))
	}
	if temp, _ := filepath.Glob("killed.*.tmp"); len(temp) != 1 {
		t.Errorf("kill -9 left %q", temp)
	}
	exec(t, "perfetto", "-o", "next", in).want(t, exitOK)
	if temp, _ := filepath.Glob("*.tmp"); len(temp) != 0 {
		t.Errorf("after the next run there is %q", temp)
	}

	// A write that is stuck does not keep it alive.
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	defer pw.Close()
	cmd := osexec.Command(bin, "perfetto", "-o", "-", in)
	cmd.Stdout = pw
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	io.ReadFull(pr, make([]byte, 1000))
	time.Sleep(200 * time.Millisecond)
	asked := time.Now()
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	if took := time.Since(asked); cmd.ProcessState.ExitCode() != exitTerminated || took > 2*time.Second {
		t.Errorf("%v after %v", cmd.ProcessState, took)
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
