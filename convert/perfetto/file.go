package perfetto

import (
	"io"
	"sync"

	"github.com/trace2x/trace2x/internal/inturn"
)

// file writes a trace, part after part. A goroutine for each part encodes and writes it
// while the next part is collected. No goroutine is left behind if the trace is given
// up.
type file struct {
	w     io.Writer
	sched sched
	free  chan *part
	line  inturn.Line // of the parts that write got

	mu   sync.Mutex
	size int64 // bytes written
	err  error // the first error of w
}

// part has the next bytes of the file: packets, and the scheduling events that are
// encoded behind them.
type part struct {
	buf     []byte // packets
	sched   []schedEvent
	reasons interned // those that come up in sched for the first time
}

const (
	// A part is complete when it has this many bytes of packets or this many
	// scheduling events.
	partSize   = 256 << 10
	partEvents = 8192
	// parts is the number of parts. One of them is being collected.
	parts = 3
)

func newFile(w io.Writer, m *Machine) *file {
	f := &file{w: w, free: make(chan *part, parts)}
	f.sched.machine, f.sched.outside = m, -1
	for range parts {
		f.free <- &part{sched: make([]schedEvent, 0, partEvents)}
	}
	return f
}

// write encodes and writes a part, in a goroutine.
func (f *file) write(p *part) {
	f.line.Go(func() {
		f.sched.encode(p)
		f.writeBytes(p.buf)
		p.buf, p.sched, p.reasons.pending = p.buf[:0], p.sched[:0], p.reasons.pending[:0]
		f.free <- p
	})
}

func (f *file) writeBytes(b []byte) {
	if f.failed() != nil {
		return
	}
	n, err := f.w.Write(b)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.size += int64(n)
	f.err = err
}

func (f *file) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *file) bytesWritten() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size
}

// wait returns when all parts are written.
func (f *file) wait() { f.line.Wait() }
