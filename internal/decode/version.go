package decode

import (
	"bytes"
	"strconv"
)

// version is what differs between the formats of traces.
type version struct {
	// minor is the Go release that wrote the format first: 26 is Go 1.26. Later
	// releases wrote it too, up to the next in the table.
	minor int
	// era is how the trace has to be read.
	era era
	// snapshots: each generation has a clock snapshot, in a batch of evSync.
	// Without, that batch has the frequency only, as evFrequency.
	snapshots bool
	// endMarks: each generation ends with evEndOfGeneration.
	endMarks bool
}

type era uint8

const (
	tooOld      era = iota // golang.org/x/exp/trace does not read it
	whole                  // one list of events, read whole
	generations            // since Go 1.22
)

// versions are all formats that Go releases have written
// (internal/trace/version, and for the oldest internal/trace/parser.go of Go 1.10).
var versions = []version{
	{minor: 5}, {minor: 7}, {minor: 8}, {minor: 9}, {minor: 10},
	{minor: 11, era: whole}, {minor: 19, era: whole}, {minor: 21, era: whole},
	{minor: 22, era: generations}, {minor: 23, era: generations},
	{minor: 25, era: generations, snapshots: true},
	{minor: 26, era: generations, snapshots: true, endMarks: true},
}

// newest returns the newest format that can be read.
func newest() version { return versions[len(versions)-1] }

// versionOf returns the format of Go 1.minor; ok is false if no release wrote one.
func versionOf(minor int) (v version, ok bool) {
	for _, v := range versions {
		if v.minor == minor {
			return v, true
		}
	}
	return version{}, false
}

func (v version) String() string { return "Go 1." + strconv.Itoa(v.minor) }

// headerSize is the size of the header of a trace: "go 1.26 trace" or
// "go 1.9 trace", and zeros.
const headerSize = 16

// parseHeader returns the minor version in the header of a trace, which head
// begins with; ok is false if it begins with something else.
func parseHeader(head []byte) (minor int, ok bool) {
	if len(head) < headerSize {
		return 0, false
	}
	number, rest, found := bytes.Cut(head[:headerSize], []byte(" trace"))
	number, prefix := bytes.CutPrefix(number, []byte("go 1."))
	if !found || !prefix || len(bytes.Trim(rest, "\x00")) > 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(number), 10, 8)
	return int(n), err == nil && strconv.Itoa(int(n)) == string(number)
}
