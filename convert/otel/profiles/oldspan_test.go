package profiles

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime/trace"
	"testing"
	"time"

	"github.com/trace2x/trace2x/model"
)

// TestOldSpan: what a goroutine did for a span that began before the window leads to that
// span, and what it did for a part of it leads to the part, in the same trace.
func TestOldSpan(t *testing.T) {
	fr := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: time.Millisecond})
	if err := fr.Start(); err != nil {
		t.Fatal(err)
	}
	defer fr.Stop()
	parent := func(span byte) string {
		return fmt.Sprintf("00-000000000000000000000000000000%02x-00000000000000%02x-01", 7, span)
	}
	begun, window, done := make(chan bool), make(chan bool), make(chan bool)
	go func() {
		start := time.Now()
		trace.Log(context.Background(), "opentelemetry.traceparent", parent(1)+" old")
		ctx, old := trace.NewTask(context.Background(), "old")
		close(begun)
		<-window
		time.Sleep(20 * time.Millisecond)
		_, part := trace.NewTask(ctx, "part")
		time.Sleep(10 * time.Millisecond)
		part.End()
		time.Sleep(20 * time.Millisecond)
		old.End()
		trace.Log(context.Background(), "opentelemetry.traceparent.end", fmt.Sprintf("%s %d old", parent(1), time.Since(start)))
		time.Sleep(5 * time.Millisecond)
		close(done)
	}()
	<-begun
	for range 3 { // a generation each, so that the first is forgotten
		time.Sleep(10 * time.Millisecond)
		if _, err := fr.WriteTo(io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	close(window)
	<-done
	var data bytes.Buffer
	if _, err := fr.WriteTo(&data); err != nil {
		t.Fatal(err)
	}
	for _, own := range []bool{false, true} {
		slept := make(map[model.SpanContext]int64)
		samples, _ := profilesOf(t, data.Bytes(), Options{OwnSpans: own})
		for _, s := range samples {
			if s.kind == "off_cpu" && s.attributes["go.reason"] == "sleep" && s.link != (model.SpanContext{}) {
				slept[s.link] += s.value
			}
		}
		var span model.SpanContext
		span.TraceID[15], span.SpanID[7] = 7, 1
		least := int64(50e6)
		if own {
			least = 40e6 // without the part
		}
		if ns := slept[span]; ns < least {
			t.Errorf("own spans %t: %d ns in the span, want %d", own, ns, least)
		}
		delete(slept, span)
		if len(slept) != map[bool]int{true: 1}[own] {
			t.Errorf("own spans %t: %v", own, slept)
		}
		for s, ns := range slept {
			if s.TraceID != span.TraceID || ns < 10e6 {
				t.Errorf("%d ns in the part, in trace %x", ns, s.TraceID)
			}
		}
	}
}
