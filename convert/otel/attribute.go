package otel

import (
	"github.com/trace2x/trace2x/internal/wire"
)

// The functions below append an attribute, as the field num of a span or an event.
// Keys must be valid UTF-8; values need not be.

func appendStringAttr(b []byte, num wire.Number, key, value string) []byte {
	b, attr, val := openAttr(b, num, key)
	b = wire.AppendString(b, fValueString, value)
	return wire.Close(wire.Close(b, val), attr)
}

func appendIntAttr(b []byte, num wire.Number, key string, value int64) []byte {
	b, attr, val := openAttr(b, num, key)
	b = wire.AppendUint(b, fValueInt, uint64(value))
	return wire.Close(wire.Close(b, val), attr)
}

// appendTrueAttr appends an attribute that is left out if it is false.
func appendTrueAttr(b []byte, num wire.Number, key string) []byte {
	b, attr, val := openAttr(b, num, key)
	b = wire.AppendUint(b, fValueBool, 1)
	return wire.Close(wire.Close(b, val), attr)
}

func openAttr(b []byte, num wire.Number, key string) (_ []byte, attr, value int) {
	b, attr = wire.Open(b, num)
	b = wire.AppendString(b, fAttributeKey, key)
	b, value = wire.Open(b, fAttributeValue)
	return b, attr, value
}
