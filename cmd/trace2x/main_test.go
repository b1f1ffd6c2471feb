package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/trace2x/trace2x/internal/testtrace"
)

// trace returns the absolute path of a recorded trace.
func trace(_ *testing.T, name string) string { return testtrace.Path(name) }

type result struct {
	code           int
	stdout, stderr string
}

// exec runs a command line with nothing on stdin.
func exec(t *testing.T, args ...string) result {
	t.Helper()
	return execWith(t.Context(), strings.NewReader(""), args...)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return (&env{stdin: stdin, stdout: stdout, stderr: stderr}).run(ctx, args)
}

func execWith(ctx context.Context, stdin io.Reader, args ...string) result {
	var stdout, stderr bytes.Buffer
	if len(args) == 0 {
		args = []string{} // of nil, cobra takes those of the test
	}
	code := run(ctx, args, stdin, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

func (r result) want(t *testing.T, code int, stderr ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d; stderr: %s", r.code, code, r.stderr)
	}
	for _, s := range stderr {
		if !strings.Contains(r.stderr, s) {
			t.Errorf("stderr %q, want %q in it", r.stderr, s)
		}
	}
}

// wantFiles checks what is in the working directory, temporary files included.
func wantFiles(t *testing.T, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, name, data string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(data), 0o666); err != nil {
		t.Fatal(err)
	}
}

