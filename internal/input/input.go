// Package input opens what a command reads: a file, standard input or a URL, plain or
// compressed with gzip. It finds out from the contents whether they are compressed, and
// does not know what they are.
package input

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/trace2x/trace2x/internal/address"
)

// Input is an open input.
type Input struct {
	// Name is what to call it in messages.
	Name string
	// Size is its number of bytes before decompression, or -1 if unknown.
	Size int64

	r      io.Reader
	closer io.Closer
	file   *os.File // that r has the bytes of, as they are; nil for other inputs
	read   atomic.Int64

	// For a URL:
	answer  string
	secrets []string // the server may repeat them
	body    *body
}

// Options say how to open an input.
type Options struct {
	// Stdin is what "-" stands for.
	Stdin io.Reader
	// Header is sent to the origin of a URL, and to no other one.
	Header http.Header
}

// Open opens the file with this name, or Stdin for "-", or fetches an http or https URL
// and waits for the first bytes. When ctx ends, reading ends with the error of ctx, also
// where the system would go on waiting.
func Open(ctx context.Context, name string, opts Options) (*Input, error) {
	in := &Input{Name: address.Name(name), Size: -1}
	var raw io.Reader
	blockSize, blocks := 256<<10, 2
	switch {
	case name == "-":
		in.Name, raw, in.closer = "standard input", opts.Stdin, io.NopCloser(nil)
	case IsURL(name):
		if err := in.openURL(ctx, name, opts.Header); err != nil {
			return nil, err
		}
		raw, in.closer = in.body, in.body
		if in.Recording() {
			blockSize, blocks = recordingBlockSize, recordingBlocks
		}
	default:
		f, err := openFile(ctx, name)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s is a directory", in.Name)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		if info.Mode().IsRegular() {
			in.Size, in.file = info.Size(), f
		}
		raw, in.closer = f, f
	}
	br := bufio.NewReaderSize(ahead(ctx, &counter{raw, &in.read}, blockSize, blocks), 64<<10)
	in.r = br
	magic, _ := br.Peek(2)
	in.answered(br)
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		zr, err := gzip.NewReader(br)
		if err != nil {
			in.Close()
			switch {
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
				err = fmt.Errorf("compressed with gzip, and ends after %d bytes, before the trace in it begins: copy or record it again", in.BytesRead())
			case errors.Is(err, gzip.ErrHeader):
				err = fmt.Errorf("begins as a gzip file does, but its header is damaged (%w): copy it again", err)
			}
			return nil, fmt.Errorf("%s: %w", in.Name, err)
		}
		in.r, in.file = zr, nil
	}
	return in, nil
}

// openFile opens a file. For a named pipe, it waits for a writer.
func openFile(ctx context.Context, name string) (*os.File, error) {
	var f *os.File
	var err error
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		f, err = os.Open(name)
	}()
	select {
	case <-opened:
		return f, err
	case <-ctx.Done():
		go func() {
			<-opened
			f.Close() // nil if it failed, which Close allows
		}()
		return nil, ctx.Err()
	}
}

func (in *Input) Read(p []byte) (int, error) { return in.r.Read(p) }

// Section returns all bytes of the input, to be read anywhere until it is closed: of a
// file that is not compressed, as large as it was when it was opened. It is nil for other
// inputs.
func (in *Input) Section() *io.SectionReader {
	if in.file == nil {
		return nil
	}
	return io.NewSectionReader(&counterAt{in.file, &in.read}, 0, in.Size)
}

// Close closes the file.
func (in *Input) Close() error { return in.closer.Close() }

// BytesRead returns the number of bytes read so far, before decompression. It may be
// called while Read is running.
func (in *Input) BytesRead() int64 { return in.read.Load() }

type counter struct {
	r io.Reader
	n *atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

type counterAt struct {
	r io.ReaderAt
	n *atomic.Int64
}

func (c *counterAt) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.r.ReadAt(p, at)
	c.n.Add(int64(n))
	return n, err
}

// ahead reads r in a goroutine of its own, some blocks in front of the caller. When ctx
// ends, that goroutine may stay blocked in a read, as from a pipe to which nobody
// writes.
func ahead(ctx context.Context, r io.Reader, blockSize, blocks int) io.Reader {
	a := &aheadReader{ctx: ctx, blocks: make(chan block, blocks), free: make(chan []byte, blocks+2)}
	go func() {
		defer close(a.blocks)
		for {
			var buf []byte
			select {
			case buf = <-a.free:
			default:
				buf = make([]byte, blockSize)
			}
			n, err := r.Read(buf[:cap(buf)])
			select {
			case a.blocks <- block{buf[:n], err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return a
}

type aheadReader struct {
	ctx    context.Context
	blocks chan block
	free   chan []byte
	cur    block
	rest   []byte
}

type block struct {
	data []byte
	err  error
}

func (a *aheadReader) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.cur.err != nil {
			return 0, a.cur.err
		}
		if a.cur.data != nil {
			select {
			case a.free <- a.cur.data:
			default:
			}
		}
		select {
		case a.cur = <-a.blocks:
			a.rest = a.cur.data
		case <-a.ctx.Done():
			a.cur = block{err: a.ctx.Err()}
		}
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}
