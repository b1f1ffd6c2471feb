package report_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/report"
)

// FuzzRead: whatever is in a trace, the report of it is right in itself.
func FuzzRead(f *testing.F) {
	testtrace.SeedStructure(f)
	f.Fuzz(func(t *testing.T, data []byte, change uint64) { render(t, testtrace.Mutate(data, change)) })
}

// render reports on bytes of any kind, in all ways; it is false if they cannot be
// read at all. What is JSON is the same report when it is read again, and what is
// text fits a terminal.
func render(t *testing.T, data []byte) bool {
	t.Helper()
	rep, _ := report.Read(t.Context(), bytes.NewReader(data), report.Options{Goroutine: 1})
	if rep == nil {
		return false
	}
	renderOne(t, rep)
	rep.Goroutine = nil
	renderOne(t, rep)
	return true
}

func renderOne(t *testing.T, rep *report.Report) {
	t.Helper()
	encoded, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	var again report.Report
	if err := json.Unmarshal(encoded, &again); err != nil {
		t.Fatal(err)
	}
	// Both stand for a byte that is not UTF-8.
	encoded = bytes.ReplaceAll(encoded, []byte(`\ufffd`), []byte("\ufffd"))
	if twice, err := json.Marshal(&again); err != nil || !bytes.Equal(twice, encoded) {
		at := 0
		for at < min(len(twice), len(encoded)) && twice[at] == encoded[at] {
			at++
		}
		t.Errorf("%v: JSON that is read again is …%s, not …%s", err, twice[max(at-60, 0):min(at+60, len(twice))], encoded[max(at-60, 0):min(at+60, len(encoded))])
	}
	for _, opts := range []report.TextOptions{{}, {Top: 3, Width: 80}, {Top: 1, Width: 40}} {
		var out strings.Builder
		if err := report.Text(&out, rep, opts); err != nil {
			t.Fatal(err)
		}
		checkText(t, out.String(), opts.Width)
	}
}

// place is a file with a line, which is not cut.
var place = regexp.MustCompile(`\S+:[0-9]+`)

func checkText(t *testing.T, text string, width int) {
	t.Helper()
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) }) {
		t.Errorf("the text has what a terminal does not show: %q", text)
	}
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > 0 && n > width && !place.MatchString(line) {
			t.Errorf("%d characters: %s", n, line)
		}
	}
}

// TestDamaged: the reports of traces of all versions that are cut or overwritten are
// right in themselves.
func TestDamaged(t *testing.T) {
	for name, data := range testtrace.Damaged(t, 200) {
		if render(t, data); t.Failed() {
			t.Fatal(name)
		}
	}
}
