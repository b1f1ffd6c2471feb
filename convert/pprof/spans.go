package pprof

import (
	"bytes"
	"cmp"
	"encoding/hex"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/model"
)

// compareSpans orders spans, which may be nil.
func compareSpans(a, b *model.SpanContext) int {
	switch {
	case a == b:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Or(bytes.Compare(a.TraceID[:], b.TraceID[:]), bytes.Compare(a.SpanID[:], b.SpanID[:]))
}

// part is the part of a state in which a goroutine worked for a span.
type part struct {
	span *model.SpanContext
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

// turn makes the time of a goroutine from now on belong to the span that it works for.
func (c *Collector) turn(g *model.Goroutine, now model.Time) {
	if c.opts.Spans == nil {
		return
	}
	if gr := c.goroutines.Of(g); !gr.unwanted {
		c.advance(gr, now)
		gr.span = c.opts.Spans.Goroutine(g)
	}
}

// OldSpan implements [model.Sink]: what the goroutine does from now on is not for the
// span any more.
func (c *Collector) OldSpan(s *model.OldSpan) { c.turn(s.Goroutine, s.End) }

// joinSpans puts together what belongs to no span, or to the same one.
func (c *Collector) joinSpans() {
	if c.opts.Spans == nil {
		return
	}
	spans := make(map[model.SpanContext]*model.SpanContext)
	for k, v := range c.sums {
		if k.span == nil {
			continue
		}
		same := k
		if *k.span == (model.SpanContext{}) {
			same.span = nil
		} else if first := spans[*k.span]; first != nil {
			same.span = first
		} else {
			spans[*k.span] = k.span
		}
		if same != k {
			delete(c.sums, k)
			c.sums.add(same, *v)
		}
	}
}

// labelSpan adds the labels of a span, which may be nil.
func labelSpan(s *profile.Sample, span *model.SpanContext) {
	if span == nil || *span == (model.SpanContext{}) {
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
