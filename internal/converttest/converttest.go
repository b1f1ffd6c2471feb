// Package converttest reads and converts traces in tests. A damaged trace is no failure:
// what can be read is read.
package converttest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/e2e/traceprocessor"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

// Read reads a trace into sink, and checks the promises of package model on the
// way.
func Read(t testing.TB, data []byte, sink model.Sink) *model.Summary {
	t.Helper()
	v := modeltest.NewValidator(sink)
	sum, err := model.Read(t.Context(), bytes.NewReader(data), v)
	failUnlessDamage(t, err)
	for _, err := range v.Errors {
		t.Error(err)
	}
	return sum
}

// Perfetto converts a trace to Perfetto's format.
func Perfetto(t testing.TB, data []byte, opts perfetto.Options) []byte {
	t.Helper()
	var out bytes.Buffer
	_, err := perfetto.Convert(t.Context(), bytes.NewReader(data), &out, opts)
	failUnlessDamage(t, err)
	return out.Bytes()
}

// Load loads what Perfetto returned into the trace processor, until the test ends. file
// is the name of a file with the same contents. With -short, Load skips the test.
func Load(t testing.TB, converted []byte) (p *traceprocessor.Processor, file string) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the trace processor")
	}
	file = filepath.Join(t.TempDir(), "trace.pftrace")
	if err := os.WriteFile(file, converted, 0o666); err != nil {
		t.Fatal(err)
	}
	// The test's own context ends before its Cleanup functions run.
	p, err := traceprocessor.Open(context.Background(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, file
}

func failUnlessDamage(t testing.TB, err error) {
	t.Helper()
	if err != nil && !model.IsDamage(err) {
		t.Fatal(err)
	}
}
