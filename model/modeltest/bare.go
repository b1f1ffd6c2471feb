package modeltest

import (
	"io"

	exptrace "golang.org/x/exp/trace"
)

// ReadBare reads a trace with golang.org/x/exp/trace, throws its events away, and
// returns their number: what the speed of everything is measured against.
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
