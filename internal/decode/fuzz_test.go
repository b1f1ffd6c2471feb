package decode

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/trace2x/trace2x/internal/testtrace"
)

// smallGenerations are the generations of traces of each format, with each kind
// of event, that are small enough to be decoded thousands of times.
func smallGenerations(t testing.TB) (gens []headed) {
	t.Helper()
	for _, name := range []string{"chain", "cgo", "cpuprofile", "empty", "flightrecorder", "flightrecorder-go1.25", "httpserver-go1.22", "httpserver-go1.23", "manytasks", "states"} {
		header, parts := cutAll(t, testtrace.Data(t, name))
		for _, gen := range parts {
			gens = append(gens, headed{name, header, gen})
		}
	}
	return gens
}

type headed struct {
	name        string
	header, gen []byte
}

// check decodes a generation, whatever there is in it. What we give has to be the
// beginning of what golang.org/x/exp/trace does, and all if it goes on.
func check(t testing.TB, header, gen []byte) (alone bool) {
	t.Helper()
	got, alone := byOurselves(header, gen)
	want := byExp(header, gen)
	compare(t, got, want, alone)
	if !alone && len(got.lines) > 0 {
		all, _ := byFill(header, gen, 64)
		same(t, all, want)
	}
	return alone
}

// FuzzGeneration: what we decode is what golang.org/x/exp/trace decodes, or the beginning of
// it. The bytes are a generation; changes, if there are any, are made to its parts.
func FuzzGeneration(f *testing.F) {
	for i, g := range smallGenerations(f) {
		if len(g.gen) < 20_000 {
			f.Add(slices.Concat(g.header, g.gen), uint64(0))
			f.Add(slices.Concat(g.header, g.gen), uint64(i+1))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		if len(data) < 16 {
			return
		}
		header, gen := data[:16], data[16:]
		if seed != 0 {
			if p := split(gen); p != nil {
				p.mutate(rand.New(rand.NewPCG(seed, 0)))
				gen = p.join()
			}
		}
		check(t, header, gen)
	})
}

