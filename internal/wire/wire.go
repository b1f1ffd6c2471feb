// Package wire is the protobuf wire format without any schema: fields are
// appended to a byte slice, and messages are opened and closed in place. What is
// encoded often, with few allocations, is encoded with it; which fields there are
// says the package that does so.
package wire

import (
	"math/bits"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Number is the number of a field, less than 2048.
type Number = protowire.Number

// Message is the type of the tag of a message, which is appended to the number shifted by
// 3. For a varint, the number alone is.
const Message = Number(protowire.BytesType)

// AppendUint appends a field of a varint type but sint32 and sint64: integers,
// signed ones converted to uint64, enums and bools.
func AppendUint(b []byte, num Number, v uint64) []byte {
	return AppendVarint(appendTag(b, num, protowire.VarintType), v)
}

// AppendFixed64 appends a fixed64 field.
func AppendFixed64(b []byte, num Number, v uint64) []byte {
	return protowire.AppendFixed64(appendTag(b, num, protowire.Fixed64Type), v)
}

// AppendString appends a string field, with [Text] of s.
func AppendString(b []byte, num Number, s string) []byte {
	s = Text(s)
	return append(AppendLength(b, num, len(s)), s...)
}

// Text returns what a string field can have of s: U+FFFD stands for bytes that are not
// UTF-8. Whoever reads a message may refuse all of it for one such byte.
func Text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// AppendBytes appends a bytes field, or a message that is encoded.
func AppendBytes(b []byte, num Number, s []byte) []byte {
	return append(AppendLength(b, num, len(s)), s...)
}

// AppendLength appends what begins a field of n bytes, which are to follow.
func AppendLength(b []byte, num Number, n int) []byte {
	return AppendVarint(appendTag(b, num, protowire.BytesType), uint64(n))
}

// SizeBytes is how much AppendString and AppendBytes append for n bytes.
func SizeBytes(num Number, n int) int { return protowire.SizeTag(num) + protowire.SizeBytes(n) }

// AppendVarint appends a number, as one of a packed field. It and appendTag are
// the same as in protowire, inlined for small values: most are small.
func AppendVarint(b []byte, v uint64) []byte {
	if v < 1<<7 {
		return append(b, byte(v))
	}
	return protowire.AppendVarint(b, v)
}

func appendTag(b []byte, num Number, t protowire.Type) []byte {
	if num < 16 {
		return append(b, byte(num)<<3|byte(t))
	}
	return append(b, byte(num)<<3|byte(t)|0x80, byte(num>>4))
}

// Open begins an embedded message; Close, given the mark, ends it. In between,
// the fields of the message are appended.
func Open(b []byte, num Number) (_ []byte, mark int) {
	b = appendTag(b, num, protowire.BytesType)
	b = append(b, 0) // the length, if it fits into one byte as it mostly does
	return b, len(b)
}

// Close ends the message that [Open] began.
func Close(b []byte, mark int) []byte {
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
