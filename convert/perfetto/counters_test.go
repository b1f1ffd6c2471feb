package perfetto

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/model"
)

// TestMetricSamples: the counter of a metric shows, at every moment, a value that it had
// within the millisecond before, and has every peak.
func TestMetricSamples(t *testing.T) {
	const start = 5_000_000_000
	random := rand.New(rand.NewPCG(1, 2))
	var all []metricSample
	size := int64(1000)
	for at := model.Time(start); at < start+3*denseTime; {
		// It grows, with peaks, and is collected. Each value is another one.
		size += int64(random.IntN(21)) - 4
		if random.IntN(200) == 0 {
			size = 1000
		}
		all = append(all, metricSample{at, size<<20 + int64(len(all))})
		switch {
		case random.IntN(100) == 0:
			at += 20_000_000 // nothing happens
		case random.IntN(3) > 0:
			at += model.Time(random.IntN(400_000))
		}
	}

	out := writtenSamples(t, start, all)
	if len(out) >= len(all)*2/3 || len(out) < 2000 {
		t.Errorf("%d of %d samples written", len(out), len(all))
	}
	next := 0 // in out
	for i, s := range all {
		if next < len(out) && out[next] == s.value {
			next++
			continue
		}
		// It is left out, so something that is written must follow soon.
		if s.time-start < denseTime || i == 0 || i == len(all)-1 || all[i+1].time-s.time >= laterInterval {
			t.Fatalf("sample %d of %d, %v, is left out", i, len(all), s)
		}
		if lo, hi := min(out[next-1], out[next]), max(out[next-1], out[next]); s.value < lo || s.value > hi {
			t.Fatalf("sample %d, %d, is left out between %d and %d", i, s.value, lo, hi)
		}
	}
	if next != len(out) {
		t.Errorf("%d of %d that are written are samples", next, len(out))
	}
}

// writtenSamples returns the values that a counter gets.
func writtenSamples(t *testing.T, start model.Time, all []metricSample) (values []int64) {
	var buf bytes.Buffer
	w := NewWriter(&buf, Options{})
	w.Begin(&model.Trace{Start: start, Origin: start})
	for _, s := range all {
		w.Metric(&model.Metric{Time: s.time, Name: model.HeapObjects, Value: uint64(s.value)})
	}
	w.End(&model.Summary{End: all[len(all)-1].time})
	if err := w.Err(); err != nil {
		t.Fatal(err)
	}
	var file perfettopb.Trace
	if err := proto.Unmarshal(buf.Bytes(), &file); err != nil {
		t.Fatal(err)
	}
	track := w.metrics.open[model.HeapObjects].track
	for _, p := range file.Packet {
		if e := p.GetTrackEvent(); e.GetType() == perfettopb.TrackEvent_TYPE_COUNTER && e.GetTrackUuid() == track {
			values = append(values, e.GetCounterValue())
		}
	}
	return values
}
