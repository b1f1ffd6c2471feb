// Package deeplink says where in a trace the Perfetto UI opens: it makes the arguments
// of the UI's address.
//
// The arguments are of three kinds. visStart and visEnd are what the UI zooms to. table, ts
// and dur are an event that it selects. The others are commands that the UI promises to keep; they make a workspace, which is a
// choice of tracks, without the groups that are empty for a Go trace, expand what
// matters, and set notes. The workspace is called [Workspace]; the UI's own one, with
// everything, stays a click away.
//
//	w := perfetto.NewWriter(file, perfetto.Options{Slowest: 10})
//	sum, err := model.Read(ctx, r, w)
//	view := deeplink.View{Start: sum.Start, End: sum.End, Path: &w.Paths()[0]}
//	offer := server.Add(serve.File{…, Args: view.Args()}) // see package serve
//	offer.Link()
//
// The arguments are at most [MaxSize] bytes, encoded. Facts about them come from
// https://perfetto.dev/docs/visualization/deep-linking-to-perfetto-ui and
// https://perfetto.dev/docs/visualization/commands-automation-reference, and from trying
// them in the UI, v55.3.
package deeplink

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/model"
)

const (
	// Workspace is the name of the workspace that the UI shows.
	Workspace = "Go"
	// MaxSize is the largest size of the encoded arguments, in bytes. Browsers take far
	// more, but the programs that hand a link to a browser do not.
	MaxSize = 6 << 10
	// maxLanes is the number of lanes that are shown, of a path those with the most time.
	maxLanes = 64
	// maxText is how much of a name or a note is kept, in bytes.
	maxText = 300
	// minZoom is the shortest stretch of time, in ns, that the UI zooms to.
	minZoom = 1000
)

// A View is what of a file of package perfetto the UI shows first. The zero From, To,
// Path and Note show the whole trace. Times are those of the trace, in ns.
type View struct {
	// Start and End are the first and the last moment of the file. The UI does not zoom
	// to what is outside of them, so that is cut.
	Start, End model.Time
	// From and To are what the UI zooms to, with nothing around it. If both are 0, they
	// are those of Path with a tenth around, or of the whole file.
	From, To model.Time
	// Path is a critical path that the file has. Its track is pinned on top, and of the
	// goroutines only the lanes that take part are shown. Nil shows everything.
	Path *perfetto.Path
	// Lanes are the lanes of goroutines to look at, if Path is nil: they stand below the
	// Ps, expanded. What else there is comes behind them.
	Lanes []perfetto.LaneID
	// Note is a text at the moment At; "" for none.
	Note string
	At   model.Time
	// Select is the table of the trace processor, slice or thread_state, that has an event
	// of exactly this begin, At, and Length in ns: the UI selects it. "" selects nothing,
	// and so does a Length that is short for the file, since the UI may then show the
	// whole file instead of From and To.
	Select string
	Length model.Time
	// Programs says that the file has several programs. Then Path must be nil.
	Programs bool
}

// Around returns the view of a moment with some time before and behind it.
func Around(start, end, at model.Time, note string) View {
	return View{Start: start, End: end, From: at - aroundMoment, To: at + aroundMoment, At: at, Note: note}
}

// aroundMoment is the time in ns that is shown before and behind a moment.
const aroundMoment = 5_000_000

// Args returns the arguments of the UI's address.
func (v View) Args() url.Values {
	args := make(url.Values)
	from, to := v.zoom()
	if from < to {
		args.Set("visStart", strconv.FormatInt(int64(from), 10))
		args.Set("visEnd", strconv.FormatInt(int64(to), 10))
	}
	if v.Select != "" && v.Length > 0 && v.Length >= (v.End-v.Start)/10 {
		args.Set("table", v.Select)
		args.Set("ts", strconv.FormatInt(int64(v.At), 10))
		args.Set("dur", strconv.FormatInt(int64(v.Length), 10))
	}
	lanes := maxLanes
	args.Set("startupCommands", v.commands(lanes))
	for lanes > 0 && len(args.Encode()) > MaxSize {
		lanes /= 2
		args.Set("startupCommands", v.commands(lanes))
	}
	return args
}

