package otel

import (
	"context"
	"fmt"
	"io"
)

// fileLimits suit OTLP JSON Lines. The Collector's otlpjsonfile receiver takes
// lines of up to maxLine bytes (its max_log_size) and cuts longer ones in
// pieces, which it then cannot read. JSON is two to four times as large as
// protobuf.
var fileLimits = limits{bytes: 192 << 10, spans: 2000, waiting: 4, inFlight: 1}

const maxLine = 1 << 20

// NewFileClient returns a client that writes OTLP JSON Lines to w, as the Collector's
// file exporter does: one request of the signal in each line, with IDs in hex. The same
// requests make the same bytes. w is not buffered (lines come whole) and not closed.
// After an error of w nothing more is written.
func NewFileClient(w io.Writer, s *Signal) Client { return &fileClient{w: w, signal: s} }

type fileClient struct {
	w      io.Writer
	signal *Signal
	err    error // the first error of w
}

func (*fileClient) limits() limits { return fileLimits }

// Close implements [Client].
func (*fileClient) Close() error { return nil }

// Export implements [Client]. It must not be called concurrently.
func (c *fileClient) Export(ctx context.Context, request []byte) (Answer, error) {
	if c.err != nil {
		return Answer{}, c.err
	}
	if err := context.Cause(ctx); err != nil {
		return Answer{}, err
	}
	line, items, err := c.signal.JSON(request)
	if err != nil {
		return Answer{}, err
	}
	line = append(line, '\n')
	// What is longer and cannot be split is written all the same: other readers have
	// other limits.
	if len(line) > maxLine && items > 1 {
		return Answer{}, &SendError{Cause: TooLarge, Reason: fmt.Sprintf("a line of %d bytes", len(line))}
	}
	if _, err := c.w.Write(line); err != nil {
		c.err = &SendError{Cause: Unusable, Reason: err.Error(), Err: err}
	}
	return Answer{}, c.err
}
