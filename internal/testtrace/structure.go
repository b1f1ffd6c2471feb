package testtrace

import (
	"bytes"
	"encoding/binary"
)

// Structure is a trace, or a generation, taken apart: its batches and the events in
// them. Package decode has its own code for that. This code is independent of it, since
// tests that change traces look for faults in package decode.
type Structure struct {
	header  []byte
	old     bool // before Go 1.22
	Batches []Batch
	rest    []byte // behind the last batch that is whole
}

// Batch is what one thread wrote without a break. Before Go 1.22, it is what is between
// two events that begin batches, and has only events.
type Batch struct {
	Type byte
	Head [4]uint64 // experiment or 0, generation, M, ticks
	// Either events with times or other data.
	Events []Event
	Data   []byte
}

// Event is an event with its time.
type Event struct {
	Type byte     // before Go 1.22 with the number of arguments
	Args []uint64 // with the ticks
	Text []byte   // only before Go 1.22
}

const (
	headerSize = 16

	eventBatch        = 1
	experimentalBatch = 49
	endOfGeneration   = 52

	firstTimed, lastTimed = 9, 48

	// Before Go 1.22.
	oldBatch    = 1
	oldString   = 37
	oldLog      = 48
	oldMaxInOne = 3 // arguments that the first byte can count
)

// Arguments has the number of arguments of each timed event of Go 1.22 and later,
// without the ticks, and -1 for all else.
var Arguments = arguments()

func arguments() (n [256]int8) {
	for i := range n {
		n[i] = -1
	}
	copy(n[firstTimed:], []int8{
		2, 2, 0, 3, 2, // Ps: change, start, stop, steal, status
		3, 1, 2, 0, 0, // goroutines: create, create in a system call, start, destroy, destroy in a system call
		2, 2, 3, // stop, block, unblock
		2, 0, 0, // system calls: begin, end, end blocked
		3,    // status
		2, 0, // stop the world
		1, 2, 1, 1, 1, 2, 1, 1, 0, // GC: active, begin, end; sweep active, begin, end; assist active, begin, end
		1, 1, // heap
		1,             // label
		4, 2, 3, 3, 4, // task begin, end; region begin, end; log
		2, 2, // switch
		3, 4, // create blocked, status with a stack
	})
	return n
}

// Split returns a trace taken apart, or nil if it has no header. What Split does not
// know stays as it is.
func Split(data []byte) *Structure {
	if len(data) < headerSize || !bytes.HasPrefix(data, []byte("go 1.")) {
		return nil
	}
	s := &Structure{header: data[:headerSize], old: bytes.Compare(data[:7], []byte("go 1.22")) < 0}
	if s.old {
		s.splitOld(data[headerSize:])
		return s
	}
	left := bytesLeft{b: data[headerSize:]}
	for len(left.b) > 0 {
		s.rest = left.b
		b := Batch{Type: left.byte()}
		if b.Type != endOfGeneration {
			if b.Type == experimentalBatch {
				b.Head[0] = uint64(left.byte())
			}
			b.Head[1], b.Head[2], b.Head[3] = left.uvarint(), left.uvarint(), left.uvarint()
			b.Data = left.take(left.uvarint())
		}
		if left.bad || len(s.Batches) > 10_000 {
			return s
		}
		b.Events = timedEvents(b.Data)
		s.Batches = append(s.Batches, b)
	}
	s.rest = nil
	return s
}

// timedEvents is nil if there is anything else in the data.
func timedEvents(data []byte) (events []Event) {
	for left := (bytesLeft{b: data}); len(left.b) > 0; {
		e := Event{Type: left.byte()}
		if Arguments[e.Type] < 0 {
			return nil
		}
		for range Arguments[e.Type] + 1 {
			e.Args = append(e.Args, left.uvarint())
		}
		if left.bad {
			return nil
		}
		events = append(events, e)
	}
	return events
}

// splitOld takes events of Go 1.11 to 1.21 apart (internal/trace/parser.go there).
func (s *Structure) splitOld(data []byte) {
	left := bytesLeft{b: data}
	s.rest = data
	for len(left.b) > 0 {
		e := Event{Type: left.byte()}
		switch typ, n := e.Type&0x3f, int(e.Type>>6)+1; {
		case typ == oldString:
			e.Args = []uint64{left.uvarint()}
			e.Text = left.take(left.uvarint())
		case n <= oldMaxInOne:
			for range n {
				e.Args = append(e.Args, left.uvarint())
			}
		default:
			args := bytesLeft{b: left.take(left.uvarint())}
			for len(args.b) > 0 && !left.bad {
				e.Args = append(e.Args, args.uvarint())
			}
			left.bad = left.bad || args.bad
		}
		if e.Type&0x3f == oldLog {
			e.Text = left.take(left.uvarint())
		}
		if left.bad {
			return
		}
		if len(s.Batches) == 0 || e.Type&0x3f == oldBatch {
			s.Batches = append(s.Batches, Batch{})
		}
		last := &s.Batches[len(s.Batches)-1]
		last.Events = append(last.Events, e)
		s.rest = left.b
	}
}

// Join returns the bytes of the trace.
func (s *Structure) Join() []byte {
	data := bytes.Clone(s.header)
	for _, b := range s.Batches {
		if !s.old {
			data = b.append(data)
			continue
		}
		for _, e := range b.Events {
			data = e.appendOld(data)
		}
	}
	return append(data, s.rest...)
}

func (b *Batch) append(data []byte) []byte {
	data = append(data, b.Type)
	if b.Type == endOfGeneration {
		return data
	}
	if b.Type == experimentalBatch {
		data = append(data, byte(b.Head[0]))
	}
	for _, v := range b.Head[1:] {
		data = binary.AppendUvarint(data, v)
	}
	content := b.Data
	if b.Events != nil {
		content = nil
		for _, e := range b.Events {
			content = append(content, e.Type)
			for _, v := range e.Args {
				content = binary.AppendUvarint(content, v)
			}
		}
	}
	return append(binary.AppendUvarint(data, uint64(len(content))), content...)
}

func (e *Event) appendOld(data []byte) []byte {
	data = append(data, e.Type)
	var args []byte
	for _, v := range e.Args {
		args = binary.AppendUvarint(args, v)
	}
	typ := e.Type & 0x3f
	if typ != oldString && int(e.Type>>6) >= oldMaxInOne {
		data = binary.AppendUvarint(data, uint64(len(args)))
	}
	data = append(data, args...)
	if typ == oldString || typ == oldLog {
		data = append(binary.AppendUvarint(data, uint64(len(e.Text))), e.Text...)
	}
	return data
}

// bytesLeft reads uvarints and bytes. At the end it says whether all of them were there.
type bytesLeft struct {
	b   []byte
	bad bool
}

func (r *bytesLeft) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *bytesLeft) byte() byte {
	b := r.take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

func (r *bytesLeft) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}
