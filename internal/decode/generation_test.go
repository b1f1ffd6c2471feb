package decode

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/trace2x/trace2x/internal/testtrace"
)

// cutAll cuts a trace of Go 1.22 or later into its generations.
func cutAll(t testing.TB, data []byte) (header []byte, gens [][]byte) {
	t.Helper()
	header, data = data[:16], data[16:]
	last := uint64(0)
	for len(data) > 0 {
		left := bytesLeft{b: data}
		typ := left.byte()
		if typ == evEndOfGeneration {
			gens[len(gens)-1] = append(gens[len(gens)-1], typ)
			data = data[1:]
			continue
		}
		if typ == evExperimentalBatch {
			left.byte()
		}
		gen := left.uvarint()
		left.uvarint()
		left.uvarint()
		left.take(left.uvarint())
		if left.bad {
			break // cut
		}
		if gen != last {
			gens, last = append(gens, nil), gen
		}
		n := len(data) - len(left.b)
		gens[len(gens)-1] = append(gens[len(gens)-1], data[:n]...)
		data = data[n:]
	}
	return header, gens
}

// decoded is what there is in a generation, a line for each event.
type decoded struct {
	lines   []line
	stacks  []string
	reasons []string
	err     error
	missing int
}

// line is an event with what its numbers stand for.
type line struct {
	Event
	detail, reason, stack, own string
}

func (d *decoded) stack(n uint32) string {
	if n == 0 {
		return ""
	}
	return d.stacks[n-1]
}

func (d *decoded) add(c *Chunk) {
	if c.First {
		d.stacks, d.reasons = nil, nil
	}
	for _, frames := range c.Stacks {
		var s strings.Builder
		for _, f := range frames {
			fmt.Fprint(&s, *f)
		}
		d.stacks = append(d.stacks, s.String())
	}
	d.reasons = append(d.reasons, c.Reasons...)
	for _, e := range c.Events {
		var detail, reason string
		if e.Detail > 0 {
			x := c.Details[e.Detail-1]
			detail = fmt.Sprintf("%+v", x)
			if x.Clock != nil {
				detail = fmt.Sprintf("clock %+v", *x.Clock)
			}
		}
		if e.Reason > 0 {
			reason = d.reasons[e.Reason-1]
		}
		stack, own := d.stack(e.Stack), d.stack(e.Own)
		e.Stack, e.Own, e.Detail, e.Reason = 0, 0, 0, 0
		d.lines = append(d.lines, line{e, detail, reason, stack, own})
	}
	d.err = c.err
}

// byExp decodes a generation with golang.org/x/exp/trace.
func byExp(header, gen []byte) (d decoded) {
	r, err := newExpReader(io.MultiReader(bytes.NewReader(header), bytes.NewReader(gen)))
	if err != nil {
		d.err = err
		return d
	}
	for c := NewChunk(); d.err == nil; {
		r.fill(c)
		d.add(c)
	}
	return d
}

// cut cuts a generation into its batches; ok is false if it is more than one, or
// damaged.
func cut(header, gen []byte) (v version, batches []batch, ok bool) {
	minor, _ := parseHeader(header)
	if v, ok = versionOf(minor); !ok || v.era != generations {
		return v, nil, false
	}
	r := bufio.NewReaderSize(bytes.NewReader(gen), bufferSize)
	s := splitter{r: r, err: &errorKeeper{}, version: v}
	p := s.next()
	if p == nil || p.damage != nil || s.next() != nil {
		return v, nil, false
	}
	return v, p.batches, true
}

// byOurselves decodes a generation up to where golang.org/x/exp/trace has to take
// over, which alone says.
func byOurselves(header, gen []byte) (d decoded, alone bool) {
	v, batches, ok := cut(header, gen)
	if !ok {
		return d, false
	}
	g := newGeneration(header, v, batches, false, math.MaxInt64)
	for c := NewChunk(); d.err == nil; {
		if c.reset(); g.order == nil || !g.advance(c) {
			return d, false
		}
		d.missing += g.order.missing
		g.order.missing = 0
		d.add(c)
	}
	return d, true
}

// forgiven reports whether golang.org/x/exp/trace stops with an error at which we
// go on.
func forgiven(err error) bool {
	return err != nil && forgivable.MatchString(err.Error())
}

var forgivable = regexp.MustCompile(`invalid (stack|string) ID|misuse of region|task ID conflict|string ID .* not found|found invalid`)

// compare checks that what we decode is what golang.org/x/exp/trace does, or the beginning of
// it.
func compare(t testing.TB, got, want decoded, alone bool) {
	t.Helper()
	for i, l := range got.lines {
		if i >= len(want.lines)-1 && forgiven(want.err) {
			return // its last event may be a Sync before the error
		}
		if i >= len(want.lines) {
			t.Fatalf("%d events, golang.org/x/exp/trace has %d and %v", len(got.lines), len(want.lines), want.err)
		}
		if l != want.lines[i] {
			t.Fatalf("event %d is\n%+v\nfor golang.org/x/exp/trace\n%+v", i, l, want.lines[i])
		}
	}
	if alone && !forgiven(want.err) && (len(got.lines) != len(want.lines) || want.err != io.EOF) {
		t.Fatalf("%d events, golang.org/x/exp/trace has %d and %v", len(got.lines), len(want.lines), want.err)
	}
}

// TestGeneration: all generations of all traces are decoded as golang.org/x/exp/trace decodes
// them, and without
// it if they are whole.
func TestGeneration(t *testing.T) {
	for _, name := range testtrace.All(t) {
		data := testtrace.Data(t, name)
		if bytes.Compare(data[:7], []byte("go 1.22")) < 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header, gens := cutAll(t, data)
			for i, gen := range gens {
				want := byExp(header, gen)
				got, alone := byOurselves(header, gen)
				compare(t, got, want, alone)
				if alone != (want.err == io.EOF) {
					t.Errorf("generation %d, with %v, is left to golang.org/x/exp/trace after %d events", i, want.err, len(got.lines))
				}
			}
		})
	}
}
