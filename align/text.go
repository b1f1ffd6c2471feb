package align

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

var english = message.NewPrinter(language.English)

// String returns how the clock was aligned, and how well, as a sentence about it. It does
// not have the name of the program.
func (c *Clock) String() string {
	var s string
	switch c.Source {
	case Reference:
		s = "the others are aligned to it"
	case Offset:
		s = "as the user gave it"
	case Wall:
		s = "by the wall clocks"
	case WallAndCalls:
		s = fmt.Sprintf("by the wall clocks, and moved by %v because calls contradict them", signed(c.Moved))
	case CallsAlone:
		s = "by the calls, without a wall clock"
	case Beginning:
		return "not known: its trace has no wall clock and no calls, so it is shown as if it began with the first"
	}
	calls, tell, bound, contradict := english.Sprintf("%d calls", c.Calls), "tell", "bound", "contradict"
	if c.Calls == 1 {
		calls, tell, bound, contradict = "1 call", "tells", "bounds", "contradicts"
	}
	var more []string
	switch {
	case c.Contradiction > 0:
		more = append(more, fmt.Sprintf("%s contradict each other by %v", calls, rounded(c.Contradiction)))
	case c.Refuted > 0:
		more = append(more, fmt.Sprintf("%s %s it by %v", calls, contradict, rounded(c.Refuted)))
	case c.Bounded:
		more = append(more, fmt.Sprintf("right to within %v, as %s %s", rounded(c.Error), calls, tell))
	case c.Calls > 0:
		more = append(more, fmt.Sprintf("%s %s it on one side only", calls, bound))
	case c.Source == Wall:
		more = append(more, "no calls check these")
	}
	if c.Outlived > 0 {
		more = append(more, english.Sprintf("%d of them served for longer than the caller waited", c.Outlived))
	}
	if c.Spread > time.Millisecond {
		more = append(more, fmt.Sprintf("its own wall clock moved by %v during the trace", rounded(c.Spread)))
	}
	if c.Alone {
		more = append(more, "no other trace is of the same time")
	}
	return strings.Join(append([]string{s}, more...), "; ")
}

func signed(d time.Duration) string {
	if d > 0 {
		return "+" + rounded(d).String()
	}
	return rounded(d).String()
}

// rounded returns a duration with three digits or so, and not less than it is.
func rounded(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for unit <= d.Abs()/1000 {
		unit *= 10
	}
	r := d.Truncate(unit)
	if r < d {
		r += unit
	}
	return r
}
