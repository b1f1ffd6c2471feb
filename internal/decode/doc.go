// Package decode decodes a Go execution trace into ordered, compact events.
//
// It alone knows what the bytes of a trace look like: versions, framing,
// generations, the order of events, damage. It alone imports
// golang.org/x/exp/trace.
//
// [Open] recognizes a trace, [Input.Chunks] yields its events in chunks, which
// can be handed to another goroutine, and the damage between them.
//
// A trace of Go 1.22 or later is a header and then generations, each of about a
// second, each decodable on its own. The [splitter] cuts them out of the bytes;
// several are decoded at a time. The package decodes them by itself, several
// times as fast as golang.org/x/exp/trace, into the same events in the same
// order with the same times. It leaves a generation with anything that it does
// not know to golang.org/x/exp/trace. Traces of Go 1.21 and earlier are always
// decoded by golang.org/x/exp/trace, which reads them whole.
//
// The package does not say what events mean: package model does.
package decode
