package perfetto

import (
	"strconv"

	"github.com/trace2x/trace2x/model"
)

// ReasonAt stands between the reason of a wait and its place, in the UI's "Blocked
// function": "chan receive at main.worker:42". The queries split it there.
const ReasonAt = " at "

// reasonTable interns why and where lanes are blocked. So each wait has its place, also
// those without a slice.
type reasonTable struct {
	texts textTable
	// last has, by the ID of a stack, the reason that it was last seen with. Hardly any
	// stack has two.
	last []stackReason
}

type stackReason struct {
	reason string
	iid    uint32
}

func newReasonTable() reasonTable {
	return reasonTable{texts: newTextTable(fInternedKernelSymbols, maxNames)}
}

// iid returns the number of a reason with the place of a stack, which may be nil.
func (t *reasonTable) iid(in *interned, reason string, s *model.Stack) uint32 {
	if s == nil {
		return uint32(t.texts.iid(in, reason))
	}
	for s.ID >= len(t.last) {
		t.last = append(t.last, make([]stackReason, max(64, len(t.last)))...)
	}
	last := &t.last[s.ID]
	if last.iid == 0 || last.reason != reason {
		place := s.Place()
		iid := t.texts.iid(in, reason+ReasonAt+place.Func+":"+strconv.Itoa(place.Line))
		if iid == 0 { // too many
			iid = t.texts.iid(in, reason)
		}
		*last = stackReason{reason, uint32(iid)}
	}
	return last.iid
}
