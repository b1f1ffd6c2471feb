package web

import (
	"fmt"
	"net/url"

	"github.com/trace2x/trace2x/convert/pprof"
)

// flameLink leads to the flame graph of a type of profile.
type flameLink struct{ Name, What, Href string }

// profileTypes are the types of profiles, with what they are of.
var profileTypes = []struct {
	typ  pprof.Type
	what string
}{
	{pprof.Wall, "all the time of all goroutines, by state"},
	{pprof.Critical, "the critical paths of units of work: why they took so long"},
	{pprof.Sync, "waits on channels, in select and on what package sync has"},
	{pprof.Net, "waits for the network"},
	{pprof.Syscall, "system calls and calls of C"},
	{pprof.Sched, "waits for a P, by the stack that made the goroutine runnable"},
	{pprof.CPU, "samples of the CPU profiler, if it ran while the program was traced"},
}

// flamePage is the page of flame graphs.
type flamePage struct {
	Of     string
	Graphs []flameLink
}

func newFlamePage(l links) flamePage {
	of := "of this range"
	if l.together != nil {
		of = fmt.Sprintf("of all %d traces, added up,", len(l.together.parts))
	}
	return flamePage{of, flames(l, "", "")}
}

// flames leads to the flame graphs of a range, limited to what a parameter says, "" for
// all.
func flames(l links, limit, value string) (out []flameLink) {
	if l.file {
		return nil
	}
	v := l.rangeValues(l.from, l.to)
	if limit != "" {
		v.Set(limit, value)
	}
	key := v.Encode()
	if key == "" {
		key = "all"
	}
	for _, t := range profileTypes {
		if t.typ == pprof.Critical && limit == "goroutine" {
			continue // it is of units of work
		}
		out = append(out, flameLink{t.typ.String(), t.what, "flame/" + t.typ.String() + "/" + url.PathEscape(key) + "/flamegraph"})
	}
	return out
}
