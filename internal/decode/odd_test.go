package decode

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/internal/testtrace"
)

func header(minor int) []byte { return fmt.Appendf(nil, "go 1.%d trace\x00\x00\x00", minor) }

// batchOf is a batch with this data.
func batchOf(gen, m, ticks uint64, data ...byte) []byte {
	b := []byte{evEventBatch}
	for _, v := range []uint64{gen, m, ticks, uint64(len(data))} {
		b = binary.AppendUvarint(b, v)
	}
	return append(b, data...)
}

func uvarints(typ byte, args ...uint64) []byte {
	b := []byte{typ}
	for _, v := range args {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

var gigahertz = uvarints(evFrequency, 1e9)

// TestOdd: what golang.org/x/exp/trace refuses or tells in another way is not decoded.
func TestOdd(t *testing.T) {
	defer func(n int) { ChunkSize = n }(ChunkSize)
	ChunkSize = 1 // to see each event that is given
	const noThread = math.MaxUint64
	clock := batchOf(1, noThread, 1, gigahertz...)
	sync := batchOf(1, noThread, 1, slices.Concat([]byte{evSync}, gigahertz, []byte{evClockSnapshot, 1, 1, 1, 1})...)
	running := []byte{evProcStatus, 1, 0, procRunning, evGoStatus, 1, 7, 1, goRunning}
	thread := batchOf(1, 1, 2, running...)
	tests := []struct {
		name  string
		minor int
		gen   []byte
		odd   bool
	}{
		{"nothing odd", 22, slices.Concat(clock, thread), false},
		{"nothing odd in format 26", 26, slices.Concat(sync, thread, []byte{evEndOfGeneration}), false},
		{"a format that there is not", 24, slices.Concat(clock, thread), true},
		{"a format that is not known", 27, slices.Concat(sync, thread, []byte{evEndOfGeneration}), true},
		{"no end", 26, slices.Concat(sync, thread), true},
		{"an end before the last batch", 26, slices.Concat(sync, []byte{evEndOfGeneration}, thread), true},
		{"two ends", 26, slices.Concat(sync, thread, []byte{evEndOfGeneration, evEndOfGeneration}), true},
		{"an end in format 25", 25, slices.Concat(sync, thread, []byte{evEndOfGeneration}), true},
		{"a batch that is an end", 26, slices.Concat(sync, batchOf(1, 1, 2, evEndOfGeneration), thread, []byte{evEndOfGeneration}), true},
		{"the second batch of a thread is an end", 26, slices.Concat(sync, thread, batchOf(1, 1, 9, evEndOfGeneration), []byte{evEndOfGeneration}), true},
		{"the same in format 22", 22, slices.Concat(clock, thread, batchOf(1, 1, 9, evEndOfGeneration)), true},
		{"generation 0", 22, batchOf(0, noThread, 1, gigahertz...), true},
		{"two generations", 22, slices.Concat(clock, thread, batchOf(2, 1, 9, evGoDestroy, 1)), true},
		{"two generations in format 26", 26, slices.Concat(sync, thread, batchOf(2, 1, 9, evGoDestroy, 1), []byte{evEndOfGeneration}), true},
		{"two frequencies", 22, slices.Concat(clock, thread, clock), true},
		{"two frequencies, the first 0", 22, slices.Concat(batchOf(1, noThread, 1, evFrequency, 0), clock, thread), true},
		{"no frequency", 22, thread, true},
		{"two clock snapshots", 25, slices.Concat(sync, batchOf(1, noThread, 1, evSync, evClockSnapshot, 1, 1, 1, 1), thread), true},
		{"no clock snapshot", 25, slices.Concat(batchOf(1, noThread, 1, slices.Concat([]byte{evSync}, gigahertz)...), thread), true},
		{"a clock snapshot in format 22", 22, slices.Concat(batchOf(1, noThread, 1, slices.Concat(gigahertz, []byte{evClockSnapshot, 1, 1, 1, 1})...), thread), true},
		{
			"a thread below those that there are", 22,
			slices.Concat(clock, batchOf(1, noThread-4, 2, evGoStatus, 1, 7, 1, goRunning, evGoStatus, 1, 8, 1, goWaiting)), true,
		},
		{
			"a system call without a thread", 22,
			slices.Concat(clock, batchOf(1, noThread, 2, uvarints(evGoStatus, 1, 7, noThread, goSyscall)...)), true,
		},
		{
			"a system call of a thread that has had events", 22,
			slices.Concat(clock, thread, batchOf(1, 2, 9, evGoStatus, 1, 8, 1, goSyscall)), true,
		},
		{
			"a system call of a thread that comes later", 22,
			slices.Concat(clock, batchOf(1, 2, 9, evGoStatus, 1, 8, 1, goSyscall), batchOf(1, 1, 99, evGoSyscallEndBlocked, 1)), false,
		},
		{
			"times that overflow", 22,
			slices.Concat(clock, batchOf(1, noThread, 1<<63, slices.Concat(uvarints(evGoStatus, 1<<63, 7, 1, goWaiting), uvarints(evGoStatus, 1000, 8, 1, goWaiting))...)), true,
		},
		{
			"a time that overflows", 22,
			slices.Concat(clock, batchOf(1, noThread, 2, uvarints(evGoStatus, 1<<63, 7, 1, goWaiting)...)), true,
		},
		{"a P that none has", 22, slices.Concat(clock, batchOf(1, 1, 2, uvarints(evProcStatus, 1, 1<<40, procRunning)...)), true},
		{"a string with an ID that would take memory", 22, slices.Concat(clock, batchOf(1, noThread, 1, slices.Concat([]byte{evStrings}, uvarints(evString, 40, 0))...), thread), true},
		{"a stack with an ID that would take memory", 22, slices.Concat(clock, batchOf(1, noThread, 1, slices.Concat([]byte{evStacks}, uvarints(evStack, 1<<40, 0))...), thread), true},
		{"a string that is there twice", 22, slices.Concat(clock, batchOf(1, noThread, 1, evStrings, evString, 1, 0, evString, 1, 0), thread), true},
		{"a frame without its string", 22, slices.Concat(clock, batchOf(1, noThread, 1, evStacks, evStack, 1, 1, 5, 9, 0, 1), thread), false},
		{"nothing", 22, nil, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if alone := check(t, header(test.minor), test.gen); alone == test.odd {
				t.Errorf("decoded without golang.org/x/exp/trace: %v", alone)
			}
		})
	}
}

// TestReasons: golang.org/x/exp/trace has as many reasons as there are texts, we have as many
// as there are strings.
func TestReasons(t *testing.T) {
	tables, c := newTables(version{minor: 22, era: generations}, 1<<20), NewChunk()
	for range math.MaxUint16 + 1 {
		tables.strings = append(tables.strings, text{s: "sleep", present: true})
	}
	for id := uint64(1); id <= math.MaxUint16+1; id++ {
		if n, ok := tables.reason(c, id); ok != (id <= math.MaxUint16) || ok && uint64(n) != id {
			t.Fatalf("reason %d is %d, %v", id, n, ok)
		}
	}
}

// TestExtent: when a generation lies in the trace is known, and what is wrong with its clock
// is found.
func TestExtent(t *testing.T) {
	clock := batchOf(1, math.MaxUint64, 7, gigahertz...)
	sync := batchOf(1, math.MaxUint64, 7, slices.Concat([]byte{evSync}, gigahertz, []byte{evClockSnapshot, 1, 2, 3, 4})...)
	early := batchOf(1, 1, 5, evGoDestroy, 1)
	read := func(gens ...[]byte) (Extent, bool) {
		s := splitter{r: bufio.NewReaderSize(bytes.NewReader(slices.Concat(gens...)), bufferSize), err: &errorKeeper{}, version: version{minor: 22, era: generations}}
		return s.next().extent()
	}
	if e, ok := read(clock, early); e != (Extent{Start: 5, Last: 7}) || !ok {
		t.Errorf("%+v, %v", e, ok)
	}
	if e, ok := read(early, sync); e.Start != 5 || e.Last != 7 || e.Clock == nil || *e.Clock != (Clock{8, 2, time.Unix(3, 4)}) || !ok {
		t.Errorf("%+v, %v", e, ok)
	}
	for name, gen := range map[string][]byte{
		"nothing":            nil,
		"no clock":           early,
		"frequency 0":        batchOf(1, 1, 1, evFrequency, 0),
		"two frequencies":    slices.Concat(clock, clock),
		"another event":      batchOf(1, 1, 1, slices.Concat(gigahertz, []byte{evGoDestroy, 1})...),
		"a cut batch":        clock[:len(clock)-1],
		"a batch much later": slices.Concat(clock, batchOf(1, 1, 1<<60, evGoDestroy, 1)),
	} {
		if _, ok := read(gen); ok {
			t.Errorf("%s: it has an extent", name)
		}
	}
}

// byFill decodes a generation as those do who use this package. stopped is the
// number of events behind which golang.org/x/exp/trace took over, 0 if it did not or from
// the start.
func byFill(header, gen []byte, chunk int) (d decoded, stopped int) {
	v, batches, ok := cut(header, gen)
	if !ok {
		return byExp(header, gen), 0
	}
	g := newGeneration(header, v, batches, false, math.MaxInt64)
	for c := (&Chunk{Events: make([]Event, 0, chunk)}); d.err == nil; {
		before := len(d.lines)
		ours := g.order != nil
		g.fill(c)
		if ours && g.order == nil {
			stopped = before
		}
		d.missing += c.Missing
		d.add(c)
	}
	return d, stopped
}

// same checks that two decodings of a generation are the same, and end in the
// same way.
func same(t testing.TB, got, want decoded) {
	t.Helper()
	compare(t, got, want, false)
	if len(want.lines) == 1 && want.err != io.EOF {
		want.lines = nil // a Sync, of nothing
	}
	if forgiven(want.err) && len(got.lines) >= len(want.lines) {
		return
	}
	if len(got.lines) != len(want.lines) {
		t.Fatalf("%d events, golang.org/x/exp/trace has %d", len(got.lines), len(want.lines))
	}
	if (got.err == io.EOF) != (want.err == io.EOF) {
		t.Fatalf("%v, golang.org/x/exp/trace has %v", got.err, want.err)
	}
}

// TestFallback: golang.org/x/exp/trace goes on where we stop, and nothing is lost or there
// twice.
func TestFallback(t *testing.T) {
	gens := smallGenerations(t)
	g := gens[slices.IndexFunc(gens, func(g headed) bool { return g.name == "httpserver-go1.23" })]
	tests := []struct {
		name  string
		event testtrace.Event
		err   string
	}{
		{"of an experiment", testtrace.Event{Type: 130, Args: []uint64{0, 1}}, "EOF"}, // SpanFree
		{"that never can have happened", testtrace.Event{Type: evGoUnblock, Args: []uint64{0, 0, 0, 0}}, "failed to advance"},
		{"with a string that is not there", testtrace.Event{Type: evGoLabel, Args: []uint64{0, 1 << 30}}, "found invalid string ID 1073741824 for event GoLabel"},
		{"with a stack that is not there", testtrace.Event{Type: evProcsChange, Args: []uint64{0, 3, 1 << 30}}, "found invalid stack ID 1073741824 for event ProcsChange"},
		{"that there is not", testtrace.Event{Type: evEndOfGeneration, Args: nil}, "found event without a timestamp: type=52"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, where := range []int{1, 3} {
				p := testtrace.Split(slices.Concat(g.header, g.gen))
				longest := &p.Batches[0]
				for i := range p.Batches {
					if b := &p.Batches[i]; len(b.Events) > len(longest.Events) {
						longest = b
					}
				}
				// Where a goroutine runs on a P, as some of the events need.
				at := len(longest.Events) * where / 4
				for !slices.Contains([]byte{evGoStart, evGoSyscallEnd}, longest.Events[at-1].Type) {
					at++
				}
				longest.Events = slices.Insert(longest.Events, at, test.event)
				gen := p.Join()[headerSize:]
				want := byExp(g.header, gen)
				if !strings.Contains(want.err.Error(), test.err) {
					t.Fatalf("golang.org/x/exp/trace stops with %v", want.err)
				}
				for _, chunk := range []int{3, 64, 1000} {
					got, stopped := byFill(g.header, gen, chunk)
					same(t, got, want)
					if forgiven(want.err) {
						if got.err != io.EOF || got.missing != 1 || len(got.lines) < len(want.lines)+10 {
							t.Errorf("%v, %d references are missing, %d events; golang.org/x/exp/trace has %d", got.err, got.missing, len(got.lines), len(want.lines))
						}
						continue
					}
					if stopped < 1000 {
						t.Errorf("stopped behind %d events", stopped)
					}
					if !strings.Contains(got.err.Error(), test.err) {
						t.Errorf("%v, golang.org/x/exp/trace has %v", got.err, want.err)
					}
				}
			}
		})
	}
}

