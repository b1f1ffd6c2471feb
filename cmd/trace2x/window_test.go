package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestWindow(t *testing.T) {
	in := trace(t, "httpserver")
	t.Chdir(t.TempDir())

	exec(t, "perfetto", in).want(t, exitOK)
	whole := read(t, "httpserver.pftrace")
	exec(t, "perfetto", "--from", "500ms", "--to", "600ms", in).want(t, exitOK, "4,531 events in 100ms, ")
	if part := read(t, "httpserver.pftrace"); len(part) > len(whole)/5 {
		t.Errorf("%d of %d bytes", len(part), len(whole))
	}
	stdin, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	execWith(t.Context(), stdin, "perfetto", "--from", "500ms", "--to", "600ms", "-o", "piped.pftrace", "-").want(t, exitOK)
	if read(t, "piped.pftrace") != read(t, "httpserver.pftrace") {
		t.Error("a window of a pipe differs from that of the file")
	}
	exec(t, "otel", "--dry-run", "--from", "500ms", "--to", "600ms", in).want(t, exitOK, "4,531 events in 100ms, ")
	exec(t, "pprof", "--type", "wall", "--from", "2026-11-24T03:10:07Z", "--to", "2026-11-24T03:10:07.1Z", in).want(t, exitOK, " in 100ms, ")
	if r := exec(t, "summary", "--from", "1s", in); !strings.Contains(r.stdout, "211ms of Go 1.26") {
		r.want(t, exitOK)
		t.Errorf("%s", r.stdout[:200])
	}

	exec(t, "perfetto", "--from", "5s", in).want(t, exitFailed, "httpserver.trace: the trace ends 1.2", "before the window begins (5s)")
	for _, args := range [][]string{
		{"--from", "x"}, {"--to", "-1s"}, {"--from", "1s", "--to", "1s"}, {"--split", "-1s"}, {"--split", "1s", "-o", "-"},
		{"--goroutine", "0"}, {"--func", "("}, {"--task", "0"},
	} {
		exec(t, append([]string{"perfetto", in}, args...)...).want(t, exitUsage, args[0])
	}
}

func TestSplit(t *testing.T) {
	in := trace(t, "httpserver")
	t.Chdir(t.TempDir())
	exec(t, "perfetto", "--split", "400ms", "-o", "x.pftrace", in).want(t, exitOK,
		"x-0001.pftrace: ", " events in 400ms\nx-0002.pftrace", "x-0004.pftrace: ")
	wantFiles(t, "x-0001.pftrace", "x-0002.pftrace", "x-0003.pftrace", "x-0004.pftrace")
	for _, f := range []string{"x-0001.pftrace", "x-0004.pftrace"} {
		wantPerfetto(t, read(t, f))
	}

	// What is in the way of one file is in the way of all.
	t.Chdir(t.TempDir())
	write(t, "x-0003.pftrace", "a diary")
	exec(t, "perfetto", "--split", "400ms", "-o", "x.pftrace", in).want(t, exitFailed, "x-0003.pftrace exists and is not a Perfetto trace")
	wantFiles(t, "x-0003.pftrace")
	exec(t, "perfetto", "--split", "400ms", "-o", "x.pftrace", "--force", in).want(t, exitOK)
	wantPerfetto(t, read(t, "x-0003.pftrace"))

	for name, want := range map[string]string{
		"a.pftrace": "a-0007.pftrace", "d.e/a.b.pftrace.gz": "d.e/a.b-0007.pftrace.gz", "a": "a-0007", "a.gz": "a-0007.gz",
	} {
		if got := numbered(name, 7); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestSelection(t *testing.T) {
	in := trace(t, "httpserver")
	t.Chdir(t.TempDir())
	exec(t, "perfetto", in).want(t, exitOK)
	whole := len(read(t, "httpserver.pftrace"))
	for _, args := range [][]string{{"--goroutine", "1"}, {"--func", `^net/http\.\(\*conn\)\.serve$`}, {"--task", "^render$"}, {"--task", "12"}} {
		r := exec(t, append([]string{"perfetto", in}, args...)...)
		r.want(t, exitOK)
		if n := len(read(t, "httpserver.pftrace")); n > whole*3/4 || strings.Contains(r.stderr, "warning") {
			t.Errorf("%s: %d of %d bytes; %s", args, n, whole, r.stderr)
		}
	}
	last := read(t, "httpserver.pftrace")
	exec(t, "perfetto", "--goroutine", "999999", in).want(t, exitFailed, "trace2x: "+in+": no goroutine matches --goroutine 999999: nothing was written")
	exec(t, "perfetto", "--task", "nothing", in).want(t, exitFailed, "no task matches --task nothing: nothing was written")
	exec(t, "perfetto", "--task", "nothing", "--split", "400ms", in).want(t, exitFailed, "no task matches --task nothing: nothing was written")
	exec(t, "open", "--no-browser", "--port", "0", "--func", "nobody", in).want(t, exitFailed, "no goroutine matches --func nobody: nothing was written")
	wantFiles(t, "httpserver.pftrace")
	if read(t, "httpserver.pftrace") != last {
		t.Error("the output that was there was touched")
	}
}

// TestWindowInGap: a window may begin, end or lie in what damage has hidden. It is
// shown as far as it can be.
func TestWindowInGap(t *testing.T) {
	data := []byte(read(t, trace(t, "gc")))
	for i := range 64 {
		data[len(data)/2+i] = 0xff
	}
	t.Chdir(t.TempDir())
	write(t, "gap.trace", string(data))
	r := exec(t, "summary", "--json", "gap.trace")
	r.want(t, exitFailed, "damaged at or after byte")
	var sum struct {
		Overview struct {
			Lost []struct {
				At       time.Duration `json:"at_ns"`
				Duration time.Duration `json:"duration_ns"`
			}
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &sum); err != nil || len(sum.Overview.Lost) != 1 {
		t.Fatalf("%v: %s", err, r.stderr)
	}
	gap := sum.Overview.Lost[0]
	if gap.At == 0 || gap.Duration < 100*time.Millisecond {
		t.Fatalf("the gap is %+v", gap)
	}
	inside := (gap.At + gap.Duration/2).String()
	for _, command := range []string{"summary", "perfetto -o -", "pprof --type wall -o -", "otel -o -"} {
		for _, window := range []string{"--from " + inside, "--to " + inside, "--from " + (gap.At - 10*time.Millisecond).String()} {
			r := exec(t, strings.Fields(command+" "+window+" gap.trace")...)
			r.want(t, exitFailed, "damaged at or after byte")
			if r.stdout == "" {
				t.Errorf("%s %s: nothing is shown: %s", command, window, r.stderr)
			}
		}
	}
	exec(t, "perfetto", "--split", "100ms", "-o", "split.pftrace", "gap.trace").want(t, exitFailed, "damaged at or after byte")
	files, err := filepath.Glob("split-*.pftrace")
	if err != nil || len(files) < 10 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

// TestMomentsOfWindow: the moments of a report count from the beginning of the
// trace, also if it begins later.
func TestMomentsOfWindow(t *testing.T) {
	r := exec(t, "summary", "--json", "--from", "1s", trace(t, "httpserver"))
	r.want(t, exitOK)
	moments := regexp.MustCompile(`"at_ns": ?(\d+)`).FindAllStringSubmatch(r.stdout, -1)
	if len(moments) < 10 {
		t.Fatalf("%d moments", len(moments))
	}
	for _, m := range moments {
		if ns, err := strconv.ParseInt(m[1], 10, 64); err != nil || time.Duration(ns) < time.Second {
			t.Errorf("%s lies before the window", m[0])
		}
	}
}
