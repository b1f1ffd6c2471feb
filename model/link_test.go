package model

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	exptrace "golang.org/x/exp/trace"
)

const parent = "00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01"

func TestParseStartedSpan(t *testing.T) {
	tests := []struct {
		message string
		ok      bool
		name    string
	}{
		{parent + " GET /cart", true, "GET /cart"},
		{parent + "  two spaces", true, " two spaces"},
		{parent + " ", true, ""},
		{"cc" + parent[2:] + "-more name", true, "name"}, // a later version
		{parent + "-2122232425262728 served", true, "served"},
		{parent + "-212223242526272 name", true, "name"},
		{parent, false, ""},
		{"", false, ""},
		{" ", false, ""},
		{parent[1:] + " name", false, ""},
		{strings.Replace(parent, "-", "_", 1) + " name", false, ""},
		{strings.Replace(parent, "0a", "0x", 1) + " name", false, ""},
		{"00-" + strings.Repeat("0", 32) + parent[35:] + " name", false, ""},
		{parent[:36] + strings.Repeat("0", 16) + "-01 name", false, ""},
	}
	for _, tt := range tests {
		s, ok := parseStartedSpan(tt.message)
		if ok != tt.ok || s.name != tt.name && ok {
			t.Errorf("%q: %t, name %q", tt.message, ok, s.name)
		}
		if want := "0102030405060708090a0b0c0d0e0f10 1112131415161718"; ok && fmt.Sprintf("%x %x", s.TraceID, s.SpanID) != want {
			t.Errorf("%q: %x %x", tt.message, s.TraceID, s.SpanID)
		}
		wantParent := "0000000000000000"
		if s.name == "served" {
			wantParent = "2122232425262728"
		}
		if got := fmt.Sprintf("%x", s.Parent); got != wantParent {
			t.Errorf("%q: parent %s", tt.message, got)
		}
	}
}

// started is the message as its documentation has it.
var started = regexp.MustCompile(`(?s)^[^ ]{2}-([0-9a-fA-F]{32})-([0-9a-fA-F]{16})-[^ ]{2}[^ ]* (.*)$`)

func FuzzParseStartedSpan(f *testing.F) {
	f.Add(parent + " GET /cart")
	f.Add("00-")
	f.Fuzz(func(t *testing.T, message string) {
		s, ok := parseStartedSpan(message)
		want := started.FindStringSubmatch(message)
		if want != nil && (strings.Trim(want[1], "0") == "" || strings.Trim(want[2], "0") == "") {
			want = nil
		}
		if strings.ContainsFunc(message, func(r rune) bool { return r >= utf8.RuneSelf }) {
			return // a regular expression counts characters
		}
		if ok != (want != nil) || ok && (fmt.Sprintf("%x-%x", s.TraceID, s.SpanID) != strings.ToLower(want[1]+"-"+want[2]) || s.name != want[3]) {
			t.Errorf("%q: %t, %+v", message, ok, s)
		}
	})
}

// linked is a sink that notes which spans tasks are.
type linked struct{ works }

func (l linked) TaskStart(t *Task) {
	if t.Span != nil {
		l.add("task %d is %x", t.ID, t.Span.SpanID[7])
	} else {
		l.add("task %d", t.ID)
	}
}
func (l linked) OldSpan(s *OldSpan) { l.calls.OldSpan(s) }
func (l linked) TaskEnd(t *Task)    { l.add("task %d ends, Datadog %d", t.ID, t.DatadogSpanID) }
func (l linked) Log(x *Log)         { l.add("log %s", x.Category) }
func (l linked) WorkStart(*Work)    {}
func (l linked) WorkEnd(*Work)      {}