// zoom returns what the UI zooms to; nothing for the whole file.
func (v *View) zoom() (from, to model.Time) {
	from, to = v.From, v.To
	if from == 0 && to == 0 && v.Path != nil {
		margin := (v.Path.End - v.Path.Start) / 10
		from, to = v.Path.Start-margin, v.Path.End+margin
	}
	if from == 0 && to == 0 {
		return 0, 0
	}
	if short := minZoom - (to - from); short > 0 {
		from, to = from-short/2, to+short/2
	}
	return max(from, v.Start), min(to, v.End)
}

// command is a command of the UI.
type command struct {
	ID   string   `json:"id"`
	Args []string `json:"args"`
}

// commands returns the commands, with at most so many lanes.
func (v *View) commands(lanes int) string {
	var list []command
	do := func(id string, args ...string) {
		list = append(list, command{"dev.perfetto." + id, args})
	}
	do("CreateWorkspace", Workspace)
	copyTracks := func(regex string) {
		do("CopyTracksToWorkspaceByRegexWithAncestors", regex, Workspace, "path")
	}
	if v.Path == nil {
		// What ends in a number is a process. Processes stand in the order in which they
		// are copied. The UI's own groups have other names.
		// With several programs, the names of theirs stand before their tracks, and the UI
		// puts the number of the machine behind.
		program, number := ``, ` \d+`
		if v.Programs {
			program, number = `([^>]+: )?`, ` \d+( \(machine \d+\))?`
		}
		shown, expanded := groups, "CPU Scheduling"
		if len(v.Lanes) > 0 {
			pids, tids := numbersOf(v.Lanes[:min(len(v.Lanes), lanes)])
			copyTracks(`^` + groups[0] + `$`)
			do("CopyTracksToWorkspaceByRegex", `^[^>]+ (`+pids+`) > [^>]+ (`+tids+`)$`, Workspace, "path")
			shown, expanded = groups[1:], expanded+`|[^>]+ (`+tids+`)`
		}
		copyTracks(`^(` + program + `(` + strings.Join(shown, "|") + `)|(?!` + program + perfetto.RuntimeProcess + ` )[^>]+` + number + `)$`)
		copyTracks(`^` + program + perfetto.RuntimeProcess + number + `$`)
		do("SwitchWorkspace", Workspace)
		do("ExpandTracksByRegex", `^`+program+`(`+expanded+`|`+perfetto.CallsGroup+`|Slowest [a-z]+|Tasks|Go runtime)$`, "path")
	} else {
		pids, tids := numbersOf(v.Path.Lanes[:min(len(v.Path.Lanes), lanes)])
		track := quotePath(v.Path.Track)
		if tids != "" {
			copyTracks(`^(CPU Scheduling|` + track + `|[^>]+ (` + pids + `) > [^>]+ (` + tids + `))$`)
		} else {
			copyTracks(`^(CPU Scheduling|` + track + `)$`)
		}
		do("SwitchWorkspace", Workspace)
		do("ExpandTracksByRegex", `^[^>]+ \d+$`, "path")
		do("PinTracksByRegex", `^`+track+`$`, "path")
	}
	if v.Note != "" {
		do("AddNoteAtTimestamp", strconv.FormatInt(int64(v.At), 10), shorten(v.Note))
	}
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(list); err != nil {
		panic(fmt.Sprintf("deeplink: %v", err)) // strings cannot fail
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// numbersOf returns the numbers of processes and lanes, as parts of a regular expression.
func numbersOf(lanes []perfetto.LaneID) (pids, tids string) {
	var p, t []string
	for _, l := range lanes {
		p, t = append(p, strconv.Itoa(int(l.PID))), append(t, strconv.Itoa(int(l.TID)))
	}
	return strings.Join(unique(p), "|"), strings.Join(unique(t), "|")
}

// groups are the tracks that are not of processes, as regular expressions. The Go runtime
// has many; those that are left out hardly change, or are of a single P. The Ps are first.
var groups = []string{
	"CPU Scheduling",
	perfetto.CallsGroup,
	"Go runtime > (GC|Stop-the-world|Damage|Goroutines runn.*|Heap in use)",
	"Slowest [a-z]+",
	"Tasks",
	"Ps from 1024 on",
	"OS threads",
}

// quotePath returns a regular expression for the path of a track.
func quotePath(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		short := shorten(name)
		if quoted[i] = regexp.QuoteMeta(short); len(short) < len(name) {
			quoted[i] += ".*"
		}
	}
	return strings.Join(quoted, " > ")
}

// shorten cuts a text that is too long for an address.
func shorten(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "")
}

func unique(list []string) []string {
	seen := make(map[string]bool)
	var out []string
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
