package input

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// noise returns bytes that do not compress, the same ones for the same n.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	b[0] = 'n' // not the magic of gzip
	return b
}

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestContents(t *testing.T) {
	big := noise(1<<20 + 12345) // several blocks, the last one not full
	for _, test := range []struct {
		name      string
		raw, want []byte
	}{
		{"empty", nil, nil},
		{"byte", []byte{0x1f}, []byte{0x1f}},
		{"plain", big, big},
		{"plain.gz", big, big}, // the name does not tell
		{"gzip", zipped(t, big), big},
		{"gzip of nothing", zipped(t, nil), nil},
		{"two members", append(zipped(t, big), zipped(t, []byte("more"))...), append(bytes.Clone(big), "more"...)},
		{"twice", zipped(t, zipped(t, big)), zipped(t, big)}, // decompressed once
	} {
		t.Run(test.name, func(t *testing.T) {
			check := func(name, wantName string, wantSize int64, stdin io.Reader) {
				t.Helper()
				in, err := Open(t.Context(), name, Options{Stdin: stdin})
				if err != nil {
					t.Fatal(err)
				}
				if in.Name != wantName || in.Size != wantSize {
					t.Errorf("name %q, size %d; want %q, %d", in.Name, in.Size, wantName, wantSize)
				}
				got, err := io.ReadAll(in)
				if err != nil || !bytes.Equal(got, test.want) {
					t.Errorf("%s: read %d bytes, error %v; want the %d bytes", wantName, len(got), err, len(test.want))
				}
				if n := in.BytesRead(); n != int64(len(test.raw)) {
					t.Errorf("%s: BytesRead is %d, want %d", wantName, n, len(test.raw))
				}
				if err := in.Close(); err != nil {
					t.Error(err)
				}
			}
			file := write(t, test.name, test.raw)
			size := int64(len(test.raw))
			check(file, file, size, iotest.ErrReader(errors.New("stdin was read")))
			check("-", "standard input", -1, bytes.NewReader(test.raw))
			check("-", "standard input", -1, iotest.HalfReader(iotest.DataErrReader(bytes.NewReader(test.raw))))
		})
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(t.Context(), filepath.Join(dir, "missing"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Open(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), dir+" is a directory") {
		t.Errorf("directory: %v", err)
	}
	short := write(t, "short", []byte{0x1f, 0x8b})
	if _, err := Open(t.Context(), short, Options{}); err == nil || !strings.Contains(err.Error(), short+": compressed with gzip, and ends after 2 bytes") {
		t.Errorf("gzip header that is cut: %v", err)
	}
}

func TestTruncatedGzip(t *testing.T) {
	data := noise(1 << 20)
	raw := zipped(t, data)
	in, err := Open(t.Context(), "-", Options{Stdin: bytes.NewReader(raw[:len(raw)/2])})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(in)
	if err != io.ErrUnexpectedEOF {
		t.Errorf("error %v, want %v", err, io.ErrUnexpectedEOF)
	}
	if len(got) < len(data)/4 || !bytes.HasPrefix(data, got) {
		t.Errorf("read %d bytes before the error, want about %d of the data", len(got), len(data)/2)
	}
}

func TestReadError(t *testing.T) {
	data, broken := noise(300<<10), errors.New("broken")
	in, err := Open(t.Context(), "-", Options{Stdin: io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken))})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(in)
	if err != broken || !bytes.Equal(got, data) {
		t.Errorf("read %d bytes, error %v; want %d, %v", len(got), err, len(data), broken)
	}
	if _, err := in.Read(make([]byte, 1)); err != broken {
		t.Errorf("the next read: %v, want %v", err, broken)
	}
}

// If cancelling does not end the reading, these tests do not end either.

func TestCancelRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	pr, pw := io.Pipe()
	defer pw.Close()
	go pw.Write([]byte("some data"))
	in, err := Open(ctx, "-", Options{Stdin: pr})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("some data"))
	if _, err := io.ReadFull(in, got); err != nil || string(got) != "some data" {
		t.Fatalf("read %q, %v", got, err)
	}
	done := make(chan error)
	go func() {
		_, err := in.Read(got)
		done <- err
	}()
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestCancelOpen(t *testing.T) {
	// Open looks at the first bytes, and so waits for them.
	ctx, cancel := context.WithCancel(t.Context())
	pr, pw := io.Pipe()
	defer pw.Close()
	in, err := Open(ctx, "-", Options{Stdin: readFunc(func(p []byte) (int, error) {
		cancel()
		return pr.Read(p)
	})})
	if err == nil {
		_, err = in.Read(make([]byte, 1))
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestCancelNamedPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := exec.Command("mkfifo", name).Run(); err != nil {
		t.Skip("no named pipes: ", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, name, Options{}); err != context.Canceled {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	// The system still waits in open; let it go.
	if f, err := os.OpenFile(name, os.O_RDWR, 0); err == nil {
		f.Close()
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// TestSection: only a file that is not compressed can be read anywhere.
func TestSection(t *testing.T) {
	data := noise(1 << 20)
	open := func(name string) *Input {
		in, err := Open(t.Context(), name, Options{Stdin: bytes.NewReader(data)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.Close() })
		return in
	}
	for _, name := range []string{"-", write(t, "a", zipped(t, data))} {
		if open(name).Section() != nil {
			t.Errorf("%s has a section", name)
		}
	}
	in := open(write(t, "a", data))
	if got, err := io.ReadAll(in.Section()); err != nil || !bytes.Equal(got, data) || in.BytesRead() < int64(len(data)) {
		t.Errorf("%d bytes in the section, %v; %d were read", len(got), err, in.BytesRead())
	}
}

// TestDamagedGzip: an input that only begins as a gzip file does says what to do.
func TestDamagedGzip(t *testing.T) {
	for data, want := range map[string]string{
		"\x1f\x8b\x08\x00\x00":            "standard input: compressed with gzip, and ends after 5 bytes, before the trace in it begins: copy or record it again",
		"\x1f\x8b":                        "standard input: compressed with gzip, and ends after 2 bytes, before the trace in it begins: copy or record it again",
		"\x1f\x8b\x09 and some more text": "standard input: begins as a gzip file does, but its header is damaged (gzip: invalid header): copy it again",
	} {
		if _, err := Open(t.Context(), "-", Options{Stdin: strings.NewReader(data)}); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", data, err, want)
		}
	}
}