func TestLink(t *testing.T) {
	span := func(f *feed, at on, id byte, name string) {
		message := fmt.Sprintf("%s%02x-01 %s", parent[:50], id, name)
		emit(f, exptrace.EventLog, at, exptrace.Log{Category: otelSpan, Message: message}, exptrace.NoStack)
	}
	begin := func(f *feed, at on, id exptrace.TaskID, typ string) {
		emit(f, exptrace.EventTaskBegin, at, exptrace.Task{ID: id, Type: typ}, exptrace.NoStack)
	}
	end := func(f *feed, at on, id exptrace.TaskID) {
		emit(f, exptrace.EventTaskEnd, at, exptrace.Task{ID: id}, exptrace.NoStack)
	}
	log := func(f *feed, at on, id exptrace.TaskID, category, message string) {
		emit(f, exptrace.EventLog, at, exptrace.Log{Task: id, Category: category, Message: message}, exptrace.NoStack)
	}
	// ended is the log of a span that took 9 s.
	ended := func(f *feed, at on, id byte, name string) {
		log(f, at, 0, otelSpanEnd, fmt.Sprintf("%s%02x-01 9000000000 %s", parent[:50], id, name))
	}
	long := strings.Repeat("x", longestSpanName)
	tests := []struct {
		name         string
		feed         func(f *feed, main, other on)
		want         []string
		inconsistent bool
	}{
		{
			name: "one after the other, of one name",
			feed: func(f *feed, main, other on) {
				span(f, main, 1, "a")
				begin(f, main, 5, "a")
				span(f, main, 2, "a")
				begin(f, main, 6, "a")
				begin(f, main, 7, "a")
			},
			want: []string{"task 5 is 1", "task 6 is 2", "task 7"},
		},
		{
			name: "at the same time, of one name",
			feed: func(f *feed, main, other on) {
				span(f, main, 1, "a")
				span(f, other, 2, "a")
				begin(f, other, 6, "a")
				begin(f, main, 5, "a")
			},
			want: []string{"task 6 is 2", "task 5 is 1"},
		},
		{
			name:         "of another name",
			feed:         func(f *feed, main, other on) { span(f, main, 1, "a"); begin(f, main, 5, "b"); begin(f, main, 6, "a") },
			want:         []string{"task 5", "task 6"},
			inconsistent: true,
		},
		{
			name:         "without a task",
			feed:         func(f *feed, main, other on) { span(f, main, 1, "a"); span(f, main, 2, "a"); begin(f, main, 5, "a") },
			want:         []string{"task 5 is 2"},
			inconsistent: true,
		},
		{
			name: "of a name that was cut",
			feed: func(f *feed, main, other on) { span(f, main, 1, long); begin(f, main, 5, long+"and more") },
			want: []string{"task 5 is 1"},
		},
		{
			name: "not in the right form",
			feed: func(f *feed, main, other on) {
				log(f, main, 0, otelSpan, "nonsense")
				begin(f, main, 5, "nonsense")
				log(f, main, 5, datadogSpan, "nonsense!")
				log(f, main, 0, datadogSpan, "nonsense")
			},
			want: []string{"log " + otelSpan, "task 5", "log " + datadogSpan, "log " + datadogSpan},
		},
		{
			name: "Datadog's, and one of a span without a task",
			feed: func(f *feed, main, other on) {
				begin(f, main, 5, "a")
				log(f, main, 5, datadogSpan, "\x01\x02\x00\x00\x00\x00\x00\x00")
				log(f, main, 5, datadogSpan, "\x03\x00\x00\x00\x00\x00\x00\x00")
				end(f, main, 5)
			},
			want: []string{"task 5", "task 5 ends, Datadog 513"},
		},
		{
			name: "from before the trace",
			feed: func(f *feed, main, other on) { end(f, main, 5); ended(f, main, 1, "a b") },
			want: []string{"task 5", "task 5 ends, Datadog 0", `old-span 1 "a b" -8999999930 to 70 G1 task 5`},
		},
		{
			name: "from before the trace, with a part in it",
			feed: func(f *feed, main, other on) {
				span(f, main, 2, "b")
				emit(f, exptrace.EventTaskBegin, main, exptrace.Task{ID: 6, Parent: 5, Type: "b"}, exptrace.NoStack)
				end(f, main, 6)
				ended(f, main, 2, "b")
				end(f, main, 5)
				ended(f, main, 1, "a")
			},
			want: []string{"task 5", "task 6 is 2", "task 6 ends, Datadog 0", "task 5 ends, Datadog 0", `old-span 1 "a" -8999999890 to 110 G1 task 5`},
		},
		{
			name: "from before the trace, beside a task that another goroutine ended",
			feed: func(f *feed, main, other on) { end(f, main, 5); ended(f, other, 1, "a") },
			want: []string{"task 5", "task 5 ends, Datadog 0", `old-span 1 "a" -8999999930 to 70 G2 task 0`},
		},
		{
			name: "from before the recording",
			feed: func(f *feed, main, other on) { begin(f, main, 5, "p"); ended(f, main, 1, "a") },
			want: []string{"task 5", `old-span 1 "a" -8999999930 to 70 G1 task 0`},
		},
		{
			name: "known, and ended elsewhere",
			feed: func(f *feed, main, other on) {
				span(f, main, 1, "a")
				begin(f, main, 5, "a")
				end(f, other, 5)
				ended(f, other, 1, "a")
			},
			want: []string{"task 5 is 1", "task 5 ends, Datadog 0"},
		},
		{
			name: "ended, not in the right form",
			feed: func(f *feed, main, other on) { log(f, main, 0, otelSpanEnd, parent+" -1 a") },
			want: []string{"log " + otelSpanEnd},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFeed(t)
			f.b.sink = linked{works{calls: f.sink}}
			main := f.begin()
			f.proc(nowhere, 1, exptrace.ProcUndetermined, exptrace.ProcRunning)
			f.goroutine(idle(1, 2), 2, exptrace.GoUndetermined, exptrace.GoRunning, "")
			tt.feed(f, main, on{2, 1, 2})
			f.want(tt.want...)
			if tt.inconsistent {
				f.wantMisuse(map[string]int{spanWithoutTask: 1})
			} else {
				f.wantInconsistent()
			}
		})
	}
}
