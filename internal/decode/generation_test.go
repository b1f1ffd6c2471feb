package decode

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// generations cuts a trace of Go 1.22 or later into its generations.
func generations(t testing.TB, data []byte) (header []byte, gens [][]byte) {
	t.Helper()
	header, data = data[:16], data[16:]
	last := uint64(0)
	for len(data) > 0 {
		left := bytesLeft{b: data}
		typ := left.byte()
		if typ == EvEndOfGeneration {
			gens[len(gens)-1] = append(gens[len(gens)-1], typ)
			data = data[1:]
			continue
		}
		if typ == EvExperimentalBatch {
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

// decoding is what there is in a generation, a line for each event.
type decoding struct {
	lines   []line
	stacks  []string
	reasons []string
	err     error
}

// line is an event with what its numbers stand for.
type line struct {
	Event
	detail, reason, stack, own string
}

func (d *decoding) stack(n uint32) string {
	if n == 0 {
		return ""
	}
	return d.stacks[n-1]
}

func (d *decoding) add(c *Chunk) {
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
	d.err = c.Err
}

// byExp decodes a generation with x/exp/trace.
func byExp(header, gen []byte) (d decoding) {
	r, err := NewReader(readers(header, [][]byte{gen}), false)
	if err != nil {
		d.err = err
		return d
	}
	for c := NewChunk(); d.err == nil; {
		r.Fill(c)
		d.add(c)
	}
	return d
}

// byOurselves decodes a generation in blocks of this size, up to where x/exp/trace
// has to take over, which alone says.
func byOurselves(header, gen []byte, block int) (d decoding, alone bool) {
	var blocks [][]byte
	for len(gen) > 0 {
		n := min(block, len(gen))
		blocks, gen = append(blocks, gen[:n]), gen[n:]
	}
	g := NewGeneration(header, blocks)
	for c := NewChunk(); d.err == nil; {
		if c.reset(); g.order == nil || !g.fill(c) {
			return d, false
		}
		d.add(c)
	}
	return d, true
}

// compare checks that what we decode is what x/exp/trace does, or the beginning of
// it.
func compare(t testing.TB, got, want decoding, alone bool) {
	t.Helper()
	for i, l := range got.lines {
		if i >= len(want.lines) {
			t.Fatalf("%d events, x/exp/trace has %d and %v", len(got.lines), len(want.lines), want.err)
		}
		if l != want.lines[i] {
			t.Fatalf("event %d is\n%+v\nfor x/exp/trace\n%+v", i, l, want.lines[i])
		}
	}
	if alone && (len(got.lines) != len(want.lines) || want.err != io.EOF) {
		t.Fatalf("%d events, x/exp/trace has %d and %v", len(got.lines), len(want.lines), want.err)
	}
}

// TestGeneration: all generations of all traces are decoded as x/exp/trace decodes
// them, and without it if they are whole, whatever blocks they are in.
func TestGeneration(t *testing.T) {
	files, err := filepath.Glob("../../testdata/traces/*.trace")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Compare(data[:7], []byte("go 1.22")) < 0 {
			continue
		}
		name := strings.TrimSuffix(filepath.Base(file), ".trace")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header, gens := generations(t, data)
			for i, gen := range gens {
				want := byExp(header, gen)
				for _, block := range []int{len(gen), 4096, 7, 1} {
					if block < 100 && len(gen) > 30_000 {
						break // it takes long
					}
					got, alone := byOurselves(header, gen, block)
					compare(t, got, want, alone)
					if alone != (want.err == io.EOF) {
						t.Errorf("generation %d, with %v, is left to x/exp/trace after %d events", i, want.err, len(got.lines))
					}
				}
			}
		})
	}
}
