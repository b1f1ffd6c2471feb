package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// TestWallZero: an impossible time of day is ignored. The spans then end when the file
// was written, and a warning says so.
func TestWallZero(t *testing.T) {
	data := []byte(read(t, trace(t, "chain")))
	var sum struct {
		Overview struct{ Start time.Time }
	}
	if err := json.Unmarshal([]byte(exec(t, "summary", "--json", trace(t, "chain")).stdout), &sum); err != nil {
		t.Fatal(err)
	}
	replaced := 0
	for s := range int64(2) {
		seconds := binary.AppendUvarint(nil, uint64(sum.Overview.Start.Unix()+s))
		zero := append(bytes.Repeat([]byte{0x80}, len(seconds)-1), 0)
		replaced += bytes.Count(data, seconds)
		data = bytes.ReplaceAll(data, seconds, zero)
	}
	if replaced == 0 {
		t.Fatal("the trace tells no time of day")
	}
	in := filepath.Join(t.TempDir(), "zero.trace")
	write(t, in, string(data))
	written := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(in, written, written); err != nil {
		t.Fatal(err)
	}
	r := exec(t, "otel", "-o", "-", in)
	r.want(t, exitOK, "zero.trace does not tell the time of day; taken to begin at 2026-01-02T03:04:0")
	starts := regexp.MustCompile(`"startTimeUnixNano":"(\d+)"`).FindAllStringSubmatch(r.stdout, -1)
	if len(starts) == 0 {
		t.Fatal("no spans")
	}
	for _, m := range starts {
		ns, err := strconv.ParseInt(m[1], 10, 64)
		if start := time.Unix(0, ns); err != nil || start.After(written) || written.Sub(start) > time.Second {
			t.Errorf("a span starts at %v", start.UTC())
		}
	}
}
