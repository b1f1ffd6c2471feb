package model

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"github.com/trace2x/trace2x/internal/decode"
)

const testHeader = "go 1.26 trace\x00\x00\x00"

var errDecoder = errors.New("what the decoder says")

// appendBatch appends a batch of this generation with size bytes of data.
func appendBatch(b []byte, generation uint64, size int) []byte {
	b = append(b, decode.EvEventBatch)
	for _, v := range []uint64{generation, 1, 2, uint64(size)} {
		b = binary.AppendUvarint(b, v)
	}
	return append(b, make([]byte, size)...)
}

// passed returns a framing through which all of r has passed.
func passed(t testing.TB, r io.Reader) *framing {
	t.Helper()
	f := &framing{r: r}
	if _, err := io.Copy(io.Discard, struct{ io.Reader }{f}); err != nil && f.err == nil {
		t.Fatal(err)
	}
	return f
}

func TestFramingDamage(t *testing.T) {
	// Generations of 6+10+1 bytes, from offset 16, and of 2*(6+20)+1, from 33.
	two := appendBatch([]byte(testHeader), 1, 10)
	two = append(two, decode.EvEndOfGeneration)
	second := len(two)
	two = appendBatch(two, 2, 20)
	middle := len(two)
	two = appendBatch(two, 2, 20)
	two = append(two, decode.EvEndOfGeneration)
	size := int64(len(two))

	with := func(tail ...byte) []byte { return append(bytes.Clone(two), tail...) }
	changed := func(at int) []byte {
		b := bytes.Clone(two)
		b[at] = 0xff
		return b
	}
	tests := []struct {
		name        string
		in          []byte
		generations int
		err         error
		want        Damage
	}{
		{
			name: "in the first generation", in: two, generations: 0,
			want: Damage{Offset: headerSize, Lost: int64(second) - headerSize, Size: size},
		},
		{
			name: "in the second generation", in: two, generations: 1,
			want: Damage{Generations: 1, Offset: int64(second), Lost: size - int64(second), Size: size},
		},
		{
			name: "cut in a batch", in: two[:middle+10], generations: 1,
			want: Damage{Generations: 1, Offset: int64(middle) + 10, Lost: int64(middle) + 10 - int64(second), Size: int64(middle) + 10, Truncated: true},
		},
		{
			name: "cut in the head of a batch", in: two[:middle+2], generations: 1,
			want: Damage{Generations: 1, Offset: int64(middle) + 2, Lost: int64(middle) + 2 - int64(second), Size: int64(middle) + 2, Truncated: true},
		},
		{
			name: "cut between batches", in: two[:middle], generations: 1, err: io.ErrUnexpectedEOF,
			want: Damage{Generations: 1, Offset: int64(middle), Lost: int64(middle) - int64(second), Size: int64(middle), Truncated: true},
		},
		{
			name: "cut between batches, in the decoder's words", in: two[:middle], generations: 1,
			want: Damage{Generations: 1, Offset: int64(middle), Lost: int64(middle) - int64(second), Size: int64(middle), Truncated: true},
		},
		{
			name: "an impossible size", in: binary.AppendUvarint(bytes.Clone(two[:middle+4]), decode.MaxBatchSize+1), generations: 1,
			want: Damage{Generations: 1, Offset: int64(middle), Lost: int64(middle) + 7 - int64(second), Size: int64(middle) + 7},
		},
		{
			name: "damaged before it is cut", in: two[:middle+10], generations: 0,
			want: Damage{Offset: headerSize, Lost: int64(second) - headerSize, Size: int64(middle) + 10},
		},
		{
			name: "no batch where one must be", in: changed(middle), generations: 1,
			want: Damage{Generations: 1, Offset: int64(middle), Lost: size - int64(second), Size: size},
		},
		{
			name: "damaged before there is no batch", in: changed(middle), generations: 0,
			want: Damage{Offset: headerSize, Lost: int64(second) - headerSize, Size: size},
		},
		{
			name: "no batch at the beginning", in: changed(headerSize), generations: 0,
			want: Damage{Offset: headerSize, Lost: size - headerSize, Size: size},
		},
		{
			name: "bytes behind the end", in: with(0xff, 0xff), generations: 2,
			want: Damage{Generations: 2, Offset: size, Lost: 2, Size: size + 2},
		},
		{
			name: "damaged before bytes behind the end", in: with(0xff, 0xff), generations: 1,
			want: Damage{Generations: 1, Offset: int64(second), Lost: size - int64(second), Size: size + 2},
		},
		{
			name: "only a header", in: two[:headerSize], generations: 0,
			want: Damage{Offset: headerSize, Size: headerSize, Truncated: true},
		},
		{
			name: "Go 1.21", in: []byte("go 1.21 trace\x00\x00\x00\x52\x00"), generations: 0,
			want: Damage{Offset: headerSize, Lost: 2, Size: headerSize + 2},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.err == nil {
				tt.err = errDecoder
			}
			tt.want.Err = tt.err
			if got := passed(t, bytes.NewReader(tt.in)).damage(tt.generations, tt.err); *got != tt.want {
				t.Errorf("got  %+v\nwant %+v", *got, tt.want)
			}
		})
	}
}

