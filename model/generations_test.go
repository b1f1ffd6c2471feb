package model_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

type reading func(context.Context, io.Reader, model.Sink) (*model.Summary, error)

// dump returns what a sink got, and the error, as text.
func dump(read reading, r io.Reader) string {
	var out bytes.Buffer
	_, err := read(context.Background(), r, modeltest.NewDump(&out))
	return fmt.Sprintf("%s%v\n", out.Bytes(), err)
}

// sameDump compares what was read in two ways, except what is said of damage.
func sameDump(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := untilDamage(got), untilDamage(want)
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s: line %d is\n%s\nin sequence\n%s", what, i+1, g[i], w[i])
		}
	}
	if len(g) != len(w) && len(g) > 2 { // a first generation that is cut is not decoded
		t.Fatalf("%s: %d lines, in sequence %d", what, len(g), len(w))
	}
}

// untilDamage returns the lines of a dump up to the end of a damaged trace.
func untilDamage(dump string) []string {
	lines := strings.Split(dump, "\n")
	if i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, " gap ") || strings.Contains(l, " open") }); i > 0 {
		return lines[:i]
	}
	return lines
}

// TestGenerations: decoded several at a time, generations give the same as in
// sequence; also if little is read at a time, and if they are damaged.
func TestGenerations(t *testing.T) {
	for _, name := range testtrace.All(t) {
		data := testtrace.Data(t, name)
		if strings.HasPrefix(string(data), "go 1.1") || strings.HasPrefix(string(data), "go 1.21") {
			continue // read whole
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := dump(model.ReadInSequence, bytes.NewReader(data))
			for _, workers := range []int{1, 2, 5} {
				read := func(ctx context.Context, r io.Reader, s model.Sink) (*model.Summary, error) {
					return model.ReadAtOnce(ctx, r, s, workers, 1<<20, 60)
				}
				sameDump(t, fmt.Sprint(workers, " workers"), dump(read, bytes.NewReader(data)), want)
			}
			small := func(ctx context.Context, r io.Reader, s model.Sink) (*model.Summary, error) {
				return model.ReadAtOnce(ctx, r, s, 3, 1, 60)
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

// TestFewChunks: decoders of later generations do not take what the one whose
// turn it is needs to go on.
func TestFewChunks(t *testing.T) {
	defer model.SetChunkSize(64)()
	data := traceData(t, "gc.trace")
	want := dump(model.ReadInSequence, bytes.NewReader(data))
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		read := func(_ context.Context, r io.Reader, s model.Sink) (*model.Summary, error) {
			return model.ReadAtOnce(ctx, r, slow{s}, 5, 1<<20, 6)
		}
		sameDump(t, "few chunks", dump(read, bytes.NewReader(data)), want)
		cancel()
	}
}

// slow is a sink that takes its time for each chunk.
type slow struct{ model.Sink }

func (s slow) Err() error {
	time.Sleep(20 * time.Microsecond)
	return s.Sink.Err()
}

// TestDamagedSamples: bytes of CPU samples that are damaged are damage, and not a
// panic.
func TestDamagedSamples(t *testing.T) {
	data := traceData(t, "cpuprofile.trace")
	flipped := 0
	for at := 16; at < len(data); {
		if data[at] != 1 { // the end of a generation
			at++
			continue
		}
		at++
		var fields [4]uint64
		for i := range fields {
			v, n := binary.Uvarint(data[at:])
			fields[i], at = v, at+n
		}
		size := int(fields[3])
		if data[at] == 6 { // EvCPUSamples
			for i := range min(size, 150) {
				flipped++
				bad := bytes.Clone(data)
				bad[at+i] ^= 0x2c
				checkRead(t, bad)
			}
		}
		at += size
	}
	if flipped < 100 {
		t.Errorf("%d bytes of samples", flipped)
	}
}

// stuck is a reader that, after some bytes, waits for ever.
type stuck struct{ r io.Reader }

func (s stuck) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err == io.EOF {
		select {}
	}
	return n, err
}

// TestStuckReader: a reading that is cancelled does not wait for its reader.
func TestStuckReader(t *testing.T) {
	data := traceData(t, "flightrecorder.trace")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := model.Read(ctx, stuck{bytes.NewReader(data)}, model.NopSink{}); err != context.DeadlineExceeded {
		t.Errorf("error %v", err)
	}
}
