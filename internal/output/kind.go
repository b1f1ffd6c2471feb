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

// Kind is what is in an output.
type Kind struct {
	// Name is what to call it, as in "a Perfetto trace".
	Name string
	// Binary is what a terminal cannot show.
	Binary bool
	// Zipped is what is compressed already, whatever the name of the file.
	Zipped bool
	// like reports whether the beginning of a file, decompressed, is of this kind;
	// nil for what no file is like.
	like func(head []byte) bool
}

// The kinds of outputs.
var (
	Recording = &Kind{Name: "a Go execution trace", Binary: true}
	Perfetto  = &Kind{Name: "a Perfetto trace", Binary: true, like: isPerfetto}
	Profile   = &Kind{Name: "a profile", Binary: true, Zipped: true, like: isProfile}
	Spans     = &Kind{Name: "OTLP JSON Lines", like: regexp.MustCompile(`^\s*\{\s*"resourceSpans"\s*:`).Match}
	Page      = &Kind{Name: "a manual page", like: regexp.MustCompile(`^\.TH `).Match}
)

// headSize is how much of a file is looked at.
const headSize = 16 << 10

// check returns an error if a file may not be overwritten: if it is neither empty
// nor of this kind.
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

// isPerfetto reports whether a file begins with packets of a Perfetto trace, one of
// which has a time or is of a sequence.
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

// isProfile reports whether a file begins with the types of the samples of a pprof
// profile, which are two numbers each.
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

// fields calls f for the fields of a message, the last of which may be cut, and
// reports whether it is one and f always returns true.
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

// cut is what protowire returns for what ends too early.
var cut = func() int { _, n := protowire.ConsumeVarint(nil); return n }()
