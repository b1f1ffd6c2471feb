package otel

import (
	"encoding/binary"

	"github.com/trace2x/trace2x/model"
)

type (
	traceID [16]byte
	spanID  [8]byte
)

// ids derives the IDs of traces and spans from what they stand for and from the
// fingerprint of the trace file: the same file always gives the same IDs.
type ids struct{ seed [2]uint64 }

func newIDs(fingerprint [16]byte) ids {
	return ids{[2]uint64{binary.LittleEndian.Uint64(fingerprint[:8]), binary.LittleEndian.Uint64(fingerprint[8:])}}
}

// trace returns the ID of the trace of a root task; task 0 is the program. A trace
// that contradicts itself may use the number of a task again, so the ID depends on the
// start too.
func (x ids) trace(task model.TaskID, start model.Time) (id traceID) {
	binary.BigEndian.PutUint64(id[:8], notZero(hash(x.seed[0], uint64(task), uint64(start))))
	binary.BigEndian.PutUint64(id[8:], notZero(hash(x.seed[1], uint64(task), uint64(start))))
	return id
}

// task returns the span of a task: the one that the program sent itself, else one of our
// own, in the trace of the parent or, if that is zero, in one of its own.
func (x ids) task(t *model.Task, parent traceID) model.SpanContext {
	switch {
	case t.Span != nil:
		return *t.Span
	case parent == traceID{}:
		parent = x.trace(t.ID, t.Start)
	}
	return model.SpanContext{TraceID: parent, SpanID: x.span(kindTask, uint64(t.ID), uint64(t.Start))}
}

// SpanIDs tells which spans tasks are, for other signals that lead to them.
type SpanIDs struct{ ids ids }

// NewSpanIDs returns the IDs of the spans of a trace.
func NewSpanIDs(t *model.Trace) SpanIDs { return SpanIDs{newIDs(t.Fingerprint)} }

// Task returns the span of a task that begins: the one that the program sent itself, or
// the one that [Convert] sends, unless its limits leave it out. parent is the span of the
// parent, nil if there is none or if it is not selected.
func (x SpanIDs) Task(t *model.Task, parent *model.SpanContext) model.SpanContext {
	if parent == nil {
		return x.ids.task(t, traceID{})
	}
	return x.ids.task(t, parent.TraceID)
}

// span returns the ID of a span; what identifies it among the spans of its kind.
func (x ids) span(k kind, what ...uint64) (id spanID) {
	binary.BigEndian.PutUint64(id[:], notZero(hash(hash(x.seed[0]^x.seed[1], what...), uint64(k))))
	return id
}

// notZero keeps IDs valid: all zeros is not an ID.
func notZero(h uint64) uint64 {
	if h == 0 {
		return 1
	}
	return h
}

// hash mixes words with the finalizer of SplitMix64, whose every output bit
// depends on every input bit.
func hash(h uint64, words ...uint64) uint64 {
	for _, w := range words {
		h += w + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}
