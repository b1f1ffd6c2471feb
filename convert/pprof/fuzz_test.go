package pprof_test

import (
	"bytes"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// FuzzConvert: whatever is in a trace, a profile of it is valid, and its sums are
// within the time that there was.
func FuzzConvert(f *testing.F) {
	testtrace.SeedStructure(f)
	f.Fuzz(func(t *testing.T, data []byte, change uint64) {
		data = testtrace.Mutate(data, change)
		for typ := pprof.Net; typ <= pprof.Critical; typ++ {
			if change%2 == 1 && typ != pprof.Type(change/2%7) {
				continue
			}
			var out bytes.Buffer
			sum, err := pprof.Convert(t.Context(), bytes.NewReader(data), &out, pprof.Options{Type: typ})
			if sum == nil {
				if out.Len() > 0 {
					t.Errorf("%v, and %d bytes", err, out.Len())
				}
				return
			}
			if err != nil && !model.IsDamage(err) {
				t.Fatal(err)
			}
			p, err := profile.Parse(&out)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.CheckValid(); err != nil {
				t.Fatal(err)
			}
			duration := int64(sum.End - sum.Start)
			if p.DurationNanos != duration {
				t.Errorf("%v: of %d ns, the trace has %d", typ, p.DurationNanos, duration)
			}
			total := int64(0)
			for _, s := range p.Sample {
				if s.Value[0] < 0 || s.Value[1] < 0 {
					t.Fatalf("%v: %v", typ, s.Value)
				}
				if total += s.Value[1]; total < 0 {
					t.Fatalf("%v: the sum overflows", typ)
				}
			}
			if alive := int64(sum.MaxAlive); typ != pprof.CPU && typ != pprof.Critical && alive > 0 && total/alive > duration {
				t.Errorf("%v: %d ns of %d goroutines in %d ns", typ, total, alive, duration)
			}
		}
	})
}
