package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

// Overview is what the trace is of.
type Overview struct {
	// Format is the Go version of the trace format; later releases may write the
	// same.
	Format string `json:"format"`
	// Start is the time of day at which the trace begins; nil if it does not tell,
	// as before Go 1.25.
	Start *time.Time `json:"start,omitempty"`
	// Files are the traces that were merged, in the order in which that was done; none
	// for a report on one trace. Durations, events and goroutines are the sums of theirs:
	// a goroutine counts once in each.
	Files    []string      `json:"files,omitempty"`
	Duration time.Duration `json:"duration_ns"`
	Events   int64         `json:"events"`
	// Generations is the number of parts of the trace that were read.
	Generations int `json:"generations"`
	// Goroutines is how many the trace names, MaxAlive how many of them were alive
	// at a time at most.
	Goroutines int `json:"goroutines"`
	MaxAlive   int `json:"max_alive"`
	// GOMAXPROCS is the number of Ps at the end, MaxGOMAXPROCS the largest; 0 if
	// the trace does not tell.
	GOMAXPROCS    int   `json:"gomaxprocs"`
	MaxGOMAXPROCS int   `json:"max_gomaxprocs"`
	Procs         Procs `json:"procs"`
	// Lost is what of the trace could not be read.
	Lost []Lost `json:"lost,omitempty"`
	// Missing is the number of references to stacks and strings that are not in
	// the trace.
	Missing int `json:"missing,omitempty"`
	// Unknown counts what trace2x does not know and left out, and Inconsistent
	// what contradicts the rest of the trace, by name.
	Unknown      map[string]int `json:"unknown"`
	Inconsistent map[string]int `json:"inconsistent"`
	// Misuse counts what the program did wrong with regions and tasks, by name.
	Misuse map[string]int `json:"misuse"`
}

// Procs is what the Ps spent their time on, in nanoseconds. All fields except Total add
// up to Total.
type Procs struct {
	// Total is the time of all Ps: the duration of the trace for each of the
	// GOMAXPROCS Ps.
	Total time.Duration `json:"total_ns"`
	// Goroutines is running goroutines, except for what is in GC. Syscall is having one
	// that is in a system call.
	Goroutines time.Duration `json:"goroutines_ns"`
	Syscall    time.Duration `json:"syscall_ns"`
	// GC is running the GC's workers, and goroutines that assist them.
	GC time.Duration `json:"gc_ns"`
	// Scheduler is looking for a goroutine to run, Idle doing nothing.
	Scheduler time.Duration `json:"scheduler_ns"`
	Idle      time.Duration `json:"idle_ns"`
}

// Lost is a part of the trace that could not be read.
type Lost struct {
	// Why is what is wrong, as a sentence.
	Why string `json:"why"`
	// File is the trace; "" for a report on one trace.
	File string `json:"file,omitempty"`
	// Offset is the byte of the uncompressed trace at which it is, Bytes how many
	// are lost.
	Offset int64 `json:"offset"`
	Bytes  int64 `json:"bytes"`
	// At is when it begins, Duration how long it is; no sum has that time. Open
	// says that nothing behind it could be read: then it has no known end.
	At       time.Duration `json:"at_ns"`
	Duration time.Duration `json:"duration_ns"`
	Open     bool          `json:"open,omitempty"`
}

// procs adds up what Ps do.
type procs struct {
	clock *model.ClockSnapshot

	max, largest int
	since        model.Time // that max is so
	known        bool
	total        model.Time
	runs         model.Time // with a goroutine
	workers      model.Time // with one of the GC's
	assists      model.Time
	active       model.Time // not idle
}

func (p *procs) setMax(now model.Time, n int) {
	if p.known {
		p.total += model.Time(p.max) * (now - p.since)
	} else {
		p.total = 0
	}
	p.max, p.largest, p.since, p.known = n, max(p.largest, n), now, true
}

// skip leaves a gap out of the time of the Ps.
func (p *procs) skip(g *model.Gap) {
	if p.known {
		p.total += model.Time(p.max) * (g.Start - p.since)
	}
	p.since = g.End
}

func (p *procs) run(r *model.Run) {
	p.runs += r.End - r.Start
	if strings.HasPrefix(r.Label, "GC ") {
		p.workers += r.End - r.Start
	}
}

func (p *procs) state(s *model.ProcState) {
	if s.Running {
		p.active += s.End - s.Start
	}
}

func (p *procs) end(now model.Time) {
	if p.known {
		p.total += model.Time(p.max) * (now - p.since)
	}
}

