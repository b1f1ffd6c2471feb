// Package testtrace has execution traces for tests: those in testdata/traces, a new one
// of the tests of net/http, and large ones of a server under load. It imports nothing of
// this module, so that the tests of every package can import it.
//
// A test that uses it must run in a folder of this module, as with go test.
package testtrace

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the module's folder. It is found before any test can change the working
// directory.
var root = findRoot()

func findRoot() string {
	dir, err := os.Getwd()
	if err != nil {
		panic("testtrace: " + err.Error())
	}
	for start := dir; ; dir = filepath.Dir(dir) {
		mod, _ := os.ReadFile(filepath.Join(dir, "go.mod"))
		if bytes.HasPrefix(mod, []byte("module github.com/trace2x/trace2x\n")) {
			return dir
		}
		if dir == filepath.Dir(dir) {
			panic("testtrace: " + start + " is not in the module github.com/trace2x/trace2x")
		}
	}
}

// Path returns the absolute path of a trace in testdata/traces. The name has no
// ".trace".
func Path(name string) string {
	return filepath.Join(root, "testdata", "traces", name+".trace")
}

// Data returns the bytes of a trace in testdata/traces. The caller may change
// them.
func Data(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// All returns the names of all traces in testdata/traces, sorted.
func All(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(Path("*"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d traces in testdata/traces, %v", len(files), err)
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(filepath.Base(file), ".trace")
	}
	return names
}

// Unreadable is the name of the only trace of All that cannot be read at all: a
// truncated trace of Go 1.21.
const Unreadable = "truncated-go1.21"

// Readable returns the names of all traces except Unreadable, sorted. Some of them are
// damaged.
func Readable(t testing.TB) []string {
	t.Helper()
	var names []string
	for _, name := range All(t) {
		if name != Unreadable {
			names = append(names, name)
		}
	}
	return names
}

// Small returns the names of traces of each major format: whole ones, truncated ones, and
// ones of several generations. Each is small enough to be a seed of a fuzz target.
func Small() []string {
	return []string{"chain", "cgo", "empty", "flightrecorder", "leak-go1.21", "manytasks", "states", "truncated", Unreadable}
}

// Seed adds the traces of Small to a fuzz target whose only argument is a trace,
// each of them whole and cut after two thirds.
func Seed(f *testing.F) {
	f.Helper()
	for _, name := range Small() {
		data := Data(f, name)
		f.Add(data)
		f.Add(data[:len(data)*2/3])
	}
}
