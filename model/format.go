package model

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// FormatError says that the input is not a Go execution trace that can be
// read, what it seems to be, and what to do.
type FormatError struct{ Reason string }

func (e *FormatError) Error() string { return e.Reason }

// The header of a trace is 16 bytes: "go 1.26 trace" and three zeros
// (internal/trace/version).
const headerSize = 16

// newestFormat is the newest format that golang.org/x/exp/trace reads.
const newestFormat = 26

// sniff looks at the header of a trace without consuming it.
func sniff(r *bufio.Reader) (Trace, error) {
	head, err := r.Peek(512)
	if err != nil && err != io.EOF {
		return Trace{}, fmt.Errorf("reading the trace: %w", err)
	}
	if err := CheckHeader(head); err != nil {
		return Trace{}, err
	}
	minor, _ := strconv.Atoi(string(head[5:7]))
	if minor > newestFormat {
		return Trace{}, &FormatError{fmt.Sprintf("a Go execution trace in the format of Go 1.%d, which is newer than this version of trace2x knows (up to Go 1.%d): update trace2x", minor, newestFormat)}
	}
	return Trace{Format: "Go 1." + strconv.Itoa(minor), v1: minor < 22}, nil
}

// CheckHeader looks at the first bytes of an input, all of them or 512. It
// returns nil if a Go execution trace begins there, also one that is too new for
// [Read], and else a *[FormatError].
func CheckHeader(head []byte) error {
	if len(head) == 0 {
		return &FormatError{"the input is empty: trace.Stop was not called, or the program did not get to it"}
	}
	if len(head) >= headerSize && bytes.HasPrefix(head, []byte("go 1.")) && string(head[7:headerSize]) == " trace\x00\x00\x00" {
		if _, err := strconv.ParseUint(string(head[5:7]), 10, 8); err == nil {
			return nil
		}
	}
	if truncated := "go 1."; len(head) < headerSize && (strings.HasPrefix(truncated, string(head)) || strings.HasPrefix(string(head), truncated)) {
		return &FormatError{fmt.Sprintf("a Go execution trace that ends inside its header, after %d bytes", len(head))}
	}
	return &FormatError{"not a Go execution trace: it " + resemblance(head)}
}

// resemblance says what other file the bytes seem to begin.
func resemblance(head []byte) string {
	if isText(head) {
		return textResemblance(head)
	}
	switch {
	case looksLikePprof(head):
		return "seems to be a pprof profile; open it with go tool pprof"
	case looksLikePerfetto(head):
		return "seems to be a Perfetto trace already; open it in ui.perfetto.dev"
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return "is a program; give the trace that it wrote"
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return "is compressed with gzip once more; decompress it"
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return "is compressed with zstd; decompress it with zstd -d"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return "is a zip archive; extract the trace from it"
	}
	return fmt.Sprintf("begins with the bytes % x", head[:min(len(head), 8)])
}

// isText reports whether the bytes are UTF-8 without control characters. The
// last character may be cut.
func isText(head []byte) bool {
	for i := 0; i < utf8.UTFMax-1 && !utf8.Valid(head); i++ {
		head = head[:len(head)-1]
	}
	return utf8.Valid(head) && !bytes.ContainsFunc(head, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' && r != '\r'
	})
}

func textResemblance(head []byte) string {
	text := strings.TrimSpace(string(head))
	switch lower := strings.ToLower(text); {
	case strings.HasPrefix(lower, "{") && strings.Contains(text, "traceEvents"):
		return "seems to be a Chrome JSON trace; open it in ui.perfetto.dev"
	case strings.HasPrefix(lower, "<!doctype"), strings.HasPrefix(lower, "<html"):
		return "is an HTML page; was the address of /debug/pprof/trace right?"
	}
	line, _, _ := strings.Cut(text, "\n")
	const most = 80
	if runes := []rune(line); len(runes) > most {
		line = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("is text that begins with %q", line)
}

// looksLikePerfetto recognizes a perfetto.protos.Trace: packets (field 1,
// length-delimited) one after the other.
func looksLikePerfetto(head []byte) bool {
	packets := 0
	for len(head) > 0 {
		field, wire, n := protowire.ConsumeTag(head)
		if n < 0 || field != 1 || wire != protowire.BytesType {
			return false
		}
		size, m := protowire.ConsumeVarint(head[n:])
		if m < 0 || size == 0 {
			return false
		}
		packets++
		head = head[n+m:]
		if size >= uint64(len(head)) {
			// The last one in sight: it must at least begin with a field.
			field, _, n := protowire.ConsumeTag(head)
			return packets > 1 || n > 0 && field < 1000
		}
		head = head[size:]
	}
	return packets > 0
}

// looksLikePprof recognizes a perftools.profiles.Profile: it begins with a
// sample_type or a period_type, which is two small string indexes.
func looksLikePprof(head []byte) bool {
	for { // time_nanos, duration_nanos and period may come before it
		field, wire, n := protowire.ConsumeTag(head)
		if n < 0 || wire != protowire.VarintType || field != 9 && field != 10 && field != 12 {
			break
		}
		_, m := protowire.ConsumeVarint(head[n:])
		if m < 0 {
			return false
		}
		head = head[n+m:]
	}
	return len(head) > 6 && (head[0] == 0x0a || head[0] == 0x5a) && head[1] <= 8 && head[2] == 0x08 && head[3] < 0x80 && head[4] == 0x10
}
