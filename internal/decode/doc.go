// Package decode makes events of the bytes of a Go execution trace, in order:
// compact ones, in chunks, which can be handed to another goroutine.
//
// A [Reader] reads a trace of any format, with golang.org/x/exp/trace. A
// [Generation] is one generation of a trace of Go 1.22 or later, which can be
// decoded on its own. It is decoded here, several times as fast, and gives the
// events that a Reader gives, in the same order, with the same times. What it
// does not know, or does not hold to the rules, it leaves to x/exp/trace, which
// goes on from there: what an error is, x/exp/trace decides.
//
// The package does not say what events mean: package model does.
package decode
