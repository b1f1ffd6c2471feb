package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trace2x/trace2x/internal/testtrace"
)

// TestReadme runs commands of README.md that always print the same. README.md has what
// they print. (The tests of package report look at the summaries there.)
func TestReadme(t *testing.T) {
	readme := read(t, filepath.Join("..", "..", "README.md"))
	t.Chdir(t.TempDir())
	const name = "testdata/traces/httpserver.trace"
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, name, string(testtrace.Data(t, "httpserver")))
	for _, args := range []string{
		"perfetto " + name,
		"perfetto --slowest 10 " + name, // open writes the same file
		"otel --dry-run " + name,
	} {
		r := exec(t, strings.Fields(args)...)
		r.want(t, exitOK)
		if r.stderr == "" {
			t.Errorf("%s prints nothing", args)
		}
		for line := range strings.Lines(r.stderr) {
			if !strings.Contains(readme, "\n    "+line) {
				t.Errorf("README.md does not show what %s prints: %s", args, line)
			}
		}
	}
	for _, command := range []string{"perfetto " + name, "open " + name} {
		if !strings.Contains(readme, "\n    trace2x "+command+"\n") {
			t.Errorf("README.md does not have the command %s", command)
		}
	}
}
