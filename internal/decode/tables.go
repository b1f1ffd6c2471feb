package decode

import (
	"cmp"
	"math"
	"slices"
)

// tables has what the events of a generation refer to, and when it began.
//
// A table is good only if golang.org/x/exp/trace would take it, too: the methods that read
// it are false if it would not, or if it is one that the runtime does not write.
type tables struct {
	version version
	strict  bool // everything that is referred to has to be there
	clock   ticking
	first   uint64 // ticks at which the generation begins
	strings []text // by ID
	stacks  []stack
	pcs     map[uint64]*Frame
	frames  []frame // behind pcs
	samples []sample
	ids     uint64 // above those that a generation of this size has

	missing  int    // references to what is not there, since the last chunk
	numbered uint32 // stacks
	reasons  uint16
}

type text struct {
	s       string
	present bool
	reason  uint16 // its number as a reason, 0 for none yet
}

type stack struct {
	frames  Stack
	present bool
	number  uint32 // 0 for none yet
}

// frame is a frame whose strings may not have been read.
type frame struct {
	*Frame
	fn, file uint64
}

type sample struct {
	time, m, p, g int64
	stack         uint64
}

func newTables(v version, size int64) *tables {
	return &tables{
		version: v, ids: uint64(size)/8 + 1,
		strings: []text{{present: true}}, stacks: []stack{{present: true}},
		pcs: make(map[uint64]*Frame),
	}
}

// take reads a batch if it is one of a table.
func (t *tables) take(b *batch) (taken, ok bool) {
	switch {
	case b.begins(evStrings):
		return true, t.takeStrings(b.data[1:])
	case b.begins(evStacks):
		return true, t.takeStacks(b.data[1:])
	case b.begins(evCPUSamples):
		return true, t.takeSamples(b.data[1:])
	case b.begins(evFrequency) && !t.version.snapshots, b.begins(evSync) && t.version.snapshots:
		return true, t.clock.parse(b)
	}
	return false, true
}

// grown makes room for an ID. IDs count up, and whatever has one takes more than
// 8 bytes, with the events that refer to it: one that is larger than ids would
// take memory for what is not there.
func grown[E any](table []E, id, ids uint64) ([]E, bool) {
	if id >= ids {
		return table, false
	}
	if n := int(id) + 1; n > len(table) {
		table = slices.Grow(table, n-len(table))[:n]
	}
	return table, true
}

func (t *tables) takeStrings(data []byte) (ok bool) {
	left := bytesLeft{b: data}
	for len(left.b) > 0 {
		if left.byte() != evString {
			return false
		}
		id, size := left.uvarint(), left.uvarint()
		s := left.take(size)
		if left.bad || size > maxStringSize {
			return false
		}
		if t.strings, ok = grown(t.strings, id, t.ids); !ok || t.strings[id].present {
			return false
		}
		t.strings[id] = text{s: string(s), present: true}
	}
	return true
}

func (t *tables) takeStacks(data []byte) (ok bool) {
	left := bytesLeft{b: data}
	for len(left.b) > 0 {
		if left.byte() != evStack {
			return false
		}
		id, n := left.uvarint(), left.uvarint()
		if left.bad || n > maxFrames {
			return false
		}
		frames := make(Stack, n)
		for i := range frames {
			pc, fn, file, line := left.uvarint(), left.uvarint(), left.uvarint(), left.uvarint()
			f := t.pcs[pc]
			if f == nil {
				f = &Frame{PC: pc, Line: line}
				t.pcs[pc] = f
				t.frames = append(t.frames, frame{f, fn, file})
			}
			frames[i] = f
		}
		if left.bad {
			return false
		}
		if t.stacks, ok = grown(t.stacks, id, t.ids); !ok || t.stacks[id].present {
			return false
		}
		t.stacks[id] = stack{frames: frames, present: true}
	}
	return true
}

func (t *tables) takeSamples(data []byte) bool {
	left := bytesLeft{b: data}
	for len(left.b) > 0 {
		if left.byte() != evCPUSample {
			return false
		}
		ticks := left.uvarint()
		s := sample{time: int64(ticks), m: int64(left.uvarint()), p: int64(left.uvarint()), g: int64(left.uvarint()), stack: left.uvarint()}
		if left.bad {
			return false
		}
		if s.g == 0 {
			s.g = none
		}
		t.samples = append(t.samples, s)
	}
	return true
}

// complete takes it that all tables have been read.
func (t *tables) complete() bool {
	snapshots := 0
	if t.version.snapshots {
		snapshots = 1
	}
	if t.clock.frequency == 0 || t.clock.snapshots != snapshots {
		return false
	}
	for _, f := range t.frames {
		var ok1, ok2 bool
		f.Func, ok1 = t.str(f.fn)
		f.File, ok2 = t.str(f.file)
		if !ok1 || !ok2 {
			return false
		}
	}
	for i := range t.samples {
		s := &t.samples[i]
		s.time = t.clock.time(uint64(s.time))
	}
	// As golang.org/x/exp/trace sorts them: samples of one time are in the order in which
	// this leaves them.
	slices.SortFunc(t.samples, func(a, b sample) int { return cmp.Compare(a.time, b.time) })
	return true
}

// str returns a string; ok is false if it is not there and has to be.
func (t *tables) str(id uint64) (s string, ok bool) {
	if id < uint64(len(t.strings)) && t.strings[id].present {
		return t.strings[id].s, true
	}
	t.missing++
	return "", !t.strict
}

// stack returns the number of a stack in the generation, 0 for one without frames;
// ok is false if it is not there and has to be.
func (t *tables) stack(c *Chunk, id uint64) (n uint32, ok bool) {
	if id >= uint64(len(t.stacks)) || !t.stacks[id].present {
		t.missing++
		return 0, !t.strict
	}
	s := &t.stacks[id]
	if s.number == 0 && len(s.frames) > 0 {
		t.numbered++
		s.number = t.numbered
		c.Stacks = append(c.Stacks, s.frames)
	}
	return s.number, true
}

// reason returns the number of a reason in the generation, 0 for none. ok is false
// if it is not there and has to be, or if there are too many:
// golang.org/x/exp/trace has fewer, if some are the same text.
func (t *tables) reason(c *Chunk, id uint64) (n uint16, ok bool) {
	if id >= uint64(len(t.strings)) || !t.strings[id].present {
		t.missing++
		return 0, !t.strict
	}
	s := &t.strings[id]
	if s.reason == 0 && s.s != "" {
		if t.reasons == math.MaxUint16 {
			return 0, false
		}
		t.reasons++
		s.reason = t.reasons
		c.Reasons = append(c.Reasons, s.s)
	}
	return s.reason, true
}
