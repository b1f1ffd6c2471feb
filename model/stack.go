package model

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/trace2x/trace2x/internal/decode"
)

// Frame is a function call in a stack. Frames are interned: two frames of one
// trace with the same contents are the same pointer.
type Frame struct {
	// ID numbers the frames of a trace from 1.
	ID   int
	PC   uint64
	Func string // with its import path, such as net/http.(*conn).serve
	File string
	Line int
}

// Stack is a call stack. Stacks are interned: two stacks of one trace with the
// same frames are the same pointer.
type Stack struct {
	// ID numbers the stacks of a trace from 1.
	ID int
	// Frames are ordered as the runtime gives them: the innermost call first. If the
	// stack was shortened, the second and last one is Other; see Summary.ShortenedStacks.
	Frames []*Frame

	place     *Frame // see Place; nil for a stack that was not interned
	shortened bool
	next      *Stack // in the stackTable, with the same hash
}

// Other is the function of a frame that stands for calls that are not kept.
const Other = "(other)"

// MaxStacks is the number of different stacks that are kept. Those that come later are
// shortened to their innermost call. A large program has some ten thousand stacks in a
// trace.
const MaxStacks = 200_000

// maxFrames is the number of different frames that are kept. Those that come later are
// one.
const maxFrames = 500_000

// maxDepth is the number of frames at which the runtime cuts stacks
// (runtime.traceStackSize): the outermost frames of such a stack are missing.
const maxDepth = 128

// stackTable interns stacks by their frames. Each generation has a table of its own,
// with numbers and strings of its own.
type stackTable struct {
	stacks map[uint64]*Stack // by the hash of their frames
	n      int               // of stacks
	seed   maphash.Seed
	frames map[frameKey]*Frame
	key    []byte
	buf    []*Frame
	// Stacks and lists of frames are made many at a time, to spare the collector.
	unusedStacks []Stack
	unusedFrames []*Frame

	maxStacks, maxFrames int
	shortened            int // stacks, of all generations
}

type frameKey struct {
	pc   uint64
	line uint64
	fn   string
}

func newStackTable() *stackTable {
	return &stackTable{
		stacks:    make(map[uint64]*Stack),
		seed:      maphash.MakeSeed(),
		frames:    make(map[frameKey]*Frame),
		maxStacks: MaxStacks,
		maxFrames: maxFrames,
	}
}

// intern returns a stack of a generation, nil for one without frames.
func (t *stackTable) intern(h decode.Stack) *Stack {
	t.buf = t.buf[:0]
	shortened := false
	for _, f := range h {
		frame := t.frame(f)
		shortened = shortened || frame.Func == Other
		t.buf = append(t.buf, frame)
	}
	// The runtime now and then fails to unwind a goroutine that it preempts, and
	// writes a single frame of nothing but zeros (go.dev/issue/68090).
	if len(t.buf) == 0 || len(t.buf) == 1 && t.buf[0].PC == 0 && t.buf[0].Func == "" {
		return nil
	}
	s, hash := t.find()
	if s == nil && t.n >= t.maxStacks {
		shortened = true
		t.buf = append(t.buf[:1], t.other())
		s, hash = t.find()
	}
	if s == nil {
		s = t.add(hash)
		s.shortened = shortened
	}
	if shortened {
		t.shortened++
	}
	return s
}

// find returns the stack with the frames in t.buf, nil for none, and their hash.
func (t *stackTable) find() (s *Stack, hash uint64) {
	t.key = t.key[:0]
	for _, f := range t.buf {
		t.key = binary.LittleEndian.AppendUint32(t.key, uint32(f.ID))
	}
	hash = maphash.Bytes(t.seed, t.key)
	s = t.stacks[hash]
	for s != nil && !slices.Equal(s.Frames, t.buf) {
		s = s.next
	}
	return s, hash
}

