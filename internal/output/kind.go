package output

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"regexp"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/trace2x/trace2x/internal/address"
)

// Kind is a kind of contents of an output.
type Kind struct {
	// Name is what to call it, as in "a Perfetto trace".
	Name string
	// Binary means that a terminal cannot show it.
	Binary bool
	// Zipped means that it is compressed already, whatever the name of the file.
	Zipped bool
	// like reports whether the decompressed beginning of a file is of this kind. It
	// is nil if no file is.
	like func(head []byte) bool
}

// The kinds of outputs.
var (
	Recording = &Kind{Name: "a Go execution trace", Binary: true}
	Perfetto  = &Kind{Name: "a Perfetto trace", Binary: true, like: isPerfetto}
	Profile   = &Kind{Name: "a profile", Binary: true, Zipped: true, like: isProfile}
	Spans     = &Kind{Name: "OTLP JSON Lines", like: regexp.MustCompile(`^\s*\{\s*"resource(Spans|Metrics|Profiles)"\s*:`).Match}
	// Difference is text, JSON or a page of trace2x diff.
	Difference = &Kind{Name: "a difference of traces", like: regexp.MustCompile(`^[^\n]+\n\n  before: \d+ runs?, |^\s*\{\s*"headline"\s*:|^<!DOCTYPE html>\n[^\x00]* – trace2x diff</title>`).Match}
	HTML       = &Kind{Name: "an HTML page of trace2x", like: isHTML}
	Page       = &Kind{Name: "a manual page", like: regexp.MustCompile(`^\.TH `).Match}
)

// isHTML reports whether a file is a page of package web.
func isHTML(head []byte) bool {
	return bytes.HasPrefix(head, []byte("<!DOCTYPE html>\n")) && bytes.Contains(head, []byte(" – trace2x</title>"))
}

// headSize is how much of a file is looked at, in bytes.
const headSize = 16 << 10

// check returns an error if a file may not be overwritten because it is not empty and is
// not of this kind.
func (k *Kind) check(name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, headSize)
	n, err := io.ReadFull(f, head)
	if err == io.EOF {
		return nil
	}
	if err != nil && err != io.ErrUnexpectedEOF {
		return err
	}
	head = head[:n]
	if zr, err := gzip.NewReader(bytes.NewReader(head)); err == nil {
		head, _ = io.ReadAll(io.LimitReader(zr, headSize)) // what there is of it
	}
	if k.like == nil || !k.like(head) {
		return fmt.Errorf("%s exists and is not %s: give another name with -o, or --force to overwrite it", address.Name(name), k.Name)
	}
	return nil
}

// isPerfetto reports whether a file begins with packets of a Perfetto trace. One of them
// must have a time or a sequence.
func isPerfetto(head []byte) bool {
	const packet, timestamp, sequence, mostField = 1, 8, 10, 1000
	found := false
	ok := fields(head, func(num protowire.Number, typ protowire.Type, inner []byte) bool {
		return num == packet && typ == protowire.BytesType && fields(inner, func(num protowire.Number, typ protowire.Type, _ []byte) bool {
			found = found || (num == timestamp || num == sequence) && typ == protowire.VarintType
			return num < mostField
		})
	})
	return ok && found
}

// isProfile reports whether a file begins as a pprof profile does, with the types of the
// samples: two numbers each.
func isProfile(head []byte) bool {
	const sampleType, mostField = 1, 15
	first := true
	ok := fields(head, func(num protowire.Number, typ protowire.Type, inner []byte) bool {
		if num != sampleType {
			return !first && num <= mostField
		}
		first = false
		return typ == protowire.BytesType && fields(inner, func(num protowire.Number, typ protowire.Type, _ []byte) bool {
			return num <= 2 && typ == protowire.VarintType
		})
	})
	return ok && !first
}

// fields calls f for the fields of a message. The last one may be cut. fields reports
// whether it is a message and f always returned true.
func fields(b []byte, f func(num protowire.Number, typ protowire.Type, inner []byte) bool) bool {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return n == cut
		}
		b = b[n:]
		var inner []byte
		if typ == protowire.BytesType {
			size, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return n == cut
			}
			inner = b[n:min(n+int(min(size, headSize)), len(b))]
		}
		if !f(num, typ, inner) {
			return false
		}
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return n == cut
		}
		b = b[n:]
	}
	return true
}

// cut is the error of protowire for a message that ends too early.
var cut = func() int { _, n := protowire.ConsumeVarint(nil); return n }()