// TestFallbackAnywhere stops in many places, in small chunks.
func TestFallbackAnywhere(t *testing.T) {
	for _, name := range []string{"states", "cgo", "chain"} {
		for _, g := range smallGenerations(t) {
			if g.name != name {
				continue
			}
			p := testtrace.Split(slices.Concat(g.header, g.gen))
			for i := range p.Batches {
				events := p.Batches[i].Events
				for k := 0; k < len(events); k += 1 + len(events)/10 {
					p.Batches[i].Events = slices.Insert(slices.Clone(events), k, testtrace.Event{Type: 130, Args: []uint64{0, 1}})
					gen := p.Join()[headerSize:]
					want := byExp(g.header, gen)
					got, _ := byFill(g.header, gen, 16)
					same(t, got, want)
				}
				p.Batches[i].Events = events
			}
		}
	}
}

// TestChunks: chunks of every size do.
func TestChunks(t *testing.T) {
	defer func(n int) { ChunkSize = n }(ChunkSize)
	g := smallGenerations(t)[0]
	want := byExp(g.header, g.gen)
	for ChunkSize = range 10 {
		got, alone := byOurselves(g.header, g.gen)
		compare(t, got, want, alone)
		if !alone {
			t.Errorf("chunks of %d: stopped", ChunkSize)
		}
	}
}

// TestSurvives: where ours panics, golang.org/x/exp/trace goes on.
func TestSurvives(t *testing.T) {
	gens := smallGenerations(t)
	g := gens[slices.IndexFunc(gens, func(g headed) bool { return g.name == "httpserver-go1.23" })]
	want := byExp(g.header, g.gen)
	for _, when := range []int{0, 1, 20} { // chunks
		v, batches, ok := cut(g.header, g.gen)
		if !ok {
			t.Fatal("not cut into batches")
		}
		ours := newGeneration(g.header, v, batches, false, math.MaxInt64)
		var got decoded
		c := &Chunk{Events: make([]Event, 0, 64)}
		for n := 0; got.err == nil; n++ {
			if n == when {
				ours.order.tables = nil // makes what uses it panic
			}
			ours.fill(c)
			if (ours.order == nil) != (n >= when) {
				t.Fatalf("decodes without golang.org/x/exp/trace in chunk %d: %v", n, ours.order != nil)
			}
			got.add(c)
		}
		same(t, got, want)
	}
}
