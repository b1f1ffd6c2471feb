package model

import (
	"context"
	"io"

	"github.com/trace2x/trace2x/internal/decode"
)

// Sectioned is a reader whose bytes may be there to be read anywhere, as in a file.
// [ReadWindow] and [ReadSplit] then read only those that they need.
type Sectioned interface {
	io.Reader
	// Section returns all bytes, also those that were read already, or nil if they
	// can only be read in order.
	Section() *io.SectionReader
}

// Index says where the parts of a trace lie, for a program that reads many windows of
// it, wherever they lie and in any order: the headers of the trace's batches are read
// once, as far as the windows need them, and some bytes kept for each second of the
// trace. Reading a window then takes as long as the one or two generations that it lies
// in. Several goroutines may use an Index.
//
//	index, err := model.NewIndex(file, size)
//	…
//	summary, err := index.ReadWindow(ctx, sink, window)
//
// Its ReadWindow calls the sink and returns the summary and the errors as [ReadWindow] of
// this package does for the bytes of the trace, also for a damaged one. Only a trace of Go
// 1.21 or earlier is read whole each time.
type Index struct{ index *decode.Index }

// NewIndex returns the index of the trace in the first size bytes of r, which must not
// change and stay readable as long as the index is used. It reads only the beginning.
// The error is a *[FormatError] if r is not a trace that can be read, else the error of
// r.
func NewIndex(r io.ReaderAt, size int64) (*Index, error) {
	index, err := decode.NewIndex(r, size)
	if err != nil {
		return nil, err
	}
	return &Index{index}, nil
}

// ReadWindow is [ReadWindow] of the trace. The window may be all of it.
func (x *Index) ReadWindow(ctx context.Context, sink Sink, w Window) (*Summary, error) {
	in, err := x.open(ctx)
	if err != nil {
		return nil, err
	}
	if w.From.IsZero() && w.To.IsZero() {
		return read(ctx, in, sink, nil)
	}
	return read(ctx, in, sink, &clip{Window: w})
}

func (x *Index) open(ctx context.Context) (*decode.Input, error) {
	in, err := x.index.Open()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return in, err
}

// openWindow opens a trace to read a part of it.
func openWindow(ctx context.Context, r io.Reader) (*decode.Input, error) {
	var section *io.SectionReader
	if s, ok := r.(Sectioned); ok {
		section = s.Section()
	}
	if section == nil {
		return open(ctx, r)
	}
	index, err := NewIndex(section, section.Size())
	if err != nil {
		return nil, err
	}
	return index.open(ctx)
}