// A reader that fails cuts the trace where it does, and is what there is to say.
func TestFramingReaderFails(t *testing.T) {
	in := appendBatch([]byte(testHeader), 1, 100)
	broken := errors.New("broken pipe")
	f := passed(t, io.MultiReader(bytes.NewReader(in[:50]), iotest.ErrReader(broken)))
	want := Damage{Offset: 50, Lost: 50 - headerSize, Size: 50, Truncated: true, Err: broken}
	if got := f.damage(0, io.ErrUnexpectedEOF); *got != want {
		t.Errorf("got  %+v\nwant %+v", *got, want)
	}
}

func FuzzFraming(f *testing.F) {
	for _, name := range []string{"chain", "truncated", "damaged", "httpserver-go1.22", "leak-go1.21"} {
		data, err := os.ReadFile("../testdata/traces/" + name + ".trace")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, uint16(1000), 1)
	}
	batch := appendBatch([]byte(testHeader), 1, 5)
	f.Add(batch, uint16(3), 0)
	f.Add(append(batch, decode.EvEndOfGeneration, 0xff), uint16(1), 1)
	f.Add(append(batch, decode.EvExperimentalBatch, 1, 2, 3, 4, 2, 9, 9), uint16(20), 1)
	f.Add(append(batch, decode.EvEventBatch, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), uint16(4), 0)
	f.Add(append(batch, decode.EvEventBatch, 1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), uint16(4), 0)

	f.Fuzz(func(t *testing.T, data []byte, chunk uint16, generations int) {
		whole := &framing{r: bytes.NewReader(data)}
		var out bytes.Buffer
		if _, err := out.ReadFrom(whole); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), data) {
			t.Error("the bytes that come out are others")
		}
		parts := &framing{r: bytes.NewReader(data)}
		out.Reset()
		if _, err := io.CopyBuffer(struct{ io.Writer }{&out}, parts, make([]byte, int(chunk)+1)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), data) {
			t.Errorf("the bytes that come out in parts of %d are others", int(chunk)+1)
		}

		if generations < 0 {
			generations = -(generations + 1)
		}
		for _, n := range []int{0, 1, 2, generations} {
			for _, err := range []error{errDecoder, io.ErrUnexpectedEOF} {
				got := *whole.damage(n, err)
				if other := *parts.damage(n, err); other != got {
					t.Errorf("damage in parts of %d: %+v\nin one: %+v", int(chunk)+1, other, got)
				}
				if got.Size != int64(len(data)) || got.Offset < 0 || got.Offset > got.Size || got.Lost < 0 || got.Lost > got.Size {
					t.Errorf("%d bytes: %+v", len(data), got)
				}
				if got.Generations < 0 || got.Generations > n || got.Err != err {
					t.Errorf("after %d generations: %+v", n, got)
				}
			}
		}
	})
}
