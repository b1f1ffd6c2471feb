package decode

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Damage says where a trace is truncated or damaged, and what that costs: one
// generation, mostly.
type Damage struct {
	// Generations is the number of generations before the damage. The one with the
	// damage may have been read in part.
	Generations int
	// Offset is the byte, counted from 0 in the uncompressed trace, at which
	// the damage is, or, if that cannot be told, at which the generation with
	// the damage begins.
	Offset int64
	// Lost is the number of bytes of the generation with the damage, and of those
	// that follow it and are damaged too.
	Lost int64
	// Truncated means that the input ends too early.
	Truncated bool
	// Err is what the decoder says.
	Err error
}

func (d *Damage) Error() string {
	if d.Truncated {
		text := fmt.Sprintf("truncated at byte %d, in generation %d: its %d bytes are lost: %v", d.Offset, d.Generations+1, d.Lost, d.Err)
		if d.Generations == 0 {
			text += "; no generation is complete (the runtime completes one each second), so there is nothing to show"
		}
		return text
	}
	return fmt.Sprintf("damaged at or after byte %d, in generation %d: up to %d bytes are lost: %v", d.Offset, d.Generations+1, d.Lost, d.Err)
}

func (d *Damage) Unwrap() error { return d.Err }

// join makes one damage of two that follow each other with nothing between.
func (d *Damage) join(next *Damage) {
	d.Lost += next.Lost
	if next.Truncated {
		d.Truncated, d.Offset, d.Err = true, next.Offset, next.Err
	}
}

// brief leaves out the state of the decoder, which golang.org/x/exp/trace prints
// behind some errors, in lines of no fixed order, and quotes what is not printable:
// some errors have names that are in the trace.
func brief(err error) error {
	first, _, more := strings.Cut(err.Error(), "\n")
	if more {
		first = strings.TrimSuffix(strings.TrimSuffix(first, ":"), ": frontier")
	}
	quoted := strconv.Quote(first)
	if quoted = quoted[1 : len(quoted)-1]; !more && quoted == first {
		return err
	}
	return errors.New(strings.ReplaceAll(quoted, `\"`, `"`))
}
