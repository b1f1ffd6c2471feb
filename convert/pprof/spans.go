package pprof

import (
	"bytes"
	"cmp"
	"encoding/hex"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/model"
)

// span is a span for which goroutines work.
type span struct{ model.SpanContext }

// compare orders spans, which may be nil.
func (s *span) compare(o *span) int {
	switch {
	case s == o:
		return 0
	case s == nil:
		return -1
	case o == nil:
		return 1
	}
	return cmp.Or(bytes.Compare(s.TraceID[:], o.TraceID[:]), bytes.Compare(s.SpanID[:], o.SpanID[:]))
}

// part is the part of a state in which a goroutine worked for a span.
type part struct {
	span *span
	time model.Time
}

// count makes d a part of the current state.
func (st *stints) count(d model.Time) {
	switch n := len(st.parts); {
	case d == 0:
	case n > 0 && st.parts[n-1].span == st.span:
		st.parts[n-1].time += d
	default:
		st.parts = append(st.parts, part{st.span, d})
	}
}

// spanBegan takes note of the span of a task.
func (c *Collector) spanBegan(t *model.Task) {
	if c.opts.Spans == nil {
		return
	}
	if s := c.opts.Spans(t); s != nil {
		c.spans[t] = &span{*s}
	}
}

// turn makes the time of a goroutine from now on belong to the span that it works for.
func (c *Collector) turn(g *model.Goroutine, now model.Time) {
	if c.opts.Spans == nil {
		return
	}
	gr := c.goroutines.Of(g)
	if gr.unwanted {
		return
	}
	c.advance(gr, now)
	gr.span = nil
	if w := g.Work(); w != nil {
		gr.span = c.spans[w.Task]
	}
}

// labelSpan adds the labels of a span, which may be nil.
func labelSpan(s *profile.Sample, span *model.SpanContext) {
	if span == nil {
		return
	}
	if s.Label == nil {
		s.Label = make(map[string][]string)
	}
	s.Label["trace_id"] = []string{hex.EncodeToString(span.TraceID[:])}
	s.Label["span_id"] = []string{hex.EncodeToString(span.SpanID[:])}
}

// Len returns the number of samples that the profile has now.
func (c *Collector) Len() int { return len(c.sums) }

// Flush returns the profile of what has been added up since the last call, and forgets
// it. What is alive goes on: a state counts when it ends.
func (c *Collector) Flush() *profile.Profile {
	p := c.Profile()
	clear(c.sums)
	return p
}
