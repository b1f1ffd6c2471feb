package recorder

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"
)

// Dump is the window of the flight recorder, as it was written or posted.
type Dump struct {
	Metadata
	// File is the path of the file, "" if it was only posted.
	File  string
	Bytes int64
}

// ErrNotRecorded is the error of a dump if nothing has been recorded yet, because
// somebody else runs a flight recorder, or did until now.
var ErrNotRecorded = errors.New("recorder: nothing was recorded: somebody else runs a flight recorder, or did until now")

// ErrStopped is the error of a dump after Shutdown.
var ErrStopped = errors.New("recorder: it has been shut down")

// Snapshot dumps the window now, whenever the last dump was, to where the dumps of slow
// spans go. The reason is for the metadata. It waits while another dump is made.
func (r *Recorder) Snapshot(ctx context.Context, reason string) (*Dump, error) {
	if r.opts.Folder == "" && r.opts.URL == "" {
		return nil, errors.New("recorder: neither Folder nor URL say where a dump goes")
	}
	return r.dump(ctx, r.metadata(reason, time.Now()))
}

// dump writes and posts the window.
func (r *Recorder) dump(ctx context.Context, m *Metadata) (*Dump, error) {
	d := &Dump{Metadata: *m}
	if r.opts.URL == "" {
		err := r.window(ctx, func(window io.WriterTo) (err error) {
			d.File, d.Bytes, err = r.write(window, m)
			return err
		})
		return r.done(d, err)
	}
	// An address may be slow: the window waits in memory, and not in the recorder.
	var window bytes.Buffer
	if err := r.window(ctx, func(w io.WriterTo) error {
		_, err := w.WriteTo(&window)
		return err
	}); err != nil {
		return nil, err
	}
	d.Bytes = int64(window.Len())
	var writeErr error
	if r.opts.Folder != "" {
		d.File, _, writeErr = r.write(bytes.NewReader(window.Bytes()), m)
	}
	postErr := r.post(ctx, window.Bytes(), m)
	return r.done(d, errors.Join(writeErr, postErr))
}

func (r *Recorder) done(d *Dump, err error) (*Dump, error) {
	if err != nil {
		return nil, err
	}
	r.stats.dumps.Add(1)
	r.stats.bytes.Add(d.Bytes)
	return d, nil
}

// window calls f with the window, which is valid until f returns.
func (r *Recorder) window(ctx context.Context, f func(io.WriterTo) error) error {
	if err := r.lock(ctx); err != nil {
		return err
	}
	defer r.unlock()
	switch {
	case r.closed:
		return ErrStopped
	case !r.start():
		return ErrNotRecorded
	}
	return f(r.flight)
}
