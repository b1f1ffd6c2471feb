package wire

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// TestAppend compares with package protowire, whose numbers and lengths have the
// same bytes whether they are small or not.
func TestAppend(t *testing.T) {
	for _, num := range []Number{1, 15, 16, 17, 127, 128, 2047} {
		for _, v := range []uint64{0, 1, 127, 128, 1<<14 - 1, 1 << 14, 1<<64 - 1} {
			check(t, AppendUint([]byte("x"), num, v), protowire.AppendVarint(protowire.AppendTag([]byte("x"), num, protowire.VarintType), v))
			check(t, AppendFixed64([]byte("x"), num, v), protowire.AppendFixed64(protowire.AppendTag([]byte("x"), num, protowire.Fixed64Type), v))
		}
		for _, n := range []int{0, 1, 127, 128, 129, 1<<14 - 1, 1 << 14, 1 << 21} {
			data := bytes.Repeat([]byte("a"), n)
			want := protowire.AppendBytes(protowire.AppendTag([]byte("x"), num, protowire.BytesType), data)
			check(t, AppendBytes([]byte("x"), num, data), want)
			check(t, AppendString([]byte("x"), num, string(data)), want)
			b, mark := Open([]byte("x"), num)
			check(t, Close(append(b, data...), mark), want)
			if got := SizeBytes(num, n); got != len(want)-1 {
				t.Errorf("field %d of %d bytes: size %d", num, n, got)
			}
		}
	}
}

func check(t *testing.T, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
}
