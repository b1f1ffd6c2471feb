package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/e2e/chromium"
	"github.com/trace2x/trace2x/e2e/perfettoui"
	"github.com/trace2x/trace2x/internal/serve"
)

// opener makes a command that stands for the user's browser: it tells which link
// it was given.
func opener(t *testing.T) (link func() string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the command is a shell script")
	}
	dir := t.TempDir()
	script, file := filepath.Join(dir, "browser"), filepath.Join(dir, "link")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$1\" >"+file+".new; mv "+file+".new "+file+"\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BROWSER", script)
	return func() string {
		for {
			if data, err := os.ReadFile(file); err == nil {
				return strings.TrimSpace(string(data))
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// freePort waits until nobody listens on the port from which the UI may fetch.
func freePort(t *testing.T) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", serve.FetchPort)
	deadline := time.Now().Add(time.Minute)
	for {
		ln, err := net.Listen("tcp4", address)
		if err == nil {
			ln.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// From a trace to what the UI has, in a real browser.
func TestOpen(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Chromium")
	}
	good, damaged := trace(t, "pipeline"), trace(t, "damaged")
	t.Chdir(t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	ui := perfettoui.New(fmt.Sprintf("http://127.0.0.1:%d", serve.FetchPort))
	defer ui.Close()
	b := chromium.StartTest(t, "--disable-popup-blocking")

	wantTook := func(p *chromium.Page, file, title string) {
		t.Helper()
		data := read(t, file)
		sum := sha256.Sum256([]byte(data))
		want := perfettoui.Trace{Title: title, Size: len(data), SHA256: hex.EncodeToString(sum[:])}
		if got, err := perfettoui.Took(p); err != nil || got != want {
			t.Errorf("the UI has %+v, %v; want %+v", got, err, want)
		}
	}
	// begin starts the command and returns the link that it prints.
	begin := func(args ...string) (started, string) {
		t.Helper()
		pr, pw := io.Pipe()
		s := start(t, pw, append([]string{"open", "--ui", ui.URL}, args...)...)
		line := make(chan string, 1)
		go func() {
			text, _ := bufio.NewReader(pr).ReadString('\n')
			line <- strings.TrimSuffix(text, "\n")
			io.Copy(io.Discard, pr)
		}()
		select {
		case link := <-line:
			return s, link
		case code := <-s.ended:
			t.Fatalf("exit code %d: %s", code, s.stderr)
			return s, ""
		}
	}
	openIn := func(link string) *chromium.Page {
		t.Helper()
		p, err := b.Open(link)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	postedTo := func() *chromium.Page {
		t.Helper()
		for {
			pages, err := b.Pages()
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range pages {
				if strings.HasPrefix(p.URL, ui.URL+"/#!/?startupCommands=") {
					return p
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
	}

	t.Run("fetched", func(t *testing.T) {
		freePort(t)
		given := opener(t)
		exec(t, "perfetto", "--slowest=10", "--min-block=1ms", "-o", "want", good).want(t, exitOK)
		s, link := begin("--min-block=1ms", good)
		if got := given(); got != link {
			t.Errorf("the browser was given %s, the user %s", got, link)
		}
		wantTook(openIn(link), "want", "pipeline.pftrace")
		s.wait().want(t, exitOK, "pipeline.pftrace: ", "the browser has it")
		wantFiles(t, "want")
	})
	t.Run("kept", func(t *testing.T) {
		freePort(t)
		s, link := begin("--no-browser", "-o", "kept.pftrace", good)
		wantTook(openIn(link), "kept.pftrace", "kept.pftrace")
		s.wait().want(t, exitOK)
		wantFiles(t, "want", "kept.pftrace")
	})
	t.Run("several", func(t *testing.T) {
		freePort(t)
		exec(t, "perfetto", "--slowest=10", "-o", "want", good, trace(t, "httpserver-go1.25")).want(t, exitOK)
		s, link := begin("--no-browser", good, trace(t, "httpserver-go1.25"))
		wantTook(openIn(link), "want", "traces.pftrace")
		s.wait().want(t, exitOK, "clock of httpserver-go1.25: ", "the browser has it")
		wantFiles(t, "want", "kept.pftrace")
	})
	t.Run("port taken", func(t *testing.T) {
		if ln, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", serve.FetchPort)); err == nil {
			defer ln.Close() // else somebody else has it
		}
		exec(t, "open", "--ui", ui.URL, fmt.Sprintf("--port=%d", serve.FetchPort), good).want(t, exitFailed, "address already in use")
		exec(t, "perfetto", "--slowest=10", "-o", "want", damaged).want(t, exitFailed)
		s, link := begin("--no-browser", damaged)
		page := openIn(link)
		wantTook(postedTo(), "want", "damaged.pftrace")
		r := s.wait()
		r.want(t, exitFailed, "address already in use; a page", "warning: "+damaged+": damaged at", "the browser has it")
		if strings.Contains(r.stderr, "trace2x: ") {
			t.Errorf("the damage is told twice: %s", r.stderr)
		}
		if err := page.Wait(`document.title == "damaged.pftrace"`); err != nil {
			t.Error(err)
		}
		wantFiles(t, "want", "kept.pftrace")
	})
	t.Run("nobody comes", func(t *testing.T) {
		t.Setenv("BROWSER", "false")
		s, _ := begin("--port=0", good)
		for !strings.Contains(s.stderr.(*safeBuffer).String(), "warning: no browser was opened (false: exit status 1)") {
			time.Sleep(time.Millisecond)
		}
		s.interrupt(os.Interrupt, s.abort)
		s.wait().want(t, exitInterrupted, "trace2x: interrupted before a browser had read the trace")
		wantFiles(t, "want", "kept.pftrace")
	})
	if left, err := os.ReadDir(os.TempDir()); err != nil {
		t.Error(err)
	} else {
		for _, entry := range left {
			if !strings.HasPrefix(entry.Name(), "trace2x-chromium-") && strings.HasPrefix(entry.Name(), "trace2x-") {
				t.Errorf("left behind: %s", entry.Name())
			}
		}
	}
}

// TestOpenAt: the link says what the UI shows, and the file has it.
func TestOpenAt(t *testing.T) {
	chain, server := trace(t, "chain"), trace(t, "httpserver")
	t.Setenv("TMPDIR", t.TempDir())
	link := func(args ...string) url.Values {
		t.Helper()
		pr, pw := io.Pipe()
		s := start(t, pw, append([]string{"open", "--no-browser", "--port=0"}, args...)...)
		text, _ := bufio.NewReader(pr).ReadString('\n')
		go io.Copy(io.Discard, pr)
		// The page has the address of the UI.
		resp, err := http.Get(strings.TrimSuffix(text, "\n"))
		if err != nil {
			t.Fatalf("%v: %s", err, s.stderr)
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		s.interrupt(os.Interrupt, s.abort)
		s.wait()
		_, after, ok := strings.Cut(string(page), `ui = "`)
		address, _, _ := strings.Cut(after, `"`)
		address, err = strconv.Unquote(`"` + strings.ReplaceAll(address, `\/`, `/`) + `"`)
		if !ok || err != nil {
			t.Fatalf("%v: %s", err, page)
		}
		_, query, _ := strings.Cut(address, "#!/?")
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	for _, test := range []struct {
		args []string
		dur  time.Duration // of what is shown; 0 for everything
		want string        // in the commands
	}{
		{[]string{chain}, 0, "Slowest [a-z]+"},
		{[]string{"--slowest", chain}, 37547713, `Slowest tasks > chain > 1: 37\\.411904ms`},
		{[]string{"--task", "1", chain}, 37547713, `Slowest tasks > chain > 1: `},
		{[]string{"--slowest", "--task", "^query$", server}, 0, `Slowest tasks > query > 1: `},
		{[]string{"--task", "100", server}, 0, `Slowest tasks > `},
		{[]string{"--at", "600ms", server}, 10 * time.Millisecond, "--at 600ms"},
		{[]string{"--at", "2026-11-24T03:10:07Z", server}, 10 * time.Millisecond, "AddNoteAtTimestamp"},
	} {
		got := link(test.args...)
		if !strings.Contains(got.Get("startupCommands"), test.want) {
			t.Errorf("%q: commands %s", test.args, got.Get("startupCommands"))
		}
		from, _ := strconv.ParseInt(got.Get("visStart"), 10, 64)
		to, _ := strconv.ParseInt(got.Get("visEnd"), 10, 64)
		if test.dur > 0 && time.Duration(to-from) != test.dur {
			t.Errorf("%q: shows %v, want %v", test.args, time.Duration(to-from), test.dur)
		}
	}
	// 600 ms after the first event.
	if at := link("--at=600ms", server); at.Get("visStart") != "2002009081536" {
		t.Errorf("--at=600ms begins at %s", at.Get("visStart"))
	}
	// A budget leaves out the rest of the trace rather than the unit.
	for _, args := range [][]string{{"--slowest", server}, {"--task", "934", server}} {
		whole, small := link(args...), link(append(args, "--budget", "1MB")...)
		if whole.Get("visStart") == "" || whole.Get("visStart") != small.Get("visStart") || whole.Get("visEnd") != small.Get("visEnd") {
			t.Errorf("%q: from %s to %s, with a budget from %s to %s", args, whole.Get("visStart"), whole.Get("visEnd"), small.Get("visStart"), small.Get("visEnd"))
		}
	}
	for _, test := range []struct{ args, want string }{
		{"--task 99999 " + server, "no task 99999 that the trace has from its beginning to its end: nothing was written"},
		{"--slowest --task ^x$ " + server, "matches --task ^x$"},
		{"--at 2s " + chain, "the trace ends 37.547713ms after it began"},
		{"--at 300ms " + chain, "does not have --at 300ms"},
	} {
		exec(t, append([]string{"open", "--no-browser", "--port=0"}, strings.Fields(test.args)...)...).want(t, exitFailed, test.want)
	}
}

func TestOpenUsage(t *testing.T) {
	in := trace(t, "states")
	t.Chdir(t.TempDir())
	for _, args := range [][]string{
		{"open"},
		{"open", "--ui", "ui.perfetto.dev", in},
		{"open", "--port", "70000", in},
		{"open", "-o", "-", in},
		{"open", "--min-block", "-1s", in},
		{"open", "--slowest", "--at", "1s", in},
		{"open", "--task", "1", "--slowest", in},
		{"open", "--task", "1", "--at", "1s", in},
		{"open", "--at", "-1s", in},
		{"open", "--at", "noon", in},
	} {
		exec(t, args...).want(t, exitUsage, "trace2x: ", " --help' for usage.")
	}
	t.Setenv("TMPDIR", t.TempDir())
	exec(t, "open", "--no-browser", "--port=0", "missing").want(t, exitFailed, "missing: no such file")
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	wantFiles(t)
}
