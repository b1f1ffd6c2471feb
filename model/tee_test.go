package model_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

// TestTee compares what each of two sinks gets with what one alone gets.
func TestTee(t *testing.T) {
	for _, name := range []string{"chain", "flightrecorder", "damaged", "cpuprofile"} {
		t.Run(name, func(t *testing.T) {
			data := traceData(t, name+".trace")
			var alone, first, second bytes.Buffer
			if _, err := model.Read(t.Context(), bytes.NewReader(data), modeltest.NewDump(&alone)); err != nil && !model.IsDamage(err) {
				t.Fatal(err)
			}
			both := model.Tee(modeltest.NewDump(&first), modeltest.NewDump(&second))
			if _, err := model.Read(t.Context(), bytes.NewReader(data), both); err != nil && !model.IsDamage(err) {
				t.Fatal(err)
			}
			for i, got := range []*bytes.Buffer{&first, &second} {
				if !bytes.Equal(got.Bytes(), alone.Bytes()) {
					t.Errorf("sink %d gets %d bytes of calls, others than the %d alone", i, got.Len(), alone.Len())
				}
			}
			if alone.Len() == 0 {
				t.Error("no calls")
			}
		})
	}
}

// turns notes when it is its turn, and fails with an error.
type turns struct {
	model.NopSink
	n    int
	seen *[]int
	err  error
}

func (t turns) GoroutineState(*model.Goroutine, *model.GoState) { *t.seen = append(*t.seen, t.n) }
func (t turns) Err() error                                      { return t.err }

func TestTeeOrder(t *testing.T) {
	var seen []int
	first, second := errors.New("first"), errors.New("second")
	tee := model.Tee(turns{n: 1, seen: &seen}, turns{n: 2, seen: &seen, err: first}, turns{n: 3, seen: &seen, err: second})
	tee.GoroutineState(nil, nil)
	if !slices.Equal(seen, []int{1, 2, 3}) {
		t.Errorf("the sinks are called in the order %v", seen)
	}
	if _, err := model.Read(t.Context(), bytes.NewReader(traceData(t, "chain.trace")), tee); !errors.Is(err, first) || errors.Is(err, second) {
		t.Errorf("Read returns %v, want the error of the first sink that has one", err)
	}
}
