package main

import (
	"context"
	"io"
	"os"
	osexec "os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// wantProfile checks that data is a profile that is compressed once.
func wantProfile(t *testing.T, data string) *profile.Profile {
	t.Helper()
	p, err := profile.ParseUncompressed([]byte(unzipped(t, data)))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckValid(); err != nil {
		t.Error(err)
	}
	return p
}

func TestPprof(t *testing.T) {
	for _, tt := range []struct {
		typ, trace, noun, values, top string
	}{
		{"net", "httpserver", "waits", "contentions/count delay/nanoseconds", `internal/poll\.\(\*FD\)\.Read`},
		{"sync", "httpserver", "waits", "contentions/count delay/nanoseconds", `runtime\.selectgo`},
		{"syscall", "httpserver", "system calls", "contentions/count delay/nanoseconds", `syscall\.write`},
		{"sched", "httpserver", "waits", "contentions/count delay/nanoseconds", `main\.\(\*server\)`},
		{"cpu", "cpuprofile", "samples", "samples/count cpu/nanoseconds", `main\.burnFloats`},
		{"wall", "httpserver", "states", "states/count wall/nanoseconds", `runtime\.selectgo`},
		{"critical", "httpserver", "segments", "segments/count critical/nanoseconds", `main\.\(\*server\)\.lookup`},
	} {
		t.Run(tt.typ, func(t *testing.T) {
			in := trace(t, tt.trace)
			t.Chdir(t.TempDir())
			r := exec(t, "pprof", "--type", tt.typ, in)
			r.want(t, exitOK)
			if r.stdout != "" || strings.Contains(r.stderr, "warning") {
				t.Errorf("%d bytes on stdout; stderr %q", len(r.stdout), r.stderr)
			}
			file := tt.trace + "." + tt.typ + ".pb.gz"
			wantFiles(t, file)
			for _, re := range []string{
				`(?m)^` + regexp.QuoteMeta(in) + `: Go 1\.\d+, [1-9][\d,]* events in `,
				`(?m)^` + regexp.QuoteMeta(file) + `: [1-9][\d.]* kB, [1-9]\S*s in [1-9][\d,]* ` + tt.noun + ` at [1-9][\d,]* stacks$`,
			} {
				if !regexp.MustCompile(re).MatchString(r.stderr) {
					t.Errorf("stderr %q, want %s", r.stderr, re)
				}
			}
			data := read(t, file)
			p := wantProfile(t, data)
			values := ""
			for _, v := range p.SampleType {
				values += " " + v.Type + "/" + v.Unit
			}
			if values[1:] != tt.values {
				t.Errorf("values%s, want %s", values, tt.values)
			}

			exec(t, "pprof", "--type="+tt.typ, "-o", "plain", in).want(t, exitOK, "plain: ")
			if read(t, "plain") != data {
				t.Error("the output depends on its name")
			}
			r = execWith(t.Context(), strings.NewReader(zipped(t, read(t, in))), "pprof", "--type="+tt.typ, "-o", "-", "-")
			r.want(t, exitOK, "standard output: ")
			if r.stdout != data {
				t.Error("stdout differs from the file")
			}

			// As a user would.
			out, err := osexec.Command("go", "tool", "pprof", "-top", file).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if !regexp.MustCompile(tt.top).Match(out) || !strings.HasPrefix(string(out), "Type: "+p.SampleType[1].Type+"\n") {
				t.Errorf("go tool pprof -top lacks %s:\n%s", tt.top, out)
			}
		})
	}
}

func TestPprofTags(t *testing.T) {
	in := trace(t, "httpserver")
	t.Chdir(t.TempDir())
	exec(t, "pprof", "--type", "wall", in).want(t, exitOK)
	out, err := osexec.Command("go", "tool", "pprof", "-tags", "httpserver.wall.pb.gz").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, re := range []string{`(?m)^ *state: Total`, `: waiting\n`, `: runnable\n`, `: running\n`, `: syscall\n`, `(?m)^ *reason: Total`, `: network\n`, `(?m)^ *func: Total`, `: net/http\.\(\*conn\)\.serve\n`} {
		if !regexp.MustCompile(re).Match(out) {
			t.Errorf("go tool pprof -tags lacks %s:\n%s", re, out)
		}
	}
}

func TestPprofStdin(t *testing.T) {
	in := trace(t, "states")
	t.Chdir(t.TempDir())
	execWith(t.Context(), strings.NewReader(read(t, in)), "pprof", "--type=sync", "-").want(t, exitOK)
	wantFiles(t, "trace.sync.pb.gz")
}

func TestPprofFilters(t *testing.T) {
	in := trace(t, "httpserver")
	t.Chdir(t.TempDir())
	all := wantProfile(t, exec(t, "pprof", "--type=wall", "-o=-", in).stdout)
	for _, args := range [][]string{
		{"--goroutine", "1"},
		{"--goroutine", "1,20", "--goroutine", "21"},
		{"--func", `^net/http\.`},
		{"--task", "^handleRequest$"},
		{"--task", "2"},
		{"--region", "."},
		{"--task", "handle", "--region", ".", "--func", "serve"},
	} {
		r := exec(t, append([]string{"pprof", "--type=wall", "-o=-", in}, args...)...)
		r.want(t, exitOK)
		p := wantProfile(t, r.stdout)
		if len(p.Sample) == 0 || len(p.Sample) >= len(all.Sample) || strings.Contains(r.stderr, "warning") {
			t.Errorf("%q: %d samples of %d; stderr %q", args, len(p.Sample), len(all.Sample), r.stderr)
		}
	}
	for _, tt := range []struct{ args, reason string }{
		{"--type=wall --goroutine=123456789", "no goroutine matches --goroutine 123456789: nothing"},
		{"--type=wall --func=nobody", "no goroutine matches --func nobody: nothing"},
		{"--type=wall --func=nobody --goroutine 1", "no goroutine matches --goroutine 1 and --func nobody: nothing"},
		{"--type=wall --task=nothing", "no task matches --task nothing: nothing"},
		{"--type=wall --task=123456789", "no task matches --task 123456789: nothing"},
		{"--type=wall --region=nowhere", "no region matches --region nowhere: nothing"},
		{"--type=critical --region=nowhere", "no unit of work that the trace has from its beginning to its end matches the flags: nothing"},
	} {
		for _, out := range []string{"-", "x.pb.gz"} {
			r := exec(t, append([]string{"pprof", "-o", out, in}, strings.Fields(tt.args)...)...)
			r.want(t, exitFailed, "trace2x: "+in+": "+tt.reason)
			if r.stdout != "" {
				t.Errorf("%s: %d bytes on stdout", tt.args, len(r.stdout))
			}
		}
	}
	for _, tt := range []struct{ args, warning string }{
		{"--type=cpu", "no CPU samples: "},
		{"--type=syscall --goroutine=2", "the profile is empty"},
	} {
		r := exec(t, append([]string{"pprof", "-o=-", in}, strings.Fields(tt.args)...)...)
		r.want(t, exitOK, "warning: "+tt.warning)
		if p := wantProfile(t, r.stdout); len(p.Sample) > 0 || strings.Count(r.stderr, "warning") != 1 {
			t.Errorf("%s: %d samples; stderr %q", tt.args, len(p.Sample), r.stderr)
		}
	}
	wantFiles(t)
}

func TestPprofUsage(t *testing.T) {
	in := trace(t, "states")
	t.Chdir(t.TempDir())
	for _, args := range []string{
		in,
		"--type=net",
		"--type=net " + in + " -",
		"--type=nonsense " + in,
		"--type=net --goroutine=0 " + in,
		"--type=net --goroutine=x " + in,
		"--type=net --func=( " + in,
		"--type=net --task=( " + in,
		"--type=net --task=0 " + in,
		"--type=net --region=( " + in,
		"--type=net --slowest=1% " + in,
		"--type=net --unit=task " + in,
		"--type=critical --unit=thing " + in,
		"--type=critical --slowest=1 " + in,
		"--type=critical --slowest=0% " + in,
		"--type=critical --slowest=101% " + in,
		"--type=critical --slowest=NaN% " + in,
		"--type=critical --task=a --region=b " + in,
		"--type=critical --task=a --unit=http " + in,
	} {
		r := exec(t, append([]string{"pprof"}, strings.Fields(args)...)...)
		r.want(t, exitUsage, "trace2x: ", "Run 'trace2x pprof --help' for usage.")
		if r.stdout != "" {
			t.Errorf("%s: stdout %q", args, r.stdout)
		}
	}
	wantFiles(t)
}

func TestPprofFails(t *testing.T) {
	t.Run("damaged", func(t *testing.T) {
		in := trace(t, "damaged")
		t.Chdir(t.TempDir())
		exec(t, "pprof", "--type=net", in).want(t, exitFailed, " waits at ", "trace2x: "+in+": damaged at ")
		if p := wantProfile(t, read(t, "damaged.net.pb.gz")); len(p.Sample) == 0 {
			t.Error("nothing before the damage")
		}
		wantFiles(t, "damaged.net.pb.gz")
	})
	t.Run("no trace", func(t *testing.T) {
		t.Chdir(t.TempDir())
		write(t, "text", "This is not a trace.\n")
		write(t, "existing", oldProfile)
		exec(t, "pprof", "--type=net", "-o=existing", "text").want(t, exitFailed, "trace2x: text: not a Go execution trace")
		wantFiles(t, "text", "existing")
		if read(t, "existing") != oldProfile {
			t.Error("the output that was there was touched")
		}
	})
	t.Run("write", func(t *testing.T) {
		pr, pw := io.Pipe()
		pr.Close()
		var stderr strings.Builder
		code := run(t.Context(), []string{"pprof", "--type=net", "-o=-", trace(t, "states")}, strings.NewReader(""), pw, &stderr)
		result{code: code, stderr: stderr.String()}.want(t, exitFailed, "trace2x: writing the profile: ", io.ErrClosedPipe.Error())
		if strings.Contains(stderr.String(), " stack") {
			t.Errorf("stderr %q tells of an output", stderr.String())
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		in := trace(t, "httpserver")
		t.Chdir(t.TempDir())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		execWith(ctx, strings.NewReader(""), "pprof", "--type=net", in).want(t, exitInterrupted, "trace2x: interrupted")
		wantFiles(t)
	})
	t.Run("device", func(t *testing.T) {
		exec(t, "pprof", "--type=net", "-o", os.DevNull, trace(t, "httpserver")).want(t, exitOK)
	})
}

// TestPprofCritical: the flags of critical choose units, and a message says which.
func TestPprofCritical(t *testing.T) {
	for _, tt := range []struct{ args, trace, units string }{
		{"", "httpserver", "1,194 tasks"},
		{"--slowest 1%", "httpserver", "12 tasks"},
		{"--unit http --slowest 0.25%", "httpserver", "1 HTTP request"},
		{"--task ^query$", "httpserver", "398 tasks"},
		{"", "leak", "528 goroutines"},
	} {
		r := exec(t, append([]string{"pprof", "--type=critical", "-o=-", trace(t, tt.trace)}, strings.Fields(tt.args)...)...)
		r.want(t, exitOK, "the critical paths of "+tt.units+"\n")
		if p := wantProfile(t, r.stdout); len(p.Sample) == 0 {
			t.Errorf("%s: no samples", tt.args)
		}
	}
	// A unit that is asked for and not there is an error, as with other filters.
	exec(t, "pprof", "--type=critical", "--unit=http", "-o=-", trace(t, "states")).want(t, exitFailed, "no HTTP request that the trace has from its beginning to its end")
}
