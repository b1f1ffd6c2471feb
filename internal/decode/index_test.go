package decode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/trace2x/trace2x/internal/testtrace"
)

// readWanted returns what reading the generations that want wants gives: the events, and a
// line for each damage and each question.
func readWanted(t testing.TB, in *Input, want func(Extent) Verdict) (events []Event, lines []string, whole int) {
	t.Helper()
	var questions []string
	for c, err := range in.Chunks(context.Background(), func(e Extent) Verdict {
		v := want(e)
		questions = append(questions, fmt.Sprintf("%d to %d, clock %v: %v", e.Start, e.End, e.Clock != nil, v))
		return v
	}) {
		switch d := (*Damage)(nil); {
		case errors.As(err, &d):
			lines = append(lines, fmt.Sprintf("%+v behind event %d", *d, len(events)))
		case err != nil:
			lines = append(lines, err.Error())
		default:
			events = append(events, c.Events...)
		}
	}
	return events, append(lines, questions...), in.Generations()
}

// wanting returns a function that wants some generations, by chance.
func wanting(seed uint64) func(Extent) Verdict {
	random := rand.New(rand.NewPCG(7, seed))
	return func(e Extent) Verdict {
		switch n := random.IntN(10); {
		case n < 6:
			return Verdict{Skip: true}
		case n == 9:
			return Verdict{Last: true, Until: e.Start + random.Int64N(1e9)}
		}
		return Verdict{}
	}
}

// checkIndex compares what an index gives with reading all bytes in order.
func checkIndex(t testing.TB, what string, data []byte, seeds int) {
	t.Helper()
	x, err := NewIndex(bytes.NewReader(data), int64(len(data)))
	_, inOrderErr := Open(bytes.NewReader(data))
	if fmt.Sprint(err) != fmt.Sprint(inOrderErr) {
		t.Fatalf("%s: %v, in order %v", what, err, inOrderErr)
	}
	if err != nil {
		return
	}
	for seed := range uint64(seeds) {
		in, err := Open(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		want, wantLines, wantWhole := readWanted(t, in, wanting(seed))
		indexed, err := x.Open()
		if err != nil {
			t.Fatal(err)
		}
		got, lines, whole := readWanted(t, indexed, wanting(seed))
		if in.Whole && len(lines) == len(wantLines) {
			// golang.org/x/exp/trace goes through the batches of such a trace in no order:
			// it does not always tell the same of several errors.
			lines = wantLines
		}
		if whole != wantWhole || !slices.Equal(got, want) || !slices.Equal(lines, wantLines) || indexed.Fingerprint != in.Fingerprint {
			t.Errorf("%s, seed %d: %d generations and %d events, in order %d and %d:\n%q\n%q",
				what, seed, whole, len(got), wantWhole, len(want), lines, wantLines)
			return
		}
		if in.Whole {
			return // nothing is asked
		}
	}
}

// TestIndex: an index finds what reading all bytes in order finds, wherever a trace is
// damaged.
func TestIndex(t *testing.T) {
	for _, name := range testtrace.All(t) {
		checkIndex(t, name, traceData(t, name), 4)
	}
	for _, name := range []string{"flightrecorder", "httpserver-go1.22"} {
		data := traceData(t, name)
		checkIndex(t, name+" twice", slices.Concat(data, data), 3)
		checkIndex(t, name+" behind one that is cut", slices.Concat(data[:len(data)-200], data), 3)
		checkIndex(t, name+" with bytes behind", slices.Concat(data, []byte{0xff, 0xff}), 3)
	}
	for what, data := range testtrace.Damaged(t, 70) {
		checkIndex(t, what, data, 3)
	}
}

// many returns a trace of n generations without events, one each second, each with this
// many batches of strings that take about 60 kB.
func many(n, batches int) []byte {
	const noThread = 1<<64 - 1
	data := header(26)
	for gen := range uint64(n) {
		start := uint64(1e9) * (gen + 1)
		clock := slices.Concat([]byte{evSync}, uvarints(evFrequency, 1e9), uvarints(evClockSnapshot, 0, start, 1_700_000_000+gen, 0))
		data = append(data, batchOf(gen+1, noThread, start, clock...)...)
		id := uint64(1)
		for range batches {
			text := []byte{evStrings}
			for len(text) < 60_000 {
				text = append(text, uvarints(evString, id, 1000)...)
				text = append(text, make([]byte, 1000)...)
				id++
			}
			data = append(data, batchOf(gen+1, noThread, start, text...)...)
		}
		data = append(data, evEndOfGeneration)
	}
	return data
}

// countingAt counts what is read, and fails from an offset on.
type countingAt struct {
	r     io.ReaderAt
	mu    sync.Mutex
	n     int64
	fails int64
}

var errDisk = errors.New("the disk is broken")

func (c *countingAt) ReadAt(p []byte, at int64) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails > 0 && at+int64(len(p)) > c.fails {
		n, _ := c.r.ReadAt(p[:max(0, c.fails-at)], at)
		return n, errDisk
	}
	n, err := c.r.ReadAt(p, at)
	c.n += int64(n)
	return n, err
}

