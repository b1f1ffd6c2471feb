package perfetto_test

import (
	"testing"

	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model/modeltest"
)

// TestGaps: what is there around gaps is right, also of goroutines that nothing named
// before one.
func TestGaps(t *testing.T) {
	for name, change := range map[string]uint64{
		"gc":         8824171743226332954,
		"httpserver": 8824171743226332954,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := testtrace.Mutate(testtrace.Data(t, name), change)
			out := converttest.Perfetto(t, data, defaults)
			record := modeltest.NewRecord()
			converttest.Read(t, data, record)
			checkFile(t, out, &record.Summary)
			p, file := converttest.Load(t, out)
			c := &converted{record, p, file}
			checkStats(t, c)
			checkSched(t, c)
			checkStates(t, c)
			checkWakers(t, c)
			checkSlices(t, c, defaults.MinBlock.Nanoseconds())
			checkCounters(t, c)
		})
	}
}