func (b *Builder) Sync(s *model.Sync) {
	b.why.Sync(s)
	if s.Clock != nil && b.procs.clock == nil {
		clock := *s.Clock
		b.procs.clock = &clock
	}
}

// Gap leaves a gap out of all sums.
func (b *Builder) Gap(g *model.Gap) {
	b.why.Gap(g)
	b.procs.skip(g)
}

func (b *Builder) overview() Overview {
	s, p := b.summary, &b.procs
	o := Overview{
		Format:        s.Format,
		Duration:      time.Duration(s.End - s.Start),
		Events:        s.Events,
		Generations:   s.Generations,
		Goroutines:    s.Goroutines,
		MaxAlive:      s.MaxAlive,
		GOMAXPROCS:    p.max,
		MaxGOMAXPROCS: p.largest,
		Unknown:       s.Unknown,
		Inconsistent:  s.Inconsistent,
		Misuse:        s.Misuse,
	}
	if c := p.clock; c != nil {
		start := c.Wall.Add(time.Duration(s.Start - c.Trace)).UTC()
		o.Start = &start
	}
	o.Missing = s.Missing
	if b.merged != nil {
		b.merged.overview(&o)
		return o
	}
	for _, gap := range s.Gaps {
		d := gap.Damage
		o.Lost = append(o.Lost, Lost{
			Why: d.Error(), Offset: d.Offset, Bytes: d.Lost,
			At: b.since(gap.Start), Duration: time.Duration(gap.End - gap.Start), Open: gap.Open,
		})
	}
	all := &b.groups.all
	o.Procs = Procs{
		Goroutines: time.Duration(all.Execution - p.workers - p.assists),
		Syscall:    time.Duration(all.Syscall),
		GC:         time.Duration(p.workers + p.assists),
		Scheduler:  time.Duration(max(p.active-p.runs, 0)),
	}
	busy := o.Procs.Goroutines + o.Procs.Syscall + o.Procs.GC + o.Procs.Scheduler
	o.Procs.Total = max(time.Duration(p.total), busy)
	o.Procs.Idle = o.Procs.Total - busy
	return o
}

// cannotTell says what the trace does not tell.
func (b *Builder) cannotTell() []string {
	out := []string{}
	if n := b.groups.nameless; n > 0 {
		out = append(out, count(n, "goroutine from before the trace: the trace does not tell its start function", "goroutines from before the trace: the trace does not tell their start functions"))
	}
	if n := b.share.blocking.unexplained; n > 0 {
		out = append(out, count(n, "wait from before the trace: the trace does not tell its reason or place", "waits from before the trace: the trace does not tell their reasons or places"))
	}
	if n := b.tasks.cut + b.regions.cut; n > 0 {
		out = append(out, count(n, "task or region that begins before the trace or ends after it: its latency is not known, and is left out", "tasks and regions that begin before the trace or end after it: their latencies are not known, and are left out"))
	}
	if n := b.summary.ShortenedStacks; n > 0 {
		out = append(out, english.Sprintf("%s beyond the first %d different ones: only the innermost call is kept, the rest is (other)", count(n, "stack"), model.MaxStacks))
	}
	for _, as := range []struct {
		noun string
		*annotations
	}{{"task", &b.tasks}, {"region", &b.regions}} {
		if a := as.byType[typeKey{other: true}]; a != nil {
			out = append(out, fmt.Sprintf("%s of other types than the first %d: they are taken together as (other)", count(int(a.count), as.noun), critical.MaxTypes))
		}
	}
	if !b.procs.known {
		out = append(out, "the trace does not tell GOMAXPROCS: the time of idle Ps and the mutator utilization are not known")
	}
	if n := b.leaks.untold; n > 0 {
		out = append(out, count(n, "goroutine blocked throughout the trace: it tells neither what it is nor where", "goroutines blocked throughout the trace: it tells neither what they are nor where; some are the runtime's own"))
	}
	for _, what := range slices.Sorted(maps.Keys(b.summary.Unknown)) {
		out = append(out, fmt.Sprintf("%s of an unknown kind: %s", count(b.summary.Unknown[what], "event"), what))
	}
	return out
}

// count is a number of things.
func count(n int, noun ...string) string {
	if n == 1 {
		return "1 " + noun[0]
	}
	if len(noun) == 1 {
		return english.Sprintf("%d %ss", n, noun[0])
	}
	return english.Sprintf("%d %s", n, noun[1])
}
