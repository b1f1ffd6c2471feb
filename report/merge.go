package report

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// merged is what a Builder that merges others knows of them.
type merged struct {
	files   []string
	formats []string // each once
	start   *time.Time
	procs   Procs
	lost    []Lost
	stacks  map[string]*model.Stack // by what they say
}

// Merge adds what another builder has of a trace that has ended. b must be new, of the
// same options, and read no trace itself; o cannot be used any more. file is the name of
// the trace: everything that happened at one moment has it.
//
// Counts and totals are exactly the sums of those of all traces, maxima their maxima, and
// percentiles those of everything that was counted, with the same error. Each trace by
// itself decides what looks like a pool and not a leak, and in which third of it a
// goroutine was started.
func (b *Builder) Merge(o *Builder, file string) {
	if b.merged == nil {
		b.merged = &merged{stacks: make(map[string]*model.Stack)}
		b.summary = &model.Summary{
			MaxProc: model.NoProc,
			Unknown: make(map[string]int), Inconsistent: make(map[string]int), Misuse: make(map[string]int),
		}
		b.Begin(&b.summary.Trace)
		b.growing.merged = make(map[growingKey]*grown)
	}
	m := merging{b: b, o: o, file: file, origin: o.trace.Origin}
	b.merged.add(o, file)
	b.addSummary(o.summary)
	m.procs()
	m.groups()
	m.blocking(&b.share.blocking, &o.share.blocking)
	m.scheduling()
	m.gc()
	m.annotations(&b.tasks, &o.tasks)
	m.annotations(&b.regions, &o.regions)
	m.leaks()
	m.growing()
	m.singles()
	m.why()
	b.found.Goroutines += o.found.Goroutines
	b.found.Tasks += o.found.Tasks
	b.found.Spans += o.found.Spans
}

// add takes what the overview says of a trace.
func (m *merged) add(o *Builder, file string) {
	over := o.overview()
	m.files = append(m.files, file)
	if !slices.Contains(m.formats, over.Format) {
		m.formats = append(m.formats, over.Format)
		slices.Sort(m.formats)
	}
	if over.Start != nil && (m.start == nil || over.Start.Before(*m.start)) {
		m.start = over.Start
	}
	m.procs.add(&over.Procs)
	for _, l := range over.Lost {
		l.File = file
		m.lost = append(m.lost, l)
	}
}

func (p *Procs) add(o *Procs) {
	p.Total += o.Total
	p.Goroutines += o.Goroutines
	p.Syscall += o.Syscall
	p.GC += o.GC
	p.Scheduler += o.Scheduler
	p.Idle += o.Idle
}

// overview puts in what was merged.
func (m *merged) overview(o *Overview) {
	o.Format = strings.Join(m.formats, ", ")
	o.Start, o.Files, o.Procs, o.Lost = m.start, m.files, m.procs, m.lost
}

// addSummary adds a trace to the summary, as if it began where the others end.
func (b *Builder) addSummary(o *model.Summary) {
	s := b.summary
	s.End += o.End - o.Start
	s.Events += o.Events
	s.Goroutines += o.Goroutines
	s.MaxAlive = max(s.MaxAlive, o.MaxAlive)
	s.Generations += o.Generations
	s.LinkedSpans += o.LinkedSpans
	s.ClockSteps += o.ClockSteps
	s.BadClocks += o.BadClocks
	s.MaxProc = max(s.MaxProc, o.MaxProc)
	s.ShortenedStacks += o.ShortenedStacks
	s.Missing += o.Missing
	for _, sums := range []struct{ to, from map[string]int }{{s.Unknown, o.Unknown}, {s.Inconsistent, o.Inconsistent}, {s.Misuse, o.Misuse}} {
		for what, n := range sums.from {
			sums.to[what] += n
		}
	}
}

// merging is one call of Merge.
type merging struct {
	b, o   *Builder
	file   string
	origin model.Time // the moment of o from which times of b count
}

// longest returns an interval of o as one of b.
func (m *merging) longest(l longest) longest {
	if l.goroutine != 0 || l.duration > 0 {
		l.at -= m.origin
		l.file = m.file
		l.stack = m.stack(l.stack)
	}
	return l
}

// stack returns a stack of b that says the same.
func (m *merging) stack(s *model.Stack) *model.Stack {
	if s == nil {
		return nil
	}
	var key strings.Builder
	for _, f := range s.Frames {
		key.WriteString(f.Func)
		key.WriteByte(0)
		key.WriteString(f.File)
		key.WriteByte(byte(f.Line))
		key.WriteByte(byte(f.Line >> 8))
		key.WriteByte(byte(f.Line >> 16))
	}
	known := m.b.merged.stacks[key.String()]
	if known == nil {
		known = &model.Stack{ID: len(m.b.merged.stacks) + 1, Frames: make([]*model.Frame, len(s.Frames))}
		for i, f := range s.Frames {
			frame := *f // not the memory of the whole trace
			known.Frames[i] = &frame
		}
		m.b.merged.stacks[key.String()] = known
	}
	return known
}

// place returns the place of b that is the same.
func (m *merging) place(p *Place) *Place {
	if p == nil || *p == unknown {
		return &unknown
	}
	return m.b.places.place(*p)
}

// times returns times of o with the reasons of b.
func (m *merging) times(t *times.Times) *times.Times {
	out := *t
	out.Block = nil
	for i, d := range t.Block {
		if d == 0 {
			continue
		}
		to := m.reason(i)
		if to >= len(out.Block) {
			out.Block = append(out.Block, make([]model.Time, to+1-len(out.Block))...)
		}
		out.Block[to] += d
	}
	return &out
}

func (m *merging) reason(i int) int {
	if i == ofSyscalls {
		return ofSyscalls
	}
	return m.b.ledger.Reasons.Index(m.o.ledger.Reasons.Name(i))
}

// why merges the units of work.
func (m *merging) why() {
	to, from := m.b.why, m.o.why
	if from.sums == nil {
		return
	}
	to.sums.Merge(from.sums, m.file, m.origin)
	for task, parent := range from.parents {
		task.file, parent.file = m.file, m.file
		to.parents[task] = parent
	}
	for key, l := range from.latencies {
		if to.latencies[key] == nil {
			to.latencies[key] = make(latencies)
		}
		to.latencies[key].merge(l, m.file, m.origin)
	}
}

// merge adds the units of another trace.
func (l latencies) merge(o latencies, file string, origin model.Time) {
	for _, d := range slices.Sorted(maps.Keys(o)) {
		c, more := l[d], o[d]
		if c == nil {
			c = &latencyCount{}
			l[d] = c
		}
		c.units += more.units
		for _, u := range more.examples {
			if len(c.examples) == mostExamples {
				break
			}
			u.Start -= origin
			u.End -= origin
			u.File = file
			c.examples = append(c.examples, u)
		}
	}
}
