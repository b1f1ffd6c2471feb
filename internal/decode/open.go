package decode

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime"
	"strings"
)

// Input is a trace that is being read.
type Input struct {
	// Format is the version of the trace format, such as "Go 1.23": the first
	// Go release that wrote it.
	Format string
	// Whole says that the format is of Go 1.21 or earlier: the trace is read
	// whole into memory, its times count from 1 ns before it begins, and it does not
	// tell what later ones do.
	Whole bool
	// Fingerprint identifies the trace: a hash of its first bytes, which have
	// times in them.
	Fingerprint [16]byte

	// InSequence makes one golang.org/x/exp/trace reader decode the trace. It is
	// for tests, to compare with.
	InSequence bool
	// Workers is how many generations are decoded at a time, Budget how many
	// bytes they may have together (unless one alone has more), and Ahead how
	// many chunks may wait. Open sets them; tests change them.
	Workers int
	Budget  int64
	Ahead   int

	version version
	r       *bufio.Reader
	err     *errorKeeper
	index   *Index // nil if the trace cannot be read anywhere
	whole   int    // generations that were decoded or skipped
}

// fingerprinted is how many bytes of a trace make its fingerprint.
const fingerprinted = 4096

// bufferSize is large enough to look for a batch behind damage.
const bufferSize = 256 << 10

// Open recognizes the trace in r. The error is a *[FormatError] if r is not a
// trace that can be read, else the error of r.
func Open(r io.Reader) (*Input, error) {
	keeper := &errorKeeper{r: r}
	br := bufio.NewReaderSize(keeper, bufferSize)
	head, err := br.Peek(lookedAt)
	if err != nil && keeper.err != nil {
		return nil, fmt.Errorf("reading the trace: %w", err)
	}
	if err := CheckHeader(head); err != nil {
		return nil, err
	}
	minor, _ := parseHeader(head)
	v, known := versionOf(minor)
	switch newest := newest(); {
	case minor > newest.minor:
		return nil, formatErrorf("a Go execution trace in the format of Go 1.%d, which is newer than this version of trace2x knows (up to %v): update trace2x", minor, newest)
	case !known:
		return nil, formatErrorf("a Go execution trace in the format of Go 1.%d, which no Go release writes: its first 16 bytes are damaged", minor)
	case v.era == tooOld:
		return nil, formatErrorf("a Go execution trace in the format of %v, which no current tool reads: trace2x reads those of Go 1.11 and later. Record it again with a newer Go, or use go tool trace of %v", v, v)
	}
	in := &Input{
		Format:  v.String(),
		Whole:   v.era == whole,
		Workers: runtime.GOMAXPROCS(0),
		Budget:  decodedAtOnce,
		Ahead:   chunksAhead,
		version: v,
		r:       br,
		err:     keeper,
	}
	head, _ = br.Peek(fingerprinted)
	sum := sha256.Sum256(head)
	copy(in.Fingerprint[:], sum[:])
	return in, nil
}

// Generations returns the number of generations of the trace that are whole, or
// were skipped, when [Input.Chunks] has ended; it is 1 before Go 1.22.
func (in *Input) Generations() int { return in.whole }

// errorKeeper keeps the error of a reader, if it is other than io.EOF: it says
// why a trace is truncated.
type errorKeeper struct {
	r   io.Reader
	err error
	n   int64 // bytes that were read
}

func (k *errorKeeper) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	k.n += int64(n)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		k.err = err
	}
	return n, err
}

// FormatError says that the input is not a Go execution trace that can be
// read, what it seems to be, and what to do.
type FormatError struct{ Reason string }

func (e *FormatError) Error() string { return e.Reason }

func formatErrorf(format string, args ...any) *FormatError {
	return &FormatError{fmt.Sprintf(format, args...)}
}

// lookedAt is how many bytes of an input tell what it is.
const lookedAt = 512

// CheckHeader looks at the first bytes of an input, all of them or 512. It
// returns nil if a Go execution trace begins there, of any version, and else a
// *[FormatError].
func CheckHeader(head []byte) error {
	if len(head) == 0 {
		return formatErrorf("the input is empty: trace.Stop was not called, or the program did not get to it")
	}
	if _, ok := parseHeader(head); ok {
		return nil
	}
	if begin := "go 1."; len(head) < headerSize && (strings.HasPrefix(begin, string(head)) || strings.HasPrefix(string(head), begin)) {
		return formatErrorf("a Go execution trace that ends inside its header, after %d bytes", len(head))
	}
	return formatErrorf("not a Go execution trace: it %s", resemblance(head))
}
