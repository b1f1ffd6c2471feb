package recorder

import "sync/atomic"

// Stats counts what a [Recorder] did since it was started.
type Stats struct {
	// SlowSpans is the number of spans that were slow. Most of them made no dump, if
	// there were many in MinInterval.
	SlowSpans int64
	// Dumps is the number of dumps that were written or posted, and Bytes their size.
	Dumps, Bytes int64
	// Removed is the number of dumps that were removed from the folder because of
	// MaxBytes.
	Removed int64
	// NotRecorded is how often there was nothing to dump because somebody else ran a
	// flight recorder. NotWritten and NotPosted are the dumps that were lost: those that
	// could not be written to the folder, and those that the address did not take.
	NotRecorded, NotWritten, NotPosted int64
}

type counters struct {
	slowSpans, dumps, bytes, removed, notRecorded, notWritten, notPosted atomic.Int64
}

// Stats returns what the recorder has done so far.
func (r *Recorder) Stats() Stats {
	c := &r.stats
	return Stats{
		SlowSpans: c.slowSpans.Load(),
		Dumps:     c.dumps.Load(), Bytes: c.bytes.Load(), Removed: c.removed.Load(),
		NotRecorded: c.notRecorded.Load(), NotWritten: c.notWritten.Load(), NotPosted: c.notPosted.Load(),
	}
}