// TestGenerationChanged is the fuzz test with a few thousand changes that are
// always the same: of single bytes, and of parts.
func TestGenerationChanged(t *testing.T) {
	const budget = 800 << 10 // bytes to decode, of each generation
	for i, g := range smallGenerations(t) {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for range budget / max(len(g.gen), 4096) {
				gen := slices.Clone(g.gen)
				at := random.IntN(len(gen))
				old := gen[at]
				gen[at] += byte(1 + random.IntN(3))
				if random.IntN(2) == 0 {
					gen[at] = byte(random.Uint32())
				}
				if check(t, g.header, gen); t.Failed() {
					t.Fatalf("byte %d was %d, now is %d", at, old, gen[at])
				}

				p := split(g.gen)
				seed := random.Uint64()
				p.mutate(rand.New(rand.NewPCG(seed, 0)))
				if check(t, g.header, p.join()); t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

// parts are the batches of a generation, and the events in them.
type parts struct{ batches []rawBatch }

type rawBatch struct {
	typ  byte
	head [4]uint64 // experiment or 0, generation, M, ticks
	// Either events or other data.
	events []rawEvent
	data   []byte
}

type rawEvent struct {
	typ  byte
	args []uint64 // with the ticks
}

// split is nil if there is anything in the generation that it does not know.
func split(gen []byte) *parts {
	var p parts
	for left := (bytesLeft{b: gen}); len(left.b) > 0; {
		b := rawBatch{typ: left.byte()}
		if b.typ != evEndOfGeneration {
			if b.typ == evExperimentalBatch {
				b.head[0] = uint64(left.byte())
			}
			b.head[1], b.head[2], b.head[3] = left.uvarint(), left.uvarint(), left.uvarint()
			b.data = left.take(left.uvarint())
		}
		if left.bad || len(p.batches) > 10_000 {
			return nil
		}
		b.events = events(b.data)
		p.batches = append(p.batches, b)
	}
	return &p
}

func events(data []byte) (evs []rawEvent) {
	for left := (bytesLeft{b: data}); len(left.b) > 0; {
		e := rawEvent{typ: left.byte()}
		if arguments[e.typ] < 0 {
			return nil
		}
		for range arguments[e.typ] + 1 {
			e.args = append(e.args, left.uvarint())
		}
		if left.bad {
			return nil
		}
		evs = append(evs, e)
	}
	return evs
}

func (p *parts) join() (gen []byte) {
	for _, b := range p.batches {
		gen = append(gen, b.typ)
		if b.typ == evEndOfGeneration {
			continue
		}
		if b.typ == evExperimentalBatch {
			gen = append(gen, byte(b.head[0]))
		}
		for _, v := range b.head[1:] {
			gen = binary.AppendUvarint(gen, v)
		}
		data := b.data
		if b.events != nil {
			data = nil
			for _, e := range b.events {
				data = append(data, e.typ)
				for _, v := range e.args {
					data = binary.AppendUvarint(data, v)
				}
			}
		}
		gen = append(binary.AppendUvarint(gen, uint64(len(data))), data...)
	}
	return gen
}

// number returns another number than v.
func number(random *rand.Rand, v uint64) uint64 {
	odd := []uint64{0, 1, 2, 3, 4, 5, ^uint64(0), ^uint64(0) - 1, 1 << 63, 1<<63 - 1, 1 << 32, 1<<31 - 1, 1 << 31, 256, 257, 258, 259, 260, 1 << 14, 1<<14 - 1}
	switch random.IntN(4) {
	case 0:
		return odd[random.IntN(len(odd))]
	case 1:
		return v - 1
	case 2:
		return v + uint64(random.IntN(300))
	}
	return v + 1
}

// mutate makes some changes, more often few of them.
func (p *parts) mutate(random *rand.Rand) {
	for range 1 + random.IntN(4) {
		p.change(random)
	}
}

func (p *parts) change(random *rand.Rand) {
	if len(p.batches) == 0 {
		return
	}
	i := random.IntN(len(p.batches))
	b := &p.batches[i]
	if len(b.events) > 0 {
		k := random.IntN(len(b.events))
		// The beginning is where most is about threads, Ps, and their states.
		if random.IntN(3) == 0 {
			k = min(k, random.IntN(6))
		}
		e := &b.events[k]
		switch random.IntN(10) {
		case 0: // lost
			b.events = slices.Delete(b.events, k, min(len(b.events), k+1+random.IntN(2)))
		case 1: // twice
			b.events = slices.Insert(b.events, k, rawEvent{e.typ, slices.Clone(e.args)})
		case 2, 3: // another one
			e.typ = byte(evProcsChange + random.IntN(evGoStatusStack-evProcsChange+1))
			e.args = slices.Clone(e.args)
			for len(e.args) < int(arguments[e.typ])+1 {
				e.args = append(e.args, uint64(random.IntN(20)))
			}
			e.args = e.args[:arguments[e.typ]+1]
		case 4: // late, or early
			m := random.IntN(len(b.events))
			b.events[k], b.events[m] = b.events[m], b.events[k]
		case 5: // of another thread
			o := &p.batches[random.IntN(len(p.batches))]
			if len(o.events) > 0 {
				o.events = slices.Insert(o.events, random.IntN(len(o.events)), rawEvent{e.typ, slices.Clone(e.args)})
			}
		default:
			e.args = slices.Clone(e.args)
			a := random.IntN(len(e.args))
			e.args[a] = number(random, e.args[a])
		}
		if random.IntN(8) > 0 {
			return
		}
	} else if len(b.data) > 0 && random.IntN(2) == 0 {
		b.data = slices.Clone(b.data)
		b.data[random.IntN(len(b.data))] = byte(number(random, 0))
		return
	}
	o := random.IntN(len(p.batches))
	switch random.IntN(6) {
	case 0:
		p.batches[i], p.batches[o] = p.batches[o], p.batches[i]
	case 1:
		p.batches = slices.Delete(p.batches, i, i+1)
	case 2:
		p.batches = slices.Insert(p.batches, o, *b)
	case 3:
		b.head[2] = p.batches[o].head[2] // another's thread
	case 4:
		k := 1 + random.IntN(3)
		b.head[k] = number(random, b.head[k])
	case 5:
		b.typ = []byte{evEventBatch, evExperimentalBatch, evEndOfGeneration}[random.IntN(3)]
	}
}
