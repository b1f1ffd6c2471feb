package otel

import (
	"testing"

	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// TestLost: spans that reach into a damaged part of the trace say how far.
func TestLost(t *testing.T) {
	data := testtrace.Data(t, "damaged")
	gap := converttest.Read(t, data, model.NopSink{}).Gaps[0]
	spans, _ := spansOf(t, data, DefaultOptions())
	lost := int64(gap.End - gap.Start)
	whole := 0
	for _, s := range spans {
		switch n := intAttr(s, "go.lost_ns"); {
		case n < 0 || n > lost || n > int64(s.EndTimeUnixNano-s.StartTimeUnixNano):
			t.Errorf("%s: %d ns of a gap of %d ns are lost", s.Name, n, lost)
		case n == lost:
			whole++
		case s.Name == "program":
			t.Errorf("the program has lost %d ns, want %d", n, lost)
		}
	}
	if lost == 0 || whole < 5 || whole == len(spans) {
		t.Errorf("%d of %d spans have lost all of the %d ns", whole, len(spans), lost)
	}
}
