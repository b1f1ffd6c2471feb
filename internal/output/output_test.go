package output

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const old, text = `{"resourceSpans":["before"]}`, `{"resourceSpans":["some text, some text, some text"]}`

func create(t *testing.T, name string, stdout io.Writer) *Output {
	t.Helper()
	o, err := Create(Target{Name: name, Stdout: stdout, Kind: Spans})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.WriteString(o, text); n != len(text) || err != nil {
		t.Fatalf("wrote %d bytes, %v", n, err)
	}
	return o
}

// list returns the names in the working directory, temporary ones cut short.
func list(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		name := e.Name()
		if strings.HasSuffix(name, ".tmp") {
			name = "tmp"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func wantList(t *testing.T, when string, want ...string) {
	t.Helper()
	if got := list(t); !slices.Equal(got, want) {
		t.Errorf("%s: files %q, want %q", when, got, want)
	}
}

func wantFile(t *testing.T, name, want string) {
	t.Helper()
	if got, err := os.ReadFile(name); err != nil || string(got) != want {
		t.Errorf("%s has %q, %v; want %q", name, got, err, want)
	}
}

func TestCommit(t *testing.T) {
	t.Chdir(t.TempDir())
	o := create(t, "x", nil)
	wantList(t, "before Commit", "tmp")
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
	wantList(t, "after Commit", "x")
	o.Discard() // does nothing
	wantList(t, "after Discard", "x")
	wantFile(t, "x", text)
	if o.Size() != int64(len(text)) {
		t.Errorf("size %d, want %d", o.Size(), len(text))
	}
}

func TestDiscard(t *testing.T) {
	for _, name := range []string{"x", "x.gz"} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			create(t, name, nil).Discard()
			wantList(t, "after Discard")
		})
	}
}

func TestExisting(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("x", []byte(old), 0o666); err != nil {
		t.Fatal(err)
	}
	create(t, "x", nil).Discard()
	wantList(t, "after Discard", "x")
	wantFile(t, "x", old)

	// Two at once, as of two processes, are not mixed.
	a, b := create(t, "x", nil), create(t, "x", nil)
	io.WriteString(b, " of b")
	wantList(t, "before Commit", "tmp", "tmp", "x")
	wantFile(t, "x", old)
	for _, o := range []*Output{b, a} {
		if err := o.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	wantList(t, "after Commit", "x")
	wantFile(t, "x", text)
}

func TestCommitFails(t *testing.T) {
	for _, name := range []string{"x", "x.gz"} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			o := create(t, name, nil)
			if err := os.MkdirAll(filepath.Join(name, "in the way"), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := o.Commit(); err == nil {
				t.Error("Commit: no error")
			}
			wantList(t, "after Commit", name)
		})
	}
}

func TestGzip(t *testing.T) {
	t.Chdir(t.TempDir())
	o := create(t, "x.gz", nil)
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
	wantList(t, "after Commit", "x.gz")
	data, err := os.ReadFile("x.gz")
	if err != nil {
		t.Fatal(err)
	}
	if o.Size() != int64(len(data)) {
		t.Errorf("size %d, want %d", o.Size(), len(data))
	}
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(zr); err != nil || string(got) != text {
		t.Errorf("it has %q, %v; want %q", got, err, text)
	}
}

func TestAsIs(t *testing.T) {
	t.Chdir(t.TempDir())
	o, err := Create(Target{Name: "x.gz", Kind: Profile})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(o, text)
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
	wantList(t, "after Commit", "x.gz")
	wantFile(t, "x.gz", text)
}

func TestStdout(t *testing.T) {
	t.Chdir(t.TempDir())
	var stdout bytes.Buffer
	o := create(t, "-", &stdout)
	if stdout.String() != text {
		t.Errorf("stdout has %q, want %q", stdout.String(), text)
	}
	if err := o.Commit(); err != nil {
		t.Error(err)
	}
	o.Discard()
	if stdout.String() != text || o.Size() != int64(len(text)) {
		t.Errorf("stdout has %q, size %d; want %q", stdout.String(), o.Size(), text)
	}
	wantList(t, "after Commit")

	pr, pw := io.Pipe()
	pr.Close()
	o, err := Create(Target{Name: "-", Stdout: pw, Kind: Spans})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(o, text); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("writing to a closed pipe: %v", err)
	}
	if o.Size() != 0 {
		t.Errorf("size %d of what was not written", o.Size())
	}
}

func TestDevice(t *testing.T) {
	// Through a link, so that a failure does not replace the device itself.
	const device, link = "/dev/null", "link"
	if info, err := os.Stat(device); err != nil || info.Mode()&os.ModeDevice == 0 {
		t.Skip("no " + device)
	}
	t.Chdir(t.TempDir())
	if err := os.Symlink(device, link); err != nil {
		t.Fatal(err)
	}
	for _, end := range []func(*Output) error{
		(*Output).Commit,
		func(o *Output) error { o.Discard(); return nil },
	} {
		o := create(t, link, nil)
		wantList(t, "before the end", link)
		if err := end(o); err != nil {
			t.Error(err)
		}
		o.Discard()
		wantList(t, "at the end", link)
		if got, err := os.Readlink(link); err != nil || got != device {
			t.Errorf("the link was replaced: %q, %v", got, err)
		}
		if o.Size() != int64(len(text)) {
			t.Errorf("size %d, want %d", o.Size(), len(text))
		}
	}
}

func TestCreateErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("dir", 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(Target{Name: "dir", Kind: Spans}); err == nil || err.Error() != "dir is a directory" {
		t.Errorf("directory: %v", err)
	}
	missing := filepath.Join("missing", "x")
	if _, err := Create(Target{Name: missing, Kind: Spans}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing directory: %v", err)
	}
	wantList(t, "after the errors", "dir")
}

func TestPermissions(t *testing.T) {
	t.Chdir(t.TempDir())
	// The umask shows in a file that is made with all permissions.
	f, err := os.OpenFile("reference", os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := create(t, "x", nil).Commit(); err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat("reference")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.Stat("x")
	if err != nil {
		t.Fatal(err)
	}
	if got.Mode() != want.Mode() {
		t.Errorf("mode %v, want %v", got.Mode(), want.Mode())
	}
}

// TestUpTo: what is too much is dropped without an error.
func TestUpTo(t *testing.T) {
	var got bytes.Buffer
	w := UpTo(&got, 5)
	for _, s := range []string{"abc", "def", "ghi"} {
		if n, err := io.WriteString(w, s); n != len(s) || err != nil {
			t.Errorf("writing %q: %d, %v", s, n, err)
		}
	}
	if got.String() != "abcde" {
		t.Errorf("%q was written", &got)
	}
}
