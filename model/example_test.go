package model_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/trace2x/trace2x/model"
)

// waits adds up how long goroutines waited, by the runtime's reasons.
type waits struct {
	model.NopSink
	byReason map[string]model.Time
}

func (w *waits) GoroutineState(g *model.Goroutine, s *model.GoState) {
	if s.Kind == model.Waiting {
		w.byReason[s.Reason] += s.Duration()
	}
}

func ExampleRead() {
	f, err := os.Open("../testdata/traces/states.trace")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	sink := &waits{byReason: make(map[string]model.Time)}
	sum, err := model.Read(context.Background(), f, sink)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Format, sum.Goroutines, "goroutines")
	fmt.Println("asleep for", time.Duration(sink.byReason["sleep"]).Round(time.Millisecond))
	// Output:
	// Go 1.26 13 goroutines
	// asleep for 36ms
}

func ExampleReadWindow() {
	f, err := os.Open("../testdata/traces/states.trace")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	sum, err := model.ReadWindow(context.Background(), f, model.NopSink{}, model.Window{
		From: model.Moment{Since: 10 * time.Millisecond},
		To:   model.Moment{Since: 20 * time.Millisecond},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(time.Duration(sum.End - sum.Start))
	// Output: 10ms
}
