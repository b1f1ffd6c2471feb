package perfetto

import (
	"math/bits"

	"google.golang.org/protobuf/encoding/protowire"
)

// This file is the protobuf wire format without any schema: fields are appended
// to a byte slice, and messages are opened and closed in place.

type field = protowire.Number

func appendUint(b []byte, num field, v uint64) []byte {
	return appendVarint(appendTag(b, num, protowire.VarintType), v)
}

// appendTag and appendVarint are those of protowire, inlined for what is small:
// that is most of it.
func appendTag(b []byte, num field, t protowire.Type) []byte {
	if num < 16 {
		return append(b, byte(num)<<3|byte(t))
	}
	return append(b, byte(num)<<3|byte(t)|0x80, byte(num>>4)) // num < 2048
}

func appendVarint(b []byte, v uint64) []byte {
	if v < 1<<7 {
		return append(b, byte(v))
	}
	return protowire.AppendVarint(b, v)
}

func appendFixed64(b []byte, num field, v uint64) []byte {
	return protowire.AppendFixed64(appendTag(b, num, protowire.Fixed64Type), v)
}

func appendString(b []byte, num field, s string) []byte {
	return protowire.AppendString(appendTag(b, num, protowire.BytesType), s)
}

func appendBytes(b []byte, num field, s []byte) []byte {
	return protowire.AppendBytes(appendTag(b, num, protowire.BytesType), s)
}

// appendSame appends a packed field of n varints that are all v, which is less
// than 128.
func appendSame(b []byte, num field, v byte, n int) []byte {
	b = appendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(n))
	for range n {
		b = append(b, v)
	}
	return b
}

// openMessage begins an embedded message; closeMessage, given the mark, ends
// it. In between, the fields of the message are appended.
func openMessage(b []byte, num field) (_ []byte, mark int) {
	b = appendTag(b, num, protowire.BytesType)
	b = append(b, 0) // the length, if it fits into one byte as it mostly does
	return b, len(b)
}

func closeMessage(b []byte, mark int) []byte {
	size := len(b) - mark
	if size < 0x80 {
		b[mark-1] = byte(size)
		return b
	}
	more := (bits.Len(uint(size)) - 1) / 7 // bytes of the length beyond the first
	b = append(b, make([]byte, more)...)
	copy(b[mark+more:], b[mark:mark+size])
	protowire.AppendVarint(b[:mark-1], uint64(size))
	return b
}
