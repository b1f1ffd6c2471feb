package decode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/trace2x/trace2x/internal/testtrace"
)

// reading is what reading a trace gives.
type reading struct {
	events  []Event // with their times only as far as generations go
	syncs   int
	damages []*Damage
	whole   int
	err     error
}

func readAll(t testing.TB, r io.Reader) (out reading) { return readAs(t, r, false) }

// inSequence reads a trace as golang.org/x/exp/trace does.
func inSequence(t testing.TB, data []byte) reading { return readAs(t, bytes.NewReader(data), true) }

func readAs(t testing.TB, r io.Reader, inSequence bool) (out reading) {
	t.Helper()
	in, err := Open(r)
	if err != nil {
		return reading{err: err}
	}
	in.InSequence = inSequence
	for c, err := range in.Chunks(context.Background(), nil) {
		if d := (*Damage)(nil); errors.As(err, &d) {
			out.damages = append(out.damages, d)
			continue
		} else if err != nil {
			out.err = err
			break
		}
		for _, e := range c.Events {
			if e.Kind == Sync {
				out.syncs++
			}
			out.events = append(out.events, e)
		}
	}
	out.whole = in.Generations()
	return out
}

func traceData(t testing.TB, name string) []byte {
	t.Helper()
	return testtrace.Data(t, name)
}

// starts returns where each generation of a trace begins, and its size at the end.
func starts(t testing.TB, data []byte) (offsets []int) {
	t.Helper()
	_, gens := cutAll(t, data)
	at := headerSize
	for _, gen := range gens {
		offsets = append(offsets, at)
		at += len(gen)
	}
	return append(offsets, at)
}

// TestDamageCostsItsGeneration: wherever bytes are overwritten, also the headers of
// batches, what is lost is one generation, or two if the bytes lie in both.
func TestDamageCostsItsGeneration(t *testing.T) {
	for _, name := range []string{"flightrecorder", "httpserver-go1.22", "gc", "flightrecorder-go1.25"} {
		data := traceData(t, name)
		whole := readAll(t, bytes.NewReader(data))
		borders := starts(t, data)
		generations := len(borders) - 1
		random := rand.New(rand.NewPCG(1, 2))
		for range 60 {
			const size = 64
			at := headerSize + random.IntN(len(data)-headerSize-size)
			bad := bytes.Clone(data)
			for i := range size {
				bad[at+i] = byte(random.Uint32())
			}
			hit := 0 // generations
			for i := range generations {
				if at < borders[i+1] && at+size > borders[i] {
					hit++
				}
			}
			got := readAll(t, bytes.NewReader(bad))
			if got.err != nil {
				t.Fatalf("%s, byte %d: %v", name, at, got.err)
			}
			if got.whole < generations-hit-1 || got.whole < generations-hit && at < borders[generations-1] && name != "gc" {
				t.Errorf("%s, bytes from %d on: %d of %d generations are whole, %v", name, at, got.whole, generations, got.damages)
			}
			if len(got.damages) == 0 && len(got.events) < len(whole.events)-size {
				t.Errorf("%s, bytes from %d on: %d events of %d, and no damage", name, at, len(got.events), len(whole.events))
			}
			for _, d := range got.damages {
				if d.Offset < int64(borders[0]) || d.Offset > int64(len(data)) || d.Lost < 1 || d.Lost > int64(len(data)) || d.Generations > generations {
					t.Errorf("%s, bytes from %d on: %+v", name, at, *d)
				}
			}
		}
	}
}

// TestFraming: what is wrong with the framing is said with its place.
func TestFraming(t *testing.T) {
	data := traceData(t, "flightrecorder") // two generations, the second from 27026 on
	borders := starts(t, data)
	second, size := borders[1], len(data)
	changed := func(at int, b ...byte) []byte { return slices.Concat(data[:at], b, data[at+len(b):]) }
	tests := []struct {
		name  string
		in    []byte
		whole int
		want  Damage
		err   string
	}{
		{"cut in a batch", data[:second+100], 1, Damage{Generations: 1, Offset: int64(second + 100), Lost: 100, Truncated: true}, "unexpected EOF"},
		{"cut in the head of a batch", data[:second+2], 1, Damage{Generations: 1, Offset: int64(second + 2), Lost: 2, Truncated: true}, "unexpected EOF"},
		{"without the end of the generation", data[:size-1], 1, Damage{Generations: 1, Offset: int64(size - 1), Lost: int64(size - 1 - second), Truncated: true}, "unexpected EOF"},
		{"only a header", data[:headerSize], 0, Damage{Offset: headerSize, Truncated: true}, "unexpected EOF"},
		{"no batch at the beginning", changed(headerSize, 0xff), 1, Damage{Offset: headerSize, Lost: int64(second - headerSize)}, "expected batch event, got event 255"},
		{"no batch in the second generation", changed(second, 0xff), 1, Damage{Generations: 1, Offset: int64(second), Lost: int64(size - second)}, "expected batch event, got event 255"},
		{"bytes behind the end", slices.Concat(data, []byte{0xff, 0xff}), 2, Damage{Generations: 2, Offset: int64(size), Lost: 2}, "expected batch event, got event 255"},
		{"another trace behind one that is cut", slices.Concat(data[:size-200], data), 1, Damage{Generations: 1, Offset: int64(size - 200), Lost: int64(2*size - 200 - second)}, "another trace begins here"},
		{"another trace", slices.Concat(data, data), 2, Damage{Generations: 2, Offset: int64(size), Lost: int64(size)}, "another trace begins here"},
	}
	for _, tt := range tests {
		for _, r := range []io.Reader{bytes.NewReader(tt.in), iotest.OneByteReader(bytes.NewReader(tt.in))} {
			got := readAll(t, r)
			if got.err != nil || len(got.damages) != 1 || got.whole != tt.whole {
				t.Errorf("%s: %v, %v, %d generations", tt.name, got.err, got.damages, got.whole)
				continue
			}
			d := *got.damages[0]
			if !strings.Contains(d.Err.Error(), tt.err) {
				t.Errorf("%s: %v", tt.name, d.Err)
			}
			if d.Err = nil; d != tt.want {
				t.Errorf("%s: %+v, want %+v", tt.name, d, tt.want)
			}
		}
	}
	broken := errors.New("broken pipe")
	got := readAll(t, io.MultiReader(bytes.NewReader(data[:second+100]), iotest.ErrReader(broken)))
	if len(got.damages) != 1 || got.damages[0].Err != broken || !got.damages[0].Truncated {
		t.Errorf("the reader fails: %v, %v", got.err, got.damages)
	}
}

