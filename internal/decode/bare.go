package decode

import (
	"io"

	exptrace "golang.org/x/exp/trace"
)

// ReadBare returns the number of events that golang.org/x/exp/trace reads. It is the
// yardstick of all measurements of speed, and has no other use.
func ReadBare(r io.Reader) (events int64, err error) {
	tr, err := exptrace.NewReader(r)
	if err != nil {
		return 0, err
	}
	for {
		if _, err := tr.ReadEvent(); err == io.EOF {
			return events, nil
		} else if err != nil {
			return events, err
		}
		events++
	}
}
