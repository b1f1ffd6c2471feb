package report_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/trace2x/trace2x/report"
)

func ExampleRead() {
	in, err := os.Open("../testdata/traces/leak.trace")
	if err != nil {
		log.Fatal(err)
	}
	defer in.Close()
	r, err := report.Read(context.Background(), in, report.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Overview.Goroutines, "goroutines,", r.GC.Cycles, "GC cycles")
	// Output: 545 goroutines, 0 GC cycles
}
