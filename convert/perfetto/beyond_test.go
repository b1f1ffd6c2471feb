package perfetto_test

import (
	"bytes"
	"runtime"
	"runtime/trace"
	"sync"
	"testing"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

// TestManyPs: what runs on Ps that no CPU stands for is there to the nanosecond all
// the same, and who woke whom.
func TestManyPs(t *testing.T) {
	data := manyPs(t)
	for what, opts := range map[string]perfetto.Options{
		"whole":   defaults,
		"threads": {MinBlock: defaults.MinBlock, Version: defaults.Version, Threads: true},
	} {
		t.Run(what, func(t *testing.T) {
			p, file := converttest.Load(t, converttest.Perfetto(t, data, opts))
			record := modeltest.NewRecord()
			converttest.Read(t, data, record)
			c := &converted{record, p, file}
			if beyond, _ := beyondCPUs(c); beyond < 100 {
				t.Fatalf("%d runs on Ps from %d on", beyond, perfetto.MaxCPUs)
			}
			checkStats(t, c)
			checkSched(t, c)
			checkStates(t, c)
			checkWakers(t, c)
			checkSlices(t, c, defaults.MinBlock.Nanoseconds())
			checkMetadata(t, c)
		})
	}
}

// beyondCPUs is how many runs there are on Ps that no CPU stands for, and how long.
func beyondCPUs(c *converted) (n int, sum model.Time) {
	for _, r := range c.Runs {
		if r.Proc >= perfetto.MaxCPUs {
			n++
			sum += r.End - r.Start
		}
	}
	return n, sum
}

// manyPs traces goroutines on more Ps than there can be CPUs.
func manyPs(t *testing.T) []byte {
	const ps = perfetto.MaxCPUs + 76
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(ps))
	var out bytes.Buffer
	if err := trace.Start(&out); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range ps + 800 { // fewer than have a go statement in the file
		wg.Go(func() {
			mu.Lock()
			runtime.Gosched()
			mu.Unlock()
		})
	}
	wg.Wait()
	runtime.GC()
	trace.Stop()
	return out.Bytes()
}
