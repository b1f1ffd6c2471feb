package deeplink

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

func commandsOf(t *testing.T, v View) (list []command) {
	t.Helper()
	args := v.Args()
	if n := len(args.Encode()); n > MaxSize {
		t.Errorf("the arguments have %d bytes", n)
	}
	if err := json.Unmarshal([]byte(args.Get("startupCommands")), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestZoom(t *testing.T) {
	path := &perfetto.Path{Unit: critical.Unit{Start: 2000, End: 12_000}}
	for _, test := range []struct {
		name     string
		v        View
		from, to string
	}{
		{"everything", View{Start: 0, End: 50_000}, "", ""},
		{"a range", View{Start: 0, End: 50_000, From: 5000, To: 7000}, "5000", "7000"},
		{"a range beyond the file", View{Start: 6000, End: 50_000, From: 5000, To: 70_000}, "6000", "50000"},
		{"a range that is not in the file", View{Start: 6000, End: 50_000, From: 100, To: 5000}, "", ""},
		{"a point", View{Start: 0, End: 50_000, From: 7000, To: 7000}, "6500", "7500"},
		{"a path", View{Start: 0, End: 50_000, Path: path}, "1000", "13000"},
		{"a path at the edge", View{Start: 1500, End: 12_000, Path: path}, "1500", "12000"},
		{"a part of a path", View{Start: 0, End: 50_000, From: 4000, To: 8000, Path: path}, "4000", "8000"},
		{"around a moment", Around(0, 50_000_000, 20_000_000, "x"), "15000000", "25000000"},
	} {
		args := test.v.Args()
		if from, to := args.Get("visStart"), args.Get("visEnd"); from != test.from || to != test.to {
			t.Errorf("%s: from %s to %s, want %s and %s", test.name, from, to, test.from, test.to)
		}
	}
}

// Names of a trace are text, and however long they are, the address is not.
func TestHostileNames(t *testing.T) {
	name := `a>b (c)*[d] "é` + "\n<script>" + strings.Repeat("x(", 5000)
	v := View{End: 100, Path: &perfetto.Path{Track: []string{"Slowest tasks", name, "1: 3ms"}}, Note: strings.Repeat("ü", 5000)}
	for i := range int32(10_000) {
		v.Path.Lanes = append(v.Path.Lanes, perfetto.LaneID{PID: 1<<30 + i%100, TID: 1<<30 + 1000 + i})
	}
	list := commandsOf(t, v)
	path := strings.Join(v.Path.Track, " > ")
	for _, c := range list {
		if !strings.Contains(c.ID, "Regex") {
			continue
		}
		re, err := regexp.Compile("(?s)" + c.Args[0])
		if err != nil {
			t.Errorf("%s: %v", c.ID, err)
		} else if strings.Contains(c.Args[0], "Slowest") && !re.MatchString(path) {
			t.Errorf("%s: %.80s does not match", c.ID, c.Args[0])
		}
	}
}

// Only the lanes of the path are copied, each once.
func TestLanes(t *testing.T) {
	v := View{End: 100, Path: &perfetto.Path{
		Track: []string{"Slowest tasks", "handleRequest", "1: 3ms"},
		Lanes: []perfetto.LaneID{{PID: 12, TID: 3}, {PID: 15, TID: 7}, {PID: 12, TID: 30}},
	}}
	re := regexp.MustCompile(commandsOf(t, v)[1].Args[0])
	for path, want := range map[string]bool{
		"CPU Scheduling":                              true,
		"CPU Scheduling > CPU 0 Scheduling":           false, // part of the one above
		"Slowest tasks":                               false,
		"Slowest tasks > handleRequest > 1: 3ms":      true,
		"Slowest tasks > handleRequest > 11: 3ms":     false,
		"main.f 12":                                   false,
		"main.f 12 > main.f lane 3":                   true,
		"main.f 12 > main.f lane 30":                  true,
		"main.f 12 > main.f lane 31":                  false,
		"net/http.(*conn).serve 15 > http lane 7":     true,
		"net/http.(*conn).serve 115 > http lane 7":    false,
		"main.f 12 > main.f lane 3 > main.f lane 3":   false,
		"Tasks > handleRequest > query 3":             false,
		"net/http.(*conn).serve 15 > Process 15 > 7":  false,
		"net/http.(*conn).serve 150 > http lane 1000": false,
	} {
		if got := re.MatchString(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// The lanes to look at stand below the Ps, and everything else is there too.
func TestLookAt(t *testing.T) {
	v := View{End: 100, Lanes: []perfetto.LaneID{{PID: 12, TID: 3}, {PID: 15, TID: 7}, {PID: 12, TID: 3}}}
	var copied []string
	for _, c := range commandsOf(t, v) {
		if strings.Contains(c.ID, "CopyTracks") {
			copied = append(copied, c.Args[0])
		}
	}
	for path, want := range map[string]int{
		"CPU Scheduling":                               0,
		"main.f 12 > main.f lane 3":                    1,
		"http.(*conn).serve 15 > http lane 7":          1,
		"main.f 12 > main.f lane 3 > main.f lane 3":    -1, // part of the lane
		"main.f 12 > main.f lane 13":                   -1, // part of its process
		"Tasks":                                        2,
		"main.f 12":                                    2,
		"runtime 30":                                   3,
		"runtime 30 > runtime.gcBgMarkWorker 19":       -1,
		"Go runtime > Heap in use":                     2,
		"Scheduler > CPU 0 Scheduling > something 173": -1,
		"Ftrace Events > Ftrace Track for CPU 3":       -1,
	} {
		got := -1
		for i, regex := range copied {
			// Go's regular expressions lack what the UI's have.
			regex = strings.ReplaceAll(regex, `|(?!`+perfetto.RuntimeProcess+` )[^>]+ \d+`, `|[^>]+ \d+`)
			if regexp.MustCompile(regex).MatchString(path) {
				got = i
				if i == 2 && strings.HasPrefix(path, perfetto.RuntimeProcess+" ") {
					continue // excluded there
				}
				break
			}
		}
		if got != want {
			t.Errorf("%s is copied by %d, want %d", path, got, want)
		}
	}
}

// An event is selected unless it is short for the file.
func TestSelect(t *testing.T) {
	for _, test := range []struct {
		v    View
		want bool
	}{
		{View{Start: 1000, End: 3000, At: 1500, Length: 800, Select: "slice"}, true},
		{View{Start: 1000, End: 3000, At: 1500, Length: 100, Select: "slice"}, false},
		{View{Start: 1000, End: 3000, At: 1500, Length: 800}, false},
		{View{Start: 1000, End: 3000, Select: "slice"}, false},
	} {
		args := test.v.Args()
		if got := args.Has("ts"); got != test.want || got && (args.Get("ts") != "1500" || args.Get("dur") != "800" || args.Get("table") != "slice") {
			t.Errorf("%+v: %v", test.v, args)
		}
	}
}

func TestNote(t *testing.T) {
	list := commandsOf(t, Around(0, 1<<40, 1<<39, "look here"))
	last := list[len(list)-1]
	if last.ID != "dev.perfetto.AddNoteAtTimestamp" || last.Args[0] != "549755813888" || last.Args[1] != "look here" {
		t.Errorf("%+v", last)
	}
	for _, c := range commandsOf(t, View{End: model.Time(1)}) {
		if c.ID == last.ID {
			t.Error("a note that nobody asked for")
		}
	}
}
