package decode

import (
	"fmt"
	"io"

	exptrace "golang.org/x/exp/trace"
)

// Reader decodes a trace with golang.org/x/exp/trace.
type Reader struct {
	r  *exptrace.Reader
	x  *Compactor
	ev exptrace.Event
	// held says that ev begins the next chunk, since a chunk is of one generation.
	held bool
}

// NewReader returns a reader of the trace in r. It reads one of Go 1.21 or
// earlier, which v1 says it is, whole.
func NewReader(r io.Reader, v1 bool) (d *Reader, err error) {
	defer func() { recovered(&err, recover()) }()
	tr, err := exptrace.NewReader(r)
	if err != nil {
		return nil, err
	}
	return &Reader{r: tr, x: NewCompactor(v1)}, nil
}

// Fill decodes the next events. Chunk.Err says when no more follow.
func (d *Reader) Fill(c *Chunk) {
	c.reset()
	if d.held {
		d.x.Add(c, &d.ev)
		d.held = false
	}
	for len(c.Events) < cap(c.Events) && c.Err == nil && !d.held {
		d.fillOn(c)
	}
}

// fillOn decodes events until the chunk is full or the decoder, which meets
// bytes that nobody has checked, panics: that is an error like another, but for
// a transition that it does not know.
func (d *Reader) fillOn(c *Chunk) {
	whole := len(c.Events) // events that are complete
	defer func() {
		p := recover()
		switch {
		case p == nil:
		case d.x.asking:
			d.x.asking = false
			c.Events[len(c.Events)-1].Resource = UnknownResource
		default:
			c.Events = c.Events[:whole]
			recovered(&c.Err, p)
		}
	}()
	for len(c.Events) < cap(c.Events) {
		if d.ev, c.Err = d.r.ReadEvent(); c.Err != nil {
			return
		}
		if d.ev.Kind() == exptrace.EventSync && len(c.Events) > 0 {
			d.held = true
			return
		}
		whole = len(c.Events)
		d.x.Add(c, &d.ev)
		whole++
	}
}

// skip leaves out the next n events.
func (d *Reader) skip(n int) (err error) {
	defer func() { recovered(&err, recover()) }()
	for range n {
		if _, err := d.r.ReadEvent(); err != nil {
			return err
		}
	}
	return nil
}

func recovered(err *error, p any) {
	if p != nil {
		*err = fmt.Errorf("the decoder panicked: %v", p)
	}
}
