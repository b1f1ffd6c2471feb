package perfetto

import (
	"math"
	"unsafe"

	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
)

// interned collects the InternedData that a sequence has not written yet, for
// its next packet. Numbers (iids) begin at 1 in each table.
type interned struct {
	pending []byte
}

// text adds a string to a table.
func (in *interned) text(table wire.Number, iid uint64, s string) {
	b, mark := wire.Open(in.pending, table)
	b = wire.AppendUint(b, fInternedIID, iid)
	b = wire.AppendString(b, fInternedText, s)
	in.pending = wire.Close(b, mark)
}

// appendTo appends what is pending to an open packet.
func (in *interned) appendTo(b []byte) []byte {
	if len(in.pending) > 0 {
		b = wire.AppendBytes(b, fPacketInternedData, in.pending)
		in.pending = in.pending[:0]
	}
	return b
}

// textTable interns strings into one table.
type textTable struct {
	table wire.Number
	limit int
	iids  map[string]uint64
	// recent has some of them by their address in memory: the model interns names
	// too.
	recent [64]struct {
		data *byte
		len  int
		iid  uint64
	}
}

// maxNames is the number of names of events, and of words in arguments, that are
// interned.
const maxNames = 100_000

func newTextTable(table wire.Number, limit int) textTable {
	return textTable{table: table, limit: limit, iids: make(map[string]uint64)}
}

// iid returns the number of a string, 0 if it is not interned because there are too
// many.
func (t *textTable) iid(in *interned, s string) uint64 {
	data := unsafe.StringData(s)
	recent := &t.recent[uintptr(unsafe.Pointer(data))>>3%uintptr(len(t.recent))]
	if recent.data == data && recent.len == len(s) && data != nil {
		return recent.iid
	}
	iid, ok := t.iids[s]
	if !ok {
		if len(t.iids) >= t.limit {
			return 0
		}
		iid = uint64(len(t.iids) + 1)
		t.iids[s] = iid
		in.text(t.table, iid, s)
	}
	recent.data, recent.len, recent.iid = data, len(s), iid
	return iid
}

// stackTable interns stacks. The model has interned them already: its IDs are
// the iids.
type stackTable struct {
	functions, sources textTable
	frames, stacks     []bool // what was written, by ID
}

func newStackTable() stackTable {
	return stackTable{
		functions: newTextTable(fInternedFunctionNames, math.MaxInt),
		sources:   newTextTable(fInternedSourcePaths, math.MaxInt),
	}
}

// written reports whether an ID was marked before, and marks it.
func written(set *[]bool, id int) bool {
	for id >= len(*set) {
		*set = append(*set, make([]bool, max(64, len(*set)))...)
	}
	was := (*set)[id]
	(*set)[id] = true
	return was
}

func (t *stackTable) iid(in *interned, s *model.Stack) uint64 {
	if written(&t.stacks, s.ID) {
		return uint64(s.ID)
	}
	for _, f := range s.Frames {
		t.frame(in, f)
	}
	b, mark := wire.Open(in.pending, fInternedCallstacks)
	b = wire.AppendUint(b, fCallstackIID, uint64(s.ID))
	for i := len(s.Frames) - 1; i >= 0; i-- {
		b = wire.AppendUint(b, fCallstackFrames, uint64(s.Frames[i].ID))
	}
	in.pending = wire.Close(b, mark)
	return uint64(s.ID)
}

func (t *stackTable) frame(in *interned, f *model.Frame) {
	if written(&t.frames, f.ID) {
		return
	}
	function := t.functions.iid(in, f.Func)
	source := t.sources.iid(in, f.File)
	b, mark := wire.Open(in.pending, fInternedFrames)
	b = wire.AppendUint(b, fFrameIID, uint64(f.ID))
	b = wire.AppendUint(b, fFrameFunction, function)
	b = wire.AppendUint(b, fFrameSource, source)
	b = wire.AppendUint(b, fFrameLine, uint64(f.Line))
	in.pending = wire.Close(b, mark)
}
