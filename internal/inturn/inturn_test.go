package inturn

import (
	"slices"
	"testing"
	"time"
)

// TestLine: functions run in their order, beside the caller.
func TestLine(t *testing.T) {
	var l Line
	l.Wait() // for nothing
	var got, want []int
	begun := make(chan struct{})
	l.Go(func() { close(begun); time.Sleep(time.Millisecond) })
	for i := range 100 {
		l.Go(func() { got = append(got, i) })
		want = append(want, i)
	}
	<-begun
	l.Wait()
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
