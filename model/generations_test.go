package model_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

type reading func(context.Context, io.Reader, model.Sink) (*model.Summary, error)

// dump is what a sink is told, and the error, as text.
func dump(read reading, r io.Reader) string {
	var out bytes.Buffer
	_, err := read(context.Background(), r, modeltest.NewDump(&out))
	return fmt.Sprintf("%s%v\n", out.Bytes(), err)
}

// sameDump compares what was read in two ways.
func sameDump(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s: line %d is\n%s\nin sequence\n%s", what, i+1, g[i], w[i])
		}
	}
	t.Fatalf("%s: %d lines, in sequence %d", what, len(g), len(w))
}

// TestGenerations: decoded several at a time, generations give the same as in
// sequence; also if little is read at a time, and if they are damaged.
func TestGenerations(t *testing.T) {
	files, err := filepath.Glob("../testdata/traces/*.trace")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(data), "go 1.1") || strings.HasPrefix(string(data), "go 1.21") {
			continue // read whole
		}
		t.Run(strings.TrimSuffix(name, ".trace"), func(t *testing.T) {
			t.Parallel()
			want := dump(model.ReadInSequence, bytes.NewReader(data))
			for _, workers := range []int{1, 2, 5} {
				read := func(ctx context.Context, r io.Reader, s model.Sink) (*model.Summary, error) {
					return model.ReadAtOnce(ctx, r, s, workers, 1<<20)
				}
				sameDump(t, fmt.Sprint(workers, " workers"), dump(read, bytes.NewReader(data)), want)
			}
			small := func(ctx context.Context, r io.Reader, s model.Sink) (*model.Summary, error) {
				return model.ReadAtOnce(ctx, r, s, 3, 1)
			}
			sameDump(t, "byte by byte, one generation at a time", dump(small, iotest.OneByteReader(bytes.NewReader(data))), want)
		})
	}
}

// TestGenerationsCut: wherever a trace ends, the same of it is read.
func TestGenerationsCut(t *testing.T) {
	for _, name := range []string{"flightrecorder", "httpserver-go1.22"} {
		data := traceData(t, name+".trace")
		rng := rand.New(rand.NewPCG(1, 2))
		for range 25 {
			n := 16 + rng.IntN(len(data)-16)
			sameDump(t, fmt.Sprint(name, " up to byte ", n), dump(model.Read, bytes.NewReader(data[:n])), dump(model.ReadInSequence, bytes.NewReader(data[:n])))
		}
	}
}