func zipped(t *testing.T, data string) string {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	io.WriteString(w, data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func unzipped(t *testing.T, data string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// oldPerfetto is a Perfetto trace, and oldProfile a profile, that may be overwritten.
const oldPerfetto, oldProfile = "\n\x02\x40\x01", "\n\x04\x08\x01\x10\x02"

// wantPerfetto checks that data is whole packets of a Perfetto trace (field 1,
// length-delimited), and a number of them.
func wantPerfetto(t *testing.T, data string) {
	t.Helper()
	packets := 0
	for b := []byte(data); len(b) > 0; packets++ {
		size, n := binary.Uvarint(b[1:])
		if b[0] != 1<<3|2 || n <= 0 || size > uint64(len(b)-1-n) {
			t.Fatalf("no packet %d bytes before the end", len(b))
		}
		b = b[1+n+int(size):]
	}
	if packets < 100 {
		t.Errorf("%d packets", packets)
	}
}

func TestOutput(t *testing.T) {
	in := trace(t, "pipeline")
	t.Chdir(t.TempDir())

	r := exec(t, "perfetto", in)
	r.want(t, exitOK)
	if r.stdout != "" {
		t.Errorf("%d bytes on stdout", len(r.stdout))
	}
	wantFiles(t, "pipeline.pftrace")
	want := read(t, "pipeline.pftrace")
	wantPerfetto(t, want)
	for _, re := range []string{
		`(?m)^` + regexp.QuoteMeta(in) + `: Go 1\.\d+, [1-9][\d,]* events in \S+, [1-9][\d,]* goroutines \([1-9][\d,]* at once\)$`,
		`(?m)^pipeline\.pftrace: [1-9][\d.]* (bytes|kB|MB), [\d.]+ bytes per event$`,
	} {
		if !regexp.MustCompile(re).MatchString(r.stderr) {
			t.Errorf("stderr %q, want %s", r.stderr, re)
		}
	}

	exec(t, "perfetto", "-o", "again", in).want(t, exitOK, "again: ")
	if read(t, "again") != want {
		t.Error("two runs differ")
	}

	r = exec(t, "perfetto", "-o", "-", in)
	r.want(t, exitOK, " events", "standard output: ")
	if r.stdout != want {
		t.Error("stdout differs from the file")
	}

	exec(t, "perfetto", "-o", "x.gz", in).want(t, exitOK)
	if zip := read(t, "x.gz"); len(zip) >= len(want) || unzipped(t, zip) != want {
		t.Error("the compressed output differs")
	}
	wantFiles(t, "pipeline.pftrace", "again", "x.gz")

	write(t, "again", read(t, "x.gz"))
	exec(t, "perfetto", "--output=again", in).want(t, exitOK)
	if read(t, "again") != want {
		t.Error("the output that was there was not replaced")
	}
	wantFiles(t, "pipeline.pftrace", "again", "x.gz")
}

func TestInput(t *testing.T) {
	in := trace(t, "pipeline")
	t.Chdir(t.TempDir())
	data := read(t, in)
	r := exec(t, "perfetto", "-o", "-", in)
	r.want(t, exitOK)
	want := r.stdout

	for name, stdin := range map[string]string{"plain": data, "gzip": zipped(t, data)} {
		r := execWith(t.Context(), strings.NewReader(stdin), "perfetto", "-o", "-", "-")
		r.want(t, exitOK, "standard input: ")
		if r.stdout != want {
			t.Errorf("from stdin, %s: not the output of the file", name)
		}
	}
	execWith(t.Context(), strings.NewReader(data), "perfetto", "-").want(t, exitOK)
	wantFiles(t, "trace.pftrace")

	if err := os.Mkdir("sub", 0o777); err != nil {
		t.Fatal(err)
	}
	for name, output := range map[string]string{"a.out.gz": "a.pftrace", "b": "b.pftrace", "c.trace": "c.pftrace"} {
		name = filepath.Join("sub", name)
		write(t, name, zipped(t, data))
		exec(t, "perfetto", name).want(t, exitOK)
		if read(t, output) != want {
			t.Errorf("%s: not the output of the plain file", name)
		}
	}
	wantFiles(t, "trace.pftrace", "sub", "a.pftrace", "b.pftrace", "c.pftrace")
}

func TestUsage(t *testing.T) {
	in := trace(t, "states")
	t.Chdir(t.TempDir())
	for _, test := range []struct{ args, stderr string }{
		{"", "which command? For a first look: trace2x summary TRACE"},
		{in, "which command? For a first look: trace2x summary " + in},
		{"http://h?x=y", "which command? For a first look: trace2x summary http://h?x=…"},
		{"nonsense", "unknown command nonsense\n"},
		{"sumary", "unknown command sumary; did you mean summary?"},
		{"pefretto " + in, "unknown command pefretto; did you mean perfetto?"},
		{"prof", "unknown command prof; did you mean pprof?"},
		{"--nonsense", "unknown flag: --nonsense\n"},
		{"perfetto", "which trace? As in trace2x perfetto trace.out"},
		{"perfetto --split 1s " + in + " " + in, "--split is for one trace"},
		{"perfetto --nonsense " + in, "unknown flag: --nonsense\n"},
		{"perfetto --min-blok 1ms " + in, "unknown flag: --min-blok; did you mean --min-block?"},
		{"perfetto --goroutines 1 " + in, "unknown flag: --goroutines; did you mean --goroutine?"},
		{"perfetto --lane " + in, "unknown flag: --lane; did you mean --lane-per-goroutine or --name?"},
		{"summary -json " + in, "unknown flag: -j; did you mean --json?"},
		{"summary --second 1 " + in, "unknown flag: --second; did you mean --seconds?"},
		{"perfetto --min-block -1ns " + in, "--min-block -1ns: it must be 0 or more, as in --min-block 100µs"},
		{"perfetto --min-block nonsense " + in, "--min-block nonsense: it must be a duration, as in --min-block 10µs"},
		{"perfetto --from yesterday " + in, "--from yesterday: it must be a duration since the trace began or a time of day, as in --from 1.2s or --from 2026-01-02T15:04:05.123Z"},
		{"perfetto --split 1 " + in, "--split 1: it must be a duration, as in --split 500ms"},
		{"perfetto --split 1us " + in, "--split 1µs: it must be 1ms at least, as in --split 5s"},
		{"perfetto --func ( " + in, "--func: error parsing regexp: missing closing ): `(`: it must be a regular expression, as in --func '^main"},
		{"perfetto --goroutine x " + in, "--goroutine x: it must be a whole number, or several with commas, as in --goroutine 18,42"},
		{"perfetto --threads=2 " + in, "--threads 2: it must be true or false, or nothing, as in --threads true"},
		{"summary --top x " + in, "--top x: it must be a whole number, as in --top 5"},
		{"summary --top -1 " + in, "--top -1: it must be 0, for all, or more, as in --top 5"},
		{"summary --seconds x " + in, "--seconds x: it must be a positive number, as in --seconds 10"},
		{"summary --seconds 0 http://localhost:6060", "--seconds 0: it must be a positive number, as in --seconds 10"},
		{"summary --seconds NaN http://localhost:6060", "--seconds NaN: it must be a positive number"},
		{"perfetto --budget x " + in, "--budget x: it must be a size, as in --budget 32MB"},
		{"open --budget -1MB " + in, "--budget -1MB: it must be a size, as in --budget 32MB"},
		{"summary --to 0s " + in, "--to 0s is not after --from 0s"},
		{"summary --from= " + in, "--from is empty: it needs a value, as in --from TIME"},
		{"open --at= " + in, "--at is empty"},
		{"open --port 70000 " + in, "--port 70000: it must be a port, 0 to 65535, as in --port 9001"},
		{"pprof " + in, "which --type? It is net, sync, syscall, sched, cpu, wall or critical, as in --type sync"},
		{"pprof --type x " + in, "--type x: it must be net, sync, syscall, sched, cpu, wall or critical, as in --type sync"},
		{"perfetto " + in + " -o", "--output needs a value: write to FILE, - for standard output; compressed if it ends in .gz, as in --output FILE"},
		{"perfetto --output= " + in, "--output is empty: it needs a value, as in --output FILE"},
		{"perfetto --task= " + in, "--task is empty: it needs a value, as in --task ID|REGEXP"},
		{"open --func= " + in, "--func is empty"},
		{"pprof --type wall --region= " + in, "--region is empty"},
		{"otel --output= " + in, "--output is empty"}, // and nothing is sent
		{"otel --trace-id= " + in, "--trace-id is empty"},
		{"otel --detail all " + in, "--detail all: it must be tasks, regions, goroutines or states, as in --detail goroutines"},
		{"otel --dry-run --protocol http " + in, "--protocol http: it must be http/protobuf, http/json or grpc, as in --protocol grpc"},
		{"otel --dry-run --endpoint ftp://h " + in, `--endpoint: "ftp" is neither http nor https; give it as in --endpoint http://localhost:4318`},
		{"otel --min-span -1ms " + in, "--min-span -1ms: it must be 0 or more, as in --min-span 1ms"},
		{"otel --min-task -1ms " + in, "--min-task -1ms: it must be 0 or more"},
		{"otel --max-spans-per-trace -1 " + in, "--max-spans-per-trace -1: it must be 0, for no limit, or more, as in --max-spans-per-trace 10000"},
		{"otel --max-bytes-per-trace -1 " + in, "--max-bytes-per-trace -1: it must be"},
		{"otel --wall-start noon " + in, "--wall-start noon: it must be a time of day (RFC 3339), as in --wall-start 2026-01-02T15:04:05.123Z"},
		{"otel --wait -1s " + in, "--wait -1s: it must be 0, to not wait, or more, as in --wait 30s"},
		{"otel --resource x " + in, "--resource x: it must be KEY=VALUE, as in --resource deployment.environment.name=staging"},
		{"perfetto --=x " + in, "is not a flag"},
		{"capture " + in, "is not an http or https URL, as in trace2x capture http://localhost:6060"},
		{"capture", "0 arguments: it is one URL, as in trace2x capture http://localhost:6060"},
	} {
		r := exec(t, strings.Fields(test.args)...)
		r.want(t, exitUsage, "trace2x: ", test.stderr, " --help' for usage.")
		if r.stdout != "" {
			t.Errorf("%q: stdout %q", test.args, r.stdout)
		}
	}
	wantFiles(t)
}

func TestDamaged(t *testing.T) {
	for _, name := range []string{"damaged", "truncated"} {
		t.Run(name, func(t *testing.T) {
			in := trace(t, name)
			t.Chdir(t.TempDir())
			write(t, name+".pftrace", "")
			r := exec(t, "perfetto", in)
			r.want(t, exitFailed, " events", " bytes per event")
			m := regexp.MustCompile(`(?m)^trace2x: ` + regexp.QuoteMeta(in) + `: ` + name + ` at .*byte (\d+),`).FindStringSubmatch(r.stderr)
			if m == nil {
				t.Fatalf("stderr %q does not tell where %s is %s", r.stderr, in, name)
			}
			if at, err := strconv.Atoi(m[1]); err != nil || at < 16 || at > len(read(t, in)) {
				t.Errorf("%s at byte %s of %d", name, m[1], len(read(t, in)))
			}
			wantFiles(t, name+".pftrace")
			wantPerfetto(t, read(t, name+".pftrace"))
		})
	}
}

func TestTruncatedGzip(t *testing.T) {
	in := trace(t, "flightrecorder")
	t.Chdir(t.TempDir())
	zip := zipped(t, read(t, in))
	write(t, "cut.gz", zip[:len(zip)-1000])
	exec(t, "perfetto", "cut.gz").want(t, exitFailed, "trace2x: cut.gz: truncated at byte ")
	wantFiles(t, "cut.gz", "cut.pftrace")
}

func TestFailures(t *testing.T) {
	v1, good := trace(t, "truncated-go1.21"), trace(t, "states")
	t.Chdir(t.TempDir())
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 0); err != nil {
		t.Fatal(err)
	}
	write(t, "profile", profile.String())
	write(t, "empty", "")
	write(t, "text", "This is not a trace.\n")
	write(t, "short.gz", "\x1f\x8b")
	write(t, "existing", oldPerfetto)
	if err := os.Mkdir("dir", 0o777); err != nil {
		t.Fatal(err)
	}
	files := []string{"profile", "empty", "text", "short.gz", "existing", "dir"}
	missing := filepath.Join("missing", "x")
	for _, test := range []struct {
		name   string
		args   []string // without -o
		output string   // "" to try those that are right
		stderr []string
	}{
		{"truncated-go1.21", []string{v1}, "", []string{v1, "truncated"}},
		{"empty", []string{"empty"}, "", []string{"empty: the input is empty"}},
		{"pprof", []string{"profile"}, "", []string{"profile: not a Go execution trace", "go tool pprof"}},
		{"text", []string{"text"}, "", []string{"text: not a Go execution trace", `"This is not a trace."`}},
		{"gzip", []string{"short.gz"}, "", []string{"short.gz: "}},
		{"missing", []string{missing}, "", []string{missing}},
		{"directory", []string{"dir"}, "", []string{"dir: no Go execution trace in it"}},
		{"stdin", []string{"-"}, "", []string{"standard input: the input is empty"}},
		{"output into missing", []string{good}, missing, []string{missing}},
		{"output to directory", []string{good}, "dir", []string{"dir is a directory"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			outputs := []string{test.output}
			if test.output == "" {
				outputs = []string{"", "new", "new.gz", "existing", "-"}
			}
			for _, output := range outputs {
				args := append([]string{"perfetto"}, test.args...)
				if output != "" {
					args = append(args, "-o", output)
				}
				r := exec(t, args...)
				r.want(t, exitFailed, append(test.stderr, "trace2x: ")...)
				if r.stdout != "" {
					t.Errorf("%q: %d bytes on stdout", args, len(r.stdout))
				}
				wantFiles(t, files...)
				if read(t, "existing") != oldPerfetto {
					t.Fatalf("%q touched the output that was there", args)
				}
			}
		})
	}
}

// A failure to write is one, also if all was read, or all up to some damage.
func TestWriteFails(t *testing.T) {
	for _, name := range []string{"states", "damaged", "httpserver"} {
		t.Run(name, func(t *testing.T) {
			pr, pw := io.Pipe()
			pr.Close()
			var stderr strings.Builder
			code := run(t.Context(), []string{"perfetto", "-o", "-", trace(t, name)}, strings.NewReader(""), pw, &stderr)
			result{code: code, stderr: stderr.String()}.want(t, exitFailed, "trace2x: writing ", io.ErrClosedPipe.Error())
			if strings.Contains(stderr.String(), "bytes per event") {
				t.Errorf("stderr %q tells of an output", stderr.String())
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	in := trace(t, "httpserver")
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // which of two things is first may differ
		execWith(ctx, strings.NewReader(""), "perfetto", in).want(t, exitInterrupted, "trace2x: interrupted")
		execWith(ctx, strings.NewReader(""), "perfetto", "-").want(t, exitInterrupted)
	}
	wantFiles(t)

	// While it waits for more of the input. If cancelling does not end that,
	// neither does this test.
	ctx, cancel = context.WithCancel(t.Context())
	pr, pw := io.Pipe()
	defer pw.Close()
	write(t, "existing", "")
	stdin := io.MultiReader(strings.NewReader(read(t, in)[:100<<10]), readFunc(func(p []byte) (int, error) {
		cancel()
		return pr.Read(p)
	}))
	execWith(ctx, stdin, "perfetto", "-o", "existing", "-").want(t, exitInterrupted, "trace2x: interrupted")
	wantFiles(t, "existing")
	if read(t, "existing") != "" {
		t.Error("the output that was there was touched")
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func TestHelp(t *testing.T) {
	t.Chdir(t.TempDir())
	seen := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			return
		}
		seen++
		if strings.TrimSpace(cmd.Example) == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		r := exec(t, args...)
		r.want(t, exitOK)
		if r.stderr != "" {
			t.Errorf("%q: stderr %q", args, r.stderr)
		}
		for _, want := range []string{cmd.Long, cmd.Example, cmd.UseLine()} {
			if want == "" || !strings.Contains(r.stdout, want) {
				t.Errorf("%q: stdout lacks %q", args, want)
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&env{}))
	if seen < 2 {
		t.Errorf("%d commands", seen)
	}
	wantFiles(t)
}

func TestStdoutOnly(t *testing.T) {
	t.Chdir(t.TempDir())
	for arg, want := range map[string]string{
		"--version":       "trace2x " + version() + ", ",
		"version":         "trace2x " + version() + ", ",
		"completion bash": "complete -o default -F __start_trace2x trace2x",
		"completion zsh":  "#compdef trace2x",
	} {
		r := exec(t, strings.Fields(arg)...)
		r.want(t, exitOK)
		if !strings.Contains(r.stdout, want) || r.stderr != "" {
			t.Errorf("%s: stdout lacks %q; stderr %q", arg, want, r.stderr)
		}
	}
	wantFiles(t)
}
