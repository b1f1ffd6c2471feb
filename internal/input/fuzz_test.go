package input

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"
	"testing/iotest"

	"github.com/trace2x/trace2x/internal/decode"
	"github.com/trace2x/trace2x/internal/testtrace"
)

// FuzzOpen: what is read is what is there, or what gzip makes of it, however it
// arrives.
func FuzzOpen(f *testing.F) {
	var zip bytes.Buffer
	w := gzip.NewWriter(&zip)
	w.Write([]byte("go 1.26 trace\x00\x00\x00"))
	w.Close()
	f.Add(zip.Bytes())
	f.Add(zip.Bytes()[:zip.Len()-3])
	f.Add(append(bytes.Clone(zip.Bytes()), zip.Bytes()...))
	f.Add([]byte{0x1f, 0x8b})
	f.Add([]byte{0x1f})
	f.Add([]byte("go 1.26 trace\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		want, wantErr := data, error(nil)
		if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
			var r *gzip.Reader
			want = nil
			if r, wantErr = gzip.NewReader(bytes.NewReader(data)); wantErr == nil {
				want, wantErr = io.ReadAll(io.LimitReader(r, 1<<20))
			}
		}
		in, err := Open(t.Context(), "-", Options{Stdin: iotest.HalfReader(bytes.NewReader(data))})
		var got []byte
		if err == nil {
			got, err = io.ReadAll(io.LimitReader(in, 1<<20))
			in.Close()
		}
		if !bytes.Equal(got, want) || (err != nil) != (wantErr != nil) {
			t.Errorf("%d bytes, %v; want %d, %v", len(got), err, len(want), wantErr)
		}
	})
}

// FuzzBorders: where generations end does not depend on how the bytes arrive, and a
// recording that ends there has no part of a generation.
func FuzzBorders(f *testing.F) {
	testtrace.SeedStructure(f)
	f.Fuzz(func(t *testing.T, data []byte, change uint64) {
		data = testtrace.Mutate(data, change)
		var all, parts decode.Borders
		all.Add(data)
		step := 1 + int(change%1000)
		for rest := data; len(rest) > 0; {
			n := min(step, len(rest))
			parts.Add(rest[:n])
			rest = rest[n:]
		}
		if all.Last != parts.Last || all.Pos != parts.Pos || all.None != parts.None || all.Pos != int64(len(data)) || all.Last > all.Pos || all.Pending() > len(data) {
			t.Fatalf("%d bytes: %+v, in parts of %d %+v", len(data), all, step, parts)
		}
		var again decode.Borders
		again.Add(data[:all.Last])
		if again.Pending() != 0 {
			t.Errorf("cut at %d, %d bytes belong to another generation", all.Last, again.Pending())
		}
	})
}
