package decode

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/trace2x/trace2x/internal/testtrace"
)

// smallGenerations are the generations of traces of each format, with each kind
// of event, that are small enough to be decoded thousands of times.
func smallGenerations(t testing.TB) (gens []headed) {
	t.Helper()
	for _, name := range []string{"chain", "cgo", "cpuprofile", "empty", "flightrecorder", "flightrecorder-go1.25", "httpserver-go1.22", "httpserver-go1.23", "manytasks", "states"} {
		header, parts := cutAll(t, testtrace.Data(t, name))
		for _, gen := range parts {
			gens = append(gens, headed{name, header, gen})
		}
	}
	return gens
}

type headed struct {
	name        string
	header, gen []byte
}

// check decodes a generation, whatever there is in it. What we give has to be the
// beginning of what golang.org/x/exp/trace does, and all if it goes on.
func check(t testing.TB, header, gen []byte) (alone bool) {
	t.Helper()
	got, alone := byOurselves(header, gen)
	want := byExp(header, gen)
	compare(t, got, want, alone)
	if !alone && len(got.lines) > 0 {
		all, _ := byFill(header, gen, 64)
		same(t, all, want)
	}
	return alone
}

// FuzzGeneration: what we decode is what golang.org/x/exp/trace decodes, or the beginning of
// it. The bytes are a generation; changes, if there are any, are made to its parts.
func FuzzGeneration(f *testing.F) {
	for i, g := range smallGenerations(f) {
		if len(g.gen) < 20_000 {
			f.Add(slices.Concat(g.header, g.gen), uint64(0))
			f.Add(slices.Concat(g.header, g.gen), uint64(i+1))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		if len(data) < headerSize {
			return
		}
		data = testtrace.Mutate(data, seed)
		check(t, data[:headerSize], data[headerSize:])
	})
}

// TestGenerationChanged is the fuzz test with a few thousand changes that are
// always the same: of single bytes, and of parts.
func TestGenerationChanged(t *testing.T) {
	const budget = 800 << 10 // bytes to decode, of each generation
	for i, g := range smallGenerations(t) {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for range budget / max(len(g.gen), 4096) {
				gen := slices.Clone(g.gen)
				at := random.IntN(len(gen))
				old := gen[at]
				gen[at] += byte(1 + random.IntN(3))
				if random.IntN(2) == 0 {
					gen[at] = byte(random.Uint32())
				}
				if check(t, g.header, gen); t.Failed() {
					t.Fatalf("byte %d was %d, now is %d", at, old, gen[at])
				}

				seed := random.Uint64()
				changed := testtrace.Mutate(slices.Concat(g.header, g.gen), seed)
				if check(t, g.header, changed[headerSize:]); t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

// TestStructure: what testtrace takes apart and joins is the same trace, and it knows
// the events that we know.
func TestStructure(t *testing.T) {
	if testtrace.Arguments != arguments {
		t.Errorf("%v, want %v", testtrace.Arguments, arguments)
	}
	for _, name := range testtrace.Readable(t) {
		data := testtrace.Data(t, name)
		want := readAll(t, bytes.NewReader(data))
		got := readAll(t, bytes.NewReader(testtrace.Split(data).Join()))
		if !slices.Equal(got.events, want.events) || got.whole != want.whole || len(got.damages) != len(want.damages) {
			t.Errorf("%s: %d events, %d generations, %v; want %d, %d, %v", name, len(got.events), got.whole, got.damages, len(want.events), want.whole, want.damages)
		}
	}
}