// TestIndexReadsLittle: an index reads the headers of the batches before the generations
// that are wanted, once, and those generations.
func TestIndexReadsLittle(t *testing.T) {
	const generations, batches = 40, 20
	data := many(generations, batches)
	each := int64(len(data) / generations)
	file := &countingAt{r: bytes.NewReader(data)}
	x, err := NewIndex(file, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	read := func(second int64) (bytes int64) {
		t.Helper()
		in, err := x.Open()
		if err != nil {
			t.Fatal(err)
		}
		file.n = 0
		taken := 0
		_, lines, whole := readWanted(t, in, func(e Extent) Verdict {
			if e.Start != second*1e9 {
				return Verdict{Skip: true}
			}
			taken++
			return Verdict{Last: true, Until: math.MaxInt64}
		})
		if taken != 1 || whole != int(second) || len(lines) < 2 {
			t.Fatalf("second %d: %d generations taken, %d whole, %q", second, taken, whole, lines)
		}
		return file.n
	}
	const start = bufferSize // of each place where reading begins
	headers := func(generations int64) int64 { return generations * (batches + 2) * hopSize }
	for _, tt := range []struct{ second, most int64 }{
		{2, each + start + headers(3)},
		{generations, each + start + headers(generations-3)}, // behind what is known already
		{generations, each + start},
		{generations / 2, each + start},
	} {
		if n := read(tt.second); n > tt.most || n < each {
			t.Errorf("second %d: %d bytes were read of %d, at most %d are needed", tt.second, n, len(data), tt.most)
		}
	}
}

// TestIndexOfBrokenDisk: what cannot be read is damage, as it is in order.
func TestIndexOfBrokenDisk(t *testing.T) {
	data := many(6, 8)
	for _, fails := range []int{len(data)/6*4 + 100, len(data) - 1000} {
		x, err := NewIndex(&countingAt{r: bytes.NewReader(data), fails: int64(fails)}, int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		in, err := x.Open()
		if err != nil {
			t.Fatal(err)
		}
		var damages []*Damage
		for _, err := range in.Chunks(t.Context(), func(Extent) Verdict { return Verdict{Skip: true} }) {
			if d := (*Damage)(nil); errors.As(err, &d) {
				damages = append(damages, d)
			}
		}
		if len(damages) != 1 || !damages[0].Truncated || !reflect.DeepEqual(damages[0].Err, errDisk) {
			t.Errorf("from byte %d on: %+v", fails, damages)
		}
	}
}

// FuzzIndex: whatever the bytes are, an index finds what reading them in order finds.
func FuzzIndex(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte, change uint64) {
		checkIndex(t, "this", testtrace.Mutate(data, change), 2)
	})
}