// add adds a stack with the frames in t.buf.
func (t *stackTable) add(hash uint64) *Stack {
	const many = 64
	if len(t.unusedStacks) == 0 {
		t.unusedStacks = make([]Stack, many)
	}
	n := len(t.buf)
	if n > len(t.unusedFrames) {
		t.unusedFrames = make([]*Frame, max(n, many*maxDepth/4))
	}
	s, frames := &t.unusedStacks[0], t.unusedFrames[:n:n]
	t.unusedStacks, t.unusedFrames = t.unusedStacks[1:], t.unusedFrames[n:]
	copy(frames, t.buf)
	t.n++
	*s = Stack{ID: t.n, Frames: frames, next: t.stacks[hash]}
	s.place = s.findPlace()
	t.stacks[hash] = s
	return s
}

// other returns the frame of all calls that are not kept.
func (t *stackTable) other() *Frame { return t.keep(frameKey{fn: Other}, "") }

func (t *stackTable) frame(f *decode.Frame) *Frame {
	key := frameKey{pc: f.PC, line: f.Line, fn: f.Func}
	if len(t.frames) >= t.maxFrames && t.frames[key] == nil {
		return t.other()
	}
	return t.keep(key, f.File)
}

func (t *stackTable) keep(key frameKey, file string) *Frame {
	frame, ok := t.frames[key]
	if !ok {
		frame = &Frame{ID: len(t.frames) + 1, PC: key.pc, Func: key.fn, File: file, Line: int(key.line)}
		t.frames[key] = frame
	}
	return frame
}

// startFunc returns the function that a goroutine with this stack was started
// with, or "" if the stack does not reach down to it.
func (s *Stack) startFunc() string {
	if s == nil || s.shortened || len(s.Frames) >= maxDepth {
		return ""
	}
	return startFuncName(s.Frames[len(s.Frames)-1].Func)
}

// startFuncName gives the main goroutine, which the runtime starts with
// runtime.main, the name of what its users know.
func startFuncName(fn string) string {
	if fn == "runtime.main" {
		return "main.main"
	}
	return fn
}

// waitReason derives the reason of a wait from the functions at the top of the
// stack, for a goroutine that blocked before the trace began, when nothing
// recorded why. These functions park a goroutine for one reason only.
func (s *Stack) waitReason() string {
	if s == nil {
		return ""
	}
	for _, f := range s.Frames {
		if reason, ok := parkedIn[f.Func]; ok {
			return reason
		}
		if !strings.HasPrefix(f.Func, "runtime.") && !strings.HasPrefix(f.Func, "internal/") && !strings.HasPrefix(f.Func, "sync.") {
			break
		}
	}
	return ""
}

// parkedIn has the reasons in the words of the runtime's traceBlockReason.
var parkedIn = map[string]string{
	"runtime.chanrecv":                      "chan receive",
	"runtime.chanrecv1":                     "chan receive",
	"runtime.chanrecv2":                     "chan receive",
	"runtime.chansend":                      "chan send",
	"runtime.chansend1":                     "chan send",
	"runtime.selectgo":                      "select",
	"runtime.block":                         "forever",
	"runtime.timeSleep":                     "sleep",
	"time.Sleep":                            "sleep",
	"runtime.netpollblock":                  "network",
	"internal/poll.runtime_pollWait":        "network",
	"runtime.semacquire":                    "sync",
	"runtime.semacquire1":                   "sync",
	"sync.runtime_Semacquire":               "sync",
	"sync.runtime_SemacquireMutex":          "sync",
	"sync.runtime_SemacquireRWMutexR":       "sync",
	"sync.runtime_SemacquireRWMutex":        "sync",
	"sync.runtime_SemacquireWaitGroup":      "sync",
	"internal/sync.runtime_SemacquireMutex": "sync",
	"sync.runtime_notifyListWait":           "sync.(*Cond).Wait",
	"runtime.coroswitch":                    coroutine,
}