// TestVersions: each version is read that golang.org/x/exp/trace reads, and of the
// others it is said what to do.
func TestVersions(t *testing.T) {
	for minor := range 60 {
		header := fmt.Appendf(nil, "go 1.%d trace\x00\x00\x00\x00", minor)[:headerSize]
		_, err := Open(bytes.NewReader(header))
		_, exp := newExpReader(bytes.NewReader(header))
		v, known := versionOf(minor)
		if readable := known && v.era != tooOld; readable != (err == nil) || v.era == generations && exp != nil || exp == nil && !readable {
			t.Errorf("Go 1.%d: %v; golang.org/x/exp/trace: %v", minor, err, exp)
		}
		if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("Go 1.%d", minor)) {
			t.Errorf("Go 1.%d: %v", minor, err)
		}
	}
}

// seed adds traces to a fuzz target whose arguments are those of [testtrace.Mutate].
func seed(f *testing.F) {
	f.Helper()
	testtrace.SeedStructure(f)
	for _, name := range []string{"damaged", "httpserver-go1.22"} {
		f.Add(traceData(f, name), uint64(0))
		f.Add(traceData(f, name), uint64(1))
	}
}

// FuzzChunks: whatever the bytes are, reading them ends, and what is lost lies in
// them.
func FuzzChunks(f *testing.F) {
	seed(f)
	batch := slices.Concat(header(26), batchOf(1, 1, 2, 0, 0, 0, 0, 0))
	f.Add(batch, uint64(0))
	f.Add(slices.Concat(batch, []byte{evEndOfGeneration, 0xff}), uint64(0))
	f.Add(slices.Concat(batch, []byte{evExperimentalBatch, 1, 2, 3, 4, 2, 9, 9}), uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, change uint64) {
		data = testtrace.Mutate(data, change)
		got := readAll(t, bytes.NewReader(data))
		lost := int64(0)
		for _, d := range got.damages {
			if d.Offset < headerSize || d.Offset > int64(len(data)) || d.Lost < 0 || d.Generations < 0 || d.Err == nil {
				t.Errorf("%d bytes: %+v", len(data), *d)
			}
			lost += d.Lost
		}
		if lost > int64(len(data)) {
			t.Errorf("%d of %d bytes are lost", lost, len(data))
		}
		parts := readAll(t, iotest.HalfReader(bytes.NewReader(data)))
		if len(parts.events) != len(got.events) || len(parts.damages) != len(got.damages) || parts.whole != got.whole {
			t.Errorf("%d events, %v; in parts %d, %v", len(got.events), got.damages, len(parts.events), parts.damages)
		}
	})
}

// TestLostBeginning: a trace whose first generation cannot be decoded begins where that
// does, and not with the next one.
func TestLostBeginning(t *testing.T) {
	header, gens := cutAll(t, testtrace.Data(t, "flightrecorder"))
	_, batches, _ := cut(header, gens[0])
	e, ok := extent(batches)
	if !ok || len(gens) < 2 {
		t.Fatal("the trace has no two generations")
	}
	strings := slices.IndexFunc(batches, func(b batch) bool { return b.begins(evStrings) })
	gens[0][bytes.Index(gens[0], batches[strings].raw)+len(batches[strings].raw)-len(batches[strings].data)+1] = 0xff // no string
	in, err := Open(bytes.NewReader(append(header, bytes.Join(gens, nil)...)))
	if err != nil {
		t.Fatal(err)
	}
	var begins []int64
	for c, err := range in.Chunks(t.Context(), nil) {
		if d := (*Damage)(nil); errors.As(err, &d) {
			begins = append(begins, int64(d.Generations))
		} else if err != nil {
			t.Fatal(err)
		} else if c.First {
			begins = append(begins, c.Events[0].Time)
		}
	}
	_, batches, _ = cut(header, gens[1])
	second, _ := extent(batches)
	if len(begins) != len(gens)+1 || begins[0] != e.Start || begins[1] != 0 || begins[2] != second.Start {
		t.Errorf("the generations begin at %d with the damage between, want %d, 0, %d", begins, e.Start, second.Start)
	}
}
