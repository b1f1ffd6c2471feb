package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

var when = time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)

// entry is what an archive has of a file.
type entry struct {
	data string
	mode int64
	time time.Time
}

func untar(t *testing.T, data []byte) map[string]entry {
	t.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]entry)
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = entry{string(data), h.Mode, h.ModTime.UTC()}
	}
}

func unzip(t *testing.T, data []byte) map[string]entry {
	t.Helper()
	zr, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]entry)
	for _, f := range zr.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got[f.Name] = entry{string(data), int64(f.Mode().Perm()), f.Modified.UTC()}
	}
	return got
}

func TestArchives(t *testing.T) {
	files := []file{{"b/c", []byte("text"), false}, {"a", []byte("program"), true}}
	other := []file{files[1], files[0]}
	want := fmt.Sprint(map[string]entry{
		"folder/a":   {"program", 0o755, when},
		"folder/b/c": {"text", 0o644, when},
	})
	for name, test := range map[string]struct {
		write func(io.Writer, string, []file, time.Time) error
		read  func(*testing.T, []byte) map[string]entry
	}{"tar": {writeTar, untar}, "zip": {writeZip, unzip}} {
		var a, b bytes.Buffer
		if err := test.write(&a, "folder", files, when); err != nil {
			t.Fatal(err)
		}
		if err := test.write(&b, "folder", other, when.In(time.FixedZone("", 3600))); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: the order of the files, or the time zone, makes a difference", name)
		}
		if got := fmt.Sprint(test.read(t, a.Bytes())); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// The archives of this machine's platform and of a Windows, built from two
// folders, are the same, and the program in them works. (-check does this for
// all, without what Go's cache has of the first, and with the profile for the compiler.)
func TestBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	targets := []string{runtime.GOOS + "/" + runtime.GOARCH, "windows/amd64"}
	r := release{root: root, version: "v1.2.3", commit: "abc with changes", time: when, pgo: "off"}
	out := t.TempDir()
	sums, err := r.build(t.Context(), targets, out)
	if err != nil {
		t.Fatal(err)
	}
	again := r
	again.root = filepath.Join(t.TempDir(), "a copy")
	if err := copySource(again.root, root); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOFLAGS", "-tags=something")
	if got, err := again.build(t.Context(), targets, t.TempDir()); err != nil || got != sums {
		t.Errorf("%v, built again:\n%s, want\n%s", err, got, sums)
	}
	if data, err := os.ReadFile(filepath.Join(out, "SHA256SUMS")); err != nil || string(data) != sums || strings.Count(sums, "\n") != len(targets) {
		t.Errorf("SHA256SUMS has %q, %v; want %q", data, err, sums)
	}

	name := fmt.Sprintf("trace2x_v1.2.3_%s_%s", runtime.GOOS, runtime.GOARCH)
	ext := ".tar.gz"
	unpack := untar
	if runtime.GOOS == "windows" {
		ext, unpack = ".zip", unzip
	}
	data, err := os.ReadFile(filepath.Join(out, name+ext))
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, data)
	for file, want := range map[string]string{
		"LICENSE":                            "Apache License",
		"README.md":                          "# trace2x",
		"THIRD_PARTY_LICENSES":               "github.com/spf13/cobra v1.",
		"man/man1/trace2x-open.1":            `"trace2x v1.2.3"`,
		"completions/bash/trace2x":           "__start_trace2x",
		"completions/zsh/_trace2x":           "#compdef trace2x",
		"completions/fish/trace2x.fish":      "complete -c trace2x",
		"completions/powershell/trace2x.ps1": "Register-ArgumentCompleter",
	} {
		if !strings.Contains(files[name+"/"+file].data, want) {
			t.Errorf("%s lacks %q", file, want)
		}
	}
	program := filepath.Join(t.TempDir(), "trace2x.exe")
	if err := os.WriteFile(program, []byte(files[name+"/trace2x"+map[bool]string{true: ".exe"}[runtime.GOOS == "windows"]].data), 0o777); err != nil {
		t.Fatal(err)
	}
	got, err := exec.Command(program, "version").CombinedOutput()
	if want := fmt.Sprintf("trace2x v1.2.3, commit abc with changes, %s, %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH); err != nil || string(got) != want {
		t.Errorf("version says %q, %v; want %q", got, err, want)
	}
	if strings.Contains(files[name+"/trace2x"].data, root) {
		t.Error("the program has the folder in it in which it was built")
	}
}
