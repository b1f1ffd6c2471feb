package report

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// Whatever the names in a trace are, a terminal gets them on one line, in quotes if
// they have what it would not show.
func TestNamesInText(t *testing.T) {
	const bad = "evil\x1b[31m\n\r\x00\xff\u202ename"
	const want = `"evil\x1b[31m\n\r\x00\xff\u202ename"`
	place := Place{Func: "main." + bad, File: "/x/" + bad, Line: 7}
	times := Times{Total: time.Second, Block: time.Second, BlockByReason: map[string]time.Duration{bad: time.Second}}
	whole := &Report{
		Overview:   Overview{Format: "Go 1.26"},
		Suspects:   []Suspect{{Kind: BlockedThroughout, Count: 1, Why: "blocked", Stack: []Place{place}}},
		Goroutines: []Group{{Func: bad, Count: 2, Sum: times, Max: times}},
		Singles:    []Single{{Func: bad, Times: times}},
		Blocking:   []Blocking{{Reason: bad, Place: place, EndedBy: []EndedBy{{Place: place, Count: 1}, {Place: Place{Func: bad}, Count: 1}}}},
		Scheduling: Scheduling{Count: 1, Worst: []SchedWait{{Moment: Moment{Func: bad}, After: bad}}},
		GC:         GC{Pauses: []Pause{{Reason: bad}}, Assists: []Assist{{Func: bad, Count: 1}}},
		Tasks:      []Annotation{{Type: bad, Times: times}},
		Regions:    []Annotation{{Type: " ", Times: times}},
	}
	one := &Report{Goroutine: &Goroutine{
		Func: bad, Creation: []Place{place},
		States:  []StateSum{{State: "waiting", Reason: bad}},
		Longest: []State{{State: "waiting", Reason: bad, Place: place, EndedBy: 7, EndedByFunc: bad, EndedByPlace: &place}, {State: "waiting", EndedBy: 7, EndedByFunc: bad}},
		Waits:   []Wait{{Reason: bad, Stack: []Place{place}}},
	}}
	for _, r := range []*Report{whole, one} {
		var b strings.Builder
		if err := Text(&b, r, TextOptions{}); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }) {
			t.Errorf("the text has what is not printable: %q", text)
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s\nwithout %s", text, want)
		}
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "[31m") || strings.HasPrefix(line, "name") {
				t.Errorf("a name is on two lines: %q", line)
			}
		}
	}
}
