package main

import (
	"os"
	"strings"
	"testing"
)

// TestBudget: a file has at most the bytes of --budget, and says what it lacks.
func TestBudget(t *testing.T) {
	in := trace(t, "httpserver")
	t.Chdir(t.TempDir())
	exec(t, "perfetto", in).want(t, exitOK)
	whole := len(read(t, "httpserver.pftrace"))
	for _, tt := range []struct {
		budget  string
		most    int
		leftOut string
	}{
		{"1.3MB", 1_300_000, "left out, to fit into 1.3MB: slices of waits and system calls shorter than"},
		{"500kB", 500_000, "left out, to fit into 500kB: what comes "},
		{"50000", 50_000, "left out, to fit into 50kB: what comes "},
	} {
		r := exec(t, "perfetto", "--budget", tt.budget, "-o", "small.pftrace", in)
		r.want(t, exitOK, tt.leftOut, "; --budget 0 ")
		file := read(t, "small.pftrace")
		if len(file) > tt.most || len(file) < tt.most/3 {
			t.Errorf("--budget %s: %d bytes", tt.budget, len(file))
		}
		wantPerfetto(t, file)
		// Nothing of what was too much goes to standard output.
		if r := exec(t, "perfetto", "--budget", tt.budget, "-o", "-", in); r.stdout != file {
			t.Errorf("--budget %s: %d bytes on standard output, %d in the file", tt.budget, len(r.stdout), len(file))
		}
		if !strings.Contains(file, "trace2x.left_out") {
			t.Errorf("--budget %s: the file does not say that it lacks something", tt.budget)
		}
		// What can be read only once is kept for the second attempt.
		stdin, err := os.Open(in)
		if err != nil {
			t.Fatal(err)
		}
		execWith(t.Context(), stdin, "perfetto", "--budget", tt.budget, "-o", "piped.pftrace", "-").want(t, exitOK, "standard input: ", tt.leftOut)
		stdin.Close()
		if read(t, "piped.pftrace") != file {
			t.Errorf("--budget %s: the file is another from standard input", tt.budget)
		}
	}
	r := exec(t, "perfetto", "--budget", "2MB", "-o", "all.pftrace", in)
	r.want(t, exitOK)
	if strings.Contains(r.stderr, "left out") || len(read(t, "all.pftrace")) != whole {
		t.Errorf("a budget that is large enough: %s", r.stderr)
	}
	for _, budget := range []string{"1B", "5kB"} { // nothing fits into these
		exec(t, "perfetto", "--budget", budget, "-o", "least.pftrace", in).want(t, exitOK, "warning: larger than --budget "+budget+", without what comes 1ms after")
		if n := len(read(t, "least.pftrace")); n > 30_000 {
			t.Errorf("--budget %s: %d bytes", budget, n)
		}
	}
	for _, args := range [][]string{{"--budget", "x"}, {"--budget", "-1"}, {"--budget", "1e30GB"}, {"--budget", "1MB", "--split", "1s"}} {
		exec(t, append([]string{"perfetto", in}, args...)...).want(t, exitUsage, "--budget")
	}
}

func TestByteSize(t *testing.T) {
	for in, want := range map[string]string{"0": "0", "32MB": "32MB", "1500": "1.5kB", "1.5 GB": "1.5GB", "12B": "12B", "100KB": "100kB"} {
		var b byteSize
		if err := b.Set(in); err != nil || b.String() != want {
			t.Errorf("%s: %s, %v, want %s", in, b.String(), err, want)
		}
	}
}
