package input

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/trace2x/trace2x/internal/decode"
)

const (
	// recordingBlockSize is small. A recording is an answer in chunks, and a large
	// read waits until the whole chunk has arrived: an idle program would seem to
	// send nothing before the end.
	recordingBlockSize = 1 << 10
	// recordingBlocks are 16 MB. If more arrives, the traced program has to wait for
	// us, and to keep its trace in its memory.
	recordingBlocks = 16 << 10
)

// Patience is how long Finish waits for anything to arrive. An idle program also writes
// something each second, but net/http may keep that until there is more.
const Patience = 5 * time.Second

// ErrStopped is the error of a recording that Stop ended.
var ErrStopped = errors.New("the recording was stopped")

// body is the body of an answer.
type body struct {
	rc     io.ReadCloser
	cancel context.CancelFunc

	mu      sync.Mutex
	state   bodyState
	borders *decode.Borders // nil if it is not a recording
	held    []byte          // bytes that may belong to the next generation
	from    int64           // the offset at which Finish was called
	timer   *time.Timer
}

type bodyState int

const (
	arriving  bodyState = iota
	finishing           // until the generation is complete
	finished            // it is
	stopped             // wherever that was
	ended               // by the server, or with an error
)

func newBody(rc io.ReadCloser, cancel context.CancelFunc, recording bool) *body {
	b := &body{rc: rc, cancel: cancel}
	if recording {
		b.borders = new(decode.Borders)
	}
	return b
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	held := copy(p, b.held)
	b.held = b.held[held:]
	b.mu.Unlock()
	n, err := b.rc.Read(p[held:])
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.borders == nil {
		return n, b.end(err)
	}
	b.borders.Add(p[held : held+n])
	n += held
	if b.state == finishing {
		if n > held {
			b.timer.Reset(Patience)
		}
		if b.borders.Last >= b.from {
			b.state = finished
			b.cancel()
		}
	}
	if b.state == finished {
		return n - int(b.borders.Pos-b.borders.Last), io.EOF
	}
	if err == nil {
		keep := n - b.borders.Pending()
		b.held = append(b.held[:0], p[keep:n]...)
		n = keep
	}
	return n, b.end(err)
}

// end returns what a reader gets for an error of the connection.
func (b *body) end(err error) error {
	switch {
	case err == nil:
	case b.state == stopped:
		return ErrStopped
	default:
		b.state = ended
	}
	return err
}

func (b *body) stop() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != arriving && b.state != finishing {
		return false
	}
	b.state = stopped
	b.cancel()
	return true
}

func (b *body) finish() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.state != arriving || b.borders.None:
		return false
	case b.borders.Begun() && b.borders.Last == b.borders.Pos:
		b.state = finished
		b.cancel()
	default:
		b.state = finishing
		b.from = b.borders.Pos
		b.timer = time.AfterFunc(Patience, func() { b.stop() })
	}
	return true
}

func (b *body) Close() error {
	b.cancel()
	return b.rc.Close()
}
