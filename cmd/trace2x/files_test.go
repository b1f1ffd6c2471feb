package main

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
)

// writers are the commands that write a file, with the flags for its name last.
var writers = []string{
	"perfetto -o", "perfetto --force -o", "pprof --type wall -o", "pprof --force --type wall -o", "otel -o", "otel --force -o",
	"open --no-browser --port 0 -o", "open --no-browser --port 0 --force -o",
}

// No command destroys its input, by whatever name it is called.
func TestInputIsOutput(t *testing.T) {
	data := read(t, trace(t, "states"))
	t.Chdir(t.TempDir())
	write(t, "t.trace", data)
	for _, make := range []func() error{
		func() error { return os.Symlink("t.trace", "symbolic") },
		func() error { return os.Link("t.trace", "hard") },
	} {
		if err := make(); err != nil {
			t.Skip(err)
		}
	}
	for _, command := range writers {
		for _, in := range []string{"t.trace", "symbolic", "hard"} {
			for _, out := range []string{"t.trace", "./t.trace", "symbolic", "hard"} {
				exec(t, append(strings.Fields(command), out, in)...).want(t, exitUsage, "trace2x: "+out+" is the input: it would be destroyed")
			}
		}
		stdin, err := os.Open("t.trace")
		if err != nil {
			t.Fatal(err)
		}
		execWith(t.Context(), stdin, append(strings.Fields(command), "hard", "-")...).want(t, exitUsage, "hard is the input")
		stdin.Close()
	}
	write(t, "x-0002.pftrace", data)
	exec(t, "perfetto", "--split", "1s", "-o", "x.pftrace", "x-0002.pftrace").want(t, exitUsage, "x-0002.pftrace is the input")
	write(t, "x.pftrace", data)
	exec(t, "perfetto", "x.pftrace").want(t, exitOK) // into x.pftrace.pftrace

	// Standard output, to which the shell appends.
	appended, err := os.OpenFile("t.trace", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer appended.Close()
	for _, args := range []string{"summary t.trace", "summary --json t.trace", "perfetto -o - t.trace", "pprof --type wall -o - t.trace", "otel -o - t.trace"} {
		var stderr strings.Builder
		code := run(t.Context(), strings.Fields(args), strings.NewReader(""), appended, &stderr)
		result{code: code, stderr: stderr.String()}.want(t, exitUsage, "standard output is the input")
	}
	for _, name := range []string{"t.trace", "symbolic", "hard", "x-0002.pftrace", "x.pftrace"} {
		if read(t, name) != data {
			t.Errorf("%s is not what it was", name)
		}
	}
	wantFiles(t, "t.trace", "symbolic", "hard", "x-0002.pftrace", "x.pftrace", "x.pftrace.pftrace")
}

// A command overwrites what is like its output, and nothing else.
func TestOverwrite(t *testing.T) {
	in := trace(t, "states")
	t.Chdir(t.TempDir())
	made := map[string]string{"perfetto": "perfetto -o", "pprof": "pprof --type wall -o", "otel": "otel -o"}
	for name, command := range made {
		exec(t, append(strings.Fields(command), name, in)...).want(t, exitOK)
	}
	write(t, "diary", "my diary\n")
	write(t, "other.trace", read(t, in))
	files := []string{"perfetto", "pprof", "otel", "diary", "other.trace"}
	for name, command := range made {
		for _, out := range files {
			before := read(t, out)
			r := exec(t, append(strings.Fields(command), out, in)...)
			if out == name {
				r.want(t, exitOK)
			} else {
				r.want(t, exitFailed, "trace2x: "+out+" exists and is not ", "--force")
			}
			if read(t, out) != before {
				t.Errorf("%s over %s: it is not what it was", command, out)
			}
		}
		exec(t, append(strings.Fields(command), "diary", "--force", in)...).want(t, exitOK)
		write(t, "diary", "my diary\n")
	}
	wantFiles(t, files...)

	// What comes from a URL may be a recording, which overwrites nothing.
	s := httptest.NewServer(http.FileServer(http.Dir(".")))
	defer s.Close()
	url := s.URL + "/other.trace"
	for _, command := range []string{"perfetto -o", "pprof --type wall -o", "otel -o", "capture -o"} {
		for _, out := range files {
			before := read(t, out)
			exec(t, append(strings.Fields(command), out, url)...).want(t, exitFailed, "trace2x: "+out+" exists", "--force")
			if read(t, out) != before {
				t.Errorf("%s over %s: it is not what it was", command, out)
			}
		}
	}
	exec(t, "capture", "-o", "diary", "--force", url).want(t, exitOK)
	exec(t, "capture", url).want(t, exitFailed, "other.trace exists")
	wantFiles(t, files...)
}

// Outputs are as private as the trace.
func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	data := read(t, trace(t, "states"))
	t.Chdir(t.TempDir())
	write(t, "t.trace", data)
	if err := os.Chmod("t.trace", 0o600); err != nil {
		t.Fatal(err)
	}
	wantMode := func(name string, want fs.FileMode) {
		t.Helper()
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	exec(t, "perfetto", "t.trace").want(t, exitOK)
	wantMode("t.pftrace", 0o600)
	exec(t, "perfetto", "--split", "1h", "t.trace").want(t, exitOK)
	wantMode("t-0001.pftrace", 0o600)
	exec(t, "pprof", "--type=wall", "t.trace").want(t, exitOK)
	wantMode("t.wall.pb.gz", 0o600)
	exec(t, "otel", "-o", "spans", "t.trace").want(t, exitOK)
	wantMode("spans", 0o600)
	stdin, err := os.Open("t.trace")
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	execWith(t.Context(), stdin, "perfetto", "-").want(t, exitOK)
	wantMode("trace.pftrace", 0o600)

	if err := os.Chmod("t.pftrace", 0o444); err != nil {
		t.Fatal(err)
	}
	exec(t, "perfetto", "t.trace").want(t, exitFailed, "t.pftrace is read-only")
	if err := os.Chmod("t.pftrace", 0o640); err != nil {
		t.Fatal(err)
	}
	exec(t, "perfetto", "t.trace").want(t, exitOK)
	wantMode("t.pftrace", 0o640)
}

// Names that would control a terminal are in quotes.
func TestNames(t *testing.T) {
	data := read(t, trace(t, "states"))
	t.Chdir(t.TempDir())
	const bad = "evil\x1b[31m\nname\xff"
	if err := os.WriteFile(bad, []byte(data), 0o666); err != nil {
		t.Skip(err)
	}
	write(t, "text"+bad, "text")
	for _, args := range [][]string{
		{"perfetto", bad}, {"perfetto", "-o", bad + "2", bad}, {"pprof", "--type", "wall", bad}, {"otel", "-o", bad + "3", bad}, {"summary", "text" + bad}, {"summary", "missing" + bad},
		{"perfetto", "-o", "text" + bad, bad}, {"perfetto", "-o", "missing/" + bad, bad}, {bad + "x"}, {"summary", bad, "--sort", bad}, {"summary", bad, "--top", bad}, {"perfetto", bad, "--func", "(evil\x1b[31m]\n"}, {"perfetto", bad, "--task", "(evil\x1b[31m]\n"},
	} {
		r := exec(t, args...)
		if strings.ContainsRune(r.stderr, 0x1b) || strings.Contains(r.stderr, "\xff") || strings.Contains(r.stderr, "31m\n") || !strings.Contains(r.stderr, `evil\x1b[31m`) {
			t.Errorf("%q: stderr %q", args, r.stderr)
		}
	}
}

func TestHeaders(t *testing.T) {
	data := read(t, trace(t, "states"))
	got := make(chan http.Header, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		w.Write([]byte(data))
	}))
	defer s.Close()
	t.Chdir(t.TempDir())
	write(t, "headers", "\nX-A: from file\n\n  X-B=from=file  \n")
	t.Setenv(headerVariable, "X-C: from variable\nX-A: from variable")
	for _, command := range []string{"summary --header", "perfetto --force --header", "pprof --force --type wall --header", "capture --force --header", "otel --dry-run --trace-header"} {
		args := strings.Fields(command)
		flag := args[len(args)-1]
		exec(t, append(args, "@headers", flag, "X-D=a:b", flag, "x-b: again", s.URL+"/t.trace")...).want(t, exitOK)
		header := <-got
		for key, want := range map[string]string{"X-A": "from file", "X-B": "again", "X-C": "from variable", "X-D": "a:b", "User-Agent": "trace2x"} {
			if values := header.Values(key); len(values) != 1 || values[0] != want {
				t.Errorf("%s: %s is %q, want %s", command, key, values, want)
			}
		}
		exec(t, append(args, "nothing", s.URL)...).want(t, exitUsage, flag+", the first one: it is KEY=VALUE")
		exec(t, append(args, "@missing", s.URL)...).want(t, exitUsage, flag+" @FILE: open missing: no such file")
		if args[0] != "capture" {
			exec(t, append(args, "X=y", "t.trace")...).want(t, exitUsage, flag+" is for a URL")
		}
	}
}
