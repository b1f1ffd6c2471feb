package decode

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

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
		// e_type, in the byte order of EI_DATA (elf(5)).
		if len(head) > 17 && head[16]|head[17] == 4 {
			return "is a core dump; give the trace that the program wrote"
		}
		return "is a program; give the trace that it wrote"
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return "is compressed with gzip; decompress it with gzip -d"
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return "is compressed with xz; decompress it with xz -d"
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return "is compressed with zstd; decompress it with zstd -d"
	case bytes.HasPrefix(head, []byte("BZh")):
		return "is compressed with bzip2; decompress it with bzip2 -d"
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
